"""What a repo can be found by, and how words that people type are cut: one rule for both databases and for every script.

A word is found wherever it stands, also inside another one (`bert` finds `roberta`), as Chinese and Japanese put no spaces between words.
Texts and words are folded first: width, case, compatibility forms. The index holds pieces of two and three letters, with which a
database narrows a search down to what may fit; whether a word is really there is told by the folded text itself.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hub_core.accounts.lookup import storable

MAX_WORDS = 8
# So many pieces narrow a search enough; more only cost time.
_MOST_PIECES = 12
_LENGTHS = (2, 3)
_RUN = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Findable:
    """What is indexed of one repo.

    Attributes:
        text: everything that words are looked for in, folded, a line for each part.
        facets: what filters ask for, as a line each: `kind:model`, `tag:gguf` ...
    """

    text: str
    facets: str

    @property
    def terms(self) -> frozenset[int]:
        """Numbers under which an index keeps the repo."""
        return frozenset({*map(term, _pieces(self.text)), *map(term, self.facets.split("\n"))})


def findable(texts: Iterable[str], facets: Iterable[str]) -> Findable:
    """What is indexed of a repo with these texts and facets."""
    lines = (fold(text) for text in texts)
    return Findable("\n".join(line for line in lines if line), "\n".join(sorted({" ".join(facet.split()) for facet in facets})))


def fold(text: str) -> str:
    """One line in the form in which words are compared."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(storable(folded).split())


def words_of(said: str) -> list[str]:
    """The words of a search, folded, no more than eight.

    Quotation marks around them are taken off, and accents in front that no letter stands before: in a text they are part of the letter.
    """
    found = ("".join(itertools.dropwhile(unicodedata.combining, word.strip("\"'"))) for word in fold(said).split())
    return list(dict.fromkeys(word for word in found if word))[:MAX_WORDS]


def word_terms(word: str) -> list[int]:
    """Terms of every repo that has this folded word somewhere; empty where the index cannot help (a letter alone, a dash)."""
    found: dict[int, None] = {}
    for run in _RUN.findall(word):
        width = min(len(run), max(_LENGTHS))
        if width >= min(_LENGTHS) or not run.isascii():
            found |= dict.fromkeys(term(run[at : at + width]) for at in range(len(run) - width + 1))
    return list(found)[:_MOST_PIECES]


@lru_cache(maxsize=1 << 16)
def term(text: str) -> int:
    """The number of a piece or a facet. Two can share one: an index gives candidates, not results."""
    number = zlib.crc32(text.encode("utf-8", "replace"))
    return number - (1 << 32) if number >> 31 else number


def any_of(facets: Sequence[str]) -> list[int]:
    """The terms of facets of which one is enough."""
    return [term(" ".join(facet.split())) for facet in facets]


def _pieces(text: str) -> set[str]:
    found: set[str] = set()
    for run in _RUN.findall(text):
        for width in _LENGTHS:
            found.update(run[at : at + width] for at in range(len(run) - width + 1))
        if not run.isascii():
            found.update(letter for letter in run if not letter.isascii())
    return found
