"""Rows of discussions as people and programs see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.lookup import fold
from hub_core.accounts.tables import User
from hub_core.discussions.tables import CommentVersion, Discussion, DiscussionEvent
from hub_core.discussions.views import (
    UNSETTLED,
    DiscussionPage,
    DiscussionView,
    EventKind,
    EventView,
    Status,
    ThreadKind,
    Version,
)

MAX_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class DiscussionQuery:
    """Filters of a list: `status` open takes in drafts, and closed what was merged.

    `before` is the number that the page follows; with `skip` so many of those that fit are left out.
    """

    kind: ThreadKind | None = None
    status: Status | None = None
    author: str = ""
    before: int | None = None
    skip: int = 0
    limit: int = 20


_STATUSES = {Status.OPEN: UNSETTLED, Status.CLOSED: (Status.CLOSED, Status.MERGED)}


def page_of(session: Session, repo_id: int, wanted: DiscussionQuery) -> DiscussionPage:
    """One page of a repo's discussions."""
    fitting = [Discussion.repo_id == repo_id]
    if wanted.kind is not None:
        fitting.append(Discussion.is_pull_request == (wanted.kind is ThreadKind.PULL_REQUEST))
    if wanted.status is not None:
        fitting.append(Discussion.status.in_(_STATUSES.get(wanted.status, (wanted.status,))))
    if wanted.author:
        known = sa.select(User.id).where(User.username == fold(wanted.author), User.status != "deleted")
        fitting.append(Discussion.author_id.in_(known))
    count = session.scalar(sa.select(sa.func.count()).select_from(Discussion).where(*fitting)) or 0
    if wanted.before is not None:
        fitting.append(Discussion.number < wanted.before)
    page = sa.select(Discussion).where(*fitting).order_by(Discussion.number.desc()).offset(wanted.skip).limit(wanted.limit + 1)
    rows = session.scalars(page).all()
    return DiscussionPage(views_of(session, rows[: wanted.limit]), count, len(rows) > wanted.limit)


def views_of(session: Session, rows: Sequence[Discussion]) -> list[DiscussionView]:
    """Discussions with the names of their authors."""
    names = _names(session, (row.author_id for row in rows))
    return [
        DiscussionView(
            id=row.id, repo_id=row.repo_id, number=row.number, title=row.title, is_pull_request=row.is_pull_request,
            status=Status(row.status), author=names.get(row.author_id, ""), created_at=row.created_at, updated_at=row.updated_at,
            comments=row.comments, base=row.base, branch=row.branch, merge_commit=row.merge_commit,
        )
        for row in rows
    ]  # fmt: skip


def newest_events(session: Session, row: Discussion) -> tuple[list[EventView], bool]:
    """What happened, in order; and whether there was more before that."""
    newest = sa.select(DiscussionEvent).where(DiscussionEvent.discussion_id == row.id).order_by(DiscussionEvent.id.desc())
    rows = session.scalars(newest.limit(MAX_EVENTS + 1)).all()
    return events_of(session, rows[MAX_EVENTS - 1 :: -1]), len(rows) > MAX_EVENTS


def comments_of(session: Session, row: Discussion, skip: int, limit: int) -> tuple[list[EventView], int]:
    """Some comments that are not hidden, the oldest first; and how many there are."""
    shown = DiscussionEvent.discussion_id == row.id, DiscussionEvent.kind == str(EventKind.COMMENT), ~DiscussionEvent.hidden
    count = session.scalar(sa.select(sa.func.count()).select_from(DiscussionEvent).where(*shown)) or 0
    rows = session.scalars(sa.select(DiscussionEvent).where(*shown).order_by(DiscussionEvent.id).offset(skip).limit(limit)).all()
    return events_of(session, rows), count


def events_of(session: Session, rows: Sequence[DiscussionEvent]) -> list[EventView]:
    """Events with the names of their authors and the earlier texts of comments."""
    names = _names(session, (row.author_id for row in rows))
    edited = [row.id for row in rows if row.edited_at is not None]
    versions: dict[int, list[Version]] = {}
    if edited:
        query = sa.select(CommentVersion).where(CommentVersion.event_id.in_(edited)).order_by(CommentVersion.id)
        for version in session.scalars(query):
            versions.setdefault(version.event_id, []).append(Version(version.at, version.text))
    return [
        EventView(
            id=row.id, kind=EventKind(row.kind), author=names.get(row.author_id, ""), at=row.created_at, text=row.text, detail=row.detail,
            hidden=row.hidden, edited_at=row.edited_at, versions=tuple(versions.get(row.id, ())),
        )
        for row in rows
    ]  # fmt: skip


def _names(session: Session, ids: Iterable[int | None]) -> dict[int | None, str]:
    wanted = {user_id for user_id in ids if user_id is not None}
    query = sa.select(User.id, User.username).where(User.id.in_(wanted), User.status != "deleted")
    return dict(session.execute(query).all()) if wanted else {}
