"""Making a backup while the hub runs: the database first, then the blobs, which never change and which it refers to."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

from hub_core.backup.databases import dump, kind_of
from hub_core.backup.manifest import BLOB_LIST, Hashed, Manifest, Tell, file_sha256, untold
from hub_core.conversations.leases import Leases
from hub_core.db import utcnow
from hub_core.errors import AlreadyExists, NotFound, ThreadBusy, Unavailable
from hub_core.housekeeping import LEASE
from hub_core.secretbox import KEY_FILE
from hub_core.services import Services
from hub_core.settings import Settings
from hub_core.storage import LocalBlobStore
from hub_core.storage.local import disk_errors

WAIT_S = 600.0


def backup(services: Services, folder: Path, tell: Tell = untold) -> Manifest:
    """Write everything of the hub into a new folder. It appears when it is complete; what a crash leaves is `FOLDER.partial`.

    Housekeeping, the only thing that removes blobs, rests meanwhile.

    Raises:
        AlreadyExists: the folder is there and not empty.
        Unavailable, StorageFull: the database or the store cannot be read, or the folder not be written.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyExists(f"{folder} is not empty.", hint="Name a folder that is not there yet.")
    partial = folder.with_name(folder.name + ".partial")
    try:
        with disk_errors(), closing(Leases(services.db)) as leases, leases.hold(LEASE, wait_s=WAIT_S):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True, mode=0o700)  # it holds everything: password hashes, private repos
            try:
                manifest = _write(services, partial, tell)
                partial.replace(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            return manifest
    except ThreadBusy as error:
        raise Unavailable("Housekeeping or another backup is at work.", hint="Try again later.") from error


def _write(services: Services, folder: Path, tell: Tell) -> Manifest:
    names = [*dump(services.settings, folder), *_copy_key(services.settings, folder)]
    count, size = _copy_blobs(services, folder, tell)
    files = {name: file_sha256(folder / name) for name in (*names, BLOB_LIST)}
    manifest = Manifest(utcnow().isoformat(timespec="seconds"), kind_of(services.settings), count, size, files)
    manifest.write(folder)
    return manifest


def _copy_key(settings: Settings, folder: Path) -> list[str]:
    """The key that the hub made for its secrets; one that is set (`HUB_SECRET_KEY`) is for others to keep."""
    key = settings.data_dir / KEY_FILE
    if settings.secret_key or not key.exists():
        return []
    shutil.copy2(key, folder / KEY_FILE)  # with its mode: only the owner reads it
    return [KEY_FILE]


def _copy_blobs(services: Services, folder: Path, tell: Tell) -> tuple[int, int]:
    target = LocalBlobStore(folder / "blobs")
    found = list(services.blobs.list(""))
    total, count, done = sum(info.size for info in found), 0, 0
    with (folder / BLOB_LIST).open("x", encoding="utf-8") as entries:
        for info in found:
            try:
                source = Hashed(services.blobs.get(info.key))
            except NotFound:
                continue  # of a push that failed since, or an attachment that was committed; the database does not name it
            target.put(info.key, source)
            entries.write(json.dumps({"key": info.key, "size": source.size, "sha256": source.sha256}) + "\n")
            count, done = count + 1, done + source.size
            tell(done, total)
    target.staging.rmdir()
    return count, done
