"""What callers get to see of a collection: plain values, and of its items only those that they may see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.authz import Actor
from hub_core.collections.access import access
from hub_core.collections.tables import Collection, CollectionItem
from hub_core.repos.access import visible
from hub_core.repos.tables import Repo
from hub_core.repos.view import RepoView, repo_views


@dataclass(frozen=True, slots=True)
class ItemView:
    """A repo in a collection. `position` counts the items that the viewer sees."""

    id: int
    repo: RepoView
    note: str
    position: int
    added_at: dt.datetime


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection as shown to somebody who may see it, with their role. `size` counts the items that they see; a list holds the first."""

    id: int
    slug: str
    title: str
    namespace: str
    description: str
    visibility: str
    theme: str
    position: int
    created_at: dt.datetime
    updated_at: dt.datetime
    role: str
    size: int
    items: tuple[ItemView, ...]


def collection_views(session: Session, actor: Actor, rows: Sequence[Collection], most_items: int | None = None) -> list[CollectionView]:
    """Views of collections that the caller may see, each with its items (the first `most_items`), with the same few queries for any number."""
    place = sa.func.row_number().over(partition_by=CollectionItem.collection_id, order_by=(CollectionItem.position, CollectionItem.id))
    size = sa.func.count().over(partition_by=CollectionItem.collection_id)
    seen = (
        sa.select(CollectionItem.id, place.label("place"), size.label("size"))
        .join(Repo, Repo.id == CollectionItem.repo_id)
        .where(CollectionItem.collection_id.in_([row.id for row in rows]), Repo.deleted_at.is_(None), visible(actor))
        .subquery()
    )
    query = sa.select(CollectionItem, Repo, seen.c.place, seen.c.size).join(seen, seen.c.id == CollectionItem.id).join(Repo)
    if most_items is not None:
        query = query.where(seen.c.place <= most_items)
    found = session.execute(query.order_by(CollectionItem.collection_id, seen.c.place)).all()
    repos = {view.repo_id: view for view in repo_views(session, [row.Repo for row in found], actor.user_id)}
    items: dict[int, list[ItemView]] = {}
    sizes: dict[int, int] = {}
    for item, repo, number, total in found:
        sizes[item.collection_id] = total
        if repo.id in repos:
            items.setdefault(item.collection_id, []).append(ItemView(item.id, repos[repo.id], item.note, number - 1, item.added_at))
    return [_view(session, actor, row, items.get(row.id, []), sizes.get(row.id, 0)) for row in rows]


def _view(session: Session, actor: Actor, row: Collection, items: list[ItemView], size: int) -> CollectionView:
    return CollectionView(
        id=row.id, slug=row.slug, title=row.title, namespace=row.namespace, description=row.description, visibility=row.visibility,
        theme=row.theme, position=row.position, created_at=row.created_at, updated_at=row.updated_at,
        role=str(access(session, actor, row).role), size=size, items=tuple(items),
    )  # fmt: skip
