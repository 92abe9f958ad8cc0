"""The guard of a box, process 1 in it: waits for the program, and ends it when it takes more memory or disk than it was given."""

from __future__ import annotations

import os
import resource
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hub_core.clusters.local.boxroot import HOME, TMP

MEMORY_STEP_S, DISK_STEP_S = 0.25, 0.5
REST = 20  # after looking for a second, it does not look for so many
MAX_ENTRIES, MAX_DEPTH = 200_000, 64
SPARE_BYTES = 512 * 1024**2  # of the disk: what the hub itself needs to go on
ENDED = 137  # as a shell says it of a program that was killed


class TooMuch(Exception):
    """The program has more than it was given; in the words of its log."""


class Guard:
    """Watches one program and all that it starts: in the box there is nothing else."""

    SIGNALS = frozenset({signal.SIGCHLD, signal.SIGTERM})

    def __init__(self, program: int, memory: int, disk: int) -> None:
        self._program = program
        self._memory = memory
        self._disk = disk

    def watch(self) -> int:
        """Until the program ends; its exit status. When this process ends, the kernel ends all that is left in the box."""
        next_memory = next_disk = time.monotonic()
        while True:
            came = signal.sigtimedwait(self.SIGNALS, MEMORY_STEP_S)
            if came is not None and came.si_signo == signal.SIGTERM:
                self._tell_to_stop()
            code = self._reap()
            if code is not None:
                return code
            try:
                next_memory = _due(next_memory, MEMORY_STEP_S, self._count_memory)
                next_disk = _due(next_disk, DISK_STEP_S, self._count_disk)
            except TooMuch as error:
                os.write(2, f"\nEnded: {error}\n".encode())
                return ENDED

    def _tell_to_stop(self) -> None:
        try:
            os.kill(self._program, signal.SIGTERM)
        except ProcessLookupError:
            return

    def _reap(self) -> int | None:
        """Take away what ended; the status of the program itself once it did."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ENDED
            if pid == 0:
                return None
            if pid == self._program:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code

    def _count_memory(self) -> None:
        """Pages that several processes share count once, but looking that closely takes long: only when it seems to be too much."""
        if sum(_resident(pid) for pid in _processes()) <= self._memory:
            return
        used = sum(_share(pid) for pid in _processes())
        if used > self._memory:
            raise TooMuch(f"out of memory: it takes {used / 1024**3:.1f} GB, and was given {self._memory / 1024**3:.1f} GB.")

    def _count_disk(self) -> None:
        used = entries = 0
        for size in _sizes(HOME, TMP):
            used, entries = used + size, entries + 1
            if used > self._disk or entries > MAX_ENTRIES:
                break
        else:
            used += _removed_but_open()
        if used > self._disk:
            raise TooMuch(f"no space left on device: its files take more than {self._disk / 1024**3:.1f} GB.")
        if entries > MAX_ENTRIES:
            raise TooMuch(f"no space left on device: it made more than {MAX_ENTRIES:,} files.")
        disk = os.statvfs(HOME)
        if disk.f_bavail * disk.f_frsize < min(SPARE_BYTES, disk.f_blocks * disk.f_frsize // 50):
            raise TooMuch("no space left on device: the disk of the hub is nearly full.")


def _due(when: float, every: float, look: Callable[[], None]) -> float:
    """Look if it is time; when to look again. What takes long is done more seldom."""
    now = time.monotonic()
    if now < when:
        return when
    look()
    after = time.monotonic()
    return after + max(every, REST * (after - now) / 2)


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and path.name != "1")


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _share(pid: int) -> int:
    """Bytes of memory, those that several share in parts."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))
    except (OSError, IndexError, ValueError):
        return 0


def _sizes(*roots: str) -> Iterator[int]:
    """What each file and folder takes on the disk. What is nested too deep to be named counts as too much."""
    left = [(root, 0) for root in roots]
    while left:
        folder, depth = left.pop()
        if depth > MAX_DEPTH:
            raise TooMuch(f"no space left on device: its folders are nested more than {MAX_DEPTH} deep.")
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    yield entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        left.append((entry.path, depth + 1))
        except OSError:
            continue  # removed meanwhile


def _removed_but_open() -> int:
    """What files take that have no name any more, and that some process still holds."""
    seen: dict[tuple[int, int], int] = {}
    device = Path(HOME).stat().st_dev
    for pid in _processes():
        try:
            opened = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            continue
        for path in opened:
            try:
                found = path.stat()
            except OSError:
                continue
            if found.st_nlink == 0 and stat.S_ISREG(found.st_mode) and found.st_dev == device:
                seen[(found.st_dev, found.st_ino)] = found.st_blocks * 512
    return sum(seen.values())
