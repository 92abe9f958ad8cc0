"""What must be on this machine before a deployment can start: the runtime's packages and the model's files. Both come by jobs."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_core.authz import SYSTEM
from hub_core.db import Database
from hub_core.deployments.platform import Platform
from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.deployments.workloads import MODELS, snapshot_folder
from hub_core.errors import CorruptStorage, RepoNotFound, StorageFull
from hub_core.jobs.kinds import JobKind, Lane
from hub_core.jobs.queue import JobQueue
from hub_core.jobs.tables import Job
from hub_core.reading import FileReader
from hub_core.repos.tables import Repo
from hub_core.runtimes.install import environment_folder, install, is_installed
from hub_core.storage.local import disk_errors

if TYPE_CHECKING:
    from hub_core.jobs.context import JobContext

INSTALL, FETCH = "runtime.install", "model.fetch"
CHUNK = 8 * 1024 * 1024
SPARE = 512 * 1024 * 1024  # bytes of the disk that are left free


@dataclass(frozen=True, slots=True)
class Prepared:
    """Whether a revision can start now; if not, why, and whether it will never by itself."""

    ready: bool
    reason: str = ""
    failed: bool = False


@dataclass(slots=True)
class Preparing:
    """Sees to it that the jobs are there, once each, and tells how far they are."""

    db: Database
    queue: JobQueue
    platform: Platform
    _jobs: dict[str, int] = field(default_factory=dict)

    def check(self, deployment: Deployment, revision: DeploymentRevision) -> Prepared:
        """Where the revision stands; puts into the queue what is missing. Raises NoRuntime."""
        runtime = self.platform.runtimes.get(revision.runtime)
        steps = []
        if runtime.local is not None and not is_installed(self.platform.data_dir, runtime):
            folder = environment_folder(self.platform.data_dir, runtime)
            steps.append(self._job(INSTALL, folder.name, {"runtime": runtime.name}, None, deployment.updated_at))
        target = snapshot_folder(self.platform.data_dir, deployment.repo_id, revision)
        if not target.is_dir():
            args = {"deployment": deployment.id, "revision": revision.number}
            steps.append(self._job(FETCH, target.name, args, deployment.repo_id, deployment.updated_at))
        return next((step for step in steps if step.failed), steps[0] if steps else Prepared(True))

    def _job(self, kind: str, what: str, args: Mapping[str, Any], repo_id: int | None, since: dt.datetime) -> Prepared:
        key = f"{kind}:{what}"
        with self.db.read() as session:
            job = session.get(Job, self._jobs[key]) if key in self._jobs else None
        over = job is None or job.status in ("succeeded", "cancelled") or (job.status == "failed" and job.created_at < since)
        if over or job is None:
            with self.db.write() as session:
                self._jobs[key] = self.queue.enqueue(session, kind, args, actor=SYSTEM, repo_id=repo_id, key=key)
            return Prepared(False, "Its runtime is to be installed." if kind == INSTALL else "The model's files are to be copied.")
        if job.status == "failed":
            return Prepared(False, str((job.error or {}).get("message", "It could not be prepared.")), failed=True)
        told = f" ({job.progress:.0%})" if job.progress else ""
        return Prepared(False, (job.message or ("Installing its runtime" if kind == INSTALL else "Copying the model's files")) + told)

    def sweep(self, needed: set[str]) -> None:
        """Remove the files of models that no deployment needs any more."""
        place = self.platform.data_dir / MODELS
        for path in place.iterdir() if place.is_dir() else []:
            if path.name not in needed and not path.name.startswith("."):
                shutil.rmtree(path, ignore_errors=True)


def run_install(ctx: JobContext) -> dict[str, Any]:
    """The job `runtime.install`: make a runtime's environment on this machine."""
    platform = ctx.services.platform
    install(platform.data_dir, platform.runtimes.get(str(ctx.args["runtime"])), ctx.progress)
    platform.changed.set()
    return {"runtime": ctx.args["runtime"]}


def run_fetch(ctx: JobContext) -> dict[str, Any]:
    """The job `model.fetch`: put the files of a revision where a runtime on this machine finds them.

    Raises:
        StorageFull: the disk has no room for them. RepoNotFound: the deployment or its model is gone.
    """
    services = ctx.services
    with services.db.read() as session:
        deployment = session.get(Deployment, ctx.args["deployment"])
        revision = session.get(DeploymentRevision, (ctx.args["deployment"], ctx.args["revision"]))
        repo = session.get(Repo, deployment.repo_id) if deployment else None
    if deployment is None or revision is None or repo is None:
        raise RepoNotFound("What was to be copied is gone.", hint="Deploy it again.")
    target = snapshot_folder(services.platform.data_dir, repo.id, revision)
    if target.is_dir():
        return {"files": len(revision.paths)}
    readers = services.files.readers(SYSTEM, repo, revision.paths, revision.commit)
    total = sum(reader.size for reader in readers.values())
    part = target.with_name(f".{target.name}.{ctx.job_id}-{ctx.attempt}")
    with disk_errors():
        part.mkdir(parents=True, exist_ok=True)
        try:
            free = shutil.disk_usage(part).free
            if total + SPARE > free:
                raise StorageFull(f"The model has {total:,} bytes, and the disk has {free:,} left.", hint="Ask an administrator.")
            _copy(ctx, readers, part, total)
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    services.platform.changed.set()
    return {"files": len(readers), "bytes": total}


def _copy(ctx: JobContext, readers: Mapping[str, FileReader], folder: Path, total: int) -> None:
    done = 0
    for path, reader in readers.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("wb") as file:
            for start in range(0, reader.size, CHUNK):
                chunk = reader.read(start, CHUNK)
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                ctx.progress(done / max(1, total), f"Copying {path}")
            file.flush()
            os.fsync(file.fileno())
        oid = getattr(reader, "oid", "")
        if oid and digest.hexdigest() != oid:
            raise CorruptStorage(f"The stored bytes of '{path}' are damaged.", hint="Run hubtalk doctor.")


INSTALL_JOB = JobKind(INSTALL, run_install, Lane.SETUP, attempts=2, backoff=(5,))
FETCH_JOB = JobKind(FETCH, run_fetch, Lane.SETUP, attempts=3, backoff=(2, 10))
