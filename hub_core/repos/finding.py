"""How the rows of one page are found among any number of repos.

What many repos have in common is found soonest by walking along the order of the list; what few have, by asking the search index and
sorting what it gives. Which of the two it is nobody knows before: a short walk comes first, and then the index. What it gives is a
little too much, so that it is looked through in the order of the list until the page is full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Membership
from hub_core.authz import Actor, Visibility
from hub_core.repos.access import live_orgs
from hub_core.repos.ordering import Order, Place
from hub_core.repos.search_index import AnyOf, candidates, facet
from hub_core.repos.tables import Collaborator, Repo
from hub_core.repos.terms import any_of

SHORT_WALK = 500
SMALL_HUB = 2_000
MOST_AT_ONCE = 5_000
_MANY_ORGS = 50


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


def find(session: Session, actor: Actor, asked: Asked, most: int) -> list[Repo]:
    """The first rows of the page."""
    if asked.few is not None:
        return _chosen(session, asked, asked.few, most)
    size = hub_size(session)
    if size <= SMALL_HUB or not (asked.terms or _is_narrowed(actor)):
        return _walk(session, asked, None, most)
    edge = _ahead(session, asked)
    found = _walk(session, asked, edge, most)
    if edge is None or len(found) >= most:
        return found
    source = _indexed(session, actor, asked)
    return _from_index(session, asked, source, isqrt(3 * size), most) if source is not None else _walk(session, asked, None, most)


def hub_size(session: Session) -> int:
    """About how many repos there are."""
    return session.scalar(sa.select(sa.func.max(Repo.id))) or 0


def _walk(session: Session, asked: Asked, last: Place | None, most: int) -> list[Repo]:
    found: list[Repo] = []
    for part in asked.order.ranges(asked.after, last):
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


def _from_index(session: Session, asked: Asked, source: sa.Select[Any], limit: int, most: int) -> list[Repo]:
    """Up to `limit` ids are looked up and sorted; more are met sooner on a walk, the larger the hub the later."""
    some = source.limit(limit + 1)
    few = session.scalars(sa.select(sa.func.count()).select_from(some.subquery())).one() <= limit
    # A value, and not a condition: the list is made once, and the walk goes along the index of the order.
    narrowed = Repo.id.in_(some) if few else Repo.id.in_(source).is_(sa.true())
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


def _ahead(session: Session, asked: Asked) -> Place | None:
    """The place at the end of a short walk; None where the list is shorter."""
    for part in asked.order.ranges(asked.after, None):
        statement = sa.select(asked.order.column, Repo.id).where(part, *_within(asked)).order_by(*asked.order.by())
        row = session.execute(statement.offset(SHORT_WALK - 1).limit(1)).first()
        if row is not None:
            return Place(row[0], row[1])
    return None


def _within(asked: Asked) -> list[sa.ColumnElement[bool]]:
    return [Repo.kind == asked.kind] if asked.kind and asked.order.has_kinds else []


def _indexed(session: Session, actor: Actor, asked: Asked) -> sa.Select[Any] | None:
    """Ids among which all are, by the search index; None where it knows nothing that would narrow the list."""
    seen, given = _visible_terms(session, actor)
    groups = [*asked.terms, *([seen] if seen else [])]
    if not groups:
        return None
    found = candidates(session, groups)
    return found if given is None else sa.select(found.union(given).subquery())


def _is_narrowed(actor: Actor) -> bool:
    """Whether there are repos that the actor may not see."""
    return not actor.is_admin or actor.repo_id is not None


def _visible_terms(session: Session, actor: Actor) -> tuple[AnyOf, sa.Select[int] | None]:
    """`visible` for the search index, and the ids of repos that are seen for a reason that is not in it."""
    everybody = facet("visibility", Visibility.PUBLIC)
    if actor.is_anonymous:
        return any_of([everybody]), None
    if actor.repo_id is not None:
        return any_of([everybody]), sa.select(Repo.id).where(Repo.id == actor.repo_id)
    if not _is_narrowed(actor):
        return [], None
    orgs = session.scalars(
        sa.select(Membership.org_id).where(Membership.user_id == actor.user_id, Membership.org_id.in_(live_orgs())).limit(_MANY_ORGS + 1)
    ).all()
    if len(orgs) > _MANY_ORGS:
        return [], None
    mine = (facet("namespace_id", owner) for owner in (actor.user_id, *orgs))
    given = sa.select(Collaborator.repo_id).where(Collaborator.user_id == actor.user_id)
    return any_of([everybody, facet("visibility", Visibility.INTERNAL), *mine]), given


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
