"""What platforms told: kept once, taken up by one process at a time, in order at each place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from hub_core.bridges.tables import BridgeEvent
from hub_core.db import Database, utcnow

LEASE = dt.timedelta(seconds=30)
GRACE = dt.timedelta(seconds=3)
"""How long an event is left to the process that took it in; a platform may wait for that very process."""
MAX_ATTEMPTS = 3
KEEP = dt.timedelta(days=3)
"""Longer than any platform goes on sending the same again."""


@dataclass(frozen=True, slots=True)
class EventView:
    """An event that a process has in hand. `thread_id` and `seen` are known once its turn began."""

    id: int
    platform: str
    payload: dict[str, Any]
    attempts: int
    thread_id: str | None
    seen: int | None


class Inbox:
    """The events part of `BridgeService`."""

    _db: Database

    def receive(self, platform: str, workspace: str, event_id: str, place: str, payload: dict[str, Any]) -> int | None:
        """Keep an event; None when it was told before."""
        now = utcnow()
        row = BridgeEvent(
            platform=platform, workspace=workspace, event_id=event_id, place=place, payload=payload, received_at=now, due_at=now + GRACE
        )
        known = sa.select(BridgeEvent.id).where(
            BridgeEvent.platform == platform, BridgeEvent.workspace == workspace, BridgeEvent.event_id == event_id
        )
        with self._db.connection() as connection:
            if connection.execute(known).first() is not None:
                return None
        try:
            with self._db.write() as session:
                session.add(row)
        except IntegrityError:
            return None
        return row.id

    def claim(self, event_id: int, holder: str) -> EventView | None:
        """Take an event up; None when it is over, another process has it, or an earlier one of its place is not over yet."""
        earlier = aliased(BridgeEvent)
        now = utcnow()
        with self._db.write() as session:
            row = session.get(BridgeEvent, event_id, with_for_update=True)
            if row is None or row.due_at is None or (row.status == "running" and row.due_at > now):
                return None
            blocking = sa.select(earlier.id).where(earlier.place == row.place, earlier.due_at.is_not(None), earlier.id < row.id)
            if session.scalar(blocking.limit(1)) is not None:
                return None
            row.status, row.holder, row.attempts, row.due_at = "running", holder, row.attempts + 1, now + LEASE
            return EventView(row.id, row.platform, dict(row.payload), row.attempts, row.thread_id, row.seen)

    def keep_events(self, event_ids: Collection[int], holder: str) -> None:
        """Go on holding events."""
        held = sa.update(BridgeEvent).where(BridgeEvent.id.in_(event_ids), BridgeEvent.holder == holder, BridgeEvent.status == "running")
        with self._db.write() as session:
            session.execute(held.values(due_at=utcnow() + LEASE), execution_options={"synchronize_session": False})

    def begin_turn(self, event_id: int, thread_id: str, seen: int) -> None:
        """Note where the turn of an event begins, before it does anything."""
        with self._db.write() as session:
            session.execute(sa.update(BridgeEvent).where(BridgeEvent.id == event_id).values(thread_id=thread_id, seen=seen))

    def postpone(self, event_id: int, seconds: float) -> None:
        """It did not work out now: any process may take it up after a while."""
        with self._db.write() as session:
            later = sa.update(BridgeEvent).where(BridgeEvent.id == event_id, BridgeEvent.due_at.is_not(None))
            session.execute(later.values(due_at=utcnow() + dt.timedelta(seconds=seconds)), execution_options={"synchronize_session": False})

    def finish_event(self, event_id: int, status: str = "done") -> int | None:
        """An event is over; returns the next one of its place. What was said in it is forgotten, that it came is not."""
        with self._db.write() as session:
            row = session.get_one(BridgeEvent, event_id)
            row.status, row.payload, row.due_at, row.finished_at = status, {}, None, utcnow()
            session.flush()
            waiting = sa.select(BridgeEvent.id).where(BridgeEvent.place == row.place, BridgeEvent.due_at.is_not(None))
            return session.scalar(waiting.order_by(BridgeEvent.id).limit(1))

    def release_events(self, holder: str) -> None:
        """A process stops: what it has in hand may be taken up at once."""
        held = sa.update(BridgeEvent).where(BridgeEvent.holder == holder, BridgeEvent.status == "running")
        with self._db.write() as session:
            session.execute(held.values(due_at=utcnow()), execution_options={"synchronize_session": False})

    def due_events(self, platforms: Collection[str], limit: int = 100) -> list[int]:
        """Events that any process may take up now, oldest first."""
        due = sa.select(BridgeEvent.id).where(BridgeEvent.due_at <= utcnow(), BridgeEvent.platform.in_(platforms))
        with self._db.connection() as connection:
            return list(connection.scalars(due.order_by(BridgeEvent.id).limit(limit)))

    def is_busy(self, place: str) -> bool:
        """Whether something that was said at a place is not answered yet."""
        with self._db.connection() as connection:
            waiting = sa.select(BridgeEvent.id).where(BridgeEvent.place == place, BridgeEvent.due_at.is_not(None))
            return connection.scalar(waiting.limit(1)) is not None

    def prune_events(self) -> int:
        """Forget events that no platform repeats any more; returns how many."""
        old = sa.select(BridgeEvent.id).where(BridgeEvent.finished_at < utcnow() - KEEP).limit(10_000)
        with self._db.write() as session:
            ids = session.scalars(old).all()
            session.execute(sa.delete(BridgeEvent).where(BridgeEvent.id.in_(ids)))
        return len(ids)
