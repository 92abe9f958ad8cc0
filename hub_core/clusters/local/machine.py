"""What this machine has: processors, memory, GPUs."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from hub_core.clusters.port import GIB, Gpu

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
