"""What was used and what it cost, added up by thing, person, hardware and time. Whose: see `hub_core.metering.scope`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Namespace, User
from hub_core.authz import Actor, Permission, require_scope
from hub_core.budgets.service import find_owner
from hub_core.db import Database
from hub_core.deployments.access import deployment_not_found, find_deployment
from hub_core.deployments.views import full_name
from hub_core.metering.meter import UsageMeter
from hub_core.metering.scope import Scope, Span, Thing
from hub_core.metering.tables import ComputeHour, UsageHour
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.running_errors import DeploymentNotFound

MAX_ROWS = 200
HOURLY_UP_TO, DAILY_UP_TO = dt.timedelta(days=3), dt.timedelta(days=400)
PAGE = 1000
Key = tuple[Any, ...]


@dataclass(slots=True)
class Sum:
    """Everything that was used of something. `hours` are hours of one piece of hardware."""

    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    hours: float = 0.0
    cost: float = 0.0

    def add(self, other: Sum) -> None:
        """Take in another one."""
        for name in Sum.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class Line:
    """A sum and what it is of: a kind and a name, a person, hardware; a time."""

    name: str
    total: Sum
    kind: str = ""
    owner: str = ""
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to a question about use. `step` is what a point of the series stands for: hour, day or month."""

    owner: str
    target: str
    total: Sum
    targets: list[Line]
    people: list[Line]
    hardware: list[Line]
    points: list[Line]
    step: str
    owner_ids: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the export."""

    hour: dt.datetime
    kind: str
    name: str
    owner: str
    person: str
    hardware: str
    total: Sum


class UsageReports:
    """Reading what the meters wrote."""

    def __init__(self, db: Database, meter: UsageMeter) -> None:
        self._db = db
        self._meter = meter

    def report(self, actor: Actor, span: Span, owner: str | None = None, target: str | None = None) -> Report:
        """What was used.

        Raises:
            UserNotFound: no such owner. DeploymentNotFound, AmbiguousDeployment: no such target, or none of which the caller may know.
        """
        self._meter.flush()
        with self._db.read() as session:
            scope = self._scope(session, actor, span, owner, target)
            by_target = _grouped(session, scope, _ASKED_OF, _RAN)
            step = step_of(span)
            points: dict[Key, Sum] = {}
            for (hour,), total in _grouped(session, scope, (UsageHour.hour,), (ComputeHour.hour,)).items():
                points.setdefault((floor(hour, step),), Sum()).add(total)
            people = _grouped(session, scope, (UsageHour.user_id,), (ComputeHour.user_id,))
            names = dict(session.execute(sa.select(User.id, User.username).where(User.id.in_([key[0] for key in people]))).all())
            hardware = _grouped(session, scope, None, (ComputeHour.hardware,))
            owners = session.scalars(sa.select(ComputeHour.owner_id).where(scope.compute()).distinct().limit(MAX_ROWS)).all()
            labels = _labels(session, scope)
        total = Sum()
        for one in by_target.values():
            total.add(one)
        return Report(
            owner=scope.owner.name if scope.owner else "", target=scope.thing.name if scope.thing else "", total=total, step=step,
            targets=_ordered(Line(labels.get(key, ("", ""))[0], one, key[0], labels.get(key, ("", ""))[1]) for key, one in by_target.items()),
            people=_ordered(Line(names.get(key[0], ""), one) for key, one in people.items()),
            hardware=_ordered(Line(key[0], one) for key, one in hardware.items()),
            points=[Line("", points[key], at=key[0]) for key in sorted(points)],
            owner_ids=[scope.owner.id] if scope.owner else list(owners),
        )  # fmt: skip

    def records(self, actor: Actor, span: Span, owner: str | None = None, target: str | None = None) -> Iterator[Record]:
        """Every row of it by time, for an export. Raises like `report`, at once."""
        self._meter.flush()
        with self._db.read() as session:
            scope = self._scope(session, actor, span, owner, target)
        return self._records(scope)

    def _records(self, scope: Scope) -> Iterator[Record]:
        who = sa.func.coalesce(User.username, "")
        asked = (
            sa.select(UsageHour, Repo.namespace, who)
            .outerjoin(Repo, Repo.id == UsageHour.repo_id)
            .outerjoin(User, User.id == UsageHour.user_id)
            .where(scope.requests())
            .order_by(UsageHour.hour, UsageHour.user_id, UsageHour.deployment_id)
        )
        for row, owner, person in self._pages(asked):
            total = Sum(row.requests, row.failed, row.prompt_tokens, row.completion_tokens)
            yield Record(row.hour, "requests", row.deployment, owner or "", person, "", total)
        ran = (
            sa.select(ComputeHour, ComputeHour.owner, who)
            .outerjoin(User, User.id == ComputeHour.user_id)
            .where(scope.compute())
            .order_by(*(getattr(ComputeHour, name) for name in ("hour", "kind", "target_id", "hardware", "owner_id", "user_id")))
        )
        for row, owner, person in self._pages(ran):
            yield Record(row.hour, row.kind, row.name, owner, person, row.hardware, Sum(hours=row.seconds / 3600, cost=row.cost))

    def _pages(self, query: sa.Select[*tuple[Any, ...]]) -> Iterator[Any]:
        """A page at a time: no transaction stays open while somebody reads slowly."""
        at = 0
        while True:
            with self._db.read() as session:
                rows = session.execute(query.limit(PAGE).offset(at)).all()
            yield from rows
            at += len(rows)
            if len(rows) < PAGE:
                return

    def _scope(self, session: Session, actor: Actor, span: Span, owner: str | None, target: str | None) -> Scope:
        require_scope(actor, Permission.USAGE_READ)
        namespace: Namespace | None = find_owner(session, owner) if owner else None
        thing = _thing(session, actor, target) if target else None
        scope = Scope(actor, span, namespace, thing)
        if thing is not None and thing.id is None and not Scope(actor, span, None, thing).anything(session):
            raise deployment_not_found(target or "")
        return scope


def step_of(span: Span) -> str:
    """What one point of a series stands for, so that there are not too many."""
    length = span.end - span.begin
    return "hour" if length <= HOURLY_UP_TO else "day" if length <= DAILY_UP_TO else "month"


def floor(at: dt.datetime, step: str) -> dt.datetime:
    """The beginning of the hour, day or month."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if step == "hour" else hour.replace(hour=0) if step == "day" else hour.replace(hour=0, day=1)


_ASKED_OF = (sa.literal("deployment"), UsageHour.deployment_id)
_RAN = (ComputeHour.kind, ComputeHour.target_id)


def _grouped(session: Session, scope: Scope, asked: Key | None, ran: Key) -> dict[Key, Sum]:
    """Sums of both tables by the same key."""
    found: dict[Key, Sum] = {}
    if asked is not None:
        counts = [sa.func.sum(getattr(UsageHour, name)) for name in ("requests", "failed", "prompt_tokens", "completion_tokens")]
        query = sa.select(*asked, *counts).select_from(UsageHour).outerjoin(Repo, Repo.id == UsageHour.repo_id)
        for row in session.execute(query.where(scope.requests()).group_by(*_columns(asked))):
            found.setdefault(tuple(row[: len(asked)]), Sum()).add(Sum(*(int(number) for number in row[len(asked) :])))
    amounts = (sa.func.sum(ComputeHour.seconds), sa.func.sum(ComputeHour.cost))
    for row in session.execute(sa.select(*ran, *amounts).where(scope.compute()).group_by(*ran)):
        seconds, cost = row[len(ran) :]
        found.setdefault(tuple(row[: len(ran)]), Sum()).add(Sum(hours=seconds / 3600, cost=cost))
    return found


def _columns(key: Key) -> list[Any]:
    return [column for column in key if not isinstance(column, sa.BindParameter)]


def _labels(session: Session, scope: Scope) -> dict[Key, tuple[str, str]]:
    """Names and owners of what was used, as they were last."""
    newest = sa.func.max(UsageHour.hour)
    asked = sa.select(UsageHour.deployment_id, UsageHour.deployment, sa.func.max(Repo.namespace), newest)
    asked = asked.outerjoin(Repo, Repo.id == UsageHour.repo_id).where(scope.requests())
    found = {
        ("deployment", number): (name, owner or "")
        for number, name, owner, _ in session.execute(asked.group_by(UsageHour.deployment_id, UsageHour.deployment).order_by(newest))
    }
    last = sa.func.max(ComputeHour.hour)
    columns = (ComputeHour.kind, ComputeHour.target_id, ComputeHour.name, ComputeHour.owner)
    for kind, number, name, owner, _ in session.execute(sa.select(*columns, last).where(scope.compute()).group_by(*columns).order_by(last)):
        found[kind, number] = (name, owner)
    return found


def _ordered(lines: Iterator[Line]) -> list[Line]:
    """The dearest first, then the most used."""
    return sorted(lines, key=lambda one: (-one.total.cost, -one.total.requests, -one.total.hours, one.name))[:MAX_ROWS]


def _thing(session: Session, actor: Actor, said: str) -> Thing:
    """What is meant: a deployment that is there, a job by its number, or the name of something that is gone."""
    text = said.strip()
    word, _, number = text.lower().partition(" ")
    if word == "job" and number.lstrip("#").isdecimal():
        # Known to nobody who sees no row of it.
        return Thing("job", int(number.lstrip("#")), text)
    try:
        deployment, repo = find_deployment(session, actor, text)
    except DeploymentNotFound:
        return Thing("", None, text)
    return Thing("space" if repo.kind == RepoKind.SPACE else "deployment", deployment.id, full_name(deployment, repo))
