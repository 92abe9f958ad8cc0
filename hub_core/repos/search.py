"""Searching repos: words over name, owner, description, tags, titles and licence; filters; keyset paging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub_core.accounts.lookup import storable
from hub_core.accounts.tables import Namespace
from hub_core.authz import Actor, Role
from hub_core.db import Database
from hub_core.errors import InvalidInput
from hub_core.gating.tables import Gating
from hub_core.repos import finding
from hub_core.repos.access import roles_of, visible, with_role
from hub_core.repos.narrowing import Narrowing, sees_all
from hub_core.repos.ordering import Order, RepoSort
from hub_core.repos.search_index import AnyOf, facet
from hub_core.repos.tables import Like, Repo, RepoTag, RepoText
from hub_core.repos.terms import any_of, fold, word_terms, words_of
from hub_core.repos.view import RepoView, repo_views

__all__ = ["RepoPage", "RepoQuery", "RepoSort", "SearchService"]

MAX_LIMIT = 1000


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
        self._narrowing = Narrowing()

    def search(self, actor: Actor, query: RepoQuery) -> RepoPage:
        """One page of repos.

        Raises:
            InvalidInput: a limit out of range or a cursor that was not given out here.
        """
        if not 1 <= query.limit <= MAX_LIMIT:
            raise InvalidInput(f"The limit is from 1 to {MAX_LIMIT}.", hint="Use the cursor for more.")
        order = Order(query.sort, query.ascending)
        asked = finding.Asked(
            order=order,
            after=order.read(query.cursor) if query.cursor else None,
            exact=_conditions(actor, query),
            terms=_terms(query),
            kind=query.kind,
            few=_few(actor, query),
        )
        with self._db.read() as session:
            rows = finding.find(session, actor, asked, query.limit + 1, self._narrowing)
            ids = [repo.id for repo in rows]
            roles = dict.fromkeys(ids, str(Role.ADMIN)) if sees_all(actor) else roles_of(session, actor, ids)
            views = repo_views(session, rows[: query.limit], actor.user_id, roles)
        more = len(rows) > query.limit
        return RepoPage(views, order.cursor(rows[query.limit - 1]) if more else None)

    def count_by_kind(self, actor: Actor, owner: str) -> dict[str, int]:
        """How many repos of each kind an owner has that the caller may see."""
        namespace = sa.select(Namespace.id).where(Namespace.name == storable(owner.lower())).scalar_subquery()
        query = (
            sa.select(Repo.kind, sa.func.count())
            .where(Repo.namespace_id == namespace, Repo.deleted_at.is_(None), visible(actor))
            .group_by(Repo.kind)
        )
        with self._db.read() as session:
            return dict(session.execute(query).all())


def _conditions(actor: Actor, query: RepoQuery) -> list[sa.ColumnElement[bool]]:
    """What every repo of the result fulfils, in a form that is checked row by row: which rows to look at is `finding`'s."""
    if query.deleted:
        found: list[sa.ColumnElement[bool]] = [Repo.deleted_at >= Repo.created_at, with_role(actor, Role.ADMIN)]
    else:
        found = [Repo.deleted_at.is_(None), visible(actor)]
    # Joined to nothing, a column is no reason for a database to read its index in place of that of the order.
    for column, value in ((Repo.kind, query.kind), (Repo.visibility, query.visibility), (Repo.namespace, (query.owner or "").lower())):
        if value:
            found.append(column.concat("") == storable(value))
    if query.gated is not None:
        found.append(Repo.gated != Gating.OFF if query.gated else Repo.gated == Gating.OFF)
    if query.license:
        found.append(sa.func.lower(Repo.license) == storable(query.license.lower()))
    found += [_tagged(tag) for tag in query.tags]
    found += [finding.contains(sa.literal("").concat(Repo.namespace).concat("/").concat(Repo.key), fold(name)) for name in query.names]
    if words := words_of(query.words):
        found.append(sa.exists().where(RepoText.repo_id == Repo.id, *(finding.contains(RepoText.text, word) for word in words)))
    return found


def _tagged(tag: str) -> sa.ColumnElement[bool]:
    spellings, licence = _spellings(tag)
    carries = sa.exists().where(RepoTag.repo_id == Repo.id, RepoTag.tag.in_([storable(text[:96]) for text in spellings]))
    return sa.or_(carries, sa.func.lower(Repo.license) == storable(licence)) if licence else carries


def _spellings(tag: str) -> tuple[list[str], str]:
    """How a tag may be written, and the licence that it means.

    Licences and languages have two spellings: cards of datasets say `language:en`, others `en`.
    """
    tag = tag.strip().lower()
    head, colon, rest = tag.partition(":")
    return [tag, rest] if head == "language" and colon else [tag], rest if head == "license" else ""


def _terms(query: RepoQuery) -> list[AnyOf]:
    """The same for the search index, as far as it knows of it."""
    facets = (("kind", query.kind), ("visibility", query.visibility), ("namespace", query.owner), ("license", query.license))
    found: list[AnyOf] = [any_of([facet(name, value)]) for name, value in facets if value]
    for tag in query.tags:
        spellings, licence = _spellings(tag)
        found.append(any_of([*(facet("tag", text[:96]) for text in spellings), *([facet("license", licence)] if licence else [])]))
    for word in (*words_of(query.words), *map(fold, query.names)):
        found += [[piece] for piece in word_terms(word)]
    return found


def _few(actor: Actor, query: RepoQuery) -> sa.Select[Any] | None:
    """Ids of repos of which there are few by nature, where the result is among them."""
    if query.deleted:
        return sa.select(Repo.id).where(Repo.deleted_at.is_not(None))
    return sa.select(Like.repo_id).where(Like.user_id == actor.user_id) if query.liked and actor.user_id else None
