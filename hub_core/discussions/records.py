"""Rows of discussions in the caller's transaction: numbers, events, and what the audit trail tells of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.lookup import locked
from hub_core.authz import Actor
from hub_core.db import utcnow
from hub_core.discussions.tables import Discussion, DiscussionEvent
from hub_core.discussions.views import EventKind, Status
from hub_core.errors import DiscussionNotFound
from hub_core.repos.tables import Repo

MAX_NUMBER = 2**31 - 1
MAX_ID = 2**63 - 1


def take_number(session: Session, repo_id: int) -> int:
    """The next number of a repo, given to nobody else: others wait for the end of the transaction."""
    counted = sa.update(Repo).where(Repo.id == repo_id).values(last_discussion=Repo.last_discussion + 1).returning(Repo.last_discussion)
    return int(session.execute(counted.execution_options(synchronize_session=False)).scalar_one())


def add_row(session: Session, actor: Actor, repo: Repo, number: int, title: str, body: str = "", **values: Any) -> Discussion:
    """A new discussion with its first comment, where there is one. `values` are columns of a pull request."""
    now = utcnow()
    row = Discussion(
        repo_id=repo.id, number=number, title=title, author_id=actor.user_id, created_at=now, updated_at=now,
        **{"is_pull_request": False, "status": str(Status.OPEN), **values},
    )  # fmt: skip
    session.add(row)
    session.flush()
    if body:
        add_event(session, actor, row, EventKind.COMMENT, body)
    record(session, actor, repo, row, "pull_request.open" if row.is_pull_request else "discussion.open")
    return row


def add_event(session: Session, actor: Actor, row: Discussion, kind: EventKind, text: str, detail: str = "") -> DiscussionEvent:
    """Note that something happened."""
    row.updated_at = utcnow()
    event = DiscussionEvent(
        discussion_id=row.id, kind=str(kind), author_id=actor.user_id, created_at=row.updated_at, text=text, detail=detail
    )
    session.add(event)
    session.flush()
    return event


def record(session: Session, actor: Actor, repo: Repo, row: Discussion, action: str, **details: Any) -> None:
    """Write what happened to the audit trail, with number and title."""
    audit.record(session, actor, action, repo.full_name, repo_id=repo.id, number=row.number, title=row.title, **details)


def find_row(session: Session, repo: Repo, number: int, *, lock: bool = False) -> Discussion:
    """A discussion by its number. `lock` makes other changes to it wait.

    Raises:
        DiscussionNotFound: there is none.
    """
    query = sa.select(Discussion).where(Discussion.repo_id == repo.id, Discussion.number == number)
    row = session.scalar(locked(query) if lock else query) if 0 < number <= MAX_NUMBER else None
    if row is None:
        raise DiscussionNotFound(
            f"{repo.full_name} has no discussion or pull request {number}.", hint="List its discussions.", number=number
        )
    return row


def find_comment(session: Session, row: Discussion, event_id: int) -> DiscussionEvent:
    """A comment of a discussion.

    Raises:
        DiscussionNotFound: there is none of that id.
    """
    event = session.get(DiscussionEvent, event_id, with_for_update=True, populate_existing=True) if 0 < event_id <= MAX_ID else None
    if event is None or event.discussion_id != row.id or event.kind != EventKind.COMMENT:
        raise DiscussionNotFound(f"Number {row.number} has no such comment.", hint="Look at the discussion again.", number=row.number)
    return event
