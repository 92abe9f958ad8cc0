"""Does a message answer a waiting act? Deterministic, in all four languages; also in front of an LLM.

A yes must be nothing but a yes: every word of the message is a word of agreement, a filler, or repeats the waiting act
("yes, delete it", "그래 지워"). A no may carry a reason, as refusing is always safe, unless it brings a new wish.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal

from agent.planner.lexicon import load
from agent.planner.normalise import fold

Consent = Literal["approve", "reject"]
_JUNK = re.compile(r"[\s~_-]+")
_EMOJI = {"👍": "yes", "👌": "ok", "✅": "yes", "🆗": "ok", "🙆": "yes", "👎": "no", "❌": "no", "🙅": "no", "🚫": "no", "✋": "wait"}
_LONGEST = 60
_compiling = threading.Lock()
_NOT = {
    "en": r"(?:don'?t|do not|never|not|no need to|please don'?t|let'?s not|won'?t|rather not)(?: (?:you|just|ever|want to|wanna))*",
    "zh": r"(?:先|还是|就|暂时|千万)?(?:别|不|不要|不用|不必|先别|先不要|不想)(?:再|去|把它)?",
}
_NOT_AFTER = {
    "ja": r"(?:消さ|外さ|移さ|変え|抜け|戻さ|下げ|止め|削除し|公開し|破棄し|リセットし|実行し|変更し|剥奪し)(?:ない|なく|ず)\S{0,12}",
    "ko": r"(?:지우|없애|삭제하|빼|끊|날리|공개하|풀|옮기|넘기|바꾸|낮추|내리|정지하|초기화하|되돌리|나가|탈퇴하)지 ?(?:는|도)? ?(?:마|말|않)\S{0,8}|안 ?(?:지워|지울|삭제|빼|바꿔|옮겨|공개|나갈)\S{0,8}",
}


def read_consent(text: str, act: Mapping[str, Any] | None = None, *, just_asked: bool = True) -> Consent | None:
    """`approve`, `reject`, or None when the message is about something else, asks back, or says both.

    Args:
        act: the waiting act, `{"tool", "args"}`; its verb and the names in it may be repeated.
        just_asked: the question is the last thing that was said. Later the bare verb ("remove her") may mean somebody else by now.
    """
    plain = _plain(text)
    if not plain or "?" in plain:
        return None
    said, rest = _consume(plain, _vocabulary(_kind_of(act)), _names(act), just_asked)
    if not rest:
        return said.pop() if len(said) == 1 else None
    refuses = "approve" not in said and _leading_refusal(plain, _vocabulary(_kind_of(act)))
    return "reject" if act is not None and refuses and len(plain) <= _LONGEST and not _is_wish(plain) else None


def _consume(
    plain: str, vocabulary: tuple[tuple[str, tuple[re.Pattern[str], ...]], ...], names: re.Pattern[str] | None, just_asked: bool
) -> tuple[set[Consent], str]:
    """What the message says word by word, the longest reading first, and what is left that nothing explains."""
    said: set[Consent] = set()
    weak = named = False
    rest = plain
    while rest:
        hits = [(m.end(), kind) for kind, patterns in vocabulary for pattern in patterns if (m := pattern.match(rest))]
        if names is not None and (m := names.match(rest)):
            hits.append((m.end(), "name"))
        hits = [hit for hit in hits if hit[0] > 0]
        if not hits:
            return said, rest
        end, kind = max(hits, key=lambda hit: (hit[0], hit[1] == "reject"))
        if kind == "approve":
            said.add("approve")
        elif kind == "reject":
            said.add("reject")
        weak = weak or kind == "verb"
        named = named or kind == "name"
        rest = _JUNK.sub(" ", rest[end:]).strip()
    if weak and not said and (just_asked or named):
        said.add("approve")  # the bare verb of the waiting act: "delete it", "지워"
    return said, ""


def _leading_refusal(plain: str, vocabulary: tuple[tuple[str, tuple[re.Pattern[str], ...]], ...]) -> bool:
    """Whether a word of refusal stands first, after fillers, or a word that takes the act back stands last."""
    words = dict(vocabulary)
    rest = plain
    for _ in range(4):
        if any(m.end() > 1 for pattern in words["reject"] if (m := pattern.match(rest))):
            return True
        ends = [m.end() for kind in ("filler", "approve") for pattern in words[kind] if (m := pattern.match(rest))]
        if not ends or not max(ends):
            break
        rest = _JUNK.sub(" ", rest[max(ends) :]).strip()
    return any(re.search(rf"(?<![a-z])(?:{pattern.pattern})$", plain) for pattern in words["reject"] if len(pattern.pattern) > 12)


def _is_wish(plain: str) -> bool:
    return any(re.search(pattern, plain) for pattern in load("consent")["wish"])


def _plain(text: str) -> str:
    folded = fold(text).lower().replace("’", "'")
    for emoji, word in _EMOJI.items():
        folded = folded.replace(emoji, f" {word} ")
    folded = re.sub(r"[\ufe0f\U0001f3fb-\U0001f3ff]", "", folded)
    return re.sub(r"\s+", " ", re.sub(r"[.,!~…。、·:;)(\[\]\"「」*ㅎ]+|ㅋㅋ+|ㅠ+|ㅜ+", " ", folded)).strip()


def _kind_of(act: Mapping[str, Any] | None) -> str:
    tool = str(act.get("tool", "")) if act else ""
    return next((kind for kind, tools in load("consent")["acts"].items() if tool in tools), "")


def _names(act: Mapping[str, Any] | None) -> re.Pattern[str] | None:
    """The names in the act's arguments, with the particles people glue to them."""
    if act is None:
        return None
    found: set[str] = set()
    for value in act.get("args", {}).values():
        if isinstance(value, str) and 1 < len(value) <= 120:
            found |= {_plain(value), *map(_plain, value.split("/"))}
    body = "|".join(re.escape(name) for name in sorted(found - {""}, key=len, reverse=True))
    return (
        re.compile(rf"(?:{body})(?:'s)?(?:[을를은는이가의도로]|から|を|は|の|も|的)?(?=\s|$|[\u3040-\u9fff\uac00-\ud7a3])")
        if body
        else None
    )


def _vocabulary(kind: str) -> tuple[tuple[str, tuple[re.Pattern[str], ...]], ...]:
    with _compiling:  # it takes seconds, and many threads begin at once
        return _words_for(kind)


@cache
def _words() -> tuple[tuple[re.Pattern[str], ...], ...]:
    """What agrees, what refuses, what says neither."""
    talk, own = load("talk"), load("consent")
    kinds = (("approve", "approve"), ("reject", "reject"), ("consent_filler", "filler"))
    return tuple(_compile(_all(talk[old]), _all(own[new])) for old, new in kinds)


@cache
def _words_for(kind: str) -> tuple[tuple[str, tuple[re.Pattern[str], ...]], ...]:
    approve, reject, filler = _words()
    verbs = load("consent")["verbs"].get(kind, {})
    negated = [f"{_NOT[lang]} ?(?:{verb})" for lang in _NOT for verb in verbs.get(lang, [])]
    negated += [f"(?:{verb})(?:吗|嗎)?不" for verb in verbs.get("zh", [])] + list(_NOT_AFTER.values())
    return (
        ("reject", (*reject, *_compile(negated))),
        ("approve", approve),
        ("verb", _compile(_all(verbs))),
        ("filler", filler),
    )


def _all(by_language: Mapping[str, Iterable[Any]]) -> list[str]:
    return [str(word) for words in by_language.values() for word in words]


def _compile(*groups: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """A spaced word ends at a space, at the end, or where Chinese or Japanese text goes on; other words may be glued."""
    found = []
    for word in dict.fromkeys(word for group in groups for word in group):
        spaced = re.search(r"[A-Za-z\uac00-\ud7a3\u3131-\u318e]", re.sub(r"\\[a-zA-Z]", "", word))
        plain = re.sub(r"、\??", "", word.replace(",?", ""))
        found.append(re.compile(rf"(?:{plain})(?=\s|$|[\u3040-\u9fff])" if spaced else f"(?:{plain})"))
    return tuple(found)
