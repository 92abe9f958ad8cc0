"""Writing in process: commits on a branch, tags, merges and reverts. The ref moves by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dulwich.objects import Commit

from hub_core.errors import (
    Conflict,
    InvalidInput,
    InvalidPath,
    InvalidRef,
    MergeConflict,
    NothingToCommit,
    RevisionNotFound,
    StaleBase,
    Unavailable,
)
from hub_core.git.cache import NodeCache
from hub_core.git.checks import Findings
from hub_core.git.merging import merge_into
from hub_core.git.objects import ObjectPool, SnapshotStore
from hub_core.git.publish import Publisher
from hub_core.git.reading import is_ancestor, merge_base
from hub_core.git.refnames import HEADS, TAGS, check_short, valid_ref
from hub_core.git.refs import PacksChangedError, RefStore, first_failure
from hub_core.git.types import ZERO, Author, CommitResult, FileChange, RefHook, RefUpdate
from hub_core.git.writing import Draft, make_tag, write_pack

_ATTEMPTS = 12
Build = Callable[[SnapshotStore, str | None], tuple[Draft, str]]


def branch_ref(branch: str) -> str:
    """The full name of a branch; names that begin with `refs/` are full already.

    Raises:
        InvalidRef: it cannot be a branch.
    """
    if branch.startswith("refs/"):
        if not valid_ref(branch) or branch.startswith(TAGS):
            raise InvalidRef(f"'{branch}' is not a branch.", hint="Name a branch like main.")
        return branch
    return HEADS + check_short(branch)


@dataclass(frozen=True, slots=True)
class Committer:
    """Makes commits."""

    refs: RefStore
    pool: ObjectPool
    cache: NodeCache
    publisher: Publisher

    def commit(
        self,
        repo_id: int,
        branch: str,
        parent: str | None,
        changes: Sequence[FileChange],
        author: Author,
        message: str,
        *,
        hook: RefHook | None,
        create: bool,
    ) -> CommitResult:
        """Apply changes to a branch as one commit; see `GitStore.commit`."""
        name = branch_ref(branch)

        def build(store: SnapshotStore, head: str | None) -> tuple[Draft, str]:
            base = head
            if head is None:
                if not create:
                    raise RevisionNotFound(f"There is no branch '{branch}' in this repo.", hint="Create the branch first.")
                base = parent
            elif parent is not None and (len(parent) < 7 or not head.startswith(parent)):
                raise _stale(branch, head)
            base_tree = store.commit(base).tree.decode() if base else None
            draft = Draft(store, base_tree)
            for change in changes:
                draft.apply(change)
            tree = draft.tree()
            if tree == base_tree:
                raise NothingToCommit(
                    "Nothing changes: the files have this content already.", hint="Change something first.", head=base or ""
                )
            return draft, draft.commit(tree, [base] if base else [], author, message)

        return self._write(repo_id, name, branch, build, hook, retry=parent is None)

    def merge(self, repo_id: int, branch: str, head: str, author: Author, message: str, *, hook: RefHook | None) -> CommitResult:
        """Merge a commit into a branch; see `GitStore.merge`."""

        def build(store: SnapshotStore, ours: str | None) -> tuple[Draft, str]:
            if ours is None:
                raise RevisionNotFound(f"There is no branch '{branch}' in this repo.", hint="List the branches.")
            if is_ancestor(store, head, ours):
                raise NothingToCommit("The branch has these commits already.", hint="There is nothing to merge.", head=ours)
            base = merge_base(store, ours, head)
            draft = Draft(store, store.commit(ours).tree.decode())
            _three_way(draft, store, base, head)
            return draft, draft.commit(draft.tree(), [ours, head], author, message)

        return self._write(repo_id, branch_ref(branch), branch, build, hook, retry=True)

    def revert(self, repo_id: int, branch: str, commit: str, author: Author, message: str, *, hook: RefHook | None) -> CommitResult:
        """Undo what one commit changed; see `GitStore.revert`."""

        def build(store: SnapshotStore, ours: str | None) -> tuple[Draft, str]:
            if ours is None:
                raise RevisionNotFound(f"There is no branch '{branch}' in this repo.", hint="List the branches.")
            undone = store.commit(commit)
            if not is_ancestor(store, commit, ours):
                raise InvalidInput(f"The commit {commit[:12]} is not part of '{branch}'.", hint="List the commits of the branch.")
            draft = Draft(store, store.commit(ours).tree.decode())
            _three_way(draft, store, commit, undone.parents[0].decode() if undone.parents else None)
            tree = draft.tree()
            if tree == draft.base_tree:
                raise InvalidInput("Nothing changes: what the commit did is not there any more.", hint="Compare the revisions.")
            title = undone.message.decode("utf-8", "replace").strip().partition("\n")[0]
            text = message or f'Revert "{title}"\n\nThis reverts commit {commit}.'
            return draft, draft.commit(tree, [ours], author, text)

        return self._write(repo_id, branch_ref(branch), branch, build, hook, retry=True)

    def squash(self, repo_id: int, branch: str, author: Author, message: str, *, hook: RefHook | None) -> CommitResult:
        """Put a commit without history in place of a branch's head; see `GitStore.squash`."""

        def build(store: SnapshotStore, head: str | None) -> tuple[Draft, str]:
            if head is None:
                raise RevisionNotFound(f"There is no branch '{branch}' in this repo.", hint="List the branches.")
            tree = store.commit(head).tree.decode()
            draft = Draft(store, tree)
            return draft, draft.commit(tree, [], author, message)

        return self._write(repo_id, branch_ref(branch), branch, build, hook, retry=True)

    def _write(self, repo_id: int, name: str, branch: str, build: Build, hook: RefHook | None, *, retry: bool) -> CommitResult:
        with self.cache.turn(repo_id):
            return self._write_in_turn(repo_id, name, branch, build, hook, retry=retry)

    def _write_in_turn(self, repo_id: int, name: str, branch: str, build: Build, hook: RefHook | None, *, retry: bool) -> CommitResult:
        for _ in range(_ATTEMPTS):
            state = self.refs.state(repo_id)
            head = state.refs.get(name)
            with self.cache.incoming(state) as quarantine, self.pool.open(state) as behind:
                draft, commit = build(behind, head)
                pack = draft.pack(quarantine)
                store = SnapshotStore(quarantine / "objects", behind)
                try:
                    results = self.publisher.publish(state, store, [RefUpdate(name, head or ZERO, commit)], pack=pack, hook=hook)
                except PacksChangedError:
                    continue
                finally:
                    store.close_own()
            failed = first_failure(results)
            if failed is None:
                made = next(item for item in draft.new if item.id.decode() == commit)
                parents = made.parents if isinstance(made, Commit) else []
                return CommitResult(commit, parents[0].decode() if parents else None, branch, sorted(set(draft.changed)))
            now = self.refs.state(repo_id).refs.get(name)
            if now == head:
                raise InvalidRef(f"The branch '{branch}' cannot be written: {failed.reason}.", hint="Choose another name.")
            if not retry:
                raise _stale(branch, now or "")
        raise Unavailable(f"The branch '{branch}' is changing too fast.", hint="Try again in a moment.")

    def tag(self, repo_id: int, name: str, commit: str, message: str, tagger: Author, *, hook: RefHook | None) -> str:
        """Make an annotated tag; returns its id.

        Raises:
            PacksChangedError: try again.
        """
        state = self.refs.state(repo_id)
        with self.cache.incoming(state) as quarantine, self.pool.open(state) as behind:
            tag = make_tag(name, commit, tagger, message)
            pack = write_pack(quarantine, [tag], Findings())
            store = SnapshotStore(quarantine / "objects", behind)
            try:
                results = self.publisher.publish(state, store, [RefUpdate(TAGS + name, ZERO, tag.id.decode())], pack=pack, hook=hook)
            finally:
                store.close_own()
        failed = first_failure(results)
        if failed:
            raise Conflict(f"The tag '{name}' cannot be made: {failed.reason}.", hint="Choose another name.")
        return tag.id.decode()


def _three_way(draft: Draft, store: SnapshotStore, base: str | None, theirs: str | None) -> None:
    trees = [store.commit(sha).tree.decode() if sha else None for sha in (base, theirs)]
    try:
        conflicts = merge_into(draft, trees[0], trees[1] or _EMPTY_TREE)
    except InvalidPath as error:
        raise MergeConflict(error.message, hint="Change the files by hand.", paths=[str(error.details.get("path", ""))]) from error
    if conflicts:
        shown = ", ".join(conflicts[:5]) + (" and more" if len(conflicts) > 5 else "")
        raise MergeConflict(f"Both sides changed {shown}.", hint="Change the files by hand.", paths=conflicts[:200])


def conflicts(store: SnapshotStore, ours: str, theirs: str) -> list[str]:
    """The paths that would be in the way of merging one commit into another; at most 200."""
    draft = Draft(store, store.commit(ours).tree.decode())
    try:
        _three_way(draft, store, merge_base(store, ours, theirs), theirs)
    except MergeConflict as error:
        return list(error.details["paths"])
    return []


_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def _stale(branch: str, head: str) -> StaleBase:
    return StaleBase(
        f"Somebody else changed '{branch}' meanwhile; nothing was written.", hint="Read the newest version and try again.", head=head
    )
