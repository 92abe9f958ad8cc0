"""A file as a list of runs of chunks: which of them hold a range of its bytes."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from hub_core.xet.shards import RECORD, Term, unpack_terms


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes `[start, end)` of a term's content."""

    term: Term
    start: int
    end: int


class Layout:
    """Where the bytes of one file are. Terms stay packed, as a large file has very many."""

    def __init__(self, records: bytes) -> None:
        self._records = records
        self._starts = array("Q")
        self.size = 0
        for term in unpack_terms(records):
            self._starts.append(self.size)
            self.size += term.size

    def terms(self) -> Iterator[Term]:
        """All terms, in order."""
        return unpack_terms(self._records)

    def xorbs(self) -> list[str]:
        """The xorbs that the file needs, in the order in which it needs them first."""
        return list(dict.fromkeys(term.xorb for term in self.terms()))

    def parts(self, start: int, end: int) -> Iterator[Part]:
        """What makes up the bytes `[start, end)` of the file."""
        number = max(bisect_right(self._starts, start) - 1, 0)
        while number < len(self._starts) and self._starts[number] < end:
            (term,) = unpack_terms(self._records[number * RECORD : (number + 1) * RECORD])
            begin = self._starts[number]
            yield Part(term, max(start - begin, 0), min(end - begin, term.size))
            number += 1
