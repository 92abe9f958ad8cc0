"""Conversations that a client keeps itself and sends as a whole each time, as OpenAI's API has it: which thread they belong to.

A client's history is never run again. It only names a place: the digest of what was said there before. Who calls makes the digests.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from hub_core.authz import Actor
from hub_core.conversations.tables import RetoldTurn
from hub_core.db import Database, utcnow


@dataclass(frozen=True, slots=True)
class Told:
    """A turn that a client asked for before. `message_id` is its answer's, None while there is none; `last`: nothing came after it."""

    id: int
    thread_id: str
    message_id: str | None
    at: dt.datetime
    last: bool


class RetoldTurns:
    """The part of `ConversationService` for clients without threads."""

    _db: Database

    def thread_after(self, actor: Actor, after: str) -> str | None:
        """The caller's thread whose newest turn ended with this digest; the newest of several, None for none."""
        with self._db.read() as session:
            query = sa.select(RetoldTurn).where(RetoldTurn.user_id == actor.user_id, RetoldTurn.after == after, _newest())
            row = session.scalar(query.order_by(RetoldTurn.id.desc()).limit(1))
            return None if row is None else row.thread_id

    def told_before(self, actor: Actor, asked: str) -> Told | None:
        """The newest turn of the caller's that was asked for with this digest."""
        with self._db.read() as session:
            query = sa.select(RetoldTurn, _newest()).where(RetoldTurn.user_id == actor.user_id, RetoldTurn.asked == asked)
            found = session.execute(query.order_by(RetoldTurn.id.desc()).limit(1)).first()
            if found is None:
                return None
            row, last = found
            return Told(row.id, row.thread_id, row.message_id, row.created_at, bool(last))

    def begin_told(self, actor: Actor, thread_id: str, asked: str) -> int:
        """Note that a turn begins; returns its number."""
        with self._db.write() as session:
            row = RetoldTurn(user_id=actor.user_id, thread_id=thread_id, asked=asked, created_at=utcnow())
            session.add(row)
            session.flush()
            return row.id

    def end_told(self, number: int, message_id: str, after: str) -> None:
        """Note what a turn was answered with."""
        with self._db.write() as session:
            session.execute(sa.update(RetoldTurn).where(RetoldTurn.id == number).values(message_id=message_id, after=after))

    def drop_told(self, number: int) -> None:
        """A turn was refused: it never was."""
        with self._db.write() as session:
            session.execute(sa.delete(RetoldTurn).where(RetoldTurn.id == number))


def _newest() -> sa.ColumnElement[bool]:
    """Whether no turn of the same thread came after this one."""
    later = sa.orm.aliased(RetoldTurn)
    return ~sa.exists().where(later.thread_id == RetoldTurn.thread_id, later.id > RetoldTurn.id)
