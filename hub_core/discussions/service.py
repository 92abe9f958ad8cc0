"""Discussions: open, comment, edit, hide, rename, close and reopen. Pull requests take part in all of it.

What a pull request has beyond that is in `pulls` and `merging`.
"""

from __future__ import annotations

from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.authz import Actor, Permission
from hub_core.db import Database, utcnow
from hub_core.discussions.reading import DiscussionQuery, comments_of, events_of, newest_events, page_of, views_of
from hub_core.discussions.records import MAX_ID, add_event, add_row, find_comment, find_row, record, take_number
from hub_core.discussions.rights import require_part, require_steering
from hub_core.discussions.tables import CommentVersion, Discussion, DiscussionEvent
from hub_core.discussions.texts import check_body, check_title
from hub_core.discussions.views import DiscussionPage, DiscussionThread, DiscussionView, EventKind, EventView, Status
from hub_core.errors import Conflict, DiscussionClosed, DiscussionNotFound, InvalidInput, PermissionDenied, RepoNotFound
from hub_core.repos.access import require_repo
from hub_core.repos.tables import Repo


class DiscussionService:
    """Discussions and pull requests as conversations. Every act is audited in its transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- reading ---------------------------------------------------------------------------------------------------

    def page(self, actor: Actor, repo: Repo, wanted: DiscussionQuery) -> DiscussionPage:
        """Discussions of a repo, the newest first."""
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_READ, repo)
            return page_of(session, repo.id, wanted)

    def get(self, actor: Actor, repo: Repo, number: int) -> DiscussionView:
        """One discussion.

        Raises:
            DiscussionNotFound: the repo has none of that number.
        """
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_READ, repo)
            return views_of(session, [find_row(session, repo, number)])[0]

    def thread(self, actor: Actor, repo: Repo, number: int) -> DiscussionThread:
        """One discussion with what happened in it; raises like `get`."""
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_READ, repo)
            row = find_row(session, repo, number)
            events, truncated = newest_events(session, row)
            return DiscussionThread(views_of(session, [row])[0], events, truncated)

    def comments(self, actor: Actor, repo: Repo, number: int, *, skip: int = 0, limit: int = 50) -> tuple[list[EventView], int]:
        """Some comments, the oldest first, without hidden ones, and how many there are; raises like `get`."""
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_READ, repo)
            return comments_of(session, find_row(session, repo, number), skip, limit)

    def locate(self, actor: Actor, discussion_id: int) -> tuple[Repo, int]:
        """The repo and number of a discussion by an id that is one for all repos.

        Raises:
            DiscussionNotFound: there is none, or it is in a repo that the caller may not see.
        """
        return self._locate(actor, Discussion.id == discussion_id, discussion_id)

    def locate_comment(self, actor: Actor, comment_id: int) -> tuple[Repo, int]:
        """The repo and number of the discussion that has a comment; raises like `locate`."""
        of_comment = sa.select(DiscussionEvent.discussion_id).where(DiscussionEvent.id == comment_id)
        return self._locate(actor, Discussion.id.in_(of_comment), comment_id)

    def _locate(self, actor: Actor, which: sa.ColumnElement[bool], said: int) -> tuple[Repo, int]:
        query = sa.select(Repo, Discussion.number).join(Discussion, Discussion.repo_id == Repo.id).where(which, Repo.deleted_at.is_(None))
        with self._db.read() as session, suppress(RepoNotFound):
            found = session.execute(query).one_or_none() if 0 <= said <= MAX_ID else None
            if found is not None:
                require_repo(session, actor, Permission.REPO_READ, found[0])
                return found[0], found[1]
        raise DiscussionNotFound("There is no such discussion that you can see.", hint="Check the number.")

    def check_part(self, actor: Actor, repo: Repo) -> None:
        """Raise what opening or commenting would, where the caller may not."""
        with self._db.read() as session:
            require_part(session, actor, repo)

    def check_steering(self, actor: Actor, repo: Repo, number: int) -> None:
        """Raise what closing, reopening or renaming would, where the caller may not."""
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_READ, repo)
            require_steering(session, actor, repo, find_row(session, repo, number))

    # -- writing ---------------------------------------------------------------------------------------------------

    def open(self, actor: Actor, repo: Repo, title: str, body: str = "") -> DiscussionView:
        """Begin a discussion.

        Raises:
            InvalidInput, TooLarge: the texts are not acceptable. RepoNotFound, Unauthenticated, PermissionDenied.
        """
        title, body = check_title(title), check_body(body, required=False)
        with self._db.write() as session:
            require_part(session, actor, repo)
            row = add_row(session, actor, repo, take_number(session, repo.id), title, body)
            return views_of(session, [row])[0]

    def comment(self, actor: Actor, repo: Repo, number: int, text: str) -> EventView:
        """Say something; also where a discussion is closed. Raises like `open`, and DiscussionNotFound."""
        text = check_body(text)
        with self._db.write() as session:
            require_part(session, actor, repo)
            return _told(session, add_comment(session, actor, repo, find_row(session, repo, number, lock=True), text))

    def edit(self, actor: Actor, repo: Repo, number: int, comment_id: int, text: str) -> EventView:
        """Change one's own comment; the text that it had stays in its history.

        Raises:
            PermissionDenied: it is somebody else's. Conflict: it is hidden. DiscussionNotFound.
        """
        text = check_body(text)
        with self._db.write() as session:
            require_part(session, actor, repo)
            row = find_row(session, repo, number)
            event = find_comment(session, row, comment_id)
            if event.author_id is None or event.author_id != actor.user_id:
                raise PermissionDenied("Only its author can change a comment.", hint="Write a comment of your own.")
            if event.hidden:
                raise Conflict("The comment is hidden.", hint="Write a new one.")
            if text != event.text:
                session.add(CommentVersion(event_id=event.id, at=event.edited_at or event.created_at, text=event.text))
                event.text, event.edited_at = text, utcnow()
                record(session, actor, repo, row, "discussion.edit", comment=event.id)
            return _told(session, event)

    def hide(self, actor: Actor, repo: Repo, number: int, comment_id: int) -> EventView:
        """Take the text of a comment away for good: its author, and who may write to the repo. Raises like `edit`."""
        with self._db.write() as session:
            require_part(session, actor, repo)
            row = find_row(session, repo, number)
            event = find_comment(session, row, comment_id)
            if event.author_id is None or event.author_id != actor.user_id:
                require_repo(session, actor, Permission.REPO_WRITE, repo)
            if not event.hidden:
                session.execute(sa.delete(CommentVersion).where(CommentVersion.event_id == event.id))
                event.text, event.hidden, event.edited_at = "", True, None
                record(session, actor, repo, row, "discussion.hide", comment=event.id)
            return _told(session, event)

    def rename(self, actor: Actor, repo: Repo, number: int, title: str) -> EventView:
        """Give it another title: its author, and who may write to the repo.

        Raises:
            InvalidInput: it is not acceptable, or the title that it has. DiscussionNotFound, PermissionDenied.
        """
        title = check_title(title)
        with self._db.write() as session:
            require_steering(session, actor, repo, row := find_row(session, repo, number, lock=True))
            if title == row.title:
                raise InvalidInput("That is its title already.", hint="Give another title.")
            before, row.title = row.title, title
            event = add_event(session, actor, row, EventKind.TITLE, title, before)
            record(session, actor, repo, row, "discussion.rename", before=before, after=title)
            return _told(session, event)

    def set_status(self, actor: Actor, repo: Repo, number: int, status: Status, comment: str = "") -> EventView:
        """Close or reopen it, with a last word if there is one; opening a draft says that it is ready.

        Raises:
            DiscussionClosed: it was merged. Conflict: it stands so already. DiscussionNotFound, PermissionDenied.
        """
        comment = check_body(comment, required=False)
        with self._db.write() as session:
            require_steering(session, actor, repo, row := find_row(session, repo, number, lock=True))
            check_status(row, status)
            if comment:
                add_comment(session, actor, repo, row, comment)
            before, row.status = row.status, str(status)
            event = add_event(session, actor, row, EventKind.STATUS, str(status))
            record(session, actor, repo, row, "discussion.status", before=before, after=str(status))
            return _told(session, event)


def add_comment(session: Session, actor: Actor, repo: Repo, row: Discussion, text: str) -> DiscussionEvent:
    """A comment in the caller's transaction; the row is locked."""
    row.comments += 1
    event = add_event(session, actor, row, EventKind.COMMENT, text)
    record(session, actor, repo, row, "discussion.comment", comment=event.id)
    return event


def check_status(row: Discussion | DiscussionView, status: Status) -> None:
    """Check that a discussion can come to stand so.

    Raises:
        InvalidInput: people only close and open. DiscussionClosed: it was merged. Conflict: it stands so already.
    """
    if status not in (Status.OPEN, Status.CLOSED):
        raise InvalidInput(f"The status '{status}' cannot be set.", hint="open or closed")
    if row.status == Status.MERGED:
        raise DiscussionClosed(f"Pull request {row.number} was merged.", hint="Revert its commit, or open a new one.", number=row.number)
    if row.status == status:
        raise Conflict(f"Number {row.number} is {status} already.", hint="There is nothing to do.", number=row.number)


def _told(session: Session, event: DiscussionEvent) -> EventView:
    return events_of(session, [event])[0]
