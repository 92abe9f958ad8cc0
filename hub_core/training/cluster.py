"""Training programs in a cluster: the same program, started as a task, heard through its log, with its files handed over by the hub.

A task is found by the job's number. So a worker that dies leaves it running, and the next one goes on hearing it; only who cancels the job,
or a job that failed, ends it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hub_core.clusters.port import LogLine, Task, Tasks, TaskState, TaskStatus
from hub_core.running_errors import ClusterUnavailable, TrainingFailed
from hub_core.runtimes.install import Tell
from hub_core.storage.local import disk_errors
from hub_core.training.files import DATA, JobFiles
from hub_core.training.programs import remote
from hub_core.training.trainer import LOG_LINES, START, Event, LocalTrainer, Order, ended_as, environment, event_of, failed_as

PROGRAMS = Path(remote.__file__).parent
POLL_S, RENEW_S = 1.0, 1800.0
WORK = "/tmp/job"  # noqa: S108 - the pod's own


class ClusterTrainer:
    """Runs programs as tasks of one cluster.

    Args:
        local: keeps the job's folder on this machine.
        image: with Python, torch, transformers and peft.
        hub_url: the hub as pods reach it.
        program: one program for all orders (tests).
    """

    is_here = False

    def __init__(
        self,
        tasks: Tasks,
        files: JobFiles,
        local: LocalTrainer,
        image: str,
        hub_url: str,
        *,
        program: Path | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self._tasks = tasks
        self._files = files
        self._local = local
        self._image = image
        self._hub_url = hub_url
        self._program = program
        self._poll_s = poll_s

    def prepare(self, tell: Tell, *, harness: bool = False) -> None:
        """Nothing: the image has everything."""

    def folder(self, job_id: int) -> Path:
        """On this machine: the data before, and the result after."""
        return self._local.folder(job_id)

    def pythons(self) -> Sequence[Path]:
        """Those of this machine."""
        return self._local.pythons()

    def log(self, job_id: int, lines: int = LOG_LINES) -> str:
        """What this worker has heard."""
        return self._local.log(job_id, lines)

    def end(self, job_id: int, owner: str) -> None:
        """End the task. Where the cluster does not answer it ends by itself: it asks the hub now and then."""
        try:
            self._tasks.end(_name(job_id), owner)
        except ClusterUnavailable:
            return

    def run(self, order: Order, hear: Callable[[Event], None], check: Callable[[], None]) -> None:
        """See `Trainer.run`; besides it tells `waits` and `runs`, for the time in which the cluster has no room."""
        for name in DATA:
            self._files.give(order.job, order.folder / name)
        log = order.folder / "log"
        log.write_text("", encoding="utf-8")
        heard = _Heard(log, hear)
        renewed: float | None = None
        while True:
            check()
            try:
                if renewed is None:
                    self._begin(order)
                    renewed = time.monotonic()
                elif time.monotonic() - renewed > RENEW_S:
                    self._tasks.start(self._task(order))
                    renewed = time.monotonic()
                status = self._tasks.status(_name(order.job), order.owner)
                over = status is None or status.state in (TaskState.SUCCEEDED, TaskState.FAILED)
                while lines := self._tasks.log(_name(order.job), order.owner, heard.until):
                    heard.take(lines)
                    check()
                    if not over:
                        break
            except ClusterUnavailable as error:  # what runs there goes on
                hear({"kind": "stage", "message": error.message})
                time.sleep(self._poll_s)
                continue
            if self._ended(status, heard):
                break
            time.sleep(self._poll_s)
        output = order.folder / "output"
        shutil.rmtree(output, ignore_errors=True)
        with disk_errors():
            self._files.take(order.job, output, check)

    # -- below -----------------------------------------------------------------------------------------------------

    def _begin(self, order: Order) -> None:
        """Start it, or find what an attempt before this one left; one that failed is done anew, from its last checkpoint."""
        found = self._tasks.status(_name(order.job), order.owner)
        if found is not None and found.state is TaskState.SUCCEEDED:
            return
        if found is not None and found.state is TaskState.FAILED:
            self._tasks.end(_name(order.job), order.owner)
        self._tasks.start(self._task(order))

    def _ended(self, status: TaskStatus | None, heard: _Heard) -> bool:
        """Whether it came to a good end; raises for a bad one."""
        if status is None:
            raise TrainingFailed("The program is gone from the cluster.", hint="retry_job goes on from its last checkpoint.")
        match status.state:
            case TaskState.FAILED:
                raise failed_as(heard.failure) if heard.failure else ended_as(status.reason)
            case TaskState.WAITING:
                heard.hear({"kind": "waits", "message": f"Waiting for the cluster. {status.reason}".strip()})
            case TaskState.RUNNING:
                heard.hear({"kind": "runs", "since": status.started_at})
        return status.state is TaskState.SUCCEEDED

    def _task(self, order: Order) -> Task:
        folder = "/hubtalk"
        texts = {
            "token": self._files.pass_for(order.job),
            "order.json": json.dumps(dict(order.facts) | {"program": order.program, "cpus": order.cpus, "gpus": order.gpus}),
            "remote.py": Path(remote.__file__).read_text(encoding="utf-8"),
        }
        if self._program is not None:
            texts["program.py"] = self._program.read_text(encoding="utf-8")
            command = [f"{folder}/program.py"]
        else:
            own = {f"hub_core/training/programs/{name}.py": PROGRAMS / f"{name}.py" for name in ("common", order.program)}
            texts |= {path: source.read_text(encoding="utf-8") for path, source in own.items()}
            command = ["-I", "-c", START, folder, f"hub_core.training.programs.{order.program}"]
        texts |= {f"{name}/token": secret for name, secret in self._files.passes_for(order.job, order.models).items()}
        words = environment(Path("/tmp"), order)  # noqa: S108 - the pod's own
        for name in ("PATH", "CUDA_VISIBLE_DEVICES"):
            del words[name]  # the image's, and the cluster's, business
        return Task(
            _name(order.job), order.owner, order.job, self._image,
            ("python3", f"{folder}/remote.py", self._hub_url, folder, WORK, *command), order.resources, texts, folder, words, order.models,
        )  # fmt: skip


class _Heard:
    """What a program wrote: events are passed on, other lines go into the log of the job."""

    def __init__(self, log: Path, hear: Callable[[Event], None]) -> None:
        self._log = log
        self.hear = hear
        self.until = ""
        self.failure: Event = {}

    def take(self, lines: list[LogLine]) -> None:
        """Further lines."""
        with self._log.open("a", encoding="utf-8") as file:
            for line in lines:
                self.until = max(self.until, line.at)
                if not line.text.startswith(remote.MARK):
                    file.write(line.text + "\n")
                elif event := event_of(line.text.removeprefix(remote.MARK)):
                    self.failure = event if event["kind"] == "error" else self.failure
                    self.hear(event)


def _name(job_id: int) -> str:
    return f"j{job_id}"
