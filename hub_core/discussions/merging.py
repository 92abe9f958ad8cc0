"""What a pull request changes, and merging it: one transaction moves the branch, settles the pull request and is audited."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.authz import Actor, Permission
from hub_core.db import Database
from hub_core.discussions.reading import views_of
from hub_core.discussions.records import add_event, find_row, record
from hub_core.discussions.rights import require_part, require_unsettled
from hub_core.discussions.service import add_comment
from hub_core.discussions.tables import Discussion
from hub_core.discussions.texts import check_body
from hub_core.discussions.views import DiscussionView, EventKind, PullChanges, Status
from hub_core.errors import GatedRepo, GatedSignIn, InvalidInput, LimitExceeded, MergeConflict, NothingToCommit, RevisionNotFound, StaleBase
from hub_core.git import GitStore, RefUpdate
from hub_core.git.refnames import HEADS, PULLS
from hub_core.git.tables import GitRef
from hub_core.repos.access import require_repo
from hub_core.repos.files import FileService
from hub_core.repos.tables import Repo


class MergeService:
    """Compares and merges pull requests."""

    def __init__(self, db: Database, git: GitStore, files: FileService) -> None:
        self._db = db
        self._git = git
        self._files = files

    def changes(self, actor: Actor, repo: Repo, number: int) -> PullChanges:
        """What a pull request brings, and what is in its way.

        Raises:
            DiscussionNotFound: no such discussion. InvalidInput: it is no pull request. GatedRepo.
        """
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_FILES, repo)
            row = _pull(session, repo, number)
        refs = self._git.refs(repo.id)
        head, into = refs.get(f"{PULLS}{number}"), self._into(repo, row, refs)
        if head is None:
            raise RevisionNotFound(f"The commits of pull request {number} are gone.", hint="Open a new one.")
        base = self._git.merge_base(repo.id, into, head) if into else None
        if into is None and row.status == Status.MERGED:
            return PullChanges(head, head)
        commits = self._git.commits_between(repo.id, head, [into] if into else [])
        unsettled = row.status in (Status.OPEN, Status.DRAFT)
        conflicts = self._git.conflicts(repo.id, into, head) if into and unsettled and base != head else []
        try:
            return PullChanges(base, head, commits, self._git.diff(repo.id, base, head) if base != head else [], conflicts)
        except LimitExceeded:
            return PullChanges(base, head, commits, [], conflicts, truncated=True)

    def changes_to_show(self, actor: Actor, repo: Repo, number: int) -> PullChanges | None:
        """`changes` beside what was said, which is open also to who may not read the files of a gated repo: for them None."""
        try:
            return self.changes(actor, repo, number)
        except (GatedRepo, GatedSignIn):
            return None

    def _into(self, repo: Repo, row: Discussion, refs: dict[str, str]) -> str | None:
        """The commit that a pull request is compared with: its base now, or as it was when it was merged."""
        if not row.merge_commit:
            return refs.get(HEADS + row.base)
        try:
            parents = self._git.commit_info(repo.id, row.merge_commit).parents
        except RevisionNotFound:
            return None  # the history of the branch was replaced since
        return parents[0] if len(parents) > 1 else None

    def check_merge(self, actor: Actor, repo: Repo, number: int) -> PullChanges:
        """What merging would change.

        Raises:
            As `merge`.
        """
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_WRITE, repo)
            row = _pull(session, repo, number)
            require_unsettled(row)
        changes = self.changes(actor, repo, number)
        if changes.conflicts:
            raise self._conflict(number, row.base, changes.conflicts)
        return changes

    def merge(self, actor: Actor, repo: Repo, number: int, comment: str = "") -> DiscussionView:
        """Merge a pull request (a draft, too) with a merge commit. What its branch has already is only marked as merged.

        Raises:
            MergeConflict: both sides changed the same lines; `details["paths"]` names the files, and nothing is changed.
            StaleBase: commits came to it in this moment; nothing is merged, so that nobody merges what they have not seen.
            DiscussionNotFound, DiscussionClosed, InvalidInput (no pull request), RevisionNotFound (its base is gone), PermissionDenied.
        """
        comment = check_body(comment, required=False)
        with self._db.read() as session:
            require_part(session, actor, repo)
            require_repo(session, actor, Permission.REPO_WRITE, repo)
            row = _pull(session, repo, number)
            require_unsettled(row)
        refs = self._git.refs(repo.id)
        head = refs.get(f"{PULLS}{number}")
        if head is None or HEADS + row.base not in refs:
            raise RevisionNotFound(f"The branch '{row.base}' of pull request {number} is gone.", hint="Make the branch again.")
        try:
            self._merge(actor, repo, row, head, comment)
        except NothingToCommit as error:
            self._mark(actor, repo, number, head, error.details["head"], comment)
        with self._db.read() as session:
            return views_of(session, [find_row(session, repo, number)])[0]

    def _merge(self, actor: Actor, repo: Repo, row: Discussion, head: str, comment: str) -> None:
        def within(session: Session, applied: Sequence[RefUpdate]) -> None:
            commit = next(update.new for update in applied if update.name == HEADS + row.base)
            _settle(session, actor, repo, row.number, head, commit, comment)

        message = f"{row.title} (#{row.number})\n\nMerges {PULLS}{row.number} into {row.base}."
        try:
            self._git.merge(repo.id, row.base, head, self._files.author(actor), message, hook=self._files.hook(actor, repo, within=within))
        except MergeConflict as error:
            raise self._conflict(row.number, row.base, error.details["paths"]) from error

    def _mark(self, actor: Actor, repo: Repo, number: int, head: str, base: str, comment: str) -> None:
        with self._db.write() as session:
            # As whoever moves refs does, so that none moves meanwhile.
            session.execute(sa.select(Repo.id).where(Repo.id == repo.id).with_for_update())
            _settle(session, actor, repo, number, head, base, comment)

    def _conflict(self, number: int, base: str, paths: Sequence[str]) -> MergeConflict:
        shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        return MergeConflict(
            f"Pull request {number} and '{base}' both changed {shown}.",
            hint=f"Merge '{base}' into {PULLS}{number}, settle what differs, and push.",
            number=number,
            paths=list(paths),
        )


def _pull(session: Session, repo: Repo, number: int) -> Discussion:
    row = find_row(session, repo, number)
    if not row.is_pull_request:
        raise InvalidInput(f"Number {number} is a discussion, not a pull request.", hint="List the pull requests of the repo.")
    return row


def _settle(session: Session, actor: Actor, repo: Repo, number: int, head: str, commit: str, comment: str) -> None:
    """Mark a pull request as merged, if it is still what was looked at. Whoever moves refs waits: the repo's row is locked."""
    row = find_row(session, repo, number, lock=True)
    require_unsettled(row)
    now = session.scalar(sa.select(GitRef.target).where(GitRef.repo_id == repo.id, GitRef.name == f"{PULLS}{number}"))
    if now != head:
        raise StaleBase("New commits came to the pull request; nothing was merged.", hint="Look at them, and merge again.", head=now)
    if comment:
        add_comment(session, actor, repo, row, comment)
    row.status, row.merge_commit = str(Status.MERGED), commit
    add_event(session, actor, row, EventKind.STATUS, row.status, commit)
    record(session, actor, repo, row, "pull_request.merge", base=row.base, commit=commit)
