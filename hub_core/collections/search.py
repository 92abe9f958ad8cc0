"""Lists of collections: by owner, by what is in them, by words; keyset paging."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.lookup import storable
from hub_core.authz import Actor
from hub_core.collections.access import visible_collections
from hub_core.collections.naming import key_of
from hub_core.collections.tables import Collection, CollectionItem
from hub_core.collections.views import CollectionView, collection_views
from hub_core.errors import InvalidInput
from hub_core.names import RepoId
from hub_core.repos.access import visible
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo

MAX_LIMIT = 100


@dataclass(frozen=True, slots=True)
class CollectionQuery:
    """What to look for; every given field narrows the result, the newest change comes first.

    `items` are repos of which one must be in it, `most_items` is how many of its items each comes with, `skip` counts collections.
    """

    owners: Sequence[str] = ()
    items: Sequence[tuple[RepoKind, RepoId]] = ()
    words: str = ""
    limit: int = 20
    cursor: str | None = None
    skip: int = 0
    most_items: int = 4


@dataclass(frozen=True, slots=True)
class CollectionPage:
    """One page; `next` is the cursor of the next one, `total` counts all that fit."""

    items: list[CollectionView]
    next: str | None
    total: int


def search(session: Session, actor: Actor, query: CollectionQuery) -> CollectionPage:
    """One page of the collections that the caller may see.

    Raises:
        InvalidInput: a limit out of range or a cursor that was not given out here.
    """
    if not 1 <= query.limit <= MAX_LIMIT:
        raise InvalidInput(f"The limit is from 1 to {MAX_LIMIT}.", hint="Use the cursor for more.")
    fitting = sa.select(Collection).where(*_conditions(actor, query))
    total = session.scalar(sa.select(sa.func.count()).select_from(fitting.subquery())) or 0
    order = sa.tuple_(Collection.updated_at, Collection.id)
    if query.cursor:
        moment, last = _read_cursor(query.cursor)
        fitting = fitting.where(order < sa.tuple_(sa.literal(moment, Collection.updated_at.type), sa.literal(last)))
    statement = fitting.order_by(Collection.updated_at.desc(), Collection.id.desc()).offset(query.skip).limit(query.limit + 1)
    rows = list(session.scalars(statement))
    views = collection_views(session, actor, rows[: query.limit], query.most_items)
    return CollectionPage(views, _cursor(rows[query.limit - 1]) if len(rows) > query.limit else None, total)


def _conditions(actor: Actor, query: CollectionQuery) -> list[sa.ColumnElement[bool]]:
    found = [visible_collections(actor)]
    if query.owners:
        found.append(Collection.namespace.in_([storable(owner.lower()) for owner in query.owners]))
    if query.items:
        meant = [sa.and_(Repo.kind == kind, Repo.namespace == repo.namespace, Repo.key == repo.name.lower()) for kind, repo in query.items]
        holds = sa.select(CollectionItem.collection_id).join(Repo, Repo.id == CollectionItem.repo_id)
        # What somebody may not see in a collection must not be found out by asking for it either.
        found.append(Collection.id.in_(holds.where(sa.or_(*meant), Repo.deleted_at.is_(None), visible(actor))))
    for word in query.words.split()[:8]:
        said = storable(word)
        found.append(
            sa.or_(
                Collection.key.contains(key_of(said), autoescape=True),
                Collection.namespace.contains(said.lower(), autoescape=True),
                Collection.description.icontains(said, autoescape=True),
            )
        )
    return found


def _cursor(row: Collection) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.updated_at.isoformat(), row.id]).encode()).decode()


def _read_cursor(cursor: str) -> tuple[dt.datetime, int]:
    try:
        moment, last = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not 0 <= int(last) < 2**31:
            raise ValueError("no row has such a number")
        return dt.datetime.fromisoformat(moment).astimezone(dt.UTC), int(last)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise InvalidInput("This cursor does not belong to this list.", hint="Start again without a cursor.") from error
