"""History of a repo: commits, differences, branches, Git tags, reverting."""

from __future__ import annotations

from dataclasses import dataclass

from hub_core.authz import Actor, Permission
from hub_core.db import Database
from hub_core.errors import Conflict, InvalidRef, RevisionNotFound
from hub_core.git import CommitInfo, CommitResult, FileDiff, GitStore
from hub_core.git.checks import TAG
from hub_core.git.refnames import TAGS, is_sha
from hub_core.repos.access import require_repo
from hub_core.repos.files import FileService
from hub_core.repos.tables import Repo


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `head` has beyond the common ancestor with `base`."""

    base: str
    head: str
    merge_base: str | None
    commits: list[CommitInfo]
    files: list[FileDiff]


class HistoryService:
    """Reads history and moves branches and tags; contents are `FileService`'s."""

    def __init__(self, db: Database, git: GitStore, files: FileService) -> None:
        self._db = db
        self._git = git
        self._files = files

    def log(
        self, actor: Actor, repo: Repo, *, path: str = "", revision: str = "", limit: int = 20, after: str | None = None
    ) -> list[CommitInfo]:
        """Commits, newest first, of the whole repo or of one path; `after` is the last commit of the page before."""
        self._require(actor, Permission.REPO_READ, repo)
        return self._git.log(repo.id, self._git.resolve(repo.id, revision), path.strip("/") or None, limit, after)

    def show(self, actor: Actor, repo: Repo, revision: str) -> tuple[CommitInfo, list[FileDiff]]:
        """A commit and what it changed against its first parent."""
        self._require(actor, Permission.REPO_FILES, repo)
        commit = self._git.commit_info(repo.id, self._git.resolve(repo.id, revision))
        return commit, self._git.diff(repo.id, commit.parents[0] if commit.parents else None, commit.sha)

    def compare(self, actor: Actor, repo: Repo, base: str, head: str) -> Comparison:
        """What `head` adds to `base`, from their common ancestor (`git diff base...head`)."""
        self._require(actor, Permission.REPO_FILES, repo)
        base_sha, head_sha = self._git.resolve(repo.id, base), self._git.resolve(repo.id, head)
        ancestor = self._git.merge_base(repo.id, base_sha, head_sha)
        commits = []
        if head_sha != ancestor:
            for commit in self._git.log(repo.id, head_sha, None, 50):
                if commit.sha == ancestor or (ancestor and self._git.is_ancestor(repo.id, commit.sha, base_sha)):
                    continue
                commits.append(commit)
        return Comparison(base_sha, head_sha, ancestor, commits, self._git.diff(repo.id, ancestor, head_sha))

    def revert(self, actor: Actor, repo: Repo, revision: str, *, branch: str | None = None) -> CommitResult:
        """A new commit that takes back `revision`.

        Raises:
            Conflict: later commits changed the same lines; `details["paths"]` names the files.
        """
        self._require(actor, Permission.REPO_WRITE, repo)
        commit = self._git.resolve(repo.id, revision)
        info = self._git.commit_info(repo.id, commit)
        message = f'Revert "{info.title}"\n\nThis reverts commit {commit}.'
        return self._git.revert(
            repo.id, branch or repo.default_branch, commit, self._files.author(actor), message, hook=self._files.hook(actor, repo)
        )

    def squash(self, actor: Actor, repo: Repo, branch: str, message: str = "") -> CommitResult:
        """Replace the history of a branch by one commit with the files of its head.

        Raises:
            RevisionNotFound: no such branch. InvalidRef: it is a tag.
        """
        self._require(actor, Permission.REPO_WRITE, repo)
        if branch not in self._git.branches(repo.id) and branch in self._git.tags(repo.id):
            raise InvalidRef(f"'{branch}' is a tag.", hint="Only the history of a branch can be squashed.")
        text = message.strip() or f"Squash the history of '{branch}'"
        return self._git.squash(repo.id, branch, self._files.author(actor), text, hook=self._files.hook(actor, repo))

    def branches(self, actor: Actor, repo: Repo) -> dict[str, str]:
        """Branches and their commits."""
        self._require(actor, Permission.REPO_READ, repo)
        return self._git.branches(repo.id)

    def git_tags(self, actor: Actor, repo: Repo) -> dict[str, str]:
        """Git tags and their commits."""
        self._require(actor, Permission.REPO_READ, repo)
        return self._git.tags(repo.id)

    def resolve(self, actor: Actor, repo: Repo, revision: str = "") -> str:
        """The commit a branch, tag or (abbreviated) id means."""
        self._require(actor, Permission.REPO_READ, repo)
        return self._git.resolve(repo.id, revision)

    def create_branch(self, actor: Actor, repo: Repo, branch: str, revision: str = "") -> str:
        """Make a branch at `revision`; returns its commit.

        Raises:
            AlreadyExists, InvalidRef, RevisionNotFound.
        """
        self._require(actor, Permission.REPO_WRITE, repo)
        commit = self._git.resolve(repo.id, revision)
        self._git.create_branch(repo.id, branch, commit, hook=self._files.hook(actor, repo))
        return commit

    def check_branch_deletable(self, repo: Repo, branch: str) -> str:
        """The commit of a branch that may be deleted.

        Raises:
            RevisionNotFound: no such branch. Conflict: it is the default branch.
        """
        commit = self._git.branches(repo.id).get(branch)
        if commit is None:
            raise RevisionNotFound(f"There is no branch '{branch}'.", hint="list_branches shows them.")
        if branch == repo.default_branch:
            raise Conflict(f"'{branch}' is the default branch.", hint="Make another branch the default first.")
        return commit

    def delete_branch(self, actor: Actor, repo: Repo, branch: str) -> str:
        """Delete a branch; returns the commit it was at; raises like `check_branch_deletable`."""
        self._require(actor, Permission.REPO_WRITE, repo)
        commit = self.check_branch_deletable(repo, branch)
        self._git.delete_branch(repo.id, branch, hook=self._files.hook(actor, repo))
        return commit

    def create_tag(self, actor: Actor, repo: Repo, tag: str, revision: str = "", *, message: str = "") -> str:
        """Make a Git tag at `revision`, annotated where there is a message; returns its commit; raises like `create_branch`.

        The id of an annotated tag brings that tag back with its message.
        """
        self._require(actor, Permission.REPO_WRITE, repo)
        commit = self._git.resolve(repo.id, revision)
        with self._git.objects(repo.id) as store:
            annotated = is_sha(revision) and store.kind_of(revision) == TAG
        target, tagger = revision if annotated else commit, self._files.author(actor)
        self._git.create_tag(repo.id, tag, target, "" if annotated else message.strip(), tagger, hook=self._files.hook(actor, repo))
        return commit

    def tag_target(self, repo: Repo, tag: str) -> str:
        """What a tag leads to: its commit, or the id of the annotation before it; raises like `tag_commit`."""
        self.tag_commit(repo, tag)
        return self._git.refs(repo.id)[TAGS + tag]

    def tag_commit(self, repo: Repo, tag: str) -> str:
        """The commit of a tag.

        Raises:
            RevisionNotFound: no such tag.
        """
        commit = self._git.tags(repo.id).get(tag)
        if commit is None:
            raise RevisionNotFound(f"There is no Git tag '{tag}'.", hint="list_git_tags shows them.")
        return commit

    def delete_tag(self, actor: Actor, repo: Repo, tag: str) -> str:
        """Delete a Git tag; returns the commit it was at."""
        self._require(actor, Permission.REPO_WRITE, repo)
        commit = self.tag_commit(repo, tag)
        self._git.delete_tag(repo.id, tag, hook=self._files.hook(actor, repo))
        return commit

    def _require(self, actor: Actor, permission: Permission, repo: Repo) -> None:
        with self._db.read() as session:
            require_repo(session, actor, permission, repo)
