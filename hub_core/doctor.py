"""`hubtalk doctor`: checks that what the database says is really there and whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from hub_core.clusters.local.cluster import LocalCluster
from hub_core.deployments.platform import LOCAL
from hub_core.deployments.tables import Deployment
from hub_core.errors import HubError
from hub_core.repos.kinds import RepoKind
from hub_core.repos.search_index import drifted
from hub_core.repos.tables import Repo
from hub_core.services import Services


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `problem` is empty when it is sound."""

    subject: str
    problem: str = ""


def examine(services: Services, *, hashes: bool = False) -> Iterator[Finding]:
    """Check the parts of the hub one after the other.

    Args:
        hashes: also read every LFS object and compare its sha256 (slow).
    """
    yield _database(services)
    yield _search_index(services)
    with services.db.read() as session:
        repos = [(row.id, f"{row.kind} {row.full_name}") for row in session.scalars(sa.select(Repo).order_by(Repo.id))]
    for repo_id, name in repos:
        yield from _repo(services, repo_id, name)
    yield from _lfs(services, hashes)
    yield from _secrets(services)
    yield _boxes(services)


def _boxes(services: Services) -> Finding:
    """Whether apps of Spaces can be shut in here; a problem only where some shall run."""
    local = services.platform.clusters[LOCAL]
    if services.settings.spaces_unconfined:
        return Finding("apps of Spaces: the operator lets them run without a box (HUB_SPACES_UNCONFINED)")
    why = local.not_isolated if isinstance(local, LocalCluster) else ""
    if not why:
        return Finding("apps of Spaces: this machine can shut them in")
    with services.db.read() as session:
        wanted = session.scalar(
            sa.select(Deployment.id).join(Repo, Repo.id == Deployment.repo_id).where(Repo.kind == RepoKind.SPACE).limit(1)
        )
    told = f"this machine cannot shut them in, so none runs ({why})"
    return Finding("apps of Spaces", told) if wanted is not None else Finding(f"apps of Spaces: {told}")


def _database(services: Services) -> Finding:
    try:
        with services.db.read() as session:
            session.execute(sa.text("SELECT 1"))
    except (HubError, sa.exc.SQLAlchemyError) as error:
        return Finding("database", f"does not answer: {type(error).__name__}")
    return Finding("database")


def _search_index(services: Services) -> Finding:
    with services.db.read() as session:
        wrong = len(drifted(session))
    return Finding("search index", f"{wrong} repo(s) are not found by what they say now" if wrong else "")


def _repo(services: Services, repo_id: int, name: str) -> Iterator[Finding]:
    try:
        problems = services.git.verify(repo_id) or list(_unheld(services, repo_id))
    except HubError as error:
        problems = [error.message]
    if not problems:
        yield Finding(name)
    for problem in problems:
        yield Finding(name, problem)


def _unheld(services: Services, repo_id: int) -> Iterator[str]:
    """Large files of branches that the repo does not hold, so that a clone would fail."""
    for branch, commit in services.git.branches(repo_id).items():
        pointers = {entry.lfs.oid: entry.path for entry in services.git.tree(repo_id, commit, recursive=True) if entry.lfs}
        for oid in sorted(services.lfs.missing(repo_id, pointers)):
            yield f"{branch}: the LFS object of {pointers[oid]} is not there."


def _lfs(services: Services, hashes: bool) -> Iterator[Finding]:
    damaged = list(services.lfs.damaged(hashes=hashes))
    for oid in damaged:
        yield Finding(f"LFS object {oid[:12]}", "its bytes are missing or damaged")
    if not damaged:
        yield Finding("LFS objects")


def _secrets(services: Services) -> Iterator[Finding]:
    """Secrets of Spaces that were stored with another key than the hub has."""
    closed = services.spaces.unreadable()
    for name in closed:
        yield Finding(f"secret of {name}", "cannot be read with this hub's key")
    if not closed:
        yield Finding("secrets of Spaces")
