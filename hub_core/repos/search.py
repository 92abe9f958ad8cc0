"""Searching repos: words over name, owner, description, tags and licence; filters; keyset paging."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub_core.accounts.lookup import storable
from hub_core.authz import Actor, Role
from hub_core.db import Database, UtcDateTime
from hub_core.errors import InvalidInput
from hub_core.gating.tables import Gating
from hub_core.repos.access import roles_of, visible, with_role
from hub_core.repos.tables import Like, Repo, RepoTag
from hub_core.repos.view import RepoView, repo_views

MAX_LIMIT = 1000
MAX_NUMBER = 2**53


class RepoSort(enum.StrEnum):
    """Orders of a search; all but `name` put the largest first unless `RepoQuery.ascending` says otherwise."""

    UPDATED = "updated"
    CREATED = "created"
    LIKES = "likes"
    DOWNLOADS = "downloads"
    NAME = "name"


_COLUMNS: dict[RepoSort, Any] = {
    RepoSort.UPDATED: Repo.updated_at,
    RepoSort.CREATED: Repo.created_at,
    RepoSort.LIKES: Repo.likes,
    RepoSort.DOWNLOADS: Repo.downloads,
    RepoSort.NAME: Repo.key,
}


@dataclass(frozen=True, slots=True)
class RepoQuery:
    """What to look for; every given field narrows the result.

    `words` must all occur somewhere in the repo's texts, each of `names` in `namespace/name`.
    """

    words: str = ""
    names: Sequence[str] = ()
    kind: str | None = None
    owner: str | None = None
    tags: Sequence[str] = ()
    license: str | None = None
    visibility: str | None = None
    liked: bool = False
    gated: bool | None = None
    deleted: bool = False
    sort: RepoSort = RepoSort.UPDATED
    ascending: bool = False
    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class RepoPage:
    """One page of results; `next` is the cursor of the next page."""

    items: list[RepoView]
    next: str | None


class SearchService:
    """Finds repos the caller may see."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def search(self, actor: Actor, query: RepoQuery) -> RepoPage:
        """One page of repos.

        Raises:
            InvalidInput: a limit out of range or a cursor that was not given out here.
        """
        if not 1 <= query.limit <= MAX_LIMIT:
            raise InvalidInput(f"The limit is from 1 to {MAX_LIMIT}.", hint="Use the cursor for more.")
        statement = sa.select(Repo).where(*_conditions(actor, query))
        statement = _page(statement, query).limit(query.limit + 1)
        with self._db.read() as session:
            rows = list(session.scalars(statement))
            views = repo_views(session, rows[: query.limit], actor.user_id, roles_of(session, actor, [repo.id for repo in rows]))
        more = len(rows) > query.limit
        return RepoPage(views, _cursor(rows[query.limit - 1], query) if more else None)

    def count_by_kind(self, actor: Actor, owner: str) -> dict[str, int]:
        """How many repos of each kind an owner has that the caller may see."""
        query = sa.select(Repo.kind, sa.func.count()).where(*_conditions(actor, RepoQuery(owner=owner))).group_by(Repo.kind)
        with self._db.read() as session:
            return dict(session.execute(query).all())


def _conditions(actor: Actor, query: RepoQuery) -> list[sa.ColumnElement[bool]]:
    if query.deleted:
        found: list[sa.ColumnElement[bool]] = [Repo.deleted_at >= Repo.created_at, with_role(actor, Role.ADMIN)]
    else:
        found = [Repo.deleted_at.is_(None), visible(actor)]
    for column, value in ((Repo.kind, query.kind), (Repo.visibility, query.visibility)):
        if value:
            found.append(column == value)
    if query.owner:
        found.append(Repo.namespace == storable(query.owner.lower()))
    if query.license:
        found.append(sa.func.lower(Repo.license) == query.license.lower())
    found += [_tagged(tag.strip().lower()) for tag in query.tags]
    found += [_full_name().icontains(storable(name), autoescape=True) for name in query.names]
    if query.gated is not None:
        found.append(Repo.gated != Gating.OFF if query.gated else Repo.gated == Gating.OFF)
    if query.liked and actor.user_id:
        found.append(Repo.id.in_(sa.select(Like.repo_id).where(Like.user_id == actor.user_id)))
    for word in query.words.split()[:8]:
        found.append(_word(word.strip("\"'")))
    return found


def _tagged(tag: str) -> sa.ColumnElement[bool]:
    """Carries a tag. Licences and languages have two spellings: cards of datasets say `language:en`, others `en`."""
    head, colon, rest = tag.partition(":")
    spellings = [tag, rest] if head == "language" and colon else [tag]
    carries = Repo.id.in_(sa.select(RepoTag.repo_id).where(RepoTag.tag.in_([storable(text[:96]) for text in spellings])))
    return sa.or_(carries, sa.func.lower(Repo.license) == storable(rest)) if head == "license" else carries


def _full_name() -> sa.ColumnElement[str]:
    return sa.literal("").concat(Repo.namespace).concat("/").concat(Repo.name)


def _word(word: str) -> sa.ColumnElement[bool]:
    # Names have a copy in lower case and tags are kept so; only the others are folded, row by row.
    small = word.lower()
    named = sa.literal("").concat(Repo.namespace).concat("/").concat(Repo.key).contains(small, autoescape=True)
    tagged = sa.select(RepoTag.repo_id).where(RepoTag.tag.contains(small, autoescape=True))
    said = (field.icontains(word, autoescape=True) for field in (Repo.description, Repo.license))
    return sa.or_(named, *said, Repo.id.in_(tagged))


def _page(statement: sa.Select[Repo], query: RepoQuery) -> sa.Select[Repo]:
    column = _COLUMNS[query.sort]
    ascending = _ascending(query)
    if query.cursor:
        value, last_id = _read_cursor(query.cursor, query)
        position = sa.tuple_(column, Repo.id)
        edge = sa.tuple_(sa.literal(value, column.type), sa.literal(last_id))
        statement = statement.where(position > edge if ascending else position < edge)
    return statement.order_by(column.asc(), Repo.id.asc()) if ascending else statement.order_by(column.desc(), Repo.id.desc())


def _ascending(query: RepoQuery) -> bool:
    return query.ascending or query.sort is RepoSort.NAME


def _order(query: RepoQuery) -> str:
    return f"{query.sort}{'+' if query.ascending else ''}"


def _cursor(repo: Repo, query: RepoQuery) -> str:
    value = getattr(repo, _COLUMNS[query.sort].key)
    text = value.isoformat() if query.sort in (RepoSort.UPDATED, RepoSort.CREATED) else value
    return base64.urlsafe_b64encode(json.dumps([_order(query), text, repo.id]).encode()).decode()


def _read_cursor(cursor: str, query: RepoQuery) -> tuple[Any, int]:
    sort = query.sort
    try:
        said, value, last_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if said != _order(query):
            raise ValueError("other order")
        if isinstance(_COLUMNS[sort].type, UtcDateTime):
            value = dt.datetime.fromisoformat(value).astimezone(dt.UTC)
        elif sort is not RepoSort.NAME:
            value = int(value)
        if abs(int(last_id)) > MAX_NUMBER or (isinstance(value, int) and abs(value) > MAX_NUMBER):
            raise ValueError("no database has such numbers")
        return str(value) if sort is RepoSort.NAME else value, int(last_id)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise InvalidInput("This cursor does not belong to this search.", hint="Start again without a cursor.") from error
