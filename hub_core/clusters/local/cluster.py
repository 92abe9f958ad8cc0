"""The cluster `local`: keeps workloads running on this machine, and takes up after a restart what a hub before it left running."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from hub_core.clusters.local import machine
from hub_core.clusters.local.boxes import missing
from hub_core.clusters.local.copy import HOST, Copy, read_json, tail
from hub_core.clusters.local.keeper import remove_tree, take_lock, write_json
from hub_core.clusters.port import GIB, Confined, CopyUse, Gpu, Inventory, Probe, Resources, Workload, WorkloadStatus
from hub_core.clusters.reasons import because
from hub_core.running_errors import ClusterUnavailable

TICK_S = 0.25
BEAT_S = 2.0
_WELL = b"HTTP/1.1 2"
PROBE_TIMEOUT_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Kept:
    """A workload as it shall be; `gone` once it was deleted and only has to end."""

    workload: Workload
    copies: dict[int, Copy] = field(default_factory=dict)
    gone: bool = False
    partial: bool = False  # found on the disk, where its secrets are not: it goes on as it is until it is applied again


class LocalCluster:
    """Child processes of this machine.

    Args:
        folder: where the records, logs and working folders of the copies are.
        grace_s: how long programs go on without a hub; a restart of the hub within that time does not interrupt them.
        memory: bytes that all copies together may be given; default: most of the machine's.
        unconfined: programs that nobody vouches for run as the hub's own user, without a box; only where the operator accepts that.
        on_change: called after a copy changed its state, from the cluster's own thread.
    """

    name = "local"

    def __init__(
        self, folder: Path, *, grace_s: float = 60.0, memory: int | None = None, unconfined: bool = False,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._folder = folder.resolve()
        self._heartbeat = self._folder / "heartbeat"
        self._grace_s = grace_s
        self._memory = memory or machine.memory()
        self._unconfined = unconfined
        self._on_change = on_change
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._poked = threading.Event()  # there is something to do before the next tick
        self._thread: threading.Thread | None = None
        self._seen: object = None
        self._beaten = 0.0
        self._owned: int | None = None  # the lock of the folder, as an open file

    # -- the port --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what is on the disk, and keep it running in a thread: at once, or when another process of this machine lets it go."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._stop.clear()
        self._take_up()
        self._thread = threading.Thread(target=self._loop, name="local-cluster", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go. The programs end by themselves when no hub comes back within the grace."""
        self._stop.set()
        self._poked.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._owned is not None:
            os.close(self._owned)
            self._owned = None

    def apply(self, workload: Workload) -> None:
        """Keep it running as it says."""
        self._check_owned()
        with self._lock:
            kept = self._kept.setdefault(workload.name, _Kept(workload))
            same = kept.workload == workload and not kept.gone
            kept.workload, kept.gone, kept.partial = workload, False, False
            path = self._folder / workload.name
            if not same or not (path / "workload.json").exists():
                path.mkdir(parents=True, exist_ok=True)
                write_json(path / "workload.json", asdict(replace(workload, secrets={})) | {"partial": bool(workload.secrets)})
        self._poked.set()

    def observe(self) -> Mapping[str, WorkloadStatus]:
        """What is kept, with its copies; nothing of what was deleted and has only to end."""
        self._check_owned()
        with self._lock:
            return {name: _status(kept) for name, kept in self._kept.items() if not kept.gone}

    def delete(self, name: str) -> None:
        """Stop it and forget it; its programs get some seconds to end."""
        self._check_owned()
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and not kept.gone:
                kept.gone = True
                (self._folder / name / "workload.json").unlink(missing_ok=True)
        self._poked.set()

    def logs(self, name: str, lines: int = 100) -> dict[str, str]:
        """The last lines of each copy."""
        place = self._folder / name
        return {path.name: tail(path, lines) for path in _numbered(place)}

    def inventory(self) -> Inventory:
        """What the machine has, less what workloads were given."""
        with self._lock:
            used = sum(int(copy.run.get("memory", 0)) for copy in self._running())
            taken = {number for copy in self._running() for number in copy.run.get("gpus", [])}
        gpus, first = [], 0
        for gpu in machine.gpus():
            own = set(range(first, first + gpu.count))
            gpus.append(Gpu(gpu.name, gpu.count, len(own - taken), gpu.memory))
            first += gpu.count
        return Inventory(machine.cpus(), self._memory, max(0, self._memory - used), tuple(gpus))

    def use(self) -> Mapping[str, Mapping[str, CopyUse]]:
        """What the processes of each copy take."""
        with self._lock:
            pids = [(name, str(index), copy.pid.get("pid")) for name, kept in self._kept.items() for index, copy in kept.copies.items()]
        found: dict[str, dict[str, CopyUse]] = {}
        for name, index, pid in pids:
            if pid and (use := machine.use_of(int(pid))) is not None:
                found.setdefault(name, {})[index] = use
        return found

    # -- keeping ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """One round: start, stop, probe what has to be."""
        self._beat()
        with self._lock:
            for name, kept in list(self._kept.items()):
                self._tend(name, kept)
            due = [(copy, kept.workload.probe) for kept in self._kept.values() for copy in kept.copies.values() if copy.probe_due()]
        answers = self._ask(due)
        with self._lock:
            for (copy, _), well in zip(due, answers, strict=True):
                copy.note_probe(well)
        seen = {name: [(one.name, one.state, one.reason) for one in status.instances] for name, status in self.observe().items()}
        if seen != self._seen:
            self._seen = seen
            self._on_change()

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._poked.wait(TICK_S)
            self._poked.clear()
            if self._stop.is_set():
                return
            try:
                if self._owned is not None:
                    self.tick()
                elif self._take_up():
                    self._on_change()
            except OSError as error:
                # A full disk, for example: what runs goes on, and the next round tries again.
                log.warning("a round of the local cluster failed", error=str(error))

    def _take_up(self) -> bool:
        """Become the one process that keeps what is in the folder, if no other one does; whether that came about.

        Two hubs on one machine can both believe that they lead. The one that comes second must not touch what the first one runs.
        """
        self._owned = take_lock(self._folder / "owner")
        if self._owned is None:
            return False
        with self._lock:
            self._kept = {}  # another process may have changed everything since it was last ours
            self._beat()
            self._adopt()
        return True

    def _check_owned(self) -> None:
        if self._thread is not None and self._owned is None:
            raise ClusterUnavailable("Another process of the hub keeps what runs on this machine.", hint="It lets go when it ends.")

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten > BEAT_S:
            self._heartbeat.touch()
            self._beaten = now

    def _tend(self, name: str, kept: _Kept) -> None:
        if kept.partial and not kept.gone:
            return
        wanted = 0 if kept.gone else kept.workload.replicas
        for index in range(wanted):
            copy = kept.copies.setdefault(index, self._copy(name, index))
            copy.step(kept.workload, "" if copy.alive else self._no_room(kept.workload), self._pick(kept.workload.resources))
        for index in [index for index in kept.copies if index >= wanted]:
            if kept.copies[index].stop():
                kept.copies.pop(index).remove()
        if kept.gone and not kept.copies:
            del self._kept[name]
            remove_tree(self._folder / name)

    def _copy(self, name: str, index: int) -> Copy:
        return Copy(self._folder / name / str(index), self._heartbeat, self._grace_s, unconfined=self._unconfined)

    def _running(self) -> list[Copy]:
        return [copy for kept in self._kept.values() for copy in kept.copies.values() if copy.alive]

    @property
    def not_isolated(self) -> str:
        """Why programs that nobody vouches for cannot be shut in here; empty where they can, or where the operator accepts it."""
        return "" if self._unconfined else missing()

    def _no_room(self, workload: Workload) -> str:
        wanted = workload.resources
        if workload.confined and (why := self.not_isolated):
            return because("not_isolated", text=why)
        free = self._memory - sum(int(copy.run.get("memory", 0)) for copy in self._running())
        if wanted.memory > free:
            needed, left = (f"{size / GIB:.1f} GB" for size in (wanted.memory, max(0, free)))
            return because("no_memory", needed=needed, free=left)
        if wanted.gpus > len(self._free_gpus()):
            return because("no_gpus", needed=wanted.gpus, free=len(self._free_gpus()))
        return ""

    def _free_gpus(self) -> list[int]:
        taken = {number for copy in self._running() for number in copy.run.get("gpus", [])}
        return [number for number in range(sum(gpu.count for gpu in machine.gpus())) if number not in taken]

    def _pick(self, wanted: Resources) -> list[int]:
        return self._free_gpus()[: wanted.gpus] if wanted.gpus else []

    def _ask(self, due: list[tuple[Copy, Probe]]) -> list[bool]:
        if len(due) < 2:
            return [_answers(copy, probe) for copy, probe in due]
        with ThreadPoolExecutor(min(16, len(due))) as pool:
            return list(pool.map(lambda one: _answers(*one), due))

    def _adopt(self) -> None:
        """Know again what a hub before this one kept. Records without a workload belong to something deleted: end it."""
        for place in self._folder.iterdir():
            if not place.is_dir():
                continue
            known = read_json(place / "workload.json")
            partial = bool(known.pop("partial", False))
            workload = _workload(known) if known else Workload(place.name, {}, (), Resources(0, 0), 0)
            kept = self._kept.setdefault(place.name, _Kept(workload, gone=not known, partial=partial))
            for path in _numbered(place):
                kept.copies.setdefault(int(path.name), Copy(path, self._heartbeat, self._grace_s))


def _numbered(place: Path) -> list[Path]:
    return sorted((path for path in place.iterdir() if path.name.isdigit()), key=lambda path: int(path.name)) if place.is_dir() else []


def _workload(known: dict[str, Any]) -> Workload:
    resources, probe = Resources(**known.pop("resources")), Probe(**known.pop("probe"))
    confined = Confined(**known["confined"] | {"show": tuple(known["confined"]["show"])}) if known.get("confined") else None
    return Workload(**known | {"command": tuple(known["command"]), "resources": resources, "probe": probe, "confined": confined})


def _status(kept: _Kept) -> WorkloadStatus:
    workload = kept.workload
    instances = tuple(copy.instance(workload.digest) for _, copy in sorted(kept.copies.items()))
    return WorkloadStatus(workload.name, dict(workload.labels), "" if kept.partial else workload.digest, workload.replicas, instances)


def _answers(copy: Copy, probe: Probe) -> bool:
    """Whether it gives a 2xx in time. No more is read than that, however much comes: some programs are nobody's friends."""
    deadline, said = time.monotonic() + PROBE_TIMEOUT_S, b""
    asked = f"GET {probe.path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: hubtalk\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((HOST, int(copy.run.get("port", 0))), PROBE_TIMEOUT_S) as connection:
            connection.sendall(asked.encode())
            while len(said) < len(_WELL) and (left := deadline - time.monotonic()) > 0:
                connection.settimeout(left)
                if not (chunk := connection.recv(len(_WELL) - len(said))):
                    break
                said += chunk
    except OSError:
        return False
    return said[:7] == _WELL[:7] and said[8:] == _WELL[8:]
