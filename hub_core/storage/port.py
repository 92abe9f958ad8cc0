"""The port of blob stores: immutable bytes under a key, written whole or not at all."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hub_core.errors import InvalidPath, NotFound

CHUNK = 1024 * 1024
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What a listing tells about a blob."""

    key: str
    size: int
    modified: dt.datetime


class DirectParts(Protocol):
    """How clients send a blob to the store itself, in parts. What they sent is not to be believed before it was read."""

    def begin(self, key: str) -> str:
        """Start; returns the store's name for the upload. There is no blob before `finish`."""

    def address(self, key: str, upload: str, number: int, *, expires_s: int = 3600) -> str:
        """Where part `number` (from 1) can be sent with PUT, without a credential; the answer's `ETag` is its tag."""

    def finish(self, key: str, upload: str, tags: Sequence[tuple[int, str]]) -> None:
        """Make the blob of the parts, by number and tag. From here on no address changes it.

        Raises:
            NotFound: a part is not there, or is smaller than the store's least, or there is no such upload.
        """

    def abandon(self, prefix: str, before: dt.datetime) -> int:
        """Drop uploads that were started before a time and never finished; returns how many."""


class BlobStore(Protocol):
    """Where blobs live. A key has parts of letters, digits, `.`, `_` and `-`, separated by `/`.

    A blob is never seen half written, and reading one that is being replaced gives the old or the new bytes.
    All methods may raise `Unavailable` (the store does not answer) and writers `StorageFull`.
    """

    @property
    def staging(self) -> Path:
        """A local folder for temporary files; `put_file(..., move=True)` from there is cheap."""

    def put(self, key: str, chunks: Iterable[bytes], *, if_absent: bool = False) -> bool:
        """Store the bytes; with `if_absent` only when the key is free. Returns whether they were stored."""

    def put_file(self, key: str, path: Path, *, move: bool = False) -> None:
        """Store a local file; with `move` the file is used up."""

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes `[start, end)` in chunks of 1 MiB.

        Raises:
            NotFound: no such blob (raised by the call itself, not by the first chunk).
        """

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start`, all or `length` of them.

        Raises:
            NotFound: no such blob.
        """

    def size(self, key: str) -> int | None:
        """The size in bytes; None when there is no such blob."""

    def delete(self, key: str) -> None:
        """Remove a blob; an absent one is fine."""

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """All blobs whose key begins with `prefix`, in the order of their keys."""

    def local_path(self, key: str) -> Path | None:
        """A file that holds the blob and may be served directly; None when there is none on this machine."""

    def rename(self, key: str, new_key: str) -> None:
        """Give a blob another key, in place of what is there, without its bytes coming through this machine.

        Raises:
            NotFound: no such blob.
        """

    @property
    def direct_parts(self) -> DirectParts | None:
        """How clients send parts to the store itself; None when they go through the hub."""

    def download_url(self, key: str, *, expires_s: int = 3600, filename: str = "") -> str | None:
        """A URL that serves the blob without a credential for a while; None when the store has no such thing."""

    def range_url(self, key: str, start: int, end: int, *, expires_s: int = 3600) -> str | None:
        """A URL that serves the bytes `[start, end)` and no others, to a request with exactly that Range header; None as `download_url`."""


def check_key(key: str) -> str:
    """Return the key if it is well-formed.

    Raises:
        InvalidPath: it is not; keys never come from callers unchecked, so this guards against mistakes of ours.
    """
    if len(key) > 900 or not _KEY.fullmatch(key):
        raise InvalidPath("A blob key has parts of letters, digits, '.', '_' and '-', separated by '/'.")
    return key


def absent(key: str) -> NotFound:
    """The error for a key without a blob."""
    return NotFound("The stored object is not there.", hint="Run `hubtalk doctor` to check the storage.", key=key)
