"""Text as the planner reads it: compatibility forms folded, quotes and spaces unified, typing errors in command words mended."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from functools import lru_cache

from rapidfuzz.distance import OSA

MAX_CHARS = 2000
_QUOTES = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "〝": '"',
        "〟": '"',
        "。": "。",
        "、": "、",
        "–": "-",
        "—": "-",
        "−": "-",
        "‐": "-",
    }
)
_WORD = re.compile(r"(?<![A-Za-z0-9_./@-])[A-Za-z][a-z]{3,}(?![A-Za-z0-9_/@-]|\.\w)")


def fold(text: str) -> str:
    """NFKC, character by character, so that full-width letters and punctuation become plain; spaces unified; single jamo kept.

    Chinese and Japanese full stops and enumeration commas are kept. Control characters become spaces. Cut at MAX_CHARS.
    """
    return "".join(_folded(unicodedata.normalize("NFC", text[: MAX_CHARS * 2])))[:MAX_CHARS].strip()


def _folded(text: str) -> list[str]:
    """What each character becomes."""
    out = []
    for char in text:
        if char in "\n\t" or "\u3131" <= char <= "\u318e":
            out.append(char)
        elif unicodedata.category(char) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Cs"):
            out.append("" if unicodedata.category(char) == "Cf" else " ")
        else:
            out.append(unicodedata.normalize("NFC", unicodedata.normalize("NFKC", char)).translate(_QUOTES))
    return out


_HIRAGANA_LOANS = re.compile(
    "ぶらんち|もでる|でーたせっと|でーた|たぐ|ふぁいる|らいせんす|とーくん|ふぁいんちゅーん|でぷろい|りぽじとり|れぽじとり|こみっと|ふぉーく|ゆーざー|めんばー|すぺーす|ぷろんぷと|だうんろーど|あっぷろーど|りねーむ|あくせす|あかうんと|ろぐいん"
)


def in_katakana(text: str) -> str:
    """Loanwords that are written in hiragana in a hurry, as they are spelled; of the same length."""
    return _HIRAGANA_LOANS.sub(lambda match: "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in match.group()), text)


def as_written(value: str, text: str) -> str:
    """The part of the original text that reads as the value; the value itself when it is not there, or there in several ways."""
    pieces = _folded(text[: MAX_CHARS * 2])
    folded = in_katakana("".join(pieces))
    starts = [at for at, piece in enumerate(pieces) for _ in piece]
    places = [match.start() for match in re.finditer(re.escape(value), folded)] if value else []
    found = {text[starts[at] : starts[at + len(value) - 1] + 1] for at in places}
    if len(found) != 1:
        return value
    # A text that was cut while it was read goes on to its end.
    cut = len(text) > MAX_CHARS and places[0] + len(value) >= MAX_CHARS
    return text[starts[places[0]] :].rstrip() if cut else found.pop()


def lower(text: str) -> str:
    """Lower case of the same length."""
    return "".join(small if len(small := char.lower()) == 1 else char for char in text)


def mend(text: str, vocabulary: Collection[str], known: Callable[[str], bool]) -> list[tuple[int, int, str]]:
    """Corrections of mistyped command words: (start, end, right word). `known` says which words are right as they are."""
    fixes = []
    for match in _WORD.finditer(text):
        word = match.group().lower()
        if word in vocabulary or known(word):
            continue
        better = _nearest(word, tuple_of(vocabulary))
        if better:
            fixes.append((match.start(), match.end(), better))
    return fixes


_tuples: dict[int, tuple[Collection[str], dict[str, tuple[str, ...]]]] = {}


def tuple_of(vocabulary: Collection[str]) -> int:
    """Register a vocabulary, grouped by first letter; returns its key."""
    key = id(vocabulary)
    if key not in _tuples:
        groups: dict[str, list[str]] = {}
        for word in sorted(vocabulary):
            if len(word) >= 4 and word.isalpha():
                groups.setdefault(word[0], []).append(word)
        _tuples[key] = (vocabulary, {first: tuple(words) for first, words in groups.items()})
    return key


@lru_cache(maxsize=4096)
def _nearest(word: str, key: int) -> str | None:
    """The only, or the closest in length, vocabulary word one edit away that starts alike."""
    near = [
        other
        for other in _tuples[key][1].get(word[0], ())
        if abs(len(other) - len(word)) <= 1 and OSA.distance(word, other, score_cutoff=1) <= 1
    ]
    if not near:
        return None
    # A swap or a doubled letter is likelier than a wrong one; then the longer word.
    return min(near, key=lambda other: (sorted(other) != sorted(word), set(other) != set(word), -len(other), other))
