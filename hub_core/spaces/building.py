"""The job `space.build`: from the Dockerfile of a commit to an image in the operator's registry, by a task in the cluster that will run it.

The task is called by the deployment and the image. So a worker that dies leaves it running, and the next one goes on hearing it. What was
built is noted with the revision, by its digest: a tag that somebody moves changes nothing that runs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from hub_core.clusters.port import GIB, LogLine, ModelFiles, Resources, Task, Tasks, TaskState, TaskStatus
from hub_core.clusters.reasons import parts_of
from hub_core.db import Database
from hub_core.deployments.passes import ModelPasses
from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.errors import HubError, RepoNotFound
from hub_core.jobs.context import JobContext, StopJob
from hub_core.jobs.kinds import JobKind, Lane
from hub_core.jobs.tables import Job
from hub_core.jobs.traces import MAX_LOG, read_trace, write_trace
from hub_core.repos.tables import Repo
from hub_core.running_errors import BuildFailed, ClusterRefused, ClusterUnavailable, ImagesNotBuilt
from hub_core.spaces.images import DIGEST, DOCKER, DOCKERFILE, IMAGE, Images, image_of

SPACE_BUILD = "space.build"
FILES = "/space/app"
MARK = "hubtalk-image "  # begins the line that tells the digest
POLL_S = 1.0
ROOM = Resources(cpus=1, memory=4 * GIB)  # of a build
MAX_LINE, MAX_SAID, TOLD_LINES = 2000, 400, 3
_STEP = re.compile(r"#\d+ \[(?:[\w.-]+ )?(\d+)/(\d+)\] (.*)")
# Read from the metadata and not from the log, which the commands of the Dockerfile write into as well, each line behind a number.
_PROGRAM = (
    'buildctl-daemonless.sh build "$@" --metadata-file /tmp/build.json'
    f""" && sed -n 's/.*"containerimage.digest": *"\\(sha256:[0-9a-f]*\\)".*/{MARK}\\1/p' /tmp/build.json"""
)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is built: rows as they were, and how the image and its task are called."""

    deployment: Deployment
    revision: DeploymentRevision
    repo: Repo
    name: str
    task: str

    @property
    def target(self) -> str:
        """The image with its tag."""
        return f"{self.name}:{self.revision.commit}"


@dataclass(slots=True)
class _Heard:
    """The log of a build so far, and what it tells."""

    lines: list[str] = field(default_factory=list)
    size: int = 0
    until: str = ""
    digest: str = ""
    share: float = 0.0
    message: str = ""

    def take(self, lines: list[LogLine]) -> None:
        """Further lines."""
        for line in lines:
            self.until = max(self.until, line.at)
            if line.text.startswith(MARK):
                found = DIGEST.fullmatch(line.text.removeprefix(MARK).strip())
                self.digest = found[0] if found else self.digest
                continue
            text = line.text[:MAX_LINE]
            self.lines.append(text)
            self.size += len(text) + 1
            if step := _STEP.match(text):
                self.share = min(1.0, int(step[1]) / max(1, int(step[2])))
                self.message = f"{step[1]}/{step[2]} {step[3]}"[:200]
        while self.size > MAX_LOG and self.lines:
            self.size -= len(self.lines.pop(0)) + 1

    @property
    def log(self) -> str:
        """Its last lines."""
        return "".join(f"{line}\n" for line in self.lines)


def build_key(deployment_id: int, commit: str) -> str:
    """The key of the jobs that build a commit."""
    return f"{SPACE_BUILD}:{deployment_id}:{commit}"


def newest_build(db: Database, deployment: Deployment, revision: DeploymentRevision) -> Job | None:
    """The last job that built the image of a revision."""
    query = sa.select(Job).where(Job.repo_id == deployment.repo_id, Job.key == build_key(deployment.id, revision.commit))
    with db.read() as session:
        return session.scalar(query.order_by(Job.id.desc()).limit(1))


def build_logs(db: Database, deployment: Deployment, lines: int) -> dict[str, str]:
    """The last lines of the build of an image that is not there yet, as `revision/build`; nothing for others."""
    with db.read() as session:
        revision = session.get(DeploymentRevision, (deployment.id, deployment.revision))
    if revision is None or revision.runtime != DOCKER or image_of(revision.options):
        return {}
    job = newest_build(db, deployment, revision)
    text = "\n".join(read_trace(db, job.id)[0].splitlines()[-lines:]) if job is not None else ""
    return {f"{revision.number}/build": text} if text else {}


def run_build(ctx: JobContext) -> dict[str, Any]:
    """Build the image of a revision, and note it.

    Raises:
        RepoNotFound: nobody wants it any more. BuildFailed: it cannot be built; the message has the last lines of the log.
        ImagesNotBuilt: the operator turned that off. ClusterRefused: the cluster does not want it.
    """
    services = ctx.services
    images = services.platform.images
    order = _order(ctx, images)
    tasks = images.tasks.get(order.deployment.cluster) if images else None
    if images is None or tasks is None:
        raise ImagesNotBuilt(f"The cluster '{order.deployment.cluster}' builds no images.", hint="Ask an administrator.")
    if done := _built(services.db, order, images):
        _note(services.db, order, done)
        return {IMAGE: done}
    heard = _Heard()
    try:
        _follow(ctx, images, tasks, order, heard)
    except StopJob:
        if ctx.was_cancelled():
            _end(tasks, order)
        raise
    except HubError:
        _end(tasks, order)
        raise
    finally:
        if heard.lines:  # an attempt that heard nothing leaves what the one before it heard
            write_trace(services.db, ctx.job_id, heard.log, [])
    image = f"{order.name}@{heard.digest}"
    _note(services.db, order, image)
    _end(tasks, order)
    services.platform.changed.set()
    return {IMAGE: image, "tag": order.target}


def _order(ctx: JobContext, images: Images | None) -> _Order:
    """The rows, if they are still wanted: the deployment runs this commit, or shall."""
    with ctx.services.db.read() as session:
        deployment = session.get(Deployment, ctx.args["deployment"])
        revision = session.get(DeploymentRevision, (ctx.args["deployment"], ctx.args["revision"]))
        repo = session.get(Repo, deployment.repo_id) if deployment else None
        numbers = (deployment.revision, deployment.base) if deployment else ()
        query = sa.select(DeploymentRevision.commit).where(
            DeploymentRevision.deployment_id == ctx.args["deployment"], DeploymentRevision.number.in_([one for one in numbers if one])
        )
        commits = set(session.scalars(query))
    if deployment is None or revision is None or repo is None or repo.deleted_at is not None or deployment.stopped:
        raise RepoNotFound("What was to be built is gone.", hint="Run the Space again.")
    if revision.commit not in commits:
        raise RepoNotFound("Another commit is to run by now.", hint="Run the Space again.")
    name = images.name_of(repo) if images else ""
    said = hashlib.sha256(f"{name}:{revision.commit}".encode()).hexdigest()[:12]
    return _Order(deployment, revision, repo, name, f"b{deployment.id}-{said}")


def _built(db: Database, order: _Order, images: Images) -> str:
    """The image of the same commit that another revision has; empty where there is none in this registry."""
    with db.read() as session:
        found = [image_of(row.options) for row in session.scalars(_revisions(order))]
    return next((image for image in found if image.startswith(f"{images.registry}/")), "")


def _follow(ctx: JobContext, images: Images, tasks: Tasks, order: _Order, heard: _Heard) -> None:
    """Start it, or find it, and hear it until it ended well."""
    owner, begun, waits, written = order.repo.namespace, False, "", ""
    while True:
        ctx.progress(heard.share, waits or heard.message)
        _order(ctx, images)
        try:
            if not begun:
                _begin(ctx, images, tasks, order)
                begun = True
            status = tasks.status(order.task, owner)
            over = status is None or status.state in (TaskState.SUCCEEDED, TaskState.FAILED)
            while lines := tasks.log(order.task, owner, heard.until):
                heard.take(lines)
                if not over:
                    break
        except ClusterUnavailable as error:  # what runs there goes on
            waits = error.message
            ctx.stopping.wait(POLL_S)
            continue
        if heard.until != written:
            written = heard.until
            write_trace(ctx.services.db, ctx.job_id, heard.log, [])
        if _ended(status, heard):
            return
        waits = f"Waiting for the cluster. {status.reason}".strip() if status is not None and status.state is TaskState.WAITING else ""
        ctx.stopping.wait(POLL_S)


def _begin(ctx: JobContext, images: Images, tasks: Tasks, order: _Order) -> None:
    """Have it run; what an attempt before this one left goes on, and what failed is done anew."""
    owner = order.repo.namespace
    found = tasks.status(order.task, owner)
    if found is not None and found.state is TaskState.FAILED:
        tasks.end(order.task, owner)
    if found is None or found.state is not TaskState.SUCCEEDED:
        tasks.start(_task(ctx, images, order))


def _task(ctx: JobContext, images: Images, order: _Order) -> Task:
    passes = ModelPasses(ctx.services.db, ctx.services.blobs)
    files = ModelFiles(order.deployment.id, f"spaces/{order.repo.full_name}", order.revision.commit, tuple(order.revision.paths), FILES)
    arguments = (
        "--progress", "plain", "--frontend", "dockerfile.v0", "--local", f"context={FILES}", "--local", f"dockerfile={FILES}",
        "--opt", f"filename={DOCKERFILE}", "--output", f"type=image,name={order.target},push=true",
    )  # fmt: skip
    return Task(
        order.task, order.repo.namespace, ctx.job_id, images.builder, ("sh", "-c", _PROGRAM, "build", *arguments), ROOM,
        {"space/token": passes.make(order.deployment.id)}, models={"space": files}, seconds=images.seconds,
    )  # fmt: skip


def _ended(status: TaskStatus | None, heard: _Heard) -> bool:
    """Whether it came to a good end.

    Raises:
        BuildFailed: it came to a bad one.
    """
    if status is None:
        raise BuildFailed("The build is gone from the cluster.", hint="Run the Space again.")
    if status.state is TaskState.FAILED:
        codes = {code for code, _ in parts_of(status.reason)}
        own = heard.lines and codes & {"exited", "exited_often"}
        raise BuildFailed(_last_lines(heard.lines) if own else status.reason, hint="get_logs shows what was written while it was built.")
    if status.state is TaskState.SUCCEEDED and not heard.digest:
        raise BuildFailed("The builder did not tell which image it pushed.", hint="Ask an administrator.")
    return status.state is TaskState.SUCCEEDED


def _last_lines(lines: list[str]) -> str:
    """The end of a log in a line of its own."""
    clean = [re.sub(r"\s+", " ", "".join(char if char.isprintable() else " " for char in line)).strip() for line in lines]
    return " | ".join([line for line in clean if line.strip("-> ")][-TOLD_LINES:])[-MAX_SAID:]


def _note(db: Database, order: _Order, image: str) -> None:
    """All revisions of this commit have the image from now on."""
    with db.write() as session:
        for row in session.scalars(_revisions(order)):
            row.options = {**row.options, IMAGE: image_of(row.options) or image}


def _revisions(order: _Order) -> sa.Select[DeploymentRevision]:
    """Those of the deployment that run this commit."""
    return sa.select(DeploymentRevision).where(
        DeploymentRevision.deployment_id == order.deployment.id,
        DeploymentRevision.commit == order.revision.commit,
        DeploymentRevision.runtime == DOCKER,
    )


def _end(tasks: Tasks, order: _Order) -> None:
    """Nothing is left of it. Where the cluster does not answer now, its own time ends it."""
    try:
        tasks.end(order.task, order.repo.namespace)
    except (ClusterUnavailable, ClusterRefused):
        return


BUILD_JOB = JobKind(SPACE_BUILD, run_build, Lane.BUILD, attempts=5, backoff=(2, 30))
