"""Whose use a caller may see: all of what they answer for, and what they themselves asked for or started; site administrators all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Membership, Namespace
from hub_core.authz import Actor, CredentialKind, Role
from hub_core.metering.tables import ComputeHour, UsageHour
from hub_core.repos.access import live_orgs
from hub_core.repos.tables import Repo


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when, in full hours: an hour belongs to it when any of it does."""

    begin: dt.datetime
    end: dt.datetime

    @property
    def first(self) -> dt.datetime:
        """The hour that it begins in."""
        return self.begin.replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing that ran; without an id all of a name, of which only numbers are left."""

    kind: str
    id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows of the two tables of use are meant, of those that the caller may see."""

    actor: Actor
    span: Span
    owner: Namespace | None = None
    thing: Thing | None = None

    def requests(self) -> sa.ColumnElement[bool]:
        """Of `UsageHour`, outer-joined with `Repo`."""
        mine = UsageHour.user_id == (self.actor.user_id or -1)
        rules = [*self._during(UsageHour.hour), self._seen(mine, Repo.namespace_id, UsageHour.repo_id)]
        if self.owner is not None:
            rules.append(self._of_owner(Repo.namespace_id, UsageHour.user_id))
        if self.thing is not None:
            named = UsageHour.deployment == self.thing.name if self.thing.id is None else UsageHour.deployment_id == self.thing.id
            rules.append(named if self.thing.kind in ("", "deployment") else sa.false())
        return sa.and_(*rules)

    def compute(self) -> sa.ColumnElement[bool]:
        """Of `ComputeHour`."""
        mine = ComputeHour.user_id == (self.actor.user_id or -1)
        rules = [*self._during(ComputeHour.hour), self._seen(mine, ComputeHour.owner_id, ComputeHour.repo_id)]
        if self.owner is not None:
            rules.append(self._of_owner(ComputeHour.owner_id, ComputeHour.user_id))
        if self.thing is not None:
            named = ComputeHour.name == self.thing.name if self.thing.id is None else ComputeHour.target_id == self.thing.id
            rules += [named, ComputeHour.kind == self.thing.kind] if self.thing.kind else [named]
        return sa.and_(*rules)

    def anything(self, session: Session) -> bool:
        """Whether there is any row at all, whenever it was."""
        ever = replace(self, span=Span(dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(9000, 1, 1, tzinfo=dt.UTC)))
        asked = sa.select(sa.literal(1)).select_from(UsageHour).outerjoin(Repo, Repo.id == UsageHour.repo_id).where(ever.requests())
        ran = sa.select(sa.literal(1)).select_from(ComputeHour).where(ever.compute())
        return session.scalar(asked.limit(1)) is not None or session.scalar(ran.limit(1)) is not None

    def _during(self, hour: Any) -> list[sa.ColumnElement[bool]]:
        return [hour >= self.span.first, hour < self.span.end]

    def _of_owner(self, owner: Any, person: Any) -> sa.ColumnElement[bool]:
        """What belongs to them; for a person also what they asked for or started elsewhere."""
        assert self.owner is not None
        theirs = owner == self.owner.id
        return sa.or_(theirs, person == self.owner.id) if self.owner.kind == "user" else theirs

    def _seen(self, mine: sa.ColumnElement[bool], owner: Any, repo_id: Any) -> sa.ColumnElement[bool]:
        everything = self.actor.is_admin or self.actor.credential is CredentialKind.SYSTEM
        seen = sa.true() if everything else sa.or_(mine, owner.in_(answered_for(self.actor)))
        return seen if self.actor.repo_id is None else sa.and_(seen, repo_id == self.actor.repo_id)


def answered_for(actor: Actor) -> sa.CompoundSelect[Any]:
    """Ids of the namespaces that the caller answers for: their own, and organisations where they are an administrator."""
    orgs = sa.select(Membership.org_id).where(
        Membership.user_id == (actor.user_id or -1), Membership.role == str(Role.ADMIN), Membership.org_id.in_(live_orgs())
    )
    return sa.union_all(sa.select(sa.literal(actor.user_id or -1)), orgs)
