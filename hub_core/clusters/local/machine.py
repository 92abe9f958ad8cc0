"""What this machine has: processors, memory, GPUs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from hub_core.clusters.port import GIB, CopyUse, Gpu

SHARE = 0.9  # of the memory; the rest is for the hub and the system
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of memory for deployments: most of the machine's, or of the container's that the hub runs in."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int(_CGROUP.read_text(encoding="ascii"))
    except (OSError, ValueError):
        limit = total
    return int(min(total, limit) * SHARE)


@cache
def gpus() -> tuple[Gpu, ...]:
    """NVIDIA GPUs, asked once of their driver's own program; none where it is not installed."""
    try:
        said = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=10, check=True
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ()
    found: dict[tuple[str, int], int] = {}
    for line in said.splitlines():
        name, _, mib = line.rpartition(",")
        if name and mib.strip().isdigit():
            key = (name.strip(), int(mib) * GIB // 1024)
            found[key] = found.get(key, 0) + 1
    return tuple(Gpu(name, count, count, size) for (name, size), count in found.items())


def use_of(pid: int) -> CopyUse | None:
    """What a process and all below it take (Linux); None where that cannot be told."""
    memory, ticks, known = 0, 0, False
    todo = [pid]
    while todo:
        one = todo.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            todo += map(int, Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii").split())
        except (OSError, ValueError):
            continue
        known = True
        ticks += sum(map(int, fields[11:15]))  # its own, in and out of the system, and those of children that ended
        memory += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return CopyUse(memory, ticks / os.sysconf("SC_CLK_TCK")) if known else None


def listens(pid: int, port: int) -> bool | None:
    """Whether a process or one below it is who listens on a port of this machine (Linux); None where that cannot be told."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return None
    known = True
    todo = [pid]
    while todo:
        one = Path(f"/proc/{todo.pop()}")
        try:
            if any(_target(entry) in sockets for entry in (one / "fd").iterdir()):
                return True
            todo += [int(child) for task in (one / "task").iterdir() for child in (task / "children").read_text(encoding="ascii").split()]
        except FileNotFoundError:
            continue  # it ended meanwhile
        except (OSError, ValueError):
            known = False
    return False if known else None


def _listening(port: int) -> Iterator[str]:
    """The inodes of the sockets that listen on a port."""
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:
        return ""
