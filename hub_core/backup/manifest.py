"""What is in a backup: `manifest.json`, which is written last, and `blobs.jsonl` with a line for each blob.

backup/
├── manifest.json     format, time, kind of database, sha256 of the files beside it
├── blobs.jsonl       {"key", "size", "sha256"} a line
├── hub.db, checkpoints.db, or hub.dump
├── secret.key        where the hub made the key of its secrets itself
└── blobs/            the blobs under their keys
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hub_core.errors import HashMismatch, InvalidInput

FORMAT = 1
MANIFEST = "manifest.json"
BLOB_LIST = "blobs.jsonl"

Tell = Callable[[int, int], None]
"""Told after each blob how many bytes are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The head of a backup. `files` holds the sha256 of every file of the database and of the list of blobs."""

    made_at: str
    database: str
    blobs: int
    bytes: int
    files: dict[str, str]
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write it and wait until it is on the disk: from now on the folder is a backup."""
        with (folder / MANIFEST).open("x", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """A blob of a backup."""

    key: str
    size: int
    sha256: str


def read_manifest(folder: Path) -> Manifest:
    """The head of a backup whose files are whole; the blobs are checked as they are read.

    Raises:
        InvalidInput: it is none, is not complete, or was made by a newer version.
        HashMismatch: a file was changed since.
    """
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(f"{folder} is no complete backup.", hint=f"A folder made by hubtalk backup holds {MANIFEST}.") from error
    if manifest.format != FORMAT:
        raise InvalidInput("This backup was made by another version of hubtalk.", hint="Restore it with that version, then upgrade.")
    for name, expected in manifest.files.items():
        if not (folder / name).is_file() or file_sha256(folder / name) != expected:
            raise HashMismatch(f"{name} of the backup is missing or damaged; nothing was restored.", hint="Use another backup.")
    return manifest


def read_blob_list(folder: Path) -> Iterator[BlobEntry]:
    """The blobs of a backup."""
    with (folder / BLOB_LIST).open(encoding="utf-8") as file:
        for line in file:
            yield BlobEntry(**json.loads(line))


def file_sha256(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Hashed:
    """Chunks on their way, and the sha256 and size of those that passed."""

    chunks: Iterable[bytes]
    expected: str = ""

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what passed so far."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """The chunks.

        Raises:
            HashMismatch: at the end, if something else was expected; whoever stores them has not published them yet.
        """
        for chunk in self.chunks:
            self._digest.update(chunk)
            self.size += len(chunk)
            yield chunk
        if self.expected and self.sha256 != self.expected:
            raise HashMismatch("A file of the backup is damaged; the database was not restored.", hint="Use another backup.")


def untold(_done: int, _total: int) -> None:
    """For callers who do not watch."""
