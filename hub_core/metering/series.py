"""How one deployment did over time: requests, errors, tokens, latencies, copies, memory. Whether somebody may know is asked before."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.db import Database
from hub_core.metering.latency import percentile
from hub_core.metering.meter import SLOT, UsageMeter
from hub_core.metering.reports import floor, step_of
from hub_core.metering.scope import Span
from hub_core.metering.tables import LatencySlot, TrafficSlot, UsageHour

FINE_UP_TO = dt.timedelta(hours=12)


@dataclass(slots=True)
class Point:
    """What happened in one step from `at` on. Copies, memory and processors are the most that were seen at a time."""

    at: dt.datetime
    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    copies: int = 0
    memory: int = 0
    cpus: float = 0.0
    latencies: dict[int, int] = field(default_factory=dict)

    def late(self, share: float) -> int | None:
        """The latency in milliseconds that so many requests did not exceed."""
        found = percentile(self.latencies, share)
        return None if found is None else round(found * 1000)

    def count(self, row: UsageHour | TrafficSlot) -> None:
        """Take in the requests of a row."""
        self.requests += row.requests
        self.failed += row.failed
        self.prompt_tokens += row.prompt_tokens
        self.completion_tokens += row.completion_tokens


@dataclass(frozen=True, slots=True)
class Series:
    """The whole, step by step (5 minutes, hour, day or month; steps in which nothing happened are left out), and as it was seen last."""

    step: str
    total: Point
    points: list[Point]
    last: Point | None


def series(db: Database, meter: UsageMeter, deployment_id: int, span: Span) -> Series:
    """The series of a deployment. Latencies, copies and memory go back as far as slots are kept; requests as far as the hours."""
    meter.flush()
    step = "5 minutes" if span.end - span.begin <= FINE_UP_TO else step_of(span)
    points: dict[dt.datetime, Point] = {}

    def point(at: dt.datetime) -> Point:
        start = at if step == "5 minutes" else floor(at, step)
        return points.setdefault(start, Point(start))

    with db.read() as session:
        slots = _slots(session, deployment_id, span)
        for slot in slots:
            here = point(slot.at)
            here.copies, here.memory, here.cpus = max(here.copies, slot.copies), max(here.memory, slot.memory), max(here.cpus, slot.cpus)
        hours = sa.select(UsageHour).where(
            UsageHour.deployment_id == deployment_id, UsageHour.hour >= span.first, UsageHour.hour < span.end
        )
        for row in slots if step == "5 minutes" else session.scalars(hours):
            point(row.at if isinstance(row, TrafficSlot) else row.hour).count(row)
        late = sa.select(LatencySlot).where(LatencySlot.deployment_id == deployment_id, *_within(LatencySlot.at, span))
        for lag in session.scalars(late):
            latencies = point(lag.at).latencies
            latencies[lag.bucket] = latencies.get(lag.bucket, 0) + lag.requests
    ordered = [points[at] for at in sorted(points)]
    seen = [slot for slot in slots if slot.copies]
    last = Point(seen[-1].at, copies=seen[-1].copies, memory=seen[-1].memory, cpus=seen[-1].cpus) if seen else None
    return Series(step, _total(span, ordered), ordered, last)


def _slots(session: Session, deployment_id: int, span: Span) -> list[TrafficSlot]:
    query = sa.select(TrafficSlot).where(TrafficSlot.deployment_id == deployment_id, *_within(TrafficSlot.at, span))
    return list(session.scalars(query.order_by(TrafficSlot.at)))


def _within(at: sa.orm.InstrumentedAttribute[dt.datetime], span: Span) -> tuple[sa.ColumnElement[bool], ...]:
    return at > span.begin - SLOT, at < span.end


def _total(span: Span, points: list[Point]) -> Point:
    total = Point(span.begin)
    for one in points:
        for name in ("requests", "failed", "prompt_tokens", "completion_tokens"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        total.copies, total.memory, total.cpus = max(total.copies, one.copies), max(total.memory, one.memory), max(total.cpus, one.cpus)
        for bucket, count in one.latencies.items():
            total.latencies[bucket] = total.latencies.get(bucket, 0) + count
    return total
