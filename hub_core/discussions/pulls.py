"""Opening pull requests. Their commits are at `refs/pr/N`, which can be fetched, downloaded and compared like any revision.

Opened without a branch, the ref begins where the base is and is pushed to itself; opened from a branch, it follows that branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.authz import Actor, Permission
from hub_core.db import Database
from hub_core.discussions.reading import views_of
from hub_core.discussions.records import add_event, add_row, find_row, take_number
from hub_core.discussions.refs import MAX_SUBJECT, note_commits
from hub_core.discussions.rights import has_own_pull, require_part, require_proposal, writes
from hub_core.discussions.tables import Discussion
from hub_core.discussions.texts import MAX_TITLE, check_body, check_title
from hub_core.discussions.views import UNSETTLED, DiscussionView, EventKind, Status
from hub_core.errors import AlreadyExists, Conflict, InvalidInput, PermissionDenied, RevisionNotFound, StaleBase
from hub_core.git import ZERO, CommitInfo, CommitResult, FileChange, GitStore, RefsApply, RefUpdate
from hub_core.git.refnames import HEADS, PULLS
from hub_core.git.tables import GitRef
from hub_core.repos.files import FileService
from hub_core.repos.kinds import RepoKind
from hub_core.repos.placing import LfsFile
from hub_core.repos.service import RepoService
from hub_core.repos.tables import Repo

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class BranchHeads:
    """Two branches that a pull request is about, and where they are."""

    base: str
    base_head: str
    branch: str
    head: str


class PullService:
    """Opens pull requests."""

    def __init__(self, db: Database, git: GitStore, files: FileService, repos: RepoService) -> None:
        self._db = db
        self._git = git
        self._files = files
        self._repos = repos

    def open(self, actor: Actor, repo: Repo, title: str, body: str = "", *, base: str = "") -> DiscussionView:
        """Open a draft without commits, at the head of `base` (default: the default branch); commits go to its ref.

        Raises:
            RevisionNotFound: no such branch. InvalidInput, TooLarge: the texts are not acceptable.
            RepoNotFound, Unauthenticated, PermissionDenied, GatedRepo.
        """
        title, body = check_title(title), check_body(body, required=False)
        number, _ = self._reserve(actor, repo)
        base, head = self._base(repo, base)
        opened = _Opening(actor, repo, number, title, body, status=Status.DRAFT, base=base)
        self._create_ref(actor, repo, number, head, opened.apply)
        return self._view(repo, number)

    def open_with_commit(
        self,
        actor: Actor,
        repo: Repo,
        changes: Iterable[FileChange | LfsFile],
        message: str,
        *,
        base: str = "",
        parent: str | None = None,
    ) -> tuple[DiscussionView, CommitResult]:
        """Open a pull request with its first commit, both or neither; the first line of the message is its title.

        Args:
            parent: the commit to begin at; None is the head of `base`.

        Raises:
            As `open`, and as `FileService.commit`.
        """
        subject, _, body = message.strip().partition("\n")
        title, body = check_title(subject[:MAX_TITLE]), check_body(body, required=False)
        number, large = self._reserve(actor, repo)
        base, head = self._base(repo, base)
        start = self._git.resolve(repo.id, parent) if parent else head
        opened = _Opening(actor, repo, number, title, body, base=base, subject=subject)
        hook = self._files.hook(actor, repo, opening=number, within=opened.apply)
        made = self._files.commit_apart(actor, repo, changes, message, ref=f"{PULLS}{number}", start=start, hook=hook, large=large)
        return self._view(repo, number), made

    def open_from_branch(self, actor: Actor, repo: Repo, title: str, branch: str, body: str = "", *, base: str = "") -> DiscussionView:
        """Open a pull request for what a branch has beyond `base`; later commits of the branch come to it.

        Raises:
            As `check_branch`, and as `open`.
        """
        title, body = check_title(title), check_body(body, required=False)
        for _ in range(_ATTEMPTS):
            heads = self.check_branch(actor, repo, branch, base)
            commits = self._git.commits_between(repo.id, heads.head, [heads.base_head])
            number, _large = self._reserve(actor, repo)
            opened = _Opening(actor, repo, number, title, body, base=heads.base, branch=branch, head=heads.head, commits=commits)
            try:
                self._create_ref(actor, repo, number, heads.head, opened.apply)
            except _BranchMovedError:
                continue
            return self._view(repo, number)
        raise StaleBase(f"The branch '{branch}' is changing too fast.", hint="Try again in a moment.")

    def check_branch(self, actor: Actor, repo: Repo, branch: str, base: str = "") -> BranchHeads:
        """The two branches of a pull request that could be opened.

        Raises:
            RevisionNotFound: no such branch. InvalidInput: the branch has nothing that the base has not.
            AlreadyExists: there is one for it, and it is open.
        """
        self.check_proposal(actor, repo)
        base, base_head = self._base(repo, base)
        head = self._git.branches(repo.id).get(branch)
        if head is None:
            raise RevisionNotFound(f"There is no branch '{branch}'.", hint="list_branches shows them.")
        if branch == base or self._git.is_ancestor(repo.id, head, base_head):
            raise InvalidInput(f"'{branch}' has no commits that '{base}' has not.", hint="Commit to the branch first.")
        query = sa.select(Discussion.number).where(
            Discussion.repo_id == repo.id, Discussion.branch == branch, Discussion.base == base, Discussion.status.in_(UNSETTLED)
        )
        with self._db.read() as session:
            there = session.scalar(query)
        if there is not None:
            raise AlreadyExists(
                f"Pull request {there} is open for '{branch}' already.", hint="Its new commits come to it by themselves.", number=there
            )
        return BranchHeads(base, base_head, branch, head)

    def check_proposal(self, actor: Actor, repo: Repo) -> bool:
        """Raise what opening a pull request would, where the caller may not; else whether large files may be part of it."""
        with self._db.read() as session:
            return writes(require_proposal(session, actor, repo))

    def open_for_push(self, actor: Actor, kind: RepoKind, namespace: str, name: str) -> Repo:
        """The repo at a Git address, if the caller may push anything there; which refs is checked with each.

        Raises:
            As `RepoService.open_repo` for writing.
        """
        try:
            return self._repos.open_repo(actor, kind, namespace, name, Permission.REPO_WRITE)
        except PermissionDenied:
            repo = self._repos.open_repo(actor, kind, namespace, name, Permission.REPO_READ)
            with self._db.read() as session:
                require_part(session, actor, repo)
                if not has_own_pull(session, actor, repo):
                    raise
            return repo

    def _reserve(self, actor: Actor, repo: Repo) -> tuple[int, bool]:
        """A number for the caller, and whether large files may come along. A number whose pull request fails stays unused."""
        with self._db.write() as session:
            large = writes(require_proposal(session, actor, repo))
            return take_number(session, repo.id), large

    def _base(self, repo: Repo, base: str) -> tuple[str, str]:
        state = self._git.state(repo.id)
        base = base.removeprefix(HEADS) or state.default_branch
        head = state.refs.get(HEADS + base)
        if head is None:
            raise RevisionNotFound(f"There is no branch '{base}' in this repo.", hint="A pull request goes into a branch.")
        return base, head

    def _create_ref(self, actor: Actor, repo: Repo, number: int, head: str, within: RefsApply) -> None:
        hook = self._files.hook(actor, repo, opening=number, within=within)
        done = self._git.update_refs(repo.id, [RefUpdate(f"{PULLS}{number}", ZERO, head)], hook=hook)
        if not done[0].ok:
            raise Conflict(f"The pull request cannot be made: {done[0].reason}.", hint="Try again.")

    def _view(self, repo: Repo, number: int) -> DiscussionView:
        with self._db.read() as session:
            return views_of(session, [find_row(session, repo, number)])[0]


class _BranchMovedError(Exception):
    """The branch got another commit between being read and the transaction."""


@dataclass(frozen=True, slots=True)
class _Opening:
    """A pull request in the making. `head` is where its branch must still be; `subject` tells of the one commit that makes it."""

    actor: Actor
    repo: Repo
    number: int
    title: str
    body: str
    base: str
    status: Status = Status.OPEN
    branch: str = ""
    head: str = ""
    subject: str = ""
    commits: Sequence[CommitInfo] = ()

    def apply(self, session: Session, applied: Sequence[RefUpdate]) -> None:
        """Add the row, in the transaction that makes the ref."""
        if self.branch:
            here = sa.select(GitRef.target).where(GitRef.repo_id == self.repo.id, GitRef.name == HEADS + self.branch)
            if session.scalar(here) != self.head:
                raise _BranchMovedError
        pull = {"is_pull_request": True, "status": str(self.status), "base": self.base, "branch": self.branch}
        row = add_row(session, self.actor, self.repo, self.number, self.title, self.body, **pull)
        note_commits(session, self.actor, row, self.commits)
        if self.subject:
            add_event(session, self.actor, row, EventKind.COMMIT, self.subject[:MAX_SUBJECT], applied[0].new)
