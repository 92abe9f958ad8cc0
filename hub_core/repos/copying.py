"""Files of a repo, copied to the disk of this machine and checked on the way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from hub_core.errors import CorruptStorage
from hub_core.reading import FileReader

CHUNK = 8 * 1024 * 1024


def copy_files(readers: Mapping[str, FileReader], folder: Path, tell: Callable[[int, str], None]) -> None:
    """Write the files below a folder.

    Args:
        tell: told how many bytes are done, and the path; raises to end it.

    Raises:
        CorruptStorage: stored bytes are not what their id says.
    """
    done = 0
    for path, reader in readers.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("wb") as file:
            for start in range(0, reader.size, CHUNK):
                chunk = reader.read(start, CHUNK)
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                tell(done, path)
            file.flush()
            os.fsync(file.fileno())
        oid = getattr(reader, "oid", "")
        if oid and digest.hexdigest() != oid:
            raise CorruptStorage(f"The stored bytes of '{path}' are damaged.", hint="Run hubtalk doctor.")
