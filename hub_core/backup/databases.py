"""The database's part of a backup: SQLite by its own backup interface, PostgreSQL by `pg_dump` and `pg_restore`."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from hub_core.db import hub_error_of
from hub_core.errors import CorruptStorage, HubError, Unavailable
from hub_core.settings import Settings

HUB, CHECKPOINTS, DUMP = "hub.db", "checkpoints.db", "hub.dump"


def kind_of(settings: Settings) -> str:
    """`sqlite` or `postgresql`."""
    return sa.make_url(settings.database).get_backend_name()


def dump(settings: Settings, folder: Path) -> list[str]:
    """Write the database as it is at one moment into the folder; returns the names of the files.

    Raises:
        Unavailable, StorageFull, CorruptStorage: it cannot be read or written.
    """
    if kind_of(settings) == "sqlite":
        sources = {HUB: _sqlite_path(settings), CHECKPOINTS: settings.data_dir / CHECKPOINTS}
        present = {name: path for name, path in sources.items() if path.exists()}
        for name, path in present.items():
            with _sqlite_errors(), closing(sqlite3.connect(path, timeout=30)) as source, closing(sqlite3.connect(folder / name)) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")
                if target.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                    raise CorruptStorage(f"{path} is damaged.", hint="Restore an older backup.")
        return list(present)
    _postgres(settings, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={folder / DUMP}")
    return [DUMP]


def is_empty(settings: Settings) -> bool:
    """Whether the configured database holds no hub yet."""
    if kind_of(settings) == "sqlite":
        return not _sqlite_path(settings).exists()
    engine = sa.create_engine(settings.database)
    try:
        return not sa.inspect(engine).get_table_names()
    except sa.exc.OperationalError as error:
        raise hub_error_of(error.orig) from error
    finally:
        engine.dispose()


def load(settings: Settings, folder: Path, names: list[str]) -> None:
    """Put the database of a backup in the place of the configured one: all of it or nothing.

    Raises:
        Unavailable: it is in use, or does not answer.
    """
    if kind_of(settings) == "sqlite":
        targets = {CHECKPOINTS: settings.data_dir / CHECKPOINTS, HUB: _sqlite_path(settings)}
        for path in targets.values():
            _retire_log(path)
        for name, path in targets.items():  # the hub's own last: until then it is the old hub
            if name in names:
                _replace(path, folder / name)
            else:
                path.unlink(missing_ok=True)
        return
    _postgres(settings, "pg_restore", "--single-transaction", "--clean", "--if-exists", "--no-owner", "--no-privileges", str(folder / DUMP))


def _sqlite_path(settings: Settings) -> Path:
    return Path(sa.make_url(settings.database).database or "")


def _retire_log(path: Path) -> None:
    """Bring what is in the write-ahead log into the file: a log that stayed would be replayed into the restored one."""
    if not path.exists():
        return
    with _sqlite_errors(), closing(sqlite3.connect(path, timeout=1)) as connection:
        if connection.execute("PRAGMA journal_mode=DELETE").fetchone() != ("delete",):
            raise Unavailable("The hub's database is in use.", hint="Stop the hub first.")


def _replace(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".restoring")
    with source.open("rb") as read, aside.open("wb") as written:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())
    aside.replace(target)


@contextmanager
def _sqlite_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise Unavailable("The hub's database is in use.", hint="Stop the hub first.") from error
        raise hub_error_of(error) from error
    except sqlite3.DatabaseError as error:
        raise CorruptStorage("The hub's database is damaged.", hint="Restore a backup.") from error


def _postgres(settings: Settings, program: str, *options: str) -> None:
    url = sa.make_url(settings.database).set(drivername="postgresql")
    found = shutil.which(program)
    if found is None:
        raise Unavailable(
            f"{program} is not installed on this machine.",
            hint="Install the PostgreSQL client of the server's version, or see 'Backups' in docs/deploy.md for a way without it.",
        )
    address = url.set(password=None).render_as_string(hide_password=False)
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGPASSWORD": url.password or ""}
    done = subprocess.run([found, f"--dbname={address}", *options], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _failed(program, done.stderr)


def _failed(program: str, said: str) -> HubError:
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
    return Unavailable(
        f"{program} failed: {last[:300]}", hint="Nothing was changed. Is the hub stopped, and the program of the server's version?"
    )
