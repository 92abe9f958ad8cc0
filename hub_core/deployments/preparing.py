"""What must be there before a deployment can start: here the runtime's packages and the model's files, in a cluster the image of a Space.

All come by jobs.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub_core.authz import SYSTEM
from hub_core.clusters.reasons import OTHER, Reason, because, together
from hub_core.db import Database
from hub_core.deployments.platform import LOCAL, Platform
from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.deployments.workloads import MODELS, snapshot_folder
from hub_core.errors import RepoNotFound, StorageFull
from hub_core.jobs.kinds import JobKind, Lane
from hub_core.jobs.queue import JobQueue
from hub_core.jobs.tables import Job
from hub_core.repos.copying import copy_files
from hub_core.repos.tables import Repo
from hub_core.runtimes.install import environment_folder, install, install_packages, is_installed
from hub_core.spaces.building import SPACE_BUILD, build_key, newest_build
from hub_core.spaces.images import DOCKER, image_of
from hub_core.spaces.spec import APP
from hub_core.spaces.workload import PLACE, space_packages
from hub_core.storage.local import disk_errors

if TYPE_CHECKING:
    from hub_core.jobs.context import JobContext

INSTALL, FETCH, SPACE_INSTALL = "runtime.install", "model.fetch", "space.install"
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
        if deployment.cluster != LOCAL:
            return self._image(deployment, revision)
        runtime = self.platform.runtimes.get(revision.runtime)
        steps = []
        if revision.task == APP:
            steps += self._packages(deployment, revision)
        elif runtime.local is not None and not is_installed(self.platform.data_dir, runtime):
            folder = environment_folder(self.platform.data_dir, runtime)
            steps.append(self._job(INSTALL, folder.name, {"runtime": runtime.name}, None, deployment.updated_at))
        target = snapshot_folder(self.platform.data_dir, deployment.repo_id, revision)
        if not target.is_dir():
            args = {"deployment": deployment.id, "revision": revision.number}
            steps.append(self._job(FETCH, target.name, args, deployment.repo_id, deployment.updated_at))
        return next((step for step in steps if step.failed), steps[0] if steps else Prepared(True))

    def _image(self, deployment: Deployment, revision: DeploymentRevision) -> Prepared:
        """In a cluster all comes with the pod, but for the image of a Space with a Dockerfile."""
        if revision.runtime != DOCKER or image_of(revision.options):
            return Prepared(True)
        job = newest_build(self.db, deployment, revision)
        if job is None or job.status in ("succeeded", "cancelled") or (job.status == "failed" and job.created_at < deployment.updated_at):
            args = {"deployment": deployment.id, "revision": revision.number}
            key = build_key(deployment.id, revision.commit)
            with self.db.write() as session:
                self.queue.enqueue(session, SPACE_BUILD, args, actor=SYSTEM, repo_id=deployment.repo_id, key=key)
            return Prepared(False, because("to_build"))
        said = str((job.error or {}).get("message", "")) or job.message
        if job.status == "failed":
            return Prepared(False, because("cannot_build", text=said), failed=True)
        begun = because("building", progress=f"{job.progress or 0:.0%}") if job.status == "running" else because("to_build")
        return Prepared(False, together(begun, because(OTHER, text=said) if said else ""))

    def _packages(self, deployment: Deployment, revision: DeploymentRevision) -> list[Prepared]:
        packages = space_packages(self.platform, deployment.repo_id, revision)
        if packages.installed(self.platform.data_dir):
            return []
        args = {"deployment": deployment.id, "revision": revision.number}
        folder = packages.folder(self.platform.data_dir)
        return [self._job(SPACE_INSTALL, folder.name, args, deployment.repo_id, deployment.updated_at)]

    def _job(self, kind: str, what: str, args: Mapping[str, Any], repo_id: int | None, since: dt.datetime) -> Prepared:
        key = f"{kind}:{what}"
        with self.db.read() as session:
            job = session.get(Job, self._jobs[key]) if key in self._jobs else None
        over = job is None or job.status in ("succeeded", "cancelled") or (job.status == "failed" and job.created_at < since)
        if over or job is None:
            with self.db.write() as session:
                self._jobs[key] = self.queue.enqueue(session, kind, args, actor=SYSTEM, repo_id=repo_id, key=key)
            return Prepared(False, because("to_copy" if kind == FETCH else "to_install"))
        if job.status == "failed":
            return Prepared(False, _failure(job.error or {}), failed=True)
        return Prepared(False, because("copying" if kind == FETCH else "installing", progress=f"{job.progress or 0:.0%}"))

    def sweep(self, needed: set[str]) -> None:
        """Remove the files of models, and the packages of Spaces, that no deployment needs any more."""
        for place in (self.platform.data_dir / MODELS, self.platform.data_dir / PLACE):
            for path in place.iterdir() if place.is_dir() else []:
                if path.name not in needed and not path.name.startswith("."):
                    shutil.rmtree(path, ignore_errors=True)


def _failure(error: Mapping[str, Any]) -> Reason:
    """Why a job could not make something ready."""
    text = str(error.get("message", ""))
    told = because("not_prepared", text=text)
    is_full = error.get("code") == StorageFull.code or "no space left on device" in text.lower()
    return together(because("disk_full"), told) if is_full else told


def run_install(ctx: JobContext) -> dict[str, Any]:
    """The job `runtime.install`: make a runtime's environment on this machine."""
    platform = ctx.services.platform
    install(platform.data_dir, platform.runtimes.get(str(ctx.args["runtime"])), ctx.progress)
    platform.changed.set()
    return {"runtime": ctx.args["runtime"]}


def run_space_install(ctx: JobContext) -> dict[str, Any]:
    """The job `space.install`: put the packages of a Space into an environment of its own. Only prebuilt ones: none of their code runs.

    Raises:
        RuntimeNotInstalled: they cannot be had. RepoNotFound: the Space runs no more.
    """
    platform = ctx.services.platform
    with ctx.services.db.read() as session:
        deployment = session.get(Deployment, ctx.args["deployment"])
        revision = session.get(DeploymentRevision, (ctx.args["deployment"], ctx.args["revision"]))
    if deployment is None or revision is None:
        raise RepoNotFound("What was to be installed is gone.", hint="Run the Space again.")
    packages = space_packages(platform, deployment.repo_id, revision)
    install_packages(platform.data_dir, packages, ctx.progress)
    platform.changed.set()
    return {"requirements": list(packages.requirements)}


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
    for left in target.parent.glob(f".{target.name}.*"):
        shutil.rmtree(left, ignore_errors=True)  # of an attempt that was killed
    with disk_errors():
        part.mkdir(parents=True, exist_ok=True)
        try:
            free = shutil.disk_usage(part).free
            if total + SPARE > free:
                raise StorageFull(f"The model has {total:,} bytes, and the disk has {free:,} left.", hint="Ask an administrator.")
            copy_files(readers, part, lambda done, path: ctx.progress(done / max(1, total), f"Copying {path}"))
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    services.platform.changed.set()
    return {"files": len(readers), "bytes": total}


SPACE_JOB = JobKind(SPACE_INSTALL, run_space_install, Lane.SETUP, attempts=2, backoff=(5,))
INSTALL_JOB = JobKind(INSTALL, run_install, Lane.SETUP, attempts=2, backoff=(5,))
FETCH_JOB = JobKind(FETCH, run_fetch, Lane.SETUP, attempts=3, backoff=(2, 10))
