"""Counts use in memory and writes it down in batches, so that a request costs no write."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hub_core.db import Base, Database, utcnow
from hub_core.errors import Unavailable
from hub_core.metering.latency import bucket_of
from hub_core.metering.tables import LatencySlot, TrafficSlot, UsageHour

FLUSH_S = 2.0
SLOT = dt.timedelta(minutes=5)
KEEP_SLOTS = dt.timedelta(days=14)
_K = TypeVar("_K", bound=Hashable)
_COUNTED = ("requests", "failed", "prompt_tokens", "completion_tokens")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Used:
    """One request: whose, of what, how many tokens it took, and how many seconds where that was measured."""

    user_id: int | None
    deployment_id: int
    deployment: str
    repo_id: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    failed: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a deployment took at one moment: copies that answer, bytes and processors of all of them, 0 where the cluster does not tell."""

    deployment_id: int
    copies: int
    memory: int = 0
    cpus: float = 0.0


@dataclass(slots=True)
class _Counts:
    """What was counted and not written down yet."""

    hours: dict[tuple[dt.datetime, int, int], list[int]] = field(default_factory=dict)
    slots: dict[tuple[dt.datetime, int], list[int]] = field(default_factory=dict)
    latencies: dict[tuple[dt.datetime, int, int], list[int]] = field(default_factory=dict)

    def add(self, other: _Counts) -> None:
        """Take in what another one has."""
        pairs: list[tuple[dict[Any, list[int]], dict[Any, list[int]]]] = [(self.hours, other.hours), (self.slots, other.slots)]
        for mine, theirs in (*pairs, (self.latencies, other.latencies)):
            for key, numbers in theirs.items():
                _add(mine, key, numbers)


class UsageMeter:
    """Counts requests. A crash loses the counts of two seconds at most."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._counts = _Counts()
        self._names: dict[int, tuple[str, int]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, used: Used) -> None:
        """Count a request that is over."""
        now = utcnow()
        hour, slot = now.replace(minute=0, second=0, microsecond=0), slot_of(now)
        numbers = [1, int(used.failed), used.prompt_tokens, used.completion_tokens]
        with self._lock:
            _add(self._counts.hours, (hour, used.user_id or 0, used.deployment_id), numbers)
            _add(self._counts.slots, (slot, used.deployment_id), numbers)
            if used.seconds is not None:
                _add(self._counts.latencies, (slot, used.deployment_id, bucket_of(used.seconds)), [1])
            self._names[used.deployment_id] = (used.deployment, used.repo_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="usage-meter", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write down what was counted."""
        with self._lock:
            counts, self._counts = self._counts, _Counts()
            names = dict(self._names)
        if not counts.hours:
            return
        hours = [
            {
                "hour": hour,
                "user_id": user,
                "deployment_id": deployment,
                "deployment": names[deployment][0],
                "repo_id": names[deployment][1],
            }
            | dict(zip(_COUNTED, numbers, strict=True))
            for (hour, user, deployment), numbers in counts.hours.items()
        ]
        slots = [
            {"at": at, "deployment_id": deployment, "copies": 0, "memory": 0, "cpus": 0.0} | dict(zip(_COUNTED, numbers, strict=True))
            for (at, deployment), numbers in counts.slots.items()
        ]
        latencies = [
            {"at": at, "deployment_id": deployment, "bucket": bucket, "requests": number}
            for (at, deployment, bucket), (number,) in counts.latencies.items()
        ]
        try:
            with self._db.write() as session:
                self._upsert(session, UsageHour, hours, ("hour", "user_id", "deployment_id"), _COUNTED)
                self._upsert(session, TrafficSlot, slots, ("at", "deployment_id"), _COUNTED)
                self._upsert(session, LatencySlot, latencies, ("at", "deployment_id", "bucket"), ("requests",))
        except (Unavailable, sa.exc.SQLAlchemyError):
            log.warning("use was not written down; the next try has it", rows=len(hours))
            with self._lock:
                self._counts.add(counts)

    def seen(self, deployments: Sequence[Seen]) -> None:
        """Note what deployments take at this moment; of five minutes the most is kept."""
        slot = slot_of(utcnow())
        rows = [
            {"at": slot, "deployment_id": one.deployment_id, "copies": one.copies, "memory": one.memory, "cpus": one.cpus}
            | dict.fromkeys(_COUNTED, 0)
            for one in deployments
        ]
        with self._db.write() as session:
            self._upsert(session, TrafficSlot, rows, ("at", "deployment_id"), ("copies", "memory", "cpus"), _larger)

    def prune(self) -> int:
        """Forget what is older than plots go back; the hours stay."""
        before = utcnow() - KEEP_SLOTS
        with self._db.write() as session:
            slots: Any = session.execute(sa.delete(TrafficSlot).where(TrafficSlot.at < before))
            latencies: Any = session.execute(sa.delete(LatencySlot).where(LatencySlot.at < before))
        return int(slots.rowcount) + int(latencies.rowcount)

    def close(self) -> None:
        """Write the rest."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _upsert(
        self, session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]], key: tuple[str, ...], names: tuple[str, ...],
        how: Callable[[Any, Any], Any] = lambda old, new: old + new,
    ) -> None:  # fmt: skip
        if rows:
            insert = (sqlite if self._db.is_sqlite else postgresql).insert(table)
            more = {name: how(getattr(table, name), getattr(insert.excluded, name)) for name in names}
            # In one order everywhere: several processes write the same rows.
            ordered = sorted(rows, key=lambda row: [row[name] for name in key])
            session.execute(insert.on_conflict_do_update(index_elements=list(key), set_=more), ordered)

    def _loop(self) -> None:
        while not self._stop.wait(FLUSH_S):
            self.flush()


def slot_of(at: dt.datetime) -> dt.datetime:
    """The beginning of the five minutes that a time lies in."""
    return at - (at - dt.datetime.min.replace(tzinfo=dt.UTC)) % SLOT


def _add(counts: dict[_K, list[int]], key: _K, numbers: Sequence[int]) -> None:
    row = counts.setdefault(key, [0] * len(numbers))
    for at, amount in enumerate(numbers):
        row[at] += amount


def _larger(old: Any, new: Any) -> Any:
    return sa.case((new > old, new), else_=old)
