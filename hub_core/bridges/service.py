"""What the hub keeps of chat platforms."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hub_core.authz import Actor
from hub_core.bridges.cards import Cards
from hub_core.bridges.inbox import Inbox
from hub_core.bridges.links import Links
from hub_core.bridges.outbox import Outbox
from hub_core.bridges.tables import BridgeThread
from hub_core.db import Database, utcnow


class BridgeService(Links, Inbox, Outbox, Cards):
    """Links, events, threads, deliveries and cards of all platforms."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def thread_at(self, actor: Actor, place: str) -> str | None:
        """The caller's conversation that goes on at a place; None where none has begun."""
        with self._db.read() as session:
            return session.scalar(sa.select(BridgeThread.thread_id).where(*_at(actor, place)))

    def go_on_at(self, actor: Actor, place: str, thread_id: str) -> None:
        """From now on this conversation of the caller's goes on at a place."""
        with self._db.write() as session:
            found = session.scalar(sa.select(BridgeThread).where(*_at(actor, place)))
            if found is not None:
                found.thread_id = thread_id
                return
            row = BridgeThread(place=place, user_id=actor.user_id, thread_id=thread_id, created_at=utcnow())
            try:
                with session.begin_nested():
                    session.add(row)
            except IntegrityError:
                session.execute(sa.update(BridgeThread).where(*_at(actor, place)).values(thread_id=thread_id))

    def forget_thread(self, actor: Actor, place: str) -> None:
        """The next message at a place begins a new conversation."""
        with self._db.write() as session:
            session.execute(sa.delete(BridgeThread).where(*_at(actor, place)))

    def prune(self) -> int:
        """Forget what nothing needs any more; returns how many rows that were."""
        return self.prune_events() + self.prune_outbox()


def _at(actor: Actor, place: str) -> tuple[sa.ColumnElement[bool], ...]:
    return BridgeThread.place == place, BridgeThread.user_id == actor.user_id
