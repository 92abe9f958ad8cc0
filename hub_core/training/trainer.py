"""The port to whatever runs training programs, and the adapter for this machine: child processes. `cluster.py` has the one for clusters.

A program gets an order (a JSON file), writes what happens as lines of JSON (`Event`s) and its result into its folder. Its folder
outlives it: a program that is started again with the same order goes on from the last checkpoint that it finds there.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from hub_core.clusters.explain import explain
from hub_core.clusters.local.copy import KEEPER, MAX_FILE_BYTES, MAX_FILES, read_json, tail
from hub_core.clusters.local.keeper import TWIN, write_json
from hub_core.clusters.port import ModelFiles, Resources
from hub_core.errors import HubError, StorageFull
from hub_core.running_errors import TrainingDiverged, TrainingFailed, TrainingOutOfMemory, UnsuitableData, UnsuitableModel
from hub_core.runtimes.install import Packages, Tell, install_packages
from hub_core.storage.local import disk_errors

PACKAGES = Packages(
    "finetune",
    "Fine-tuning",
    ("torch==2.13.0", "transformers==5.23.0", "peft==0.21.2", "accelerate==1.15.0", "safetensors==0.8.0", "gguf==0.19.0"),
)
# lm-evaluation-harness asks for two packages that are not prebuilt (sqlitedict, word2number) and that no task of ours needs. So it is
# installed alone, with what it does need; the rest it finds beside transformers.
HARNESS = Packages(
    "harness",
    "lm-evaluation-harness",
    (
        "lm_eval==0.4.13", "datasets==5.2.0", "dill==0.4.1", "multiprocess==0.70.19", "pandas==3.1.1", "pyarrow==26.0.1",
        "python-dateutil==4.0.0", "sacrebleu==2.6.0", "colorama==0.4.6", "lxml==6.1.3", "portalocker==4.4.2", "six==1.17.0",
        "tabulate==0.10.0", "xxhash==4.1.0",
    ),
    alone=True,
)  # fmt: skip
_ROOT = Path(__file__).parents[2]
# Our own modules are found last: a program runs with its own packages, whatever lies beside ours.
START = "import sys; sys.path.append(sys.argv.pop(1)); from importlib import import_module as load; module = load(sys.argv.pop(1)); load('hub_core.training.programs.common').run(module.main)"  # fmt: skip
PLACE = "training"
POLL_S, BEAT_S, STOP_S, NICE = 0.2, 2.0, 3.0, 10
TWIN_S = 45.0  # so long a program that another worker left may go on
LOG_LINES = 200

Event = dict[str, Any]
"""What a program tells: `kind` is stage, step, measure, saved, error or done; the rest depends on it."""

_FAILURES: Mapping[str, type[HubError]] = {
    "diverged": TrainingDiverged, "memory": TrainingOutOfMemory, "disk": StorageFull, "model": UnsuitableModel, "data": UnsuitableData,
}  # fmt: skip
_HINTS = {
    "diverged": "Try again with a smaller learning rate, and look for odd rows in the data.",
    "memory": "Take larger hardware or a smaller model.",
    "disk": "Make room on the disk of the machine that trains, then retry_job: it goes on from the last checkpoint.",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What a program is to do.

    Attributes:
        program: `finetune`, `evaluate` or `harness`.
        folder: where its files are, and stay until the job is over.
        resources: what it may take.
        facts: what the program itself reads.
        job, owner: the job's number, and the namespace that pays for it.
        models: for clusters elsewhere: what is downloaded before it starts, by the argument of the job that names it.
    """

    program: str
    folder: Path
    resources: Resources
    facts: Mapping[str, Any] = field(default_factory=dict)
    job: int = 0
    owner: str = ""
    models: Mapping[str, ModelFiles] = field(default_factory=dict)

    @property
    def cpus(self) -> int:
        """Threads."""
        return max(1, int(self.resources.cpus))

    @property
    def gpus(self) -> int:
        """How many GPUs, 0 for none."""
        return self.resources.gpus


class Trainer(Protocol):
    """Runs training programs: on this machine, or in a cluster."""

    @property
    def is_here(self) -> bool:
        """Whether it takes this machine's memory, and finds the model's files in the job's folder."""

    def prepare(self, tell: Tell, *, harness: bool = False) -> None:
        """Make ready what programs need, and lm-evaluation-harness where one is to use it.

        Raises:
            RuntimeNotInstalled: it cannot be had.
        """

    def folder(self, job_id: int) -> Path:
        """Where the files of a job are."""

    def pythons(self) -> Sequence[Path]:
        """Interpreters that may have the packages, the likeliest first."""

    def run(self, order: Order, hear: Callable[[Event], None], check: Callable[[], None]) -> None:
        """Run a program to its end.

        Args:
            hear: told each event. check: called often; what it raises ends the program and is raised.

        Raises:
            TrainingDiverged, TrainingOutOfMemory, StorageFull, UnsuitableModel, UnsuitableData: what the program met.
            TrainingFailed: it ended otherwise.
        """

    def log(self, job_id: int, lines: int = LOG_LINES) -> str:
        """The last lines that the job's program wrote."""

    def end(self, job_id: int, owner: str) -> None:
        """End what a job left running, if it is such that it goes on without its worker."""


class LocalTrainer:
    """Child processes, each with a keeper that ends it when the worker is gone.

    Args:
        data_dir: the hub's folder.
        grace_s: how long a program goes on without its worker.
        program: one program for all orders, and the Python that runs it without packages of its own (tests).
    """

    is_here = True

    def __init__(self, data_dir: Path, *, grace_s: float = 15.0, program: Path | None = None) -> None:
        self._data_dir = data_dir.resolve()
        self._grace_s = grace_s
        self._program = program

    def prepare(self, tell: Tell, *, harness: bool = False) -> None:
        """Install the packages, once."""
        if self._program is None and not here(PACKAGES):
            install_packages(self._data_dir, PACKAGES, tell)
        if self._program is None and harness:
            install_packages(self._data_dir, HARNESS, tell)

    def folder(self, job_id: int) -> Path:
        """Under the hub's folder on this machine."""
        return self._data_dir / PLACE / f"job-{job_id}"

    def pythons(self) -> Sequence[Path]:
        """The environment of the programs, then the hub's own."""
        own = PACKAGES.python(self._data_dir)
        return [*([own] if PACKAGES.installed(self._data_dir) else []), Path(sys.executable)]

    def log(self, job_id: int, lines: int = LOG_LINES) -> str:
        """From the file that the keeper writes."""
        return tail(self.folder(job_id), lines)

    def end(self, job_id: int, owner: str) -> None:
        """Nothing: its keeper ends it."""

    def run(self, order: Order, hear: Callable[[Event], None], check: Callable[[], None]) -> None:
        """See `Trainer.run`."""
        deadline = time.monotonic() + TWIN_S
        while not self._attempt(order, hear, check):
            if time.monotonic() > deadline:
                raise TrainingFailed("Another program works on this job.", hint="retry_job after a while.")

    def _attempt(self, order: Order, hear: Callable[[Event], None], check: Callable[[], None]) -> bool:
        """Run it once; false when another one still holds the folder."""
        folder = order.folder
        with disk_errors():
            self._lay_out(order)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), str(folder)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, env={"PATH": os.defpath}, cwd=str(folder),
        )  # fmt: skip
        events = _Events(folder / "events.jsonl")
        failure: Event = {}
        beaten = 0.0
        try:
            while True:
                ended = process.poll() is not None
                for event in events.fresh():
                    failure = event if event["kind"] == "error" else failure
                    hear(event)
                if ended:
                    break
                check()
                if time.monotonic() - beaten > min(BEAT_S, self._grace_s / 4):
                    beaten = time.monotonic()
                    (folder / "heartbeat").touch()
                time.sleep(POLL_S)
        finally:
            _end(process)
        if process.returncode == TWIN:
            return False
        code = read_json(folder / "exit.json").get("code")
        if failure:
            raise failed_as(failure)
        if code != 0:
            raise ended_as(explain(code, tail(folder, 60)))
        return True

    def _lay_out(self, order: Order) -> None:
        folder, work = order.folder, order.folder / "work"
        work.mkdir(parents=True, exist_ok=True)
        for name in ("exit.json", "events.jsonl"):
            (folder / name).unlink(missing_ok=True)
        (folder / "heartbeat").touch()
        python = Path(sys.executable) if here(PACKAGES) else PACKAGES.python(self._data_dir)
        command = [str(python), "-I", "-c", START, str(_ROOT), f"hub_core.training.programs.{order.program}"]
        if self._program is not None:
            command = [sys.executable, "-I", str(self._program)]
        facts = {"program": order.program, "folder": str(folder), "cpus": order.cpus, "gpus": order.gpus}
        write_json(folder / "order.json", {**order.facts, **facts, "packages": str(HARNESS.modules(self._data_dir))})
        write_json(
            folder / "run.json",
            {
                "digest": "", "command": [*command, str(folder / "order.json")],
                "environment": environment(work, order), "cwd": str(work), "port": 0, "nice": NICE, "offline": True,
                "limits": {"DATA": order.resources.memory, "NOFILE": MAX_FILES, "FSIZE": MAX_FILE_BYTES, "CORE": 0},
                "heartbeat": str(folder / "heartbeat"), "grace_s": self._grace_s, "stop_s": STOP_S,
            },
        )  # fmt: skip


@cache
def here(packages: Packages) -> bool:
    """Whether the hub's own environment has all of these packages, in these versions (builds such as `+cpu` count as the same)."""
    try:
        return all(version(name).partition("+")[0] == pin for name, _, pin in (one.partition("==") for one in packages.requirements))
    except PackageNotFoundError:
        return False


class _Events:
    """The events of a file that grows, each once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def fresh(self) -> list[Event]:
        """Those that came since the last time; a line that is being written is left for the next."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read(4 << 20)
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [event for line in whole.splitlines() if (event := event_of(line)) is not None]


def event_of(line: str | bytes) -> Event | None:
    """The event that a line is; None where it is none."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("kind"), str) else None


def sweep(place: Path, needed: Callable[[int], bool]) -> None:
    """Remove the folders of jobs that need them no more."""
    for path in place.iterdir() if place.is_dir() else []:
        number = path.name.removeprefix("job-")
        if number.isdecimal() and not needed(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def environment(work: Path, order: Order) -> dict[str, str]:
    """What a program gets: nothing of the hub's, and nothing is fetched from anywhere."""
    return {
        "PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(work), "TMPDIR": str(work), "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": str(order.cpus),
        "CUDA_VISIBLE_DEVICES": ",".join(str(number) for number in range(order.gpus)), "TRANSFORMERS_VERBOSITY": "warning",
    }  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the keeper end its program, and make it when it does not."""
    for number, patience in ((signal.SIGTERM, STOP_S + 2), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def failed_as(event: Event) -> HubError:
    """What a program said when it could not go on."""
    what = str(event.get("code") or "")
    message = str(event.get("message") or "The program could not go on.")[:600]
    details = {key: event[key] for key in ("step", "loss") if key in event}
    return _FAILURES.get(what, TrainingFailed)(message, hint=_HINTS.get(what, "get_logs shows what the program wrote."), **details)


def ended_as(told: str) -> HubError:
    """A program that ended without a word, and what that looks like."""
    if "more memory" in told:
        return TrainingOutOfMemory(f"The program was ended: {told}", hint=_HINTS["memory"])
    if "disk is full" in told:
        return StorageFull(told, hint=_HINTS["disk"])
    return TrainingFailed(told, hint="get_logs shows more of what it wrote.")
