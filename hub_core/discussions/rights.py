"""Who may take part in a discussion, steer it, and push to a pull request."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.authz import Access, Actor, Permission, Role, require_scope
from hub_core.discussions.tables import Discussion
from hub_core.discussions.views import UNSETTLED
from hub_core.errors import Conflict, DiscussionClosed, PermissionDenied, RevisionNotFound
from hub_core.git.refnames import pull_number
from hub_core.repos.access import require_repo
from hub_core.repos.tables import Repo


def require_part(session: Session, actor: Actor, repo: Repo) -> Access:
    """Check that the caller may open discussions and comment: sees the repo, and is signed in.

    Raises:
        RepoNotFound: the caller may not see it. Unauthenticated: nobody is signed in.
        PermissionDenied: the token's scope is too small, or it is for another repo.
    """
    access = require_repo(session, actor, Permission.REPO_READ, repo)
    require_scope(actor, Permission.REPO_DISCUSS)
    if actor.repo_id not in (None, repo.id):
        raise PermissionDenied("This token is limited to another repo.", hint="Use a token that is not limited to a repo.")
    return access


def require_proposal(session: Session, actor: Actor, repo: Repo) -> Access:
    """Check that the caller may propose changes of files: takes part, and may read the files; raises like `require_part`, or GatedRepo."""
    access = require_part(session, actor, repo)
    require_repo(session, actor, Permission.REPO_FILES, repo)
    return access


def may_steer(access: Access, actor: Actor, row: Discussion) -> bool:
    """Whether the caller may close, reopen and rename: its author, and who may write to the repo."""
    return writes(access) or (actor.user_id is not None and row.author_id == actor.user_id)


def require_steering(session: Session, actor: Actor, repo: Repo, row: Discussion) -> None:
    """Check `may_steer`; raises like `require_part`."""
    if not may_steer(require_part(session, actor, repo), actor, row):
        require_repo(session, actor, Permission.REPO_WRITE, repo)


def writes(access: Access) -> bool:
    """Whether a role includes writing."""
    return access.role is not None and access.role.rank >= Role.WRITE.rank


def require_ref(session: Session, actor: Actor, repo: Repo, ref: str) -> bool:
    """Check that the caller may move a ref: who writes to the repo any, others that of their own open pull request.

    Returns:
        Whether large files may come along: only who writes to the repo fills its storage.

    Raises:
        RevisionNotFound: no pull request has that ref. DiscussionClosed: it is closed or merged.
        Conflict: the ref follows a branch.
        PermissionDenied, Unauthenticated, RepoNotFound: as `require_repo`.
    """
    number = pull_number(ref)
    if number is None:
        require_repo(session, actor, Permission.REPO_WRITE, repo)
        return True
    access = require_proposal(session, actor, repo)
    query = sa.select(Discussion).where(Discussion.repo_id == repo.id, Discussion.number == number, Discussion.is_pull_request)
    row = session.scalar(query)
    if row is None:
        raise RevisionNotFound(f"There is no pull request {number} in this repo.", hint="Open it first; then push to its ref.")
    if not may_steer(access, actor, row):
        require_repo(session, actor, Permission.REPO_WRITE, repo)
    require_unsettled(row)
    if row.branch:
        raise Conflict(f"Pull request {number} follows the branch '{row.branch}'.", hint=f"Push to the branch: {row.branch}")
    return writes(access)


def require_unsettled(row: Discussion) -> None:
    """Raise DiscussionClosed when it is closed or merged."""
    if row.status not in UNSETTLED:
        what = "Pull request" if row.is_pull_request else "Discussion"
        hint = "Reopen it first." if row.status == "closed" else "Open a new one."
        raise DiscussionClosed(f"{what} {row.number} is {row.status}.", hint=hint, number=row.number, status=row.status)


def has_own_pull(session: Session, actor: Actor, repo: Repo) -> bool:
    """Whether the caller has an open pull request there that can be pushed to."""
    mine = sa.select(Discussion.id).where(
        Discussion.repo_id == repo.id, Discussion.author_id == actor.user_id, Discussion.is_pull_request, Discussion.branch == "",
        Discussion.status.in_(UNSETTLED),
    )  # fmt: skip
    return actor.user_id is not None and session.scalar(mine.limit(1)) is not None
