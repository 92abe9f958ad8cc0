"""The Git store: one object for everything the hub does with repositories. It knows neither permissions nor HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.db import Database, utcnow
from hub_core.errors import AlreadyExists, Conflict, EntryNotFound, RevisionNotFound, Unavailable
from hub_core.git import diffing, reading
from hub_core.git.cache import NodeCache, blob_key
from hub_core.git.commits import Committer, conflicts
from hub_core.git.maintenance import ORPHAN_GRACE, RETIRED_GRACE, Maintainer
from hub_core.git.objects import ObjectPool, SnapshotStore
from hub_core.git.publish import Publisher
from hub_core.git.receive import Receiver, advertise_receive
from hub_core.git.refnames import HEADS, TAGS, check_short
from hub_core.git.refs import PacksChangedError, RefStore, first_failure
from hub_core.git.tables import GitPack, GitRef
from hub_core.git.types import (
    ZERO,
    Author,
    CommitInfo,
    CommitResult,
    FileChange,
    FileDiff,
    GitLimits,
    MaintenanceReport,
    RefHook,
    RefResult,
    RefUpdate,
    RepoState,
    TreeEntry,
)
from hub_core.git.upload import Uploader
from hub_core.repos.tables import Repo
from hub_core.storage import BlobStore

_T = TypeVar("_T")


class GitStore:
    """Refs in the database, packs in the blob store, a disposable cache on this node."""

    def __init__(self, db: Database, blobs: BlobStore, cache_dir: Path, limits: GitLimits | None = None) -> None:
        self.limits = limits = limits or GitLimits()
        self._db = db
        self._blobs = blobs
        self._refs = RefStore(db)
        self._cache = NodeCache(cache_dir.resolve(), blobs)
        self._pool = ObjectPool(self._cache)
        self._publisher = Publisher(self._refs, blobs, self._cache)
        self._committer = Committer(self._refs, self._pool, self._cache, self._publisher)
        self._receiver = Receiver(self._publisher, self._pool, self._cache, limits)
        self._uploader = Uploader(self._cache)
        self._maintainer = Maintainer(db, blobs, self._cache, self._refs, self._pool)

    def close(self) -> None:
        """Close open packs."""
        self._pool.close()

    # --- refs ---

    def state(self, repo_id: int) -> RepoState:
        """Refs and packs at this moment.

        Raises:
            RepoNotFound: no such repo.
        """
        return self._refs.state(repo_id)

    def refs(self, repo_id: int) -> dict[str, str]:
        """Full ref names and what they lead to."""
        return dict(self.state(repo_id).refs)

    def branches(self, repo_id: int) -> dict[str, str]:
        """Branch names and their commits."""
        return self._named(repo_id, HEADS)

    def tags(self, repo_id: int) -> dict[str, str]:
        """Tag names and the commits behind them."""
        return self._named(repo_id, TAGS)

    def _named(self, repo_id: int, prefix: str) -> dict[str, str]:
        state = self.state(repo_id)
        return {name[len(prefix) :]: state.commit_of(name) or "" for name in state.refs if name.startswith(prefix)}

    def resolve(self, repo_id: int, revision: str = "") -> str:
        """The commit that a branch, tag, full ref or (abbreviated) id names; empty or `HEAD` is the default branch.

        Raises:
            RevisionNotFound: nothing has that name.
            InvalidRef: an abbreviation fits several commits.
        """
        state = self.state(repo_id)
        wanted = revision if revision not in {"", "HEAD"} else HEADS + state.default_branch
        # A branch needs no look at objects: it leads to a commit by construction.
        for name in (wanted, HEADS + wanted):
            if name.startswith(HEADS) and name in state.refs:
                return state.refs[name]
        with self._pool.open(state) as store:
            return reading.resolve(state, store, revision)

    def objects(self, repo_id: int) -> AbstractContextManager[SnapshotStore]:
        """A dulwich object store over the repo as it is now; use it in a `with` block, in one thread."""
        return self._pool.open(self.state(repo_id))

    @contextmanager
    def at(self, repo_id: int, revision: str = "") -> Iterator[tuple[str, SnapshotStore]]:
        """The commit that a revision names and a reader of the repo, both of one moment; raises like `resolve`. Use it in one thread."""
        state = self.state(repo_id)
        with self._pool.open(state) as store:
            yield reading.resolve(state, store, revision), store

    def update_refs(
        self,
        repo_id: int,
        updates: Sequence[RefUpdate],
        *,
        atomic: bool = False,
        hook: RefHook | None = None,
        session: Session | None = None,
    ) -> list[RefResult]:
        """Move refs to objects that are there, compare-and-set each, in one transaction (the caller's, if given).

        Raises:
            InvalidPack: a ref would lead to an object that is not there.
            HubError: what the hook raises.
        """

        def once() -> list[RefResult]:
            state = self.state(repo_id)
            with self._pool.open(state) as store:
                return self._publisher.publish(state, store, updates, atomic=atomic, hook=hook, session=session)

        return _again(once)

    def create_branch(self, repo_id: int, name: str, commit: str, *, hook: RefHook | None = None) -> None:
        """Make a branch.

        Raises:
            AlreadyExists: there is one of that name.
            InvalidRef: the name is not acceptable.
        """
        self._create(repo_id, HEADS + check_short(name), commit, f"branch '{name}'", hook)

    def create_tag(
        self, repo_id: int, name: str, commit: str, message: str = "", tagger: Author | None = None, *, hook: RefHook | None = None
    ) -> None:
        """Make a tag; annotated when there is a message.

        Raises:
            AlreadyExists: there is one of that name.
            InvalidRef: the name is not acceptable.
        """
        full = TAGS + check_short(name, "tag")
        if full in self.state(repo_id).refs:
            raise _taken(f"tag '{name}'")
        if message and tagger:
            _again(lambda: self._committer.tag(repo_id, name, commit, message, tagger, hook=hook))
        else:
            self._create(repo_id, full, commit, f"tag '{name}'", hook)

    def _create(self, repo_id: int, full: str, commit: str, what: str, hook: RefHook | None) -> None:
        if full in self.state(repo_id).refs:
            raise _taken(what)
        failed = first_failure(self.update_refs(repo_id, [RefUpdate(full, ZERO, commit)], hook=hook))
        if failed:
            raise Conflict(f"The {what} cannot be made: {failed.reason}.", hint="Choose another name.")

    def delete_branch(self, repo_id: int, name: str, *, hook: RefHook | None = None) -> str:
        """Remove a branch; returns where it was.

        Raises:
            RevisionNotFound: no such branch.
            Conflict: it is the default branch, or it moved meanwhile.
        """
        return self._delete(repo_id, name if name.startswith("refs/") else HEADS + name, f"branch '{name}'", hook)

    def delete_tag(self, repo_id: int, name: str, *, hook: RefHook | None = None) -> str:
        """Remove a tag; returns where it was.

        Raises:
            RevisionNotFound: no such tag.
        """
        return self._delete(repo_id, TAGS + name, f"tag '{name}'", hook)

    def _delete(self, repo_id: int, full: str, what: str, hook: RefHook | None) -> str:
        target = self.state(repo_id).refs.get(full)
        if target is None:
            raise RevisionNotFound(f"There is no {what} in this repo.", hint="List the branches and tags.")
        failed = first_failure(self.update_refs(repo_id, [RefUpdate(full, target, ZERO)], hook=hook))
        if failed:
            raise Conflict(f"The {what} cannot be deleted: {failed.reason}.", hint="Look at the repo again.")
        return target

    # --- reading ---

    def _reading(self, repo_id: int, read: Callable[[SnapshotStore], _T]) -> _T:
        with self.objects(repo_id) as store:
            return read(store)

    def tree(self, repo_id: int, commit: str, path: str = "", recursive: bool = False) -> list[TreeEntry]:
        """What a folder holds; see `reading.tree`."""
        return self._reading(repo_id, lambda store: reading.tree(store, commit, path, recursive))

    def entry(self, repo_id: int, commit: str, path: str) -> TreeEntry:
        """One file or folder.

        Raises:
            EntryNotFound: nothing is there.
        """
        return self._reading(repo_id, lambda store: reading.entry(store, commit, path))

    def entries(self, repo_id: int, commit: str, paths: Sequence[str]) -> list[TreeEntry]:
        """Those of the paths that are there."""

        def read(store: SnapshotStore) -> Iterator[TreeEntry]:
            for path in paths:
                try:
                    yield reading.entry(store, commit, path)
                except EntryNotFound:
                    continue

        return self._reading(repo_id, lambda store: list(read(store)))

    def blob(self, repo_id: int, sha: str, *, limit: int | None = None) -> bytes:
        """The content of a file by its Git id; see `reading.blob`."""
        return self._reading(repo_id, lambda store: reading.blob(store, sha, limit))

    def read_file(self, repo_id: int, commit: str, path: str, *, limit: int | None = None) -> bytes:
        """The content of a file as Git has it (an LFS file: its pointer).

        Raises:
            EntryNotFound: no such file.
            TooLarge: it is longer than `limit`.
        """

        def read(store: SnapshotStore) -> bytes:
            found = reading.entry(store, commit, path)
            if found.kind != "file":
                raise EntryNotFound(f"'{path}' is a folder.", hint="Name a file.", path=path)
            return reading.blob(store, found.sha, limit)

        return self._reading(repo_id, read)

    def log(self, repo_id: int, commit: str, path: str | None = None, limit: int = 50, after: str | None = None) -> list[CommitInfo]:
        """Commits, newest first; see `reading.log`."""
        return self._reading(repo_id, lambda store: reading.log(store, commit, path, limit, after))

    def last_commits(self, repo_id: int, commit: str, paths: Sequence[str]) -> dict[str, CommitInfo]:
        """For each path the newest commit that changed it; see `reading.last_commits`."""
        return self._reading(repo_id, lambda store: reading.last_commits(store, commit, paths))

    def commit_info(self, repo_id: int, commit: str) -> CommitInfo:
        """One commit.

        Raises:
            RevisionNotFound: no such commit.
        """
        return self._reading(repo_id, lambda store: reading.commit_info(store.commit(commit)))

    def diff(self, repo_id: int, base: str | None, head: str) -> list[FileDiff]:
        """What changed from `base` (None: nothing) to `head`; see `diffing.diff`."""
        return self._reading(repo_id, lambda store: diffing.diff(store, base, head))

    def merge_base(self, repo_id: int, one: str, other: str) -> str | None:
        """The best common ancestor, or None."""
        return self._reading(repo_id, lambda store: reading.merge_base(store, one, other))

    def is_ancestor(self, repo_id: int, ancestor: str, descendant: str) -> bool:
        """Whether one commit is in the history of another."""
        return self._reading(repo_id, lambda store: reading.is_ancestor(store, ancestor, descendant))

    def commits_between(self, repo_id: int, head: str, without: Sequence[str]) -> list[CommitInfo]:
        """Commits that `head` has and the others have not, the newest first, at most 100."""
        return self._reading(repo_id, lambda store: reading.between(store, head, without))

    def conflicts(self, repo_id: int, ours: str, theirs: str) -> list[str]:
        """The paths that would be in the way of merging one commit into another."""
        return self._reading(repo_id, lambda store: conflicts(store, ours, theirs))

    # --- writing ---

    def commit(
        self,
        repo_id: int,
        branch: str,
        parent: str | None,
        changes: Sequence[FileChange],
        author: Author,
        message: str,
        *,
        hook: RefHook | None = None,
        create: bool = False,
    ) -> CommitResult:
        """Apply changes to a branch, in order, as one commit.

        `parent` is the head that the caller has read (7 digits are enough); None means whatever it is now, and then a
        commit that came in between is no obstacle. With `create` the branch is made, from `parent` or from nothing.

        Raises:
            StaleBase: the branch is not at `parent` any more; nothing was written.
            InvalidInput: nothing would change.
            EntryNotFound: a file to delete or move is not there.
            InvalidPath: a path is not acceptable or in the way of another.
            RevisionNotFound: no such branch.
            HubError: what the hook raises.
        """
        return self._committer.commit(repo_id, branch, parent, changes, author, message, hook=hook, create=create)

    def merge(self, repo_id: int, branch: str, head: str, author: Author, message: str, *, hook: RefHook | None = None) -> CommitResult:
        """Merge a commit into a branch with a merge commit.

        Raises:
            MergeConflict: both sides changed the same lines; `details["paths"]` says where.
            NothingToCommit: the branch has the commit already; `details["head"]` is where it is.
        """
        return self._committer.merge(repo_id, branch, head, author, message, hook=hook)

    def revert(
        self, repo_id: int, branch: str, commit: str, author: Author, message: str = "", *, hook: RefHook | None = None
    ) -> CommitResult:
        """Undo what one commit changed (a merge: what it brought to its first parent), as a new commit.

        Raises:
            MergeConflict: later commits changed the same lines; `details["paths"]` says where.
            InvalidInput: the commit is not part of the branch, or nothing of it is left.
        """
        return self._committer.revert(repo_id, branch, commit, author, message, hook=hook)

    def squash(self, repo_id: int, branch: str, author: Author, message: str, *, hook: RefHook | None = None) -> CommitResult:
        """Replace the history of a branch by one commit with the files of its head.

        Raises:
            RevisionNotFound: no such branch.
        """
        return self._committer.squash(repo_id, branch, author, message, hook=hook)

    # --- protocol ---

    def advertise(self, repo_id: int, service: str, protocol: str = "") -> bytes:
        """What a client is told first; `service` is `git-upload-pack` or `git-receive-pack`."""
        state = self.state(repo_id)
        return advertise_receive(state) if service == "git-receive-pack" else self._uploader.advertise(state, protocol)

    def upload_pack(self, repo_id: int, body: BinaryIO, protocol: str = "") -> Iterator[bytes]:
        """Answer one request of `git fetch`; `body` is a real file. Close the iterator to stop early."""
        return self._uploader.upload(self.state(repo_id), body, protocol)

    def fetch_command(self, repo_id: int, protocol: str = "") -> tuple[list[str], dict[str, str]]:
        """Arguments and environment of a program that serves one fetch over its pipes; see `Uploader.command`."""
        return self._uploader.command(self.state(repo_id), protocol)

    def receive_pack(self, repo_id: int, body: BinaryIO, *, hook: RefHook | None = None) -> bytes:
        """Answer one `git push`; `body` is a real file. Refusals are in the answer.

        Raises:
            InvalidInput: the body is not a push.
        """
        return self._receiver.receive(lambda: self.state(repo_id), body, hook)

    # --- life cycle ---

    def fork(self, source_id: int, target_id: int, apply: Callable[[Session], None] | None = None) -> None:
        """Copy refs (without pull requests) and packs of one repo to another that has none.

        `apply` runs in the transaction that brings the refs.

        Raises:
            Conflict: the target is not empty.
        """
        source, target = self.state(source_id), self.state(target_id)
        if target.refs:
            raise Conflict("The target of a fork must be empty.", hint="Make a new repo.")
        for name in source.packs:
            for suffix in ("idx", "pack"):
                self._copy(blob_key(source_id, name, suffix), blob_key(target_id, name, suffix))
        with self._db.write() as session:
            for pack in session.execute(sa.select(GitPack).where(GitPack.repo_id == source_id, GitPack.name.in_(source.packs))).scalars():
                session.add(GitPack(repo_id=target_id, name=pack.name, size=pack.size, objects=pack.objects, created_at=utcnow()))
            for name, sha in source.refs.items():
                if name.startswith((HEADS, TAGS)):
                    session.add(GitRef(repo_id=target_id, name=name, target=sha, peeled=source.peeled.get(name, "")))
            values = {"refs_version": Repo.refs_version + 1, "default_branch": source.default_branch}
            session.execute(sa.update(Repo).where(Repo.id == target_id).values(values))
            if apply is not None:
                apply(session)

    def _copy(self, source: str, target: str) -> None:
        temporary = self._blobs.staging / target.replace("/", "-")
        try:
            with temporary.open("wb") as file:
                for chunk in self._blobs.get(source):
                    file.write(chunk)
            self._blobs.put_file(target, temporary, move=True)
        finally:
            temporary.unlink(missing_ok=True)

    def delete_repo(self, repo_id: int) -> None:
        """Remove the stored packs and this node's cache of a repo; call before its rows are removed."""
        state = self.state(repo_id)
        for info in list(self._blobs.list(f"git/{repo_id}/")):
            self._blobs.delete(info.key)
        self._cache.drop(state.key)

    def consolidate(self, repo_id: int, *, min_packs: int = 2) -> MaintenanceReport:
        """Make one pack of many; see `Maintainer.consolidate`."""
        return self._maintainer.consolidate(repo_id, min_packs=min_packs)

    def gc(self, repo_id: int, *, retired: dt.timedelta = RETIRED_GRACE, orphans: dt.timedelta = ORPHAN_GRACE) -> int:
        """Remove stored files that nothing needs, after a grace; returns how many."""
        return self._maintainer.collect(repo_id, retired=retired, orphans=orphans)

    def verify(self, repo_id: int) -> list[str]:
        """Problems of a repo as sentences; empty when it is sound."""
        return self._maintainer.verify(repo_id)

    def evict_cache(self, max_bytes: int) -> int:
        """Shrink this node's cache; returns how many repos were dropped from it."""
        return self._cache.evict(max_bytes)


def _taken(what: str) -> AlreadyExists:
    return AlreadyExists(f"There is a {what} already.", hint="Choose another name.")


def _again(once: Callable[[], _T]) -> _T:
    for _ in range(4):
        try:
            return once()
        except PacksChangedError:
            continue
    raise Unavailable("The repo is being reorganised.", hint="Try again in a moment.")
