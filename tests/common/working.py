"""A hub whose jobs a test knows, and worker processes that can be killed."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub_core.jobs.context import JobContext
from hub_core.jobs.kinds import JobKind, Lane
from hub_core.jobs.service import JobService
from hub_core.jobs.tables import Job
from hub_core.jobs.worker import Worker
from hub_core.services import Services, open_services
from hub_core.settings import Settings

ROOT = Path(__file__).parents[2]


def with_kinds(services: Services, *kinds: JobKind) -> Services:
    """The same hub with these kinds of jobs beside its own."""
    known = {**services.jobs.queue.kinds, **{kind.name: kind for kind in kinds}}
    return dataclasses.replace(services, jobs=JobService(services.db, known))


def work(services: Services) -> int:
    """Pass on every event and run every job that is due, here; returns how many jobs ran."""
    return Worker(services).run_until_idle()


def add(services: Services, kind: str, args: Mapping[str, Any] | None = None, **options: Any) -> int:
    """Enqueue a job in a transaction of its own."""
    with services.db.write() as session:
        return services.jobs.queue.enqueue(session, kind, args or {}, **options)


def row(services: Services, job_id: int) -> Job:
    """A job's row as it is now."""
    with services.db.read() as session:
        return session.get_one(Job, job_id)


def wait_until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    """Return as soon as `true` says so."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)


# --- a worker in a process of its own ---


def _mark(ctx: JobContext) -> Mapping[str, Any]:
    """Writes a line when it begins, and ends only when the file `go` is there."""
    folder = Path(ctx.args["folder"])
    with (folder / f"ran-{ctx.args['number']}").open("a") as file:
        file.write(f"{ctx.attempt}\n")
    while not (folder / "go").exists():
        ctx.check()
        time.sleep(0.01)
    return {"number": ctx.args["number"]}


MARK = JobKind("test.mark", _mark, attempts=3, backoff=(0,))


def main(data_dir: str, database_url: str, lease_s: str) -> None:
    """Run jobs of a hub until killed."""
    settings = Settings(data_dir=Path(data_dir), database_url=database_url, demo=False, webhook_hosts="127.0.0.1")
    with open_services(settings) as services:
        worker = Worker(with_kinds(services, MARK), {Lane.LIGHT: 4}, lease_s=float(lease_s), poll_s=0.02)
        worker.start()
        print("ready", flush=True)
        sys.stdin.read()
        worker.close()


@contextmanager
def worker_process(settings: Settings, lease_s: float = 1.0) -> Iterator[subprocess.Popen[str]]:
    """A process that runs jobs; it ends with the block, if it was not killed before."""
    command = [sys.executable, "-m", "tests.common.working", str(settings.data_dir), settings.database, str(lease_s)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "ready\n" in iter(process.stdout.readline, "")
        try:
            yield process
        finally:
            if process.poll() is None:
                process.communicate(timeout=30)


if __name__ == "__main__":
    main(*sys.argv[1:])
