"""What callers get to see of a repo: plain values, filled in one place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.authz import Actor
from hub_core.errors import InvalidName
from hub_core.git.tables import GitRef
from hub_core.names import parse_repo_id
from hub_core.repos.access import access
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Like, Repo, RepoTag


@dataclass(frozen=True, slots=True)
class RepoView:
    """A repo as shown to somebody who may see it. `head` is the commit of the default branch, or None before the first commit."""

    repo_id: int
    id: str
    kind: str
    visibility: str
    description: str
    license: str
    tags: tuple[str, ...]
    owner: str
    likes: int
    downloads: int
    created_at: dt.datetime
    updated_at: dt.datetime
    default_branch: str
    head: str | None
    liked: bool = False
    role: str = "read"
    deleted_at: dt.datetime | None = None
    gated: str = "off"
    card: dict[str, Any] = field(default_factory=dict)


_SEPARATOR = "\x1f"  # between tags of a card there may be commas inside them
_DETAILS = (
    sa.select(GitRef.target)
    .where(GitRef.repo_id == Repo.id, GitRef.name == sa.literal("refs/heads/").concat(Repo.default_branch))
    .scalar_subquery()
    .label("head"),
    sa.select(sa.func.aggregate_strings(RepoTag.tag, _SEPARATOR)).where(RepoTag.repo_id == Repo.id).scalar_subquery().label("tags"),
    sa.exists().where(Like.repo_id == Repo.id, Like.user_id == sa.bindparam("user_id", type_=sa.Integer)).label("liked"),
)
# Asked by nearly every request, so they are built and compiled once, and the second one is plain Core.
_OF_REPOS = sa.select(Repo.id, *_DETAILS).where(Repo.id.in_(sa.bindparam("ids", expanding=True)))
_LIVE = sa.select(*Repo.__table__.c, *_DETAILS).where(
    Repo.key == sa.bindparam("key"), Repo.namespace == sa.bindparam("namespace"), Repo.deleted_at.is_(None)
)


def repo_views(session: Session, repos: Sequence[Repo], user_id: int | None = None, roles: dict[int, str] | None = None) -> list[RepoView]:
    """Views of several repos with one query, whatever their number. One that is removed meanwhile is left out."""
    found = {row.id: row for row in session.execute(_OF_REPOS, {"ids": [repo.id for repo in repos], "user_id": user_id})}
    return [_view(repo, found[repo.id], (roles or {}).get(repo.id, "read")) for repo in repos if repo.id in found]


def live_views(connection: sa.Connection, actor: Actor, said: str, kind: RepoKind | None = None) -> list[RepoView]:
    """The live repos called exactly `namespace/name` that the caller may see, one of each kind at most."""
    try:
        repo_id = parse_repo_id(said)
    except InvalidName:
        return []
    asked = {"key": repo_id.name.lower(), "namespace": repo_id.namespace, "user_id": actor.user_id}
    # The rows have the attributes of a `Repo`.
    found = [(cast(Any, row), access(connection, actor, cast(Any, row)).role) for row in connection.execute(_LIVE, asked).all()]
    return [_view(row, row, role) for row, role in found if role is not None and kind in (None, row.kind)]


def _view(repo: Repo, details: sa.Row[Any], role: str) -> RepoView:
    return RepoView(
        repo_id=repo.id,
        id=f"{repo.namespace}/{repo.name}",
        kind=repo.kind,
        visibility=repo.visibility,
        description=repo.description,
        license=repo.license,
        tags=tuple(sorted(set(details.tags.split(_SEPARATOR)))) if details.tags else (),
        owner=repo.namespace,
        likes=repo.likes,
        downloads=repo.downloads,
        created_at=repo.created_at,
        updated_at=repo.updated_at,
        default_branch=repo.default_branch,
        head=details.head,
        liked=details.liked,
        role=str(role),
        deleted_at=repo.deleted_at,
        gated=repo.gated,
        card=repo.card,
    )
