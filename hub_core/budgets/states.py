"""How a budget stands: what of it the hardware of its owner has cost since the period began. Periods begin at midnight UTC."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Namespace
from hub_core.budgets.tables import Budget
from hub_core.db import utcnow
from hub_core.metering.tables import ComputeHour

DAY = dt.timedelta(days=1)
MOST = 0.8  # from this share on people are warned


class BudgetPeriod(enum.StrEnum):
    """What an amount is for; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Level(enum.StrEnum):
    """Who set it: an administrator of the site, or the owner."""

    SITE = "site"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The budget of an owner for a period: the lowest that was set, and what of it is used at this moment."""

    owner_id: int
    owner: str
    period: BudgetPeriod
    amount: float
    used: float
    currency: str
    ends_at: dt.datetime
    now: dt.datetime
    warned: bool = False
    told: bool = False

    @property
    def left(self) -> float:
        """What may still be spent; not less than 0."""
        return max(0.0, self.amount - self.used)

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.used >= self.amount

    @property
    def nearly(self) -> bool:
        """Whether most of it is used."""
        return self.used >= MOST * self.amount


def window(period: BudgetPeriod, now: dt.datetime | None = None) -> tuple[dt.datetime, dt.datetime]:
    """When the period that runs at `now` began, and when it ends."""
    today = (now or utcnow()).replace(hour=0, minute=0, second=0, microsecond=0)
    if period is BudgetPeriod.DAY:
        return today, today + DAY
    if period is BudgetPeriod.WEEK:
        monday = today - today.weekday() * DAY
        return monday, monday + 7 * DAY
    first = today.replace(day=1)
    return first, (first + 32 * DAY).replace(day=1)


def states(session: Session, currency: str, owner_ids: Iterable[int] | None = None, now: dt.datetime | None = None) -> list[BudgetState]:
    """The budgets of some owners (all, if left out), with what is used of each; by owner, the tightest first."""
    now = now or utcnow()
    query = sa.select(Budget, Namespace.name).join(Namespace, Namespace.id == Budget.namespace_id)
    if owner_ids is not None:
        query = query.where(Budget.namespace_id.in_(list(owner_ids)))
    rows: dict[tuple[int, BudgetPeriod], list[Budget]] = {}
    names: dict[int, str] = {}
    for row, name in session.execute(query):
        rows.setdefault((row.namespace_id, BudgetPeriod(row.period)), []).append(row)
        names[row.namespace_id] = name
    found = []
    for period in BudgetPeriod:
        owners = [owner for owner, of in rows if of is period]
        began, ends = window(period, now)
        used = used_by(session, owners, began) if owners else {}
        for owner in owners:
            lowest = min(rows[owner, period], key=lambda row: row.amount)
            warned, told = (stamp is not None and stamp >= began for stamp in (lowest.warned_at, lowest.ended_at))
            amount = used.get(owner, 0.0)
            found.append(BudgetState(owner, names[owner], period, lowest.amount, amount, currency, ends, now, warned, told))
    return sorted(found, key=lambda one: (one.owner, one.left))


def used_by(session: Session, owner_ids: Iterable[int], since: dt.datetime) -> dict[int, float]:
    """What the hardware of each owner has cost since a full hour."""
    cost = sa.func.sum(ComputeHour.cost)
    query = sa.select(ComputeHour.owner_id, cost).where(ComputeHour.owner_id.in_(list(owner_ids)), ComputeHour.hour >= since)
    return {owner: float(amount or 0) for owner, amount in session.execute(query.group_by(ComputeHour.owner_id))}
