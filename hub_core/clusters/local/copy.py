"""One copy of a workload on this machine: its folder, its process, and what became of it.

Everything that must outlive the hub is in the folder: `run.json` (how to run), `pid.json` (what runs; written by the keeper),
`exit.json` (how it ended), `log` and `log.1`. The rest is only counted in memory, and counted anew after a restart of the hub.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hub_core.clusters.explain import explain
from hub_core.clusters.local import machine
from hub_core.clusters.local.boxes import boxed, handed_over
from hub_core.clusters.local.boxroot import HOME, TMP
from hub_core.clusters.local.keeper import remove_tree, start_time, take_lock, write_json
from hub_core.clusters.port import Instance, InstanceState, Workload
from hub_core.clusters.reasons import because

HOST = "127.0.0.1"
LOCK = "lock"
KEEPER = Path(__file__).with_name("keeper.py")
STOP_S = 10.0
BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
STABLE_S = 30.0  # a copy that answered for so long starts anew with its count of failures
CRASHES = 3  # so many failures in a row are told as a failure
PROBE_READY_S, PROBE_STARTING_S, PROBES_MISSED = 5.0, 0.2, 6
MAX_FILES, MAX_FILE_BYTES, NICE = 4096, 20 * 1024**3, 5


class Copy:
    """One copy. Not for several threads at once: the cluster's lock guards it."""

    def __init__(self, folder: Path, heartbeat: Path, grace_s: float, *, unconfined: bool = False) -> None:
        self.folder = folder
        self._heartbeat = heartbeat
        self._grace_s = grace_s
        self._open = unconfined
        self._hidden = heartbeat.parent.parent  # the hub's data folder
        self._process: subprocess.Popen[bytes] | None = None
        self._began = time.monotonic()
        self._ready_since: float | None = None
        self._missed = 0
        self._failures = 0
        self._restarts = 0
        self._next_start = 0.0
        self._next_probe = 0.0
        self._stop_sent = 0.0
        self._wedged = ""
        self._reason = ""
        self._queued = ""

    # -- what there is ---------------------------------------------------------------------------------------------

    @property
    def pid(self) -> dict[str, Any]:
        """What the keeper wrote about itself; empty where it runs no more."""
        known = read_json(self.folder / "pid.json")
        return known if known and start_time(known["pid"]) == known["start"] != 0 else {}

    @property
    def alive(self) -> bool:
        """Whether a keeper is there, ours or one of a hub before us."""
        return (self._process is not None and self._process.poll() is None) or bool(self.pid)

    @property
    def run(self) -> dict[str, Any]:
        """How the copy was last told to run."""
        return read_json(self.folder / "run.json")

    @property
    def address(self) -> str:
        """The base address it listens on."""
        return f"http://{HOST}:{self.run.get('port', 0)}"

    def log(self, lines: int) -> str:
        """The last lines of the log."""
        return tail(self.folder, lines)

    # -- what shall be ---------------------------------------------------------------------------------------------

    def step(self, workload: Workload, room: str, gpus: list[int]) -> None:
        """Bring the copy nearer to what the workload says.

        Args:
            room: why there is no room for it; empty when there is.
            gpus: the numbers of the GPUs it gets when it is started now.
        """
        if self.alive:
            self._look(workload)
            return
        self._reap()
        self._queued = room
        if not room and time.monotonic() >= self._next_start:
            self._start(workload, gpus)

    def stop(self) -> bool:
        """Ask it to stop, and make it when it does not; whether it is gone."""
        if not self.alive:
            self._reap()
            return not self._is_locked()
        if self._process is not None and not self.pid:
            return False  # its keeper is about to write down who it is
        now = time.monotonic()
        if not self._stop_sent:
            self._stop_sent, self._ready_since = now, None
            self._signal(signal.SIGTERM)
        elif now - self._stop_sent > STOP_S + 5:
            self._signal(signal.SIGKILL)  # the program goes with its keeper
        return False

    def _is_locked(self) -> bool:
        """Whether a keeper is there all the same: one that a hub before us started has yet to write down who it is."""
        if not self.folder.is_dir():
            return False
        held = take_lock(self.folder / LOCK)
        if held is not None:
            os.close(held)
        return held is None

    def remove(self) -> None:
        """Forget the copy; it must be stopped."""
        remove_tree(self.folder)

    def probe_due(self) -> bool:
        """Whether it is time to ask how it is."""
        return self.alive and not self._stop_sent and time.monotonic() >= self._next_probe

    def note_probe(self, well: bool) -> None:
        """What it answered."""
        now = time.monotonic()
        if well and self._ready_since is None and self._is_stranger():
            self._wedged = because("port_stolen")
            self.stop()
            return
        if well:
            self._ready_since, self._missed, self._reason = self._ready_since or now, 0, ""
        elif self._ready_since is not None:
            self._missed += 1
        starting = self._ready_since is None or self._missed > 0
        self._next_probe = now + (PROBE_STARTING_S if starting else PROBE_READY_S)
        if self._failures and self._ready_since is not None and now - self._ready_since > STABLE_S:
            self._failures = 0

    def _is_stranger(self) -> bool:
        """Whether some other program took the port before ours did, and answers there: no request may go to it."""
        return not self.run.get("box") and machine.listens(int(self.pid.get("pid", 0)), int(self.run.get("port", 0))) is False

    def instance(self, digest: str) -> Instance:
        """What people and the reconciler see; what still runs in another way than that of `digest` is about to stop."""
        pid = self.pid
        if pid and pid["digest"] != digest:
            return Instance(self.folder.name, InstanceState.STOPPING, restarts=self._restarts)
        started = dt.datetime.fromtimestamp(pid["started_at"], dt.UTC) if pid else None
        state, reason = self._state(), self._queued or self._reason
        address = self.address if state is InstanceState.READY else ""
        return Instance(self.folder.name, state, address, self._restarts, "" if state is InstanceState.READY else reason, started)

    def _state(self) -> InstanceState:
        if self._stop_sent:
            return InstanceState.STOPPING
        if self.alive:
            if self._ready_since is None:
                return InstanceState.CRASHING if self._failures >= CRASHES else InstanceState.STARTING
            return InstanceState.SILENT if self._missed else InstanceState.READY
        if self._queued:
            return InstanceState.QUEUED
        if self._failures:
            return InstanceState.CRASHING if self._failures >= CRASHES else InstanceState.WAITING
        return InstanceState.STARTING

    # -- its process -----------------------------------------------------------------------------------------------

    def _look(self, workload: Workload) -> None:
        """Replace what runs in another way, or does not answer."""
        if self._stop_sent:
            self.stop()
            return
        if self.run.get("digest") != workload.digest:
            self.stop()
            return
        now = time.monotonic()
        if self._ready_since is None and now - self._began > workload.probe.startup_s:
            self._wedged = because("no_answer", seconds=round(workload.probe.startup_s))
            self.stop()
        elif self._missed >= PROBES_MISSED and now - (self._ready_since or now) > PROBES_MISSED:
            self._wedged = because("silent")
            self.stop()

    def _start(self, workload: Workload, gpus: list[int]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        held = take_lock(self.folder / LOCK)
        if held is None:
            return  # a keeper is there that is about to write down who it is
        try:
            self._start_locked(workload, gpus, held)
        finally:
            os.close(held)  # the keeper has it

    def _start_locked(self, workload: Workload, gpus: list[int], held: int) -> None:
        port = free_port()
        work = self.folder / "work"
        remove_tree(work)
        work.mkdir()
        memory = workload.resources.memory
        box = boxed(workload, self.folder, port, self._hidden) if workload.confined and not self._open else None
        inside = workload.port if box else port
        source = workload.confined.source if workload.confined else ""
        write_json(
            self.folder / "run.json",
            {
                "digest": workload.digest,
                "command": [_filled(part, inside) for part in workload.command],
                "environment": _environment(HOME if box else str(work), TMP if box else str(work), gpus)
                | {name: _filled(value, inside) for name, value in workload.environment.items()},
                "cwd": str(work / "home" / "app") if source else str(work),
                "source": source,
                "box": box,
                "port": port,
                "gpus": gpus,
                "memory": memory,
                "nice": NICE,
                "limits": {"DATA": memory, "NOFILE": MAX_FILES, "FSIZE": MAX_FILE_BYTES, "CORE": 0},
                "heartbeat": str(self._heartbeat),
                "grace_s": self._grace_s,
                "stop_s": STOP_S,
            },
        )
        for name in ("pid.json", "exit.json"):
            (self.folder / name).unlink(missing_ok=True)
        self._began, self._ready_since, self._missed, self._stop_sent, self._next_probe = time.monotonic(), None, 0, 0.0, 0.0
        # Neither the hub's environment nor its files are the program's business. Secrets are handed over in memory.
        secrets = handed_over(dict(workload.secrets))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), str(self.folder), str(held)], stdin=secrets, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, env={"PATH": os.defpath}, cwd=str(self.folder), pass_fds=(held,),
        )  # fmt: skip
        secrets.close()

    def _reap(self) -> None:
        """Take note of an end, once."""
        process, self._process = self._process, None
        ended = read_json(self.folder / "exit.json")
        if process is None and not (self.folder / "pid.json").exists():
            return  # it never ran, or its end was noted
        (self.folder / "pid.json").unlink(missing_ok=True)
        wanted = self._stop_sent > 0 and not self._wedged
        reason, self._wedged = self._wedged, ""
        self._stop_sent = 0.0
        if wanted or (ended.get("asked") and not reason):
            self._reason = ""
            return
        self._failures += 1
        self._restarts += 1
        self._ready_since = None
        self._reason = reason or explain(ended.get("code"), self.log(60), self._failures)
        self._next_start = time.monotonic() + BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1]

    def _signal(self, which: signal.Signals) -> None:
        known = self.pid
        if known:
            try:
                os.kill(known["pid"], which)
            except ProcessLookupError:
                return


def _filled(text: str, port: int) -> str:
    return text.replace("{port}", str(port)).replace("{host}", HOST)


def _environment(home: str, tmp: str, gpus: list[int]) -> dict[str, str]:
    base = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": home, "TMPDIR": tmp, "PYTHONUNBUFFERED": "1"}
    return base | {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))}


def free_port() -> int:
    """A port that is free at this moment; a program that finds it taken after all is started again on another one."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def read_json(path: Path) -> dict[str, Any]:
    """A file of the folder; empty when it is not there."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def tail(folder: Path, lines: int) -> str:
    """The last lines of a copy's log, over one rotation."""
    found: list[str] = []
    for name in ("log", "log.1"):
        try:
            with (folder / name).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - 256 * 1024))
                found = file.read().decode("utf-8", "replace").splitlines() + found
        except OSError:
            continue
        if len(found) >= lines:
            break
    return "\n".join(found[-lines:])
