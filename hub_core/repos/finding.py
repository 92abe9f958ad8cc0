"""How the rows of one page are found among any number of repos.

What many repos have in common is found soonest by walking along the order of the list; what few have, by asking the search index and
sorting what it gives. Which of the two it is nobody knows before: a short walk comes first, a longer one where it was promising, and then
the index. What it gives is a little too much, so that it is looked through in the order of the list until the page is full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session

from hub_core.authz import Actor
from hub_core.repos.narrowing import Narrowing, Source, sees_all
from hub_core.repos.ordering import Order, Place
from hub_core.repos.search_index import AnyOf
from hub_core.repos.tables import Repo

# Repos that are looked at one after the other, at first and when so many of the first were found to fit.
WALKS = (500, 5_000)
PROMISING = 3
SMALL_HUB = 2_000
MOST_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One page that is wanted.

    Attributes:
        after: the place behind which the page begins; None for the first one.
        exact: what every row fulfils; the rest only says where to look.
        terms: what the search index knows of it: of every group one.
        kind: the kind that all have, if it is told.
        few: ids among which all are, where there are few by nature.
    """

    order: Order
    after: Place | None
    exact: Sequence[sa.ColumnElement[bool]]
    terms: Sequence[AnyOf]
    kind: str | None = None
    few: sa.Select[Any] | None = None


def find(session: Session, actor: Actor, asked: Asked, most: int, narrowing: Narrowing) -> list[Repo]:
    """The first rows of the page."""
    if asked.few is not None:
        return _chosen(session, asked, asked.few, most)
    size = narrowing.size(session)
    if size <= SMALL_HUB or (not asked.terms and sees_all(actor)):
        return _walk(session, asked, asked.after, None, most)
    edge, found = asked.after, list[Repo]()
    for walk in WALKS:
        start, edge = edge, _ahead(session, asked, edge, walk)
        found += _walk(session, asked, start, edge, most - len(found))
        if edge is None or len(found) >= most:
            return found
        if len(found) < PROMISING:
            break
    source = narrowing.source(session, actor, asked.terms)
    # One of few that are sorted costs as much as some steps of a walk, and the larger the hub the longer is the walk.
    return _from_index(session, asked, source, isqrt(size), most) if source else _walk(session, asked, asked.after, None, most)


def _walk(session: Session, asked: Asked, after: Place | None, last: Place | None, most: int) -> list[Repo]:
    found: list[Repo] = []
    for part in asked.order.ranges(after, last):
        statement = sa.select(Repo).where(part, *_within(asked), *asked.exact).order_by(*asked.order.by())
        found += session.scalars(statement.limit(most - len(found)))
        if len(found) >= most:
            break
    return found


def _chosen(session: Session, asked: Asked, ids: Any, most: int) -> list[Repo]:
    statement = sa.select(Repo).where(Repo.id.in_(ids), *asked.exact)
    if asked.after is not None:
        statement = statement.where(asked.order.after(asked.after))
    return list(session.scalars(statement.order_by(*asked.order.by()).limit(most)))


def _from_index(session: Session, asked: Asked, source: Source, few: int, most: int) -> list[Repo]:
    """Up to `few` ids are looked up and sorted, more are met sooner on a walk."""
    if source.most <= few:
        narrowed = Repo.id.in_(source.ids)
    elif session.scalars(sa.select(sa.func.count()).select_from(source.ids.limit(few + 1).subquery())).one() <= few:
        narrowed = Repo.id.in_(source.ids.limit(few))  # a database that guesses too many would read all repos
    else:
        # A value, and not a condition: the list is made once, and the walk goes along the index of the order.
        narrowed = Repo.id.in_(source.ids).is_(sa.true())
    found: list[Repo] = []
    place, step = asked.after, most + most // 2
    while len(found) < most:
        rows = _next(session, asked, narrowed, place, step)
        if rows:
            found += _chosen(session, asked, [row.id for row in rows], most - len(found))
        if len(rows) < step:
            break
        place, step = Place(rows[-1][0], rows[-1].id), min(step * 4, MOST_AT_ONCE)
    return found


def _next(session: Session, asked: Asked, narrowed: sa.ColumnElement[bool], place: Place | None, count: int) -> list[sa.Row[Any]]:
    found: list[sa.Row[Any]] = []
    for part in asked.order.ranges(place, None):
        statement = sa.select(asked.order.column, Repo.id).where(narrowed, part).order_by(*asked.order.by())
        found += session.execute(statement.limit(count - len(found)))
        if len(found) >= count:
            break
    return found


def _ahead(session: Session, asked: Asked, after: Place | None, steps: int) -> Place | None:
    """The place at the end of a walk; None where the list is shorter."""
    for part in asked.order.ranges(after, None):
        statement = sa.select(asked.order.column, Repo.id).where(part, *_within(asked)).order_by(*asked.order.by())
        row = session.execute(statement.offset(steps - 1).limit(1)).first()
        if row is not None:
            return Place(row[0], row[1])
    return None


def _within(asked: Asked) -> list[sa.ColumnElement[bool]]:
    return [Repo.kind == asked.kind] if asked.kind and asked.order.has_kinds else []


class contains(sa.sql.functions.FunctionElement[bool]):  # noqa: N801 - reads as the SQL function that it is
    """Whether a text has another one in it, letter by letter."""

    type = sa.Boolean()
    inherit_cache = True
    name = "contains"

    def __init__(self, text: Any, part: str) -> None:
        super().__init__(text, sa.literal(part))


@compiles(contains, "sqlite")
def _in_sqlite(element: contains, compiler: Any, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)}) > 0"


@compiles(contains, "postgresql")
def _in_postgres(element: contains, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)}) > 0"
