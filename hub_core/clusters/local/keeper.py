"""Keeps one program: starts it with its limits, writes down how it ended, rotates its log, and ends it when no hub is left.

Runs as a process of its own (`python -I -S keeper.py FOLDER [LOCK]`), with nothing but the standard library. It holds the lock of its
folder, so two of them never keep the same copy. A hub can hand the lock over as an open file, `LOCK`: then whoever finds the lock taken knows
that a keeper is there, also in the moment before it has written down its process id. A hub that stops leaves it alone; when the hub's heartbeat stays away for `grace_s` seconds, it ends the program.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

BOX = Path(__file__).with_name("box.py")
TWIN = 75  # exit status of a keeper that finds another one at work
TWIN_TRIES = 8
STEP_S = 0.25
LOG_BYTES = 8 * 1024 * 1024
_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def start_time(pid: int) -> int:
    """When a process started, in ticks since boot; 0 when there is none (or no way to tell). With the id it names a process for good."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in {"Z", "X"} else int(fields[19])


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)


def remove_tree(path: Path) -> None:
    """Remove a folder that a program may have made hard to remove: closed to its owner, or nested deeper than Python's own way goes."""
    if path.exists():
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command, "--", str(path)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def take_lock(path: Path) -> int | None:
    """The lock of a file as an open file, which holds it until it and all copies of it are closed; None where another process has it."""
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def _wait_for_lock(folder: Path) -> bool:
    for _ in range(TWIN_TRIES):
        if take_lock(folder / "lock") is not None:
            return True
        time.sleep(STEP_S)
    return False


def _leave_network() -> None:
    """In the child: a network of its own with nothing in it, where the kernel lets a process have one."""
    uid, gid = os.geteuid(), os.getegid()
    if _LIBC is None or _LIBC.unshare(_NEW_NET) == 0 or _LIBC.unshare(_NEW_USER | _NEW_NET) != 0:
        return
    with suppress(OSError):  # it goes on being the user that it is, also by name
        for name, text in (("setgroups", "deny"), ("gid_map", f"{gid} {gid} 1"), ("uid_map", f"{uid} {uid} 1")):
            Path("/proc/self", name).write_text(text, encoding="ascii")


def _limits(nice: int, limits: dict[str, int], *, offline: bool = False) -> None:
    """In the child: never outlive the keeper, and stay within the limits."""
    if offline:
        _leave_network()  # first: the kernel forgets the signal of the next line with it
    if _LIBC is not None:
        _LIBC.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    os.nice(nice)
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))


class Keeper:
    """One program from start to end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        self._log = os.open(folder / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._secrets: dict[str, str] = json.loads(sys.stdin.read() or "{}")
        self._stop_at = 0.0
        self._beat = (0.0, time.monotonic())

    def keep(self) -> None:
        """Run the program to its end."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if _LIBC is not None:
            _LIBC.prctl(_SET_SUBREAPER, 1)  # what the program leaves behind becomes ours
        own = {"pid": os.getpid(), "start": start_time(os.getpid()), "digest": self._run["digest"], "port": self._run["port"]}
        own["started_at"] = time.time()
        write_json(self._folder / "pid.json", own)
        code = self._child()
        _end_all()
        if self._run.get("box"):
            remove_tree(Path(self._run["box"]["work"]))
        write_json(self._folder / "exit.json", {"code": code, "asked": self._stop_at > 0, "at": time.time()})

    def _child(self) -> int:
        run = self._run
        try:
            if run.get("box"):
                child = self._boxed()
            else:
                if run.get("source"):
                    shutil.copytree(run["source"], run["cwd"], symlinks=True)
                child = subprocess.Popen(
                    run["command"], cwd=run["cwd"], env=run["environment"] | self._secrets, stdin=subprocess.DEVNULL, stdout=self._log,
                    stderr=self._log, start_new_session=True, preexec_fn=lambda: _limits(run["nice"], run["limits"], offline=bool(run.get("offline"))),
                )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            os.write(self._log, f"{run['command'][0]} cannot be started: {error}\n".encode())
            return 127
        told = False
        while True:
            try:
                return child.wait(STEP_S)
            except subprocess.TimeoutExpired:
                pass
            self._rotate()
            if not self._stop_at and self._is_alone():
                os.write(self._log, b"No hub came back in time; stopping.\n")
                self._stop_at = time.monotonic() + run["stop_s"]
            if self._stop_at and not told:
                told = True
                child.terminate()
            if self._stop_at and time.monotonic() > self._stop_at:
                _end_group(child.pid)

    def _boxed(self) -> subprocess.Popen[bytes]:
        """A program that nobody vouches for, in its box; the secrets go on to it as they came."""
        given, write = os.pipe()
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(BOX), str(self._folder)], cwd="/", env={"PATH": os.defpath}, stdin=given, stdout=self._log,
            stderr=self._log, start_new_session=True, preexec_fn=lambda: _limits(self._run["nice"], {}),
        )  # fmt: skip
        os.close(given)
        with os.fdopen(write, "wb") as pipe:
            pipe.write(json.dumps(self._secrets).encode())
        return child

    def _on_stop(self, *_: object) -> None:
        self._stop_at = self._stop_at or time.monotonic() + self._run["stop_s"]

    def _is_alone(self) -> bool:
        """Whether the heartbeat stood still for too long, by our own clock: the machine's may jump."""
        try:
            beat = Path(self._run["heartbeat"]).stat().st_mtime
        except OSError:
            beat = -1.0
        if beat != self._beat[0]:
            self._beat = (beat, time.monotonic())
        return time.monotonic() - self._beat[1] > float(self._run["grace_s"])

    def _rotate(self) -> None:
        """Keep the last full log beside the one that is written. The program appends, so it goes on at the beginning."""
        size = os.fstat(self._log).st_size
        if size > LOG_BYTES:
            (self._folder / "log.1").write_bytes(os.pread(self._log, LOG_BYTES, size - LOG_BYTES))
            os.ftruncate(self._log, 0)


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _end_all() -> None:
    """End whatever the program started and left."""
    for _ in range(100):
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        pids = [int(pid) for pid in children.read_text(encoding="ascii").split()] if children.exists() else []
        if not pids:
            return
        for pid in pids:
            _end_group(pid)
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if len(sys.argv) > 2:
        os.set_inheritable(int(sys.argv[2]), False)  # the lock is ours alone, not the program's
    elif not _wait_for_lock(place):
        sys.exit(TWIN)
    Keeper(place).keep()
