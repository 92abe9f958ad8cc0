"""What the hub does about boxes: describes them, hands over what must not be written down, and finds out whether this machine can have any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from hub_core.clusters.local.box import lent_user
from hub_core.clusters.local.boxroot import HOME, python_folders
from hub_core.clusters.port import Workload

BOX = Path(__file__).with_name("box.py")
MAX_PROCESSES, MAX_FILES = 512, 4096
CHECK_S, AGAIN_S = 30.0, 60.0


def boxed(workload: Workload, folder: Path, gate: int, hidden: Path) -> dict[str, Any]:
    """The description of a copy's box; see `box.run`.

    Args:
        folder: of the copy.
        gate: the port that it answers on, outside.
        hidden: what it must not see wherever it lies: the hub's data.
    """
    confined = workload.confined
    assert confined is not None
    memory = workload.resources.memory
    return {
        "gate": gate,
        "port": workload.port,
        "folder": f"{HOME}/app" if confined.source else HOME,
        "work": str(folder / "work"),
        "source": confined.source,
        "show": [*python_folders(), *confined.show],
        "hide": [str(hidden)],
        "user": lent_user(str(folder)),
        "memory": memory,
        "disk": confined.disk,
        # Threads count as processes. A process may ask for more memory than it uses; what is used is counted over all of them.
        "limits": {
            "NPROC": MAX_PROCESSES, "NOFILE": MAX_FILES, "FSIZE": confined.disk, "DATA": 2 * memory, "CORE": 0, "MEMLOCK": 64 * 1024,
            "MSGQUEUE": 0, "RTPRIO": 0,
        },
    }  # fmt: skip


def handed_over(secrets: Mapping[str, str]) -> IO[bytes]:
    """A file without a name that a keeper reads them from; nothing of it is on a disk where the system can keep it in memory."""
    made = os.memfd_create("secrets") if hasattr(os, "memfd_create") else None
    file: IO[bytes] = os.fdopen(made, "w+b") if made is not None else tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(json.dumps(dict(secrets)).encode())
    file.flush()
    file.seek(0)
    return file


class _Check:
    """Whether this machine can have boxes, tried once; where it cannot, again after a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._missing: str | None = None
        self._at = 0.0

    def missing(self) -> str:
        """What is missing; empty when nothing is."""
        with self._lock:
            if self._missing is None or (self._missing and time.monotonic() - self._at > AGAIN_S):
                self._missing, self._at = _tried(), time.monotonic()
            return self._missing


def _tried() -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(BOX), "--check"], capture_output=True, text=True, timeout=CHECK_S, stdin=subprocess.DEVNULL,
            env={"PATH": os.defpath}, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return "" if done.returncode == 0 else (said[0] if said else f"exit status {done.returncode}")[:200]


missing = _Check().missing
