"""One turn at a time per thread, across processes: a row that its holder keeps renewing while the turn runs."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from hub_core.conversations.tables import ThreadLease
from hub_core.db import Database, utcnow
from hub_core.errors import ThreadBusy, Unavailable

LEASE = dt.timedelta(seconds=15)
POLL_S = 0.05


class Leases:
    """Hands out the right to run a turn. A dead process loses its leases after 15 seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._held: dict[str, str] = {}
        self._changed = threading.Condition()
        self._renewer: threading.Thread | None = None
        self._closed = threading.Event()

    @contextmanager
    def hold(self, thread_id: str, wait_s: float = 0.0) -> Iterator[None]:
        """Run the block as the only turn of the thread.

        Raises:
            ThreadBusy: another one runs, and still ran after `wait_s` seconds.
        """
        holder = str(uuid.uuid4())
        deadline = utcnow() + dt.timedelta(seconds=wait_s)
        while not self._take(thread_id, holder):
            if utcnow() >= deadline:
                raise ThreadBusy("The last message of this conversation is still being worked on.", hint="Wait for its answer, or stop it.")
            with self._changed:
                self._changed.wait(POLL_S)
        try:
            yield
        finally:
            self._drop(thread_id, holder)

    def holds(self, thread_id: str) -> bool:
        """Whether this process still has the right: one that slept through its renewals has lost it to another."""
        with self._changed:
            holder = self._held.get(thread_id)
        query = sa.select(ThreadLease.holder).where(ThreadLease.thread_id == thread_id, ThreadLease.expires_at > utcnow())
        with self._db.read() as session:
            return holder is not None and session.scalar(query) == holder

    def held(self, thread_id: str) -> sa.ColumnElement[bool]:
        """That this process still has the right, as a condition of a write: a process that was stopped in the middle may have lost it."""
        with self._changed:
            holder = self._held.get(thread_id, "")
        mine = sa.select(ThreadLease).where(
            ThreadLease.thread_id == thread_id, ThreadLease.holder == holder, ThreadLease.expires_at > utcnow()
        )
        return mine.exists()

    def close(self) -> None:
        """Stop renewing."""
        self._closed.set()
        if self._renewer is not None:
            self._renewer.join()

    def _take(self, thread_id: str, holder: str) -> bool:
        with self._changed:
            if thread_id in self._held:
                return False
            self._held[thread_id] = holder
        try:
            won = self._insert(thread_id, holder)
        except BaseException:
            self._forget(thread_id)
            raise
        if not won:
            self._forget(thread_id)
            return False
        self._start_renewing()
        return True

    def _insert(self, thread_id: str, holder: str) -> bool:
        now = utcnow()
        with self._db.write() as session:
            stale = sa.delete(ThreadLease).where(ThreadLease.thread_id == thread_id, ThreadLease.expires_at < now)
            session.execute(stale)
            try:
                with session.begin_nested():
                    session.add(ThreadLease(thread_id=thread_id, holder=holder, expires_at=now + LEASE))
            except IntegrityError:
                return False
        return True

    def _drop(self, thread_id: str, holder: str) -> None:
        try:
            # A database that takes nothing now must not cost the turn its answer; the lease ends by itself.
            with suppress(SQLAlchemyError, Unavailable), self._db.write() as session:
                session.execute(sa.delete(ThreadLease).where(ThreadLease.thread_id == thread_id, ThreadLease.holder == holder))
        finally:
            self._forget(thread_id)

    def _forget(self, thread_id: str) -> None:
        with self._changed:
            self._held.pop(thread_id, None)
            self._changed.notify_all()

    def _start_renewing(self) -> None:
        with self._changed:
            if self._renewer is None:
                self._renewer = threading.Thread(target=self._renew, name="thread-leases", daemon=True)
                self._renewer.start()

    def _renew(self) -> None:
        while not self._closed.wait(LEASE.total_seconds() / 3):
            with self._changed:
                holders: list[Any] = list(self._held.values())
            if holders:
                # A database that does not answer for a moment must not end the renewing.
                with suppress(SQLAlchemyError, Unavailable), self._db.write() as session:
                    statement = sa.update(ThreadLease).where(ThreadLease.holder.in_(holders))
                    session.execute(statement.values(expires_at=utcnow() + LEASE), execution_options={"synchronize_session": False})
