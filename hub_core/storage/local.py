"""Blobs in a local folder: a file per blob, written aside, synced and renamed into place."""

from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hub_core.errors import StorageFull, Unavailable
from hub_core.storage.port import CHUNK, BlobInfo, absent, check_key

_FULL = {errno.ENOSPC, errno.EDQUOT}


class LocalBlobStore:
    """Blobs under one folder, for a hub on one machine or on a shared file system."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / ".staging"
        with disk_errors():
            self._staging.mkdir(parents=True, exist_ok=True)

    @property
    def staging(self) -> Path:
        """A folder on the same file system, so that `put_file(..., move=True)` is a rename."""
        return self._staging

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def put(self, key: str, chunks: Iterable[bytes], *, if_absent: bool = False) -> bool:
        """Store the bytes; with `if_absent` only when the key is free."""
        target = self._path(key)
        temporary = self._staging / uuid.uuid4().hex
        try:
            with disk_errors():
                with temporary.open("xb", buffering=0) as file:
                    for chunk in chunks:
                        _write_all(file.fileno(), chunk)
                    os.fsync(file.fileno())
                return self._publish(temporary, target, if_absent)
        finally:
            temporary.unlink(missing_ok=True)

    def put_file(self, key: str, path: Path, *, move: bool = False) -> None:
        """Store a local file; with `move` it is renamed into place where the file system allows."""
        target = self._path(key)
        with disk_errors():
            if move and path.stat().st_dev == self._staging.stat().st_dev:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                self._publish(path, target, if_absent=False)
                return
            with path.open("rb") as file:
                self.put(key, iter(lambda: file.read(CHUNK), b""))
            if move:
                path.unlink()

    def _publish(self, temporary: Path, target: Path, if_absent: bool) -> bool:
        target.parent.mkdir(parents=True, exist_ok=True)
        if if_absent:
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
        else:
            temporary.replace(target)
        _sync_folder(target.parent)
        return True

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes `[start, end)` in chunks of 1 MiB."""
        try:
            file = self._path(key).open("rb", buffering=0)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise absent(key) from None

        def chunks() -> Iterator[bytes]:
            with file, disk_errors():
                file.seek(start)
                left = None if end is None else max(end - start, 0)
                while left is None or left > 0:
                    chunk = file.read(CHUNK if left is None else min(CHUNK, left))
                    if not chunk:
                        return
                    if left is not None:
                        left -= len(chunk)
                    yield chunk

        return chunks()

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start`, all or `length` of them."""
        return b"".join(self.get(key, start, None if length is None else start + length))

    def size(self, key: str) -> int | None:
        """The size in bytes, or None."""
        path = self._path(key)
        try:
            with disk_errors():
                return path.stat().st_size if path.is_file() else None
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        """Remove a blob."""
        with disk_errors():
            try:
                self._path(key).unlink(missing_ok=True)
            except (IsADirectoryError, PermissionError, NotADirectoryError):
                return

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """All blobs whose key begins with `prefix`."""
        folder = self._root / prefix.rpartition("/")[0]
        found = [
            path
            for path in folder.rglob("*")
            if path.is_file() and self._staging not in path.parents and path.relative_to(self._root).as_posix().startswith(prefix)
        ]
        for path in sorted(found, key=lambda item: item.relative_to(self._root).as_posix()):
            try:
                info = path.stat()
            except FileNotFoundError:
                continue
            yield BlobInfo(path.relative_to(self._root).as_posix(), info.st_size, dt.datetime.fromtimestamp(info.st_mtime, dt.UTC))

    def local_path(self, key: str) -> Path | None:
        """The file of the blob."""
        path = self._path(key)
        return path if path.is_file() else None

    def rename(self, key: str, new_key: str) -> None:
        """Give a blob another key."""
        try:
            with disk_errors():
                self._publish(self._path(key), self._path(new_key), if_absent=False)
        except FileNotFoundError:
            raise absent(key) from None

    @property
    def direct_parts(self) -> None:
        """None: parts go through the hub."""

    def download_url(self, key: str, *, expires_s: int = 3600, filename: str = "") -> str | None:  # noqa: ARG002
        """None: the hub serves local blobs itself."""
        return None

    def range_url(self, key: str, start: int, end: int, *, expires_s: int = 3600) -> str | None:  # noqa: ARG002
        """None: there is no URL."""
        return None

    def sweep_staging(self, older_than: dt.timedelta) -> int:
        """Remove temporary files that a crash left behind; returns how many."""
        limit = dt.datetime.now(dt.UTC).timestamp() - older_than.total_seconds()
        stale = [path for path in self._staging.iterdir() if path.stat().st_mtime < limit]
        for path in stale:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return len(stale)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn a full or broken disk into the hub's errors."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull("The disk of the hub is full; nothing was stored.", hint="Free space or ask an administrator.") from error
        if error.errno in {errno.EIO, errno.EROFS, errno.ESTALE}:
            raise Unavailable("The storage of the hub does not answer.", hint="Try again; then ask an administrator.") from error
        raise


def write_staged(file: IO[bytes], data: bytes) -> None:
    """Write all of `data` to an unbuffered file in a staging folder, which may take less than that at a time.

    Raises:
        StorageFull: the disk does not take it.
    """
    try:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        raise StorageFull("The disk of the hub is full; nothing was stored.", hint="Ask an administrator.") from error


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
