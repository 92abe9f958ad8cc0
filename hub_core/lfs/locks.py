"""File locks of `git lfs lock`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hub_core import audit
from hub_core.accounts.tables import User
from hub_core.authz import Actor
from hub_core.db import Database, utcnow
from hub_core.errors import InvalidInput, LockHeld, NotFound, PermissionDenied, Unauthenticated
from hub_core.lfs.tables import LfsLock
from hub_core.names import check_path


@dataclass(frozen=True, slots=True)
class Lock:
    """Who holds which path."""

    id: int
    path: str
    owner: str
    locked_at: dt.datetime


class LockService:
    """Locks of repos. Whether the caller may write to the repo was checked before."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def lock(self, actor: Actor, repo_id: int, path: str) -> Lock:
        """Take a lock.

        Raises:
            LockHeld: somebody has it; `details["lock"]` is that lock.
            InvalidPath: not an acceptable path.
        """
        path = check_path(path)
        if actor.user_id is None:
            raise Unauthenticated("Sign in to lock a file.", hint="Send a token.")
        try:
            with self._db.write() as session:
                row = LfsLock(repo_id=repo_id, path=path, user_id=actor.user_id, locked_at=utcnow())
                session.add(row)
                session.flush()
                audit.record(session, actor, "lfs.lock", path, repo_id=repo_id)
                return Lock(row.id, path, actor.username, row.locked_at)
        except IntegrityError as error:
            held = next(iter(self.locks(repo_id, path=path)[0]), None)
            raise LockHeld(
                f"'{path}' is locked by {held.owner if held else 'somebody'}.", hint="Ask them to unlock it.", lock=held
            ) from error

    def locks(
        self, repo_id: int, *, path: str | None = None, lock_id: int | None = None, limit: int = 100, cursor: str = ""
    ) -> tuple[list[Lock], str]:
        """Locks in the order they were taken, and the cursor of the next page (empty: no more).

        Raises:
            InvalidInput: the cursor is not one of ours.
        """
        if cursor and not (cursor.isdecimal() and len(cursor) <= 9):
            raise InvalidInput("The cursor is not valid.", hint="Start again without one.")
        query = (
            sa.select(LfsLock.id, LfsLock.path, User.username, LfsLock.locked_at)
            .join(User, User.id == LfsLock.user_id)
            .where(LfsLock.repo_id == repo_id, LfsLock.id > int(cursor or 0))
            .order_by(LfsLock.id)
            .limit(min(max(limit, 1), 1000) + 1)
        )
        if path is not None:
            query = query.where(LfsLock.path == path)
        if lock_id is not None:
            query = query.where(LfsLock.id == lock_id)
        with self._db.read() as session:
            found = [Lock(*row) for row in session.execute(query)]
        limit = min(max(limit, 1), 1000)
        return found[:limit], str(found[limit - 1].id) if len(found) > limit else ""

    def unlock(self, actor: Actor, repo_id: int, lock_id: int, *, force: bool = False) -> Lock:
        """Release a lock; somebody else's only with `force` (which the caller allows to administrators of the repo).

        Raises:
            NotFound: no such lock.
            PermissionDenied: it is somebody else's.
        """
        with self._db.write() as session:
            row = session.get(LfsLock, lock_id, with_for_update=True)
            if row is None or row.repo_id != repo_id:
                raise NotFound("There is no such lock.", hint="List the locks.")
            if row.user_id != actor.user_id and not force:
                raise PermissionDenied("The lock is somebody else's.", hint="Ask them, or use --force as an administrator of the repo.")
            owner = session.execute(sa.select(User.username).where(User.id == row.user_id)).scalar_one()
            session.delete(row)
            audit.record(session, actor, "lfs.unlock", row.path, repo_id=repo_id, owner=owner, forced=force)
            return Lock(row.id, row.path, owner, row.locked_at)
