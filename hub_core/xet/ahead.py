"""Reading many small files of a shard with few requests to the blob store."""

from __future__ import annotations

from collections.abc import Iterator

from hub_core.errors import NotFound
from hub_core.xet.shards import Term
from hub_core.xet.store import UnknownXorbError, XorbStore
from hub_core.xet.xorbs import MIB, contents

_WINDOW = 8 * MIB


class ReadAhead:
    """Reads terms; small ones that follow one another in a xorb, as a shard of many small files has them, come out of one request."""

    def __init__(self, xorbs: XorbStore) -> None:
        self._xorbs = xorbs
        self._xorb = ""
        self._start = 0
        self._held = b""

    def content(self, term: Term) -> Iterator[bytes]:
        """The content of a term, chunk by chunk.

        Raises:
            UnknownXorbError: the xorb is not there.
            InvalidInput: the stored bytes are damaged.
        """
        index = self._xorbs.index(term.xorb)
        start, stop = index.start(term.first), index.ends[term.end - 1]
        if stop - start > _WINDOW // 2:
            return self._xorbs.read(term.xorb, term.first, 0, term.size)
        if term.xorb != self._xorb or start < self._start or stop > self._start + len(self._held):
            try:
                self._held = b"".join(self._xorbs.body(term.xorb, start, min(start + _WINDOW, index.ends[-1])))
            except NotFound:
                raise UnknownXorbError from None
            self._xorb, self._start = term.xorb, start
        return contents([self._held[start - self._start : stop - self._start]])
