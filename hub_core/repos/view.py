"""What callers get to see of a repo: plain values, filled in one place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.git.tables import GitRef
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
    card: dict[str, Any] = field(default_factory=dict)


def repo_views(session: Session, repos: Sequence[Repo], user_id: int | None = None, roles: dict[int, str] | None = None) -> list[RepoView]:
    """Views of several repos with three queries in all, whatever their number."""
    ids = [repo.id for repo in repos]
    tags: dict[int, set[str]] = {}
    for repo_id, tag in session.execute(sa.select(RepoTag.repo_id, RepoTag.tag).where(RepoTag.repo_id.in_(ids))):
        tags.setdefault(repo_id, set()).add(tag)
    default_heads = sa.select(GitRef.repo_id, GitRef.target).join(Repo, Repo.id == GitRef.repo_id)
    default_heads = default_heads.where(GitRef.repo_id.in_(ids), GitRef.name == sa.literal("refs/heads/") + Repo.default_branch)
    heads = {row.repo_id: row.target for row in session.execute(default_heads)}
    liked = set(session.scalars(sa.select(Like.repo_id).where(Like.user_id == user_id, Like.repo_id.in_(ids)))) if user_id else set()
    return [
        RepoView(
            repo_id=repo.id,
            id=repo.full_name,
            kind=repo.kind,
            visibility=repo.visibility,
            description=repo.description,
            license=repo.license,
            tags=tuple(sorted(tags.get(repo.id, ()))),
            owner=repo.namespace,
            likes=repo.likes,
            downloads=repo.downloads,
            created_at=repo.created_at,
            updated_at=repo.updated_at,
            default_branch=repo.default_branch,
            head=heads.get(repo.id),
            liked=repo.id in liked,
            role=(roles or {}).get(repo.id, "read"),
            deleted_at=repo.deleted_at,
            card=repo.card,
        )
        for repo in repos
    ]
