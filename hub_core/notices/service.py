"""A person's own notifications."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub_core import audit
from hub_core.accounts import policy
from hub_core.authz import Actor, Permission, require_scope
from hub_core.db import Database, utcnow
from hub_core.errors import InvalidInput
from hub_core.notices.tables import Notice
from hub_core.repos.access import visible
from hub_core.repos.tables import Repo

KEEP_READ = dt.timedelta(days=90)
KEEP = dt.timedelta(days=365)
MAX_MARKED = 10_000


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A notification. `repo` is a name of now, empty where there is none; `count` is how often it happened since it was last read."""

    id: int
    action: str
    reason: str
    actor: str
    repo: str
    kind: str
    title: str
    details: dict[str, Any]
    count: int
    at: dt.datetime
    read: bool


@dataclass(frozen=True, slots=True)
class NoticePage:
    """Notifications, newest first; `unread` counts all of them."""

    items: list[NoticeView]
    unread: int
    next: str | None


class NoticeService:
    """Reading notifications and marking them read."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def page(self, actor: Actor, *, unread: bool = False, limit: int = 20, cursor: str | None = None) -> NoticePage:
        """The caller's notifications about what they may read now.

        Args:
            cursor: `next` of the page before.
        """
        require_scope(actor, Permission.USER_READ)
        mine = _seen_by(actor)
        query = sa.select(Notice, Repo).outerjoin(Repo, Repo.id == Notice.repo_id).where(mine).order_by(Notice.at.desc(), Notice.id.desc())
        if unread:
            query = query.where(Notice.read_at.is_(None))
        if cursor:
            at, row_id = _parse(cursor)
            query = query.where(sa.or_(Notice.at < at, sa.and_(Notice.at == at, Notice.id < row_id)))
        count = (
            sa.select(sa.func.count()).select_from(Notice).outerjoin(Repo, Repo.id == Notice.repo_id).where(mine, Notice.read_at.is_(None))
        )
        with self._db.read() as session:
            rows = session.execute(query.limit(limit + 1)).all()
            waiting = session.scalar(count) or 0
        last = rows[limit - 1][0] if len(rows) > limit else None
        following = f"{last.at.isoformat()}~{last.id}" if last is not None else None
        return NoticePage([_view(notice, repo) for notice, repo in rows[:limit]], waiting, following)

    def to_mark(self, actor: Actor, *, repo_id: int | None = None, ids: Sequence[int] | None = None, read: bool = True) -> list[int]:
        """Ids of the notifications that `mark` would change."""
        query = sa.select(Notice.id).outerjoin(Repo, Repo.id == Notice.repo_id).where(_seen_by(actor)).order_by(Notice.id).limit(MAX_MARKED)
        query = query.where(Notice.read_at.is_(None) if read else Notice.read_at.is_not(None))
        if repo_id is not None:
            query = query.where(Notice.repo_id == repo_id)
        if ids is not None:
            query = query.where(Notice.id.in_(ids))
        with self._db.read() as session:
            return list(session.scalars(query))

    def mark(self, actor: Actor, ids: Sequence[int], *, read: bool = True) -> None:
        """Mark the caller's own notifications as read, or unread again."""
        require_scope(actor, Permission.USER_SELF)
        rows = sa.update(Notice).where(Notice.user_id == policy.own_id(actor), Notice.id.in_(ids))
        with self._db.write() as session:
            session.execute(rows.values(read_at=utcnow() if read else None), execution_options={"synchronize_session": False})
            if ids:
                audit.record(session, actor, "notice.read" if read else "notice.unread", actor.username, count=len(ids))

    def prune(self) -> int:
        """Forget old ones; returns how many those were."""
        now = utcnow()
        old = sa.select(Notice.id).where(sa.or_(Notice.read_at < now - KEEP_READ, Notice.at < now - KEEP)).limit(10_000)
        with self._db.write() as session:
            ids = session.scalars(old).all()
            session.execute(sa.delete(Notice).where(Notice.id.in_(ids)))
        return len(ids)


def _seen_by(actor: Actor) -> sa.ColumnElement[bool]:
    mine = Notice.user_id == policy.own_id(actor)
    if actor.repo_id is not None:
        return sa.and_(mine, Notice.repo_id == actor.repo_id, visible(actor))
    return sa.and_(mine, sa.or_(Notice.repo_id.is_(None), visible(actor)))


def _parse(cursor: str) -> tuple[dt.datetime, int]:
    try:
        at, _, row_id = cursor.partition("~")
        return dt.datetime.fromisoformat(at), int(row_id)
    except ValueError as error:
        raise InvalidInput("This cursor does not belong to this list.", hint="Start again without a cursor.") from error


def _view(notice: Notice, repo: Repo | None) -> NoticeView:
    return NoticeView(
        id=notice.id, action=notice.action, reason=notice.reason, actor=notice.actor, repo=repo.full_name if repo else "",
        kind=repo.kind if repo else "", title=notice.title, details=notice.details, count=notice.count, at=notice.at,
        read=notice.read_at is not None,
    )  # fmt: skip
