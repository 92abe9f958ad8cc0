"""What a move of refs means for pull requests: who may, which other ref follows, and which commits came.

Part of the one hook for every way refs move (`hub_core.repos.sync`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.lookup import locked
from hub_core.authz import Actor
from hub_core.discussions.records import add_event, record
from hub_core.discussions.rights import require_ref, require_unsettled
from hub_core.discussions.tables import Discussion
from hub_core.discussions.views import EventKind, Status
from hub_core.errors import PermissionDenied
from hub_core.git import ZERO, CommitInfo, RefsChange, RefUpdate
from hub_core.git.refnames import HEADS, PULLS, pull_number
from hub_core.git.tables import GitRef
from hub_core.repos.tables import Repo

MAX_SUBJECT = 500


@dataclass(frozen=True, slots=True)
class PullMove:
    """A pull request whose commits change: by a move of its own ref, or of the branch that it follows."""

    number: int
    update: RefUpdate
    commits: Sequence[CommitInfo]


def check_refs(session: Session, actor: Actor, repo: Repo, updates: Sequence[RefUpdate], opening: int | None) -> None:
    """Check the right to move each ref, before anything is stored; `opening` is a pull request that is being made by this very move.

    Raises:
        HubError: as `require_ref`; the ref of a pull request cannot be deleted.
    """
    # All branches and tags are one right.
    for name in dict.fromkeys(update.name if update.name.startswith(PULLS) else HEADS for update in updates):
        if opening is None or name != f"{PULLS}{opening}":
            require_ref(session, actor, repo, name)
    if any(update.new == ZERO for update in updates if update.name.startswith(PULLS)):
        raise PermissionDenied("The ref of a pull request cannot be deleted.", hint="Close the pull request.")


def moves_of(session: Session, repo_id: int, change: RefsChange) -> list[PullMove]:
    """The pull requests that a change concerns, with the commits that it brings them."""
    found = []
    for row, update in _concerned(session, repo_id, change.updates):
        without = [] if update.old == ZERO else [update.old]
        base = session.scalar(sa.select(GitRef.target).where(GitRef.repo_id == repo_id, GitRef.name == HEADS + row.base))
        commits = [] if update.new == ZERO else change.commits(update.new, [*without, *([base] if base else [])])
        found.append(PullMove(row.number, update, commits))
    return found


def follow(session: Session, actor: Actor, repo: Repo, moves: Sequence[PullMove], applied: Sequence[RefUpdate]) -> None:
    """Let refs follow their branches and note the commits, in the transaction that moves the refs.

    Raises:
        DiscussionClosed: a pull request that was pushed to was closed or merged in this moment.
    """
    commits = {move.number: move.commits for move in moves}
    for row, update in _concerned(session, repo.id, applied, lock=True):
        if update.new == ZERO:
            # What came by the branch stays in the pull request, which can be pushed to from now on.
            row.branch = ""
            continue
        if row.branch:
            here = sa.and_(GitRef.repo_id == repo.id, GitRef.name == f"{PULLS}{row.number}")
            session.execute(sa.update(GitRef).where(here).values(target=update.new))
        else:
            require_unsettled(row)
        note_commits(session, actor, row, commits.get(row.number, ()))
        if row.status != Status.CLOSED:
            record(session, actor, repo, row, "pull_request.update", before=update.old, after=update.new)


def note_commits(session: Session, actor: Actor, row: Discussion, commits: Sequence[CommitInfo]) -> None:
    """Commits that came to a pull request as events, the oldest first."""
    for commit in reversed(commits):
        add_event(session, actor, row, EventKind.COMMIT, commit.title[:MAX_SUBJECT], commit.sha)


def _concerned(session: Session, repo_id: int, updates: Sequence[RefUpdate], *, lock: bool = False) -> list[tuple[Discussion, RefUpdate]]:
    """Pull requests whose own ref is named, and those that are not merged and follow a branch that is named."""
    own = {number: update for update in updates if (number := pull_number(update.name)) is not None}
    heads = {update.name.removeprefix(HEADS): update for update in updates if update.name.startswith(HEADS)}
    if not own and not heads:
        return []
    pulls = sa.select(Discussion).where(Discussion.repo_id == repo_id, Discussion.is_pull_request)
    queries = [pulls.where(Discussion.branch != "", Discussion.status != Status.MERGED)] if heads else []
    numbers = sorted(own)
    queries += [pulls.where(Discussion.number.in_(numbers[first : first + 500])) for first in range(0, len(numbers), 500)]
    rows = {row.number: row for query in queries for row in session.scalars(locked(query) if lock else query)}
    found = [(row, own.get(number) or heads.get(row.branch)) for number, row in sorted(rows.items())]
    return [(row, update) for row, update in found if update is not None]
