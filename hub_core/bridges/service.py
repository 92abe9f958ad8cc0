"""What the hub keeps of chat platforms."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hub_core.approvals.tables import Approval
from hub_core.authz import Actor
from hub_core.bridges.cards import Cards
from hub_core.bridges.inbox import Inbox
from hub_core.bridges.links import Links, Person
from hub_core.bridges.outbox import Outbox
from hub_core.bridges.tables import BridgeCard, BridgeOutbox, BridgeThread
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

    def wake(self, who: Person, place: str) -> bool:
        """A person wrote, so their platform takes messages for them again: what was kept for them is due now. Says whether there is any."""
        kept = sa.select(BridgeOutbox.id).where(BridgeOutbox.place == place, BridgeOutbox.due_at.is_not(None))
        cards = (
            sa.select(BridgeCard.id)
            .join(Approval, Approval.id == BridgeCard.approval_id)
            .where(
                BridgeCard.platform == who.platform, BridgeCard.workspace == who.workspace, BridgeCard.person == who.person,
                BridgeCard.shown == "", Approval.status == "pending", BridgeCard.due_at.is_not(None),
            )
        )  # fmt: skip
        with self._db.read() as session:
            found, shown = session.scalars(kept).all(), session.scalars(cards).all()
        if not found and not shown:
            return False
        now = utcnow()
        with self._db.write() as session:
            due = sa.update(BridgeOutbox).where(BridgeOutbox.id.in_(found), BridgeOutbox.due_at > now)
            session.execute(due.values(due_at=now))
            session.execute(sa.update(BridgeCard).where(BridgeCard.id.in_(shown), BridgeCard.due_at > now).values(due_at=now))
        return True

    def prune(self) -> int:
        """Forget what nothing needs any more; returns how many rows that were."""
        return self.prune_events() + self.prune_outbox()


def _at(actor: Actor, place: str) -> tuple[sa.ColumnElement[bool], ...]:
    return BridgeThread.place == place, BridgeThread.user_id == actor.user_id
