"""What could not be delivered yet, in order at each place; given up, with a record, after a while."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub_core import audit
from hub_core.authz import SYSTEM
from hub_core.bridges.tables import BridgeOutbox
from hub_core.db import Database, utcnow

BACKOFF_S = (5, 15, 30, 60, 120, 300, 600, 1800)
GIVE_UP = dt.timedelta(hours=6)
KEEP_OUTBOX = dt.timedelta(days=14)


@dataclass(frozen=True, slots=True)
class OutboxView:
    """A delivery: an answer by its message, or a text; `done` parts of it are there already."""

    id: int
    platform: str
    target: dict[str, Any]
    user_id: int | None
    thread_id: str | None
    message_id: str | None
    text: str
    done: int


class Outbox:
    """The outbox part of `BridgeService`."""

    _db: Database

    def put_out(
        self,
        platform: str,
        place: str,
        target: dict[str, Any],
        *,
        user_id: int | None = None,
        thread_id: str | None = None,
        message_id: str | None = None,
        text: str = "",
        done: int = 0,
        delay_s: float = BACKOFF_S[0],
    ) -> int:
        """Keep something for later; returns its number. The text must hold no secret."""
        now = utcnow()
        row = BridgeOutbox(
            platform=platform, place=place, target=target, user_id=user_id, thread_id=thread_id, message_id=message_id, text=text, done=done,
            created_at=now, due_at=now + dt.timedelta(seconds=delay_s),
        )  # fmt: skip
        with self._db.write() as session:
            session.add(row)
        return row.id

    def is_waiting(self, place: str) -> bool:
        """Whether something for a place was not delivered yet: what comes later stands behind it."""
        with self._db.connection() as connection:
            waiting = sa.select(BridgeOutbox.id).where(BridgeOutbox.place == place, BridgeOutbox.due_at.is_not(None))
            return connection.scalar(waiting.limit(1)) is not None

    def due_places(self, platforms: Collection[str]) -> list[str]:
        """Places for which something is due."""
        due = sa.select(BridgeOutbox.place).where(BridgeOutbox.due_at <= utcnow(), BridgeOutbox.platform.in_(platforms))
        with self._db.connection() as connection:
            return list(connection.scalars(due.distinct().limit(100)))

    def first_out(self, place: str) -> OutboxView | None:
        """The oldest that waits for a place; None when it is not due yet, or there is none."""
        waiting = sa.select(BridgeOutbox).where(BridgeOutbox.place == place, BridgeOutbox.due_at.is_not(None))
        with self._db.read() as session:
            row = session.scalar(waiting.order_by(BridgeOutbox.id).limit(1))
            if row is None or row.due_at is None or row.due_at > utcnow():
                return None
            return OutboxView(row.id, row.platform, dict(row.target), row.user_id, row.thread_id, row.message_id, row.text, row.done)

    def sent(self, outbox_id: int) -> None:
        """It is there."""
        self._settle(outbox_id, "sent")

    def not_sent(self, outbox_id: int, error: str, *, done: int, after_s: float | None, final: bool) -> bool:
        """It could not be delivered; returns whether it was given up.

        Args:
            done: how many parts are there.
            after_s: what the platform asks to wait.
            final: it never will be.
        """
        now = utcnow()
        with self._db.write() as session:
            row = session.get_one(BridgeOutbox, outbox_id, with_for_update=True)
            row.error, row.done, row.attempts = error[:200], done, row.attempts + 1
            if not final and now - row.created_at < GIVE_UP:
                row.due_at = now + dt.timedelta(seconds=max(after_s or 0, BACKOFF_S[min(row.attempts, len(BACKOFF_S)) - 1]))
                return False
            row.status, row.due_at, row.finished_at = "given_up", None, now
            audit.record(
                session, SYSTEM, "bridge.undelivered", row.platform, user=row.user_id, message=row.message_id, attempts=row.attempts,
                error=row.error,
            )  # fmt: skip
            return True

    def prune_outbox(self) -> int:
        """Forget what has been over for long; returns how many those were."""
        old = sa.select(BridgeOutbox.id).where(BridgeOutbox.finished_at < utcnow() - KEEP_OUTBOX).limit(10_000)
        with self._db.write() as session:
            ids = session.scalars(old).all()
            session.execute(sa.delete(BridgeOutbox).where(BridgeOutbox.id.in_(ids)))
        return len(ids)

    def _settle(self, outbox_id: int, status: str) -> None:
        with self._db.write() as session:
            values = {"status": status, "due_at": None, "finished_at": utcnow(), "text": ""}
            session.execute(sa.update(BridgeOutbox).where(BridgeOutbox.id == outbox_id).values(values))
