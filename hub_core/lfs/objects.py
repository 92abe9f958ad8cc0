"""Where the bytes of large files are: one port, so that a file can be kept whole or as a list of parts and nobody need know which."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from hub_core.storage import BlobStore


def object_key(oid: str) -> str:
    """Where an object that is kept whole is in the blob store."""
    return f"lfs/{oid[:2]}/{oid[2:4]}/{oid}"


SHARDS = 256
"""Parts of about the same size that all objects are looked at in."""


class ObjectSource(Protocol):
    """The bytes of objects. Who may have them is not its business: whoever asks has checked that."""

    def size(self, oid: str) -> int | None:
        """The size in bytes; None when the bytes are not there."""

    def complete(self, oid: str, size: int) -> bool:
        """Whether all bytes are there, by their number; looks at every part."""

    def read(self, oid: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes `[start, end)` in chunks of about 1 MiB.

        Raises:
            NotFound: the bytes are not there (raised by the call itself, not by the first chunk).
        """

    def local_path(self, oid: str) -> Path | None:
        """A file that holds the bytes and may be served directly; None when there is none on this machine."""

    def download_url(self, oid: str, *, filename: str = "") -> str | None:
        """A URL that serves the bytes without a credential for a while; None when there is no such thing."""

    def put_file(self, oid: str, path: Path) -> None:
        """Store a verified file, using it up."""

    def take_blob(self, oid: str, key: str) -> None:
        """Store a verified blob, using it up."""

    def delete(self, session: Session, oid: str) -> None:
        """Remove the bytes, in the transaction that removes the object; absent ones are fine."""

    def whole_before(self, shard: int, before: dt.datetime) -> Iterator[str]:
        """Ids of objects kept whole whose bytes came before a time, of one of `SHARDS` parts of all."""


class WholeObjects:
    """Objects kept whole: a blob each."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def size(self, oid: str) -> int | None:
        """See `ObjectSource`."""
        return self._blobs.size(object_key(oid))

    def complete(self, oid: str, size: int) -> bool:
        """See `ObjectSource`."""
        return self.size(oid) == size

    def read(self, oid: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `ObjectSource`."""
        return self._blobs.get(object_key(oid), start, end)

    def local_path(self, oid: str) -> Path | None:
        """See `ObjectSource`."""
        return self._blobs.local_path(object_key(oid))

    def download_url(self, oid: str, *, filename: str = "") -> str | None:
        """See `ObjectSource`."""
        return self._blobs.download_url(object_key(oid), filename=filename)

    def put_file(self, oid: str, path: Path) -> None:
        """See `ObjectSource`."""
        self._blobs.put_file(object_key(oid), path, move=True)

    def take_blob(self, oid: str, key: str) -> None:
        """See `ObjectSource`."""
        self._blobs.rename(key, object_key(oid))

    def delete(self, session: Session, oid: str) -> None:  # noqa: ARG002
        """See `ObjectSource`."""
        self._blobs.delete(object_key(oid))

    def whole_before(self, shard: int, before: dt.datetime) -> Iterator[str]:
        """See `ObjectSource`."""
        return (info.key.rpartition("/")[2] for info in self._blobs.list(f"lfs/{shard % SHARDS:02x}/") if info.modified < before)
