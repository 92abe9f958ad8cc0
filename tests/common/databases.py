"""Real databases for tests: a SQLite file or a PostgreSQL database per test, copied from a migrated template."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import sqlalchemy as sa

from hub_core.db import Database

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "jit=off", "listen_addresses=127.0.0.1", "max_connections=200")


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_bin() -> Path | None:
    """The folder with `initdb` and `postgres`, or None when PostgreSQL is not installed."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(found) if (folder / "postgres").exists()), None)


# Emptying a used database takes milliseconds, copying the template about 100. Tables that a test added are dropped.
EMPTY = """
DO $$
DECLARE name text; known text[] := %s;
BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
  SET session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    IF name = ANY(known) THEN EXECUTE format('DELETE FROM %%I', name); ELSE EXECUTE format('DROP TABLE %%I CASCADE', name); END IF;
  END LOOP;
  PERFORM setval(format('%%I', sequencename)::regclass, 1, false) FROM pg_sequences WHERE schemaname = 'public';
END $$
"""


@dataclass
class PostgresServer:
    """A running server, and databases made from its migrated template."""

    host: str
    port: int
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    free: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@{self.host}:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement outside a transaction."""
        with psycopg.connect(host=self.host, port=self.port, user="postgres", dbname=database, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    @contextmanager
    def database(self) -> Iterator[str]:
        """A migrated database with nothing in it; used again by later tests."""
        name = self.free.pop() if self.free else self._create()
        yield self.url(name)
        known = ", ".join(f"'{table}'" for table in self.tables)
        self.execute(EMPTY % f"ARRAY[{known}]", name)
        self.free.append(name)

    def _create(self) -> str:
        if not self.tables:
            self.execute("CREATE DATABASE hub_template")
            self.tables = migrate(self.url("hub_template"))
        name = f"hub_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE hub_template STRATEGY FILE_COPY")
        return name


@contextmanager
def run_postgres(binaries: Path) -> Iterator[PostgresServer]:
    """Start a throw-away server on a free port; stop it and remove its files at the end."""
    folder = Path(tempfile.mkdtemp(prefix="hub-pg-"))
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    account = pwd.getpwnam(user)
    if os.getuid() == 0:
        os.chown(folder, account.pw_uid, account.pw_gid)
    identity: dict[str, object] = {"user": user, "group": account.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    data = folder / "data"
    initdb = [binaries / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
    port = free_port()
    process: subprocess.Popen[bytes] | None = None
    try:
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **identity)  # type: ignore[call-overload]
        command = [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, *(part for option in FAST for part in ("-c", option))]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True, **identity)  # type: ignore[call-overload]
        wait_for_postgres(port, process)
        yield PostgresServer("127.0.0.1", port)
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for_postgres(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the server answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def migrate(url: str) -> list[str]:
    """Bring a database to the newest schema and close it; returns the names of the hub's tables."""
    database = Database(url)
    database.upgrade()
    made = set(sa.inspect(database.engine).get_table_names()) - {"alembic_version"}
    database.close()
    return sorted(made)
