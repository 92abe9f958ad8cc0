"""Blobs in memory, for tests."""

from __future__ import annotations

import datetime as dt
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from hub_core.db import utcnow
from hub_core.storage.port import CHUNK, BlobInfo, absent, check_key


class MemoryBlobStore:
    """A dictionary of blobs; gone with the process."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, dt.datetime]] = {}
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="blobs-")

    @property
    def staging(self) -> Path:
        """A temporary folder."""
        return Path(self._folder.name)

    def put(self, key: str, chunks: Iterable[bytes], *, if_absent: bool = False) -> bool:
        """Store the bytes; with `if_absent` only when the key is free."""
        check_key(key)
        data = b"".join(chunks)
        with self._lock:
            if if_absent and key in self._blobs:
                return False
            self._blobs[key] = (data, utcnow())
        return True

    def put_file(self, key: str, path: Path, *, move: bool = False) -> None:
        """Store a local file."""
        self.put(key, [path.read_bytes()])
        if move:
            path.unlink()

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes `[start, end)` in chunks of 1 MiB."""
        data = self._bytes(key)[start:end]
        return (data[offset : offset + CHUNK] for offset in range(0, len(data), CHUNK))

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start`, all or `length` of them."""
        return self._bytes(key)[start : None if length is None else start + length]

    def _bytes(self, key: str) -> bytes:
        found = self._blobs.get(check_key(key))
        if found is None:
            raise absent(key)
        return found[0]

    def size(self, key: str) -> int | None:
        """The size in bytes, or None."""
        found = self._blobs.get(check_key(key))
        return None if found is None else len(found[0])

    def delete(self, key: str) -> None:
        """Remove a blob."""
        with self._lock:
            self._blobs.pop(check_key(key), None)

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """All blobs whose key begins with `prefix`."""
        with self._lock:
            found = sorted((key, len(data), at) for key, (data, at) in self._blobs.items() if key.startswith(prefix))
        return (BlobInfo(*item) for item in found)

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002
        """None: there is no file."""
        return None

    def rename(self, key: str, new_key: str) -> None:
        """Give a blob another key."""
        self.put(new_key, [self._bytes(key)])
        self.delete(key)

    @property
    def direct_parts(self) -> None:
        """None: parts go through the hub."""

    def download_url(self, key: str, *, expires_s: int = 3600, filename: str = "") -> str | None:  # noqa: ARG002
        """None: there is no URL."""
        return None

    def range_url(self, key: str, start: int, end: int, *, expires_s: int = 3600) -> str | None:  # noqa: ARG002
        """None: there is no URL."""
        return None
