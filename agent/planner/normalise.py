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
    text = unicodedata.normalize("NFC", text[: MAX_CHARS * 2])
    out = []
    for char in text:
        if char in "\n\t" or "\u3131" <= char <= "\u318e":
            out.append(char)
        elif unicodedata.category(char) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Cs"):
            out.append("" if unicodedata.category(char) == "Cf" else " ")
        else:
            out.append(unicodedata.normalize("NFKC", char))
    folded = "".join(out).translate(_QUOTES)
    return unicodedata.normalize("NFC", folded)[:MAX_CHARS].strip()


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
