"""Does a message answer a pending approval? Only a message that is (almost) nothing but a yes or a no counts."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from agent.planner.lexicon import load
from agent.planner.normalise import fold

Consent = Literal["approve", "reject"]
_JUNK = re.compile(r"[\s~_-]+")
_EMOJI = {"👍": "yes", "👌": "ok", "✅": "yes", "🆗": "ok", "🙆": "yes", "👎": "no", "❌": "no", "🙅": "no", "🚫": "no", "✋": "wait"}
_LONGEST = 48


def read_consent(text: str) -> Consent | None:
    """`approve`, `reject`, or None when the message is about something else, asks back, or says both.

    Deterministic, in all four languages. A question (`yes?`) is no consent. When a yes and a no stand together
    (`no wait, yes`), nothing is settled: the person is asked again.
    """
    plain = _plain(text)
    if not plain or len(plain) > _LONGEST or "?" in plain:
        return None
    approve, reject, filler = _pattern("approve"), _pattern("reject"), _pattern("consent_filler")
    rest, said = plain, set[Consent]()
    while rest:
        hits = [(m.end(), kind) for kind, pattern in (("reject", reject), ("approve", approve), ("", filler)) if (m := pattern.match(rest))]
        if not hits:
            return None
        # The longest reading of the next words wins ("don't do it" over "do it"); a refusal wins a tie.
        end, kind = max(hits, key=lambda hit: hit[0])
        if kind == "approve" or kind == "reject":
            said.add(kind)
        rest = _JUNK.sub(" ", rest[end:]).strip()
    return said.pop() if len(said) == 1 else None


def _plain(text: str) -> str:
    folded = fold(text).lower()
    for emoji, word in _EMOJI.items():
        folded = folded.replace(emoji, f" {word} ")
    folded = re.sub(r"[\ufe0f\U0001f3fb-\U0001f3ff]", "", folded)
    return re.sub(r"\s+", " ", re.sub(r"[.,!~…。、·:;)(\[\]\"「」*]+", " ", folded)).strip()


@cache
def _pattern(topic: str) -> re.Pattern[str]:
    """All words of a topic; a word must end where the message, a space, or (in Chinese and Japanese) another listed word ends."""
    words = [str(word) for by_lang in load("talk")[topic].values() for word in by_lang]
    spaced = [word.replace(",?", "") for word in words if re.search(r"[A-Za-z\uac00-\ud7a3\u3131-\u318e]", word)]
    glued = [word.replace("、", "") for word in words if word not in spaced and word.replace("、", "")]
    parts = [rf"(?:{word})(?=\s|$|[\u3040-\u9fff])" for word in sorted(spaced, key=len, reverse=True)]
    parts += [f"(?:{word})" for word in sorted(glued, key=len, reverse=True)]
    return _Longest(parts)  # type: ignore[return-value]


class _Longest:
    """Alternatives tried one by one, the longest match taken: regex alternation takes the first instead."""

    def __init__(self, parts: list[str]) -> None:
        self._parts = [re.compile(part) for part in parts]

    def match(self, text: str) -> re.Match[str] | None:
        """The longest match at the start."""
        found = [m for part in self._parts if (m := part.match(text))]
        return max(found, key=re.Match.end) if found else None
