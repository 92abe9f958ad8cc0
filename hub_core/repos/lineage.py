"""Where a repo comes from and what came of it: base models, training data, forks."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hub_core.authz import Actor, Permission
from hub_core.db import Database
from hub_core.repos.access import require_repo, visible
from hub_core.repos.tables import LineageEdge, Repo


@dataclass(frozen=True, slots=True)
class LineageLink:
    """One step of lineage. `on_hub` says whether `repo` is a repo here that the caller may see."""

    relation: str
    repo: str
    on_hub: bool


@dataclass(frozen=True, slots=True)
class Lineage:
    """`sources` it was made from, `derived` repos that name it as their source."""

    sources: list[LineageLink]
    derived: list[LineageLink]


class LineageService:
    """Reads lineage edges."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, actor: Actor, repo: Repo) -> Lineage:
        """Sources of the repo and visible repos derived from it."""
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_READ, repo)
            edges = session.execute(sa.select(LineageEdge.relation, LineageEdge.source).where(LineageEdge.repo_id == repo.id))
            visible_names = select_names(actor)
            sources = []
            for relation, source in edges:
                name = source.partition(":")[2] or source
                known = session.scalar(visible_names.where(sa.literal("").concat(Repo.namespace).concat("/").concat(Repo.name) == name))
                hidden_fork = relation == "fork" and known is None
                sources.append(LineageLink(relation, "" if hidden_fork else name, known is not None))
            named = [repo.full_name, f"{repo.kind}:{repo.full_name}"]
            derived = session.execute(
                sa.select(LineageEdge.relation, Repo)
                .join(Repo, Repo.id == LineageEdge.repo_id)
                .where(LineageEdge.source.in_(named), Repo.deleted_at.is_(None), visible(actor))
                .order_by(Repo.namespace, Repo.name)
                .limit(100)
            )
            return Lineage(sources, [LineageLink(relation, row.full_name, True) for relation, row in derived])


def select_names(actor: Actor) -> sa.Select[int]:
    """Ids of live repos the caller may see."""
    return sa.select(Repo.id).where(Repo.deleted_at.is_(None), visible(actor))
