"""Reading files by ranges, wherever their bytes live.

The look inside models and datasets is handed a `FileReader` and never a path or a URL, so that the same code works
on a Git blob in memory, a file of the blob store and an object in a bucket.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

from hub_core.errors import UnsupportedFormat


class FileReader(Protocol):
    """One immutable file that can be read by ranges."""

    @property
    def size(self) -> int:
        """Length of the file in bytes."""

    @property
    def name(self) -> str:
        """Name or path inside the repo; its ending says the format."""

    def read(self, start: int, length: int) -> bytes:
        """The bytes from `start`, at most `length` of them; fewer only where the file ends."""


class BytesReader:
    """A file that is in memory."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.size = len(data)
        self._data = data

    def read(self, start: int, length: int) -> bytes:
        """See `FileReader.read`."""
        return self._data[start : start + length]


class PathReader:
    """A file on the local disk; opened anew for each read, so that it holds no descriptor and is safe between threads."""

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        self.name = name or path.name
        self.size = path.stat().st_size

    def read(self, start: int, length: int) -> bytes:
        """See `FileReader.read`."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(length)


def read_exact(reader: FileReader, start: int, length: int) -> bytes:
    """Exactly `length` bytes from `start`.

    Raises:
        UnsupportedFormat: the file ends before.
    """
    if length < 0 or start < 0 or start + length > reader.size:
        raise UnsupportedFormat(f"'{reader.name}' ends before what its header announces.", hint="The file is truncated; upload it again.")
    data = reader.read(start, length)
    if len(data) != length:
        raise UnsupportedFormat(f"'{reader.name}' ends before what its header announces.", hint="The file is truncated; upload it again.")
    return data


class ReaderIO(io.RawIOBase):
    """A seekable read-only file object over a `FileReader`, with a small cache of blocks (footers and column chunks are read in bits)."""

    def __init__(self, reader: FileReader, block_size: int = 1 << 20, blocks: int = 16) -> None:
        super().__init__()
        self._reader = reader
        self._position = 0
        self._block_size = block_size
        self._blocks = blocks
        self._cache: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The current position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position, as `io.IOBase.seek`."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._reader.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer` as far as the file goes."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), max(0, self._reader.size - self._position))
        if wanted > self._block_size:
            # Large reads bypass the cache: a column chunk is read once.
            data = self._reader.read(self._position, wanted)
            view[: len(data)] = data
            self._position += len(data)
            return len(data)
        done = 0
        while done < wanted:
            index, inside = divmod(self._position, self._block_size)
            piece = self._block(index)[inside : inside + wanted - done]
            if not piece:
                break
            view[done : done + len(piece)] = piece
            done += len(piece)
            self._position += len(piece)
        return done

    def _block(self, index: int) -> bytes:
        block = self._cache.get(index)
        if block is None:
            block = self._cache[index] = self._reader.read(index * self._block_size, self._block_size)
            if len(self._cache) > self._blocks:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(index)
        return block
