"""Threads and their messages: our own transcript. Everybody sees only their own."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Set
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.lookup import storable
from hub_core.approvals.tables import Approval
from hub_core.authz import Actor, Permission, require_scope
from hub_core.conversations.tables import Message, RetoldTurn, Thread, UndoEntry
from hub_core.conversations.views import MessageView, ThreadPage, ThreadView
from hub_core.db import Database, utcnow
from hub_core.errors import InvalidInput, ThreadNotFound
from hub_core.secrecy import hide, secrets_said

MAX_TITLE = 200
MAX_TEXT = 200_000


class Threads:
    """The threads and messages part of `ConversationService`."""

    _db: Database

    def create_thread(self, actor: Actor, *, title: str = "", thread_id: str | None = None) -> ThreadView:
        """Start a conversation, called by the first words of `title`. `thread_id` is for pages that choose the id themselves: a UUID.

        Raises:
            InvalidInput: `thread_id` is not a UUID, or is taken.
        """
        require_scope(actor, Permission.CHAT)
        now = utcnow()
        chosen = _uuid(thread_id) if thread_id else str(uuid.uuid4())
        with self._db.write() as session:
            if session.get(Thread, chosen) is not None:
                raise InvalidInput("This thread id is taken.", hint="Leave it out to get a new one.")
            row = Thread(id=chosen, user_id=actor.user_id, title=first_words(title), channel=actor.channel, created_at=now, updated_at=now)
            session.add(row)
            return _thread(row)

    def get_thread(self, actor: Actor, thread_id: str) -> ThreadView:
        """One of the caller's own.

        Raises:
            ThreadNotFound: none of that id, or somebody else's.
        """
        with self._db.read() as session:
            return _thread(own_thread(session, actor, thread_id))

    def ensure_thread(self, actor: Actor, thread_id: str, title: str = "") -> None:
        """Make sure that a conversation of this id exists and is the caller's.

        Raises:
            ThreadNotFound, InvalidInput: the id is somebody else's, or not a UUID.
        """
        try:
            self.get_thread(actor, thread_id)
            return
        except ThreadNotFound:
            pass
        try:
            self.create_thread(actor, title=title, thread_id=thread_id)
        except InvalidInput:
            self.get_thread(actor, thread_id)  # somebody was faster: fine when it was the caller

    def list_threads(self, actor: Actor, *, cursor: str | None = None, limit: int = 30, query: str = "") -> ThreadPage:
        """The caller's conversations, newest first."""
        require_scope(actor, Permission.CHAT)
        limit = max(1, min(limit, 200))
        select = sa.select(Thread).where(Thread.user_id == actor.user_id)
        if query:
            select = select.where(Thread.title.icontains(storable(query), autoescape=True))
        if cursor:
            at, last = _read_cursor(cursor)
            select = select.where(sa.or_(Thread.updated_at < at, sa.and_(Thread.updated_at == at, Thread.id < last)))
        with self._db.read() as session:
            rows = list(session.scalars(select.order_by(Thread.updated_at.desc(), Thread.id.desc()).limit(limit + 1)))
        more = len(rows) > limit
        items = tuple(_thread(row) for row in rows[:limit])
        return ThreadPage(items, _cursor(items[-1]) if more else None)

    def rename_thread(self, actor: Actor, thread_id: str, title: str) -> ThreadView:
        """Give a conversation another title.

        Raises:
            ThreadNotFound: none of that id, or somebody else's.
        """
        with self._db.write() as session:
            row = own_thread(session, actor, thread_id)
            row.title = _without_said(storable(title).strip())[:MAX_TITLE]
            return _thread(row)

    def delete_thread(self, actor: Actor, thread_id: str) -> None:
        """Remove a conversation with its messages; what waits for approval in it is withdrawn.

        Raises:
            ThreadNotFound: none of that id, or somebody else's.
        """
        with self._db.write() as session:
            row = own_thread(session, actor, thread_id)
            waiting = sa.update(Approval).where(Approval.thread_id == thread_id, Approval.status == "pending")
            session.execute(waiting.values(status="withdrawn", decided_at=utcnow()))
            session.execute(sa.delete(UndoEntry).where(UndoEntry.thread_id == thread_id))
            session.execute(sa.delete(RetoldTurn).where(RetoldTurn.thread_id == thread_id))
            session.execute(sa.delete(Message).where(Message.thread_id == thread_id))
            session.delete(row)
            audit.record(session, actor, "thread.delete", thread_id)

    def append_message(
        self,
        actor: Actor,
        thread_id: str,
        role: Literal["user", "assistant"],
        text: str,
        payload: dict[str, Any] | None = None,
        message_id: str | None = None,
    ) -> MessageView:
        """Add a message to the end. The first words of the person become the title of an untitled thread.

        A password or token that is told as one is not kept.

        Raises:
            ThreadNotFound: none of that id, or somebody else's.
        """
        now, text = utcnow(), storable(text)
        text = _without_said(text) if role == "user" else text
        with self._db.write() as session:
            thread = own_thread(session, actor, thread_id, lock=True)
            last = session.scalar(sa.select(sa.func.max(Message.seq)).where(Message.thread_id == thread_id))
            row = Message(
                id=message_id or str(uuid.uuid4()), thread_id=thread_id, seq=(last or 0) + 1, role=role, text=text[:MAX_TEXT],
                payload=payload or {}, created_at=now,
            )  # fmt: skip
            session.add(row)
            thread.updated_at = now
            if not thread.title and role == "user":
                thread.title = first_words(text)
            return _message(row)

    def hide_secrets(self, actor: Actor, thread_id: str, secrets: Set[str]) -> None:
        """Replace texts that turned out to be secrets in all that was said in a thread, and in its title.

        Raises:
            ThreadNotFound: none of that id, or somebody else's.
        """
        with self._db.write() as session:
            thread = own_thread(session, actor, thread_id, lock=True)
            for row in session.scalars(sa.select(Message).where(Message.thread_id == thread_id)):
                before = first_words(row.text)
                row.text, row.payload = hide(row.text, secrets), hide(row.payload, secrets)
                if thread.title == before:
                    thread.title = first_words(row.text)
            thread.title = hide(thread.title, secrets)

    def update_message(self, actor: Actor, thread_id: str, message_id: str, *, payload: dict[str, Any]) -> None:
        """Replace what belongs to a message (its answer's data); its text stays.

        Raises:
            ThreadNotFound: none of that id, or somebody else's.
        """
        with self._db.write() as session:
            own_thread(session, actor, thread_id)
            statement = sa.update(Message).where(Message.id == message_id, Message.thread_id == thread_id)
            session.execute(statement.values(payload=payload))

    def get_message(self, actor: Actor, thread_id: str, message_id: str) -> MessageView | None:
        """One message of a thread; None for none of that id.

        Raises:
            ThreadNotFound: none of that id, or somebody else's.
        """
        with self._db.read() as session:
            own_thread(session, actor, thread_id)
            row = session.get(Message, message_id)
            return _message(row) if row is not None and row.thread_id == thread_id else None

    def list_messages(self, actor: Actor, thread_id: str, *, after: int = 0, limit: int = 500) -> list[MessageView]:
        """The messages of a thread in order, from the one after number `after`.

        Raises:
            ThreadNotFound: none of that id, or somebody else's.
        """
        with self._db.read() as session:
            own_thread(session, actor, thread_id)
            query = sa.select(Message).where(Message.thread_id == thread_id, Message.seq > after)
            return [_message(row) for row in session.scalars(query.order_by(Message.seq).limit(min(limit, 5000)))]


def own_thread(session: Session, actor: Actor, thread_id: str, *, lock: bool = False) -> Thread:
    """The row of one of the caller's own threads.

    Raises:
        ThreadNotFound: none of that id, or somebody else's.
    """
    require_scope(actor, Permission.CHAT)
    query = sa.select(Thread).where(Thread.id == storable(thread_id[:64]), Thread.user_id == actor.user_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise ThreadNotFound("There is no such conversation of yours.", hint="GET /api/v1/chat lists your conversations.")
    return row


def first_words(text: str) -> str:
    """What a conversation is called that begins with this text."""
    return " ".join(_without_said(storable(text)).split())[:80]


def _without_said(text: str) -> str:
    cleaned: str = hide(text, secrets_said(text))
    return cleaned


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidInput("A thread id is a UUID.", hint="Leave it out to get a new one.") from None


def _cursor(item: ThreadView) -> str:
    return base64.urlsafe_b64encode(f"{item.updated_at.isoformat()} {item.id}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[dt.datetime, str]:
    try:
        at, _, last = base64.urlsafe_b64decode(cursor.encode()).decode().rpartition(" ")
        when = dt.datetime.fromisoformat(at)
        if when.tzinfo is None:
            raise ValueError("a time without a zone")
        return when.astimezone(dt.UTC), storable(last)
    except (ValueError, OverflowError):
        raise InvalidInput("This cursor is not one of ours.", hint="Pass the 'next' of the page before.") from None


def _thread(row: Thread) -> ThreadView:
    return ThreadView(row.id, row.title, row.channel, row.created_at, row.updated_at)


def _message(row: Message) -> MessageView:
    return MessageView(row.id, row.seq, row.role, row.text, dict(row.payload or {}), row.created_at)
