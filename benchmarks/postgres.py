"""A PostgreSQL server of its own for a measurement, with the settings of a production server that matter here: it syncs what it commits."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.hub import PATIENCE_S, free_port


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, or None when PostgreSQL is not installed."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found else None


def available() -> bool:
    """Whether a server can be started."""
    return binaries() is not None


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Start a server with an empty database in `folder`, stop it at the end; gives the database's SQLAlchemy URL."""
    programs = binaries()
    assert programs is not None
    folder.mkdir()
    who: dict[str, Any] = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        folder.parent.chmod(0o755)
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data, port = folder / "data", free_port()
    made: list[Any] = [programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)
    command: list[Any] = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True, **who)
    try:
        began = time.perf_counter()
        ready: list[Any] = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, stdout=subprocess.DEVNULL, check=False).returncode:
            if server.poll() is not None or time.perf_counter() - began > PATIENCE_S:
                raise RuntimeError((folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
