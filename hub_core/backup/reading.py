"""Putting a backup back: the blobs first, then the database in one step. Until that step the hub is what it was before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from hub_core.backup.databases import is_empty, kind_of, load
from hub_core.backup.manifest import BLOB_LIST, Hashed, Manifest, Tell, read_blob_list, read_manifest, untold
from hub_core.errors import AlreadyExists, HashMismatch, InvalidInput
from hub_core.secretbox import KEY_FILE, put_key
from hub_core.settings import Settings
from hub_core.storage import CHUNK, open_blob_store
from hub_core.storage.local import disk_errors
from hub_core.storage.port import check_key


def restore(settings: Settings, folder: Path, *, overwrite: bool = False, tell: Tell = untold) -> Manifest:
    """Make the hub of these settings what it was when the backup was made. The hub must not run.

    Args:
        overwrite: also where there is a hub already; what it has and the backup has not is lost.

    Raises:
        InvalidInput: the folder is no complete backup, or one of another kind of database.
        HashMismatch: a file of it is damaged; the database was not touched.
        AlreadyExists: there is a hub already.
        Unavailable, StorageFull: the database is in use, or the target cannot be written.
    """
    folder = folder.resolve()
    manifest = read_manifest(folder)
    if manifest.database != kind_of(settings):
        raise InvalidInput(
            f"This is a backup of a hub on {manifest.database}, and the settings say {kind_of(settings)}.",
            hint="Set HUB_DATABASE_URL to a database of that kind.",
        )
    with disk_errors():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        store = open_blob_store(settings)
        if not overwrite and not (is_empty(settings) and next(store.list(""), None) is None):
            raise AlreadyExists(
                "There is a hub already.", hint="Restore into an empty one, or say --overwrite to replace everything in it."
            )
        done, keys = 0, set()
        for entry in read_blob_list(folder):
            store.put(entry.key, Hashed(_chunks(folder / "blobs" / check_key(entry.key)), entry.sha256))
            keys.add(entry.key)
            done += entry.size
            tell(done, manifest.bytes)
        load(settings, folder, [name for name in manifest.files if name not in (BLOB_LIST, KEY_FILE)])
        if KEY_FILE in manifest.files:
            put_key(settings, (folder / KEY_FILE).read_bytes())
        for info in list(store.list("")) if overwrite else ():
            if info.key not in keys:
                store.delete(info.key)
        shutil.rmtree(settings.data_dir / "cache" / "git", ignore_errors=True)
    return manifest


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise HashMismatch(f"{path.name} of the backup is missing; the database was not restored.", hint="Use another backup.") from error
    with file:
        yield from iter(lambda: file.read(CHUNK), b"")
