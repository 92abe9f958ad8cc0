"""What can be undone in a thread: a stack of inverse calls."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hub_core.authz import Actor
from hub_core.conversations.tables import UndoEntry
from hub_core.conversations.views import UndoView
from hub_core.db import Database, utcnow
from hub_core.errors import NothingToUndo
from hub_core.secrecy import redact


class UndoLog:
    """The undo part of `ConversationService`."""

    _db: Database

    def push_undo(
        self, actor: Actor, thread_id: str, tool: str, args: dict[str, Any], inverse_tool: str, inverse_args: dict[str, Any]
    ) -> None:
        """Remember how to revert a change that was just made."""
        with self._db.write() as session:
            session.add(
                UndoEntry(
                    thread_id=thread_id,
                    user_id=actor.user_id,
                    tool=tool,
                    args=redact(args),
                    inverse_tool=inverse_tool,
                    inverse_args=inverse_args,
                    created_at=utcnow(),
                )
            )

    def last_undo(self, actor: Actor, thread_id: str | None) -> UndoView:
        """The newest change of the thread that was not undone.

        Raises:
            NothingToUndo: there is none.
        """
        query = sa.select(UndoEntry).where(
            UndoEntry.thread_id == thread_id, UndoEntry.user_id == actor.user_id, UndoEntry.undone_at.is_(None)
        )
        with self._db.read() as session:
            row = session.scalar(query.order_by(UndoEntry.id.desc()).limit(1)) if thread_id else None
            if row is None:
                raise NothingToUndo("Nothing in this conversation can be undone.", hint="Only changes made in this conversation can be.")
            return UndoView(row.id, row.tool, dict(row.args), row.inverse_tool, dict(row.inverse_args), row.created_at)

    def claim_undo(self, actor: Actor, entry_id: int) -> None:
        """Mark a change as undone, before it is reverted, so that two undos at once cannot revert it twice.

        Raises:
            NothingToUndo: it was undone already.
        """
        if not self._mark(actor, entry_id, sa.and_(UndoEntry.undone_at.is_(None)), utcnow()):
            raise NothingToUndo("This change was undone already.", hint="Only changes made in this conversation can be undone.")

    def release_undo(self, actor: Actor, entry_id: int) -> None:
        """Reverting failed: the change can be undone again."""
        self._mark(actor, entry_id, sa.true(), None)

    def _mark(self, actor: Actor, entry_id: int, condition: sa.ColumnElement[bool], when: Any) -> bool:
        statement = sa.update(UndoEntry).where(UndoEntry.id == entry_id, UndoEntry.user_id == actor.user_id, condition)
        with self._db.write() as session:
            result: Any = session.execute(statement.values(undone_at=when), execution_options={"synchronize_session": False})
            return bool(result.rowcount == 1)
