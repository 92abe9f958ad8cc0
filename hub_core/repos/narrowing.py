"""What the search index is asked: of all that is known of the repos that are wanted, the few terms that narrow them down most.

Reading through a list of all models takes longer than looking at the ten repos that have a rare word, so how many repos have a term is
counted (up to a limit) and remembered. It decides about the time a search takes, and never about its result.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Membership
from hub_core.authz import Actor, Visibility
from hub_core.memo import Memo
from hub_core.repos import search_index
from hub_core.repos.access import live_orgs
from hub_core.repos.search_index import AnyOf, facet
from hub_core.repos.tables import Collaborator, Repo
from hub_core.repos.terms import any_of

# Counting stops here: whatever has more is common.
MANY = 20_000
# As many lists are read at once.
_MOST_GROUPS = 4
_MANY_ORGS = 50
_LARGE = 20_000
_SIZE_S = 60.0
_COMMON_S = 300.0


@dataclass(frozen=True, slots=True)
class Source:
    """Ids among which all repos are that are wanted, and about how many those are at most."""

    ids: sa.Select[Any]
    most: int


class Narrowing:
    """Chooses what to ask the index; remembers how common terms are, and about how many repos there are."""

    def __init__(self) -> None:
        self._counts: Memo[tuple[int, int], int] = Memo(100_000)
        self._common: Memo[int, dict[int, float] | None] = Memo(4)
        self._size, self._sized = 0, 0.0

    def size(self, session: Session) -> int:
        """About how many repos there are; in a large hub as of a minute ago."""
        if self._size < _LARGE or time.monotonic() - self._sized > _SIZE_S:
            self._size, self._sized = hub_size(session), time.monotonic()
        return self._size

    def source(self, session: Session, actor: Actor, terms: Sequence[AnyOf]) -> Source | None:
        """Where to look for repos that have the terms and that the actor may see; None where the index would narrow nothing."""
        seen, given = _visible_terms(session, actor)
        groups = list(dict.fromkeys(tuple(group) for group in (*terms, *([seen] if seen else []))))
        if not groups:
            return None
        counts = {group: sum(self._count(session, number) for number in group) for group in groups}
        chosen = sorted(groups, key=counts.__getitem__)[:_MOST_GROUPS]
        rarest = counts[chosen[0]]
        if rarest * 10 <= MANY:
            chosen = [group for group in chosen if counts[group] <= MANY]
        found = search_index.candidates(session, chosen)
        if given is None or tuple(seen) not in chosen:
            return Source(found, rarest)
        return Source(sa.select(found.union(given).subquery()), MANY + 1)

    def _count(self, session: Session, term: int) -> int:
        """About how many repos have a term; more than `MANY` for any larger number."""
        size = self.size(session)
        shares = self._common.get(int(time.monotonic() / _COMMON_S), lambda: search_index.common(session))
        if shares is not None:
            return min(MANY + 1, int(shares.get(term, min(shares.values(), default=1.0)) * size))
        # Counted again when the hub is twice as large.
        return self._counts.get((term, size.bit_length()), lambda: _counted(session, term))


def _counted(session: Session, term: int) -> int:
    some = search_index.candidates(session, [[term]]).limit(MANY + 1)
    return session.scalars(sa.select(sa.func.count()).select_from(some.subquery())).one()


def hub_size(session: Session) -> int:
    """About how many repos there are."""
    return session.scalar(sa.select(sa.func.max(Repo.id))) or 0


def sees_all(actor: Actor) -> bool:
    """Whether there is no repo that the actor may not see."""
    return actor.is_admin and actor.repo_id is None


def _visible_terms(session: Session, actor: Actor) -> tuple[AnyOf, sa.Select[int] | None]:
    """`visible` for the search index, and the ids of repos that are seen for a reason that is not in it."""
    everybody = facet("visibility", Visibility.PUBLIC)
    if actor.is_anonymous:
        return any_of([everybody]), None
    if actor.repo_id is not None:
        return any_of([everybody]), sa.select(Repo.id).where(Repo.id == actor.repo_id)
    if sees_all(actor):
        return [], None
    orgs = session.scalars(
        sa.select(Membership.org_id).where(Membership.user_id == actor.user_id, Membership.org_id.in_(live_orgs())).limit(_MANY_ORGS + 1)
    ).all()
    if len(orgs) > _MANY_ORGS:
        return [], None
    mine = (facet("namespace_id", owner) for owner in (actor.user_id, *orgs))
    given = sa.select(Collaborator.repo_id).where(Collaborator.user_id == actor.user_id)
    return any_of([everybody, facet("visibility", Visibility.INTERNAL), *mine]), given
