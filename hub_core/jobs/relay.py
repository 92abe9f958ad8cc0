"""Audit events as an outbox: each is handed once to everything that follows from it (webhooks, notifications, scans).

An event waits in the trail itself (`relay` is a number), written in the transaction of the change it tells of; what follows from it
is written in the transaction that takes the mark away. So a crash anywhere loses nothing and doubles nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.audit import AuditEvent

if TYPE_CHECKING:
    from hub_core.services import Services

TRIES = 5

Follower = Callable[[Session, "Services", AuditEvent], None]
"""Writes what follows from an event into the session: rows and jobs, never anything outside of the database."""


def followers() -> tuple[Follower, ...]:
    """All that follows events."""
    from hub_core.notices.follow import follow as tell_people
    from hub_core.scanning.work import follow as look_through
    from hub_core.webhooks.deliver import follow as tell_webhooks

    return tell_webhooks, tell_people, look_through


def relay_one(services: Services) -> bool:
    """Pass the oldest waiting event on; returns whether there was one.

    An event that a follower cannot stand is tried a few times, after the others, and then left with its count.
    """
    waiting = sa.select(AuditEvent.id).where(AuditEvent.relay < TRIES).order_by(AuditEvent.relay, AuditEvent.id).limit(1)
    with services.db.connection() as connection:
        if connection.execute(waiting).first() is None:
            return False
    event_id = None
    try:
        with services.db.write() as session:
            event = session.scalar(waiting.with_only_columns(AuditEvent).with_for_update(skip_locked=True))
            if event is None:
                return False  # another process has it
            event_id = event.id
            for follow in followers():
                follow(session, services, event)
            event.relay = None
    except Exception:
        with services.db.write() as session:
            session.execute(sa.update(AuditEvent).where(AuditEvent.id == event_id).values(relay=AuditEvent.relay + 1))
        raise
    return True
