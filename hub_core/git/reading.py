"""Reading revisions, folders, files and history."""

from __future__ import annotations

import datetime as dt
import heapq
import re
import stat
from collections.abc import Iterator, Sequence
from itertools import islice

from dulwich.graph import _find_lcas
from dulwich.objects import S_ISGITLINK, Commit, Tree

from hub_core.errors import EntryNotFound, InvalidRef, LimitExceeded, RevisionNotFound, TooLarge
from hub_core.git.objects import SnapshotStore
from hub_core.git.refnames import HEADS, TAGS
from hub_core.git.types import Author, CommitInfo, RepoState, TreeEntry

MAX_ENTRIES = 500_000
_HEX = re.compile(r"[0-9a-f]{7,40}")


def resolve(state: RepoState, store: SnapshotStore, revision: str) -> str:
    """The commit that a revision names: a branch, tag, full ref, or (abbreviated) id; empty or `HEAD` is the default branch.

    Raises:
        RevisionNotFound: it names nothing, or something without a commit.
        InvalidRef: an abbreviation fits several commits.
    """
    wanted = revision or "HEAD"
    if wanted == "HEAD":
        wanted = HEADS + state.default_branch
    for name in (wanted, HEADS + wanted, TAGS + wanted):
        target = state.commit_of(name)
        if target is not None and store.kind_of(target) == 1:
            return target
    short = wanted.lower()
    if len(short) == 40 and _HEX.fullmatch(short) and store.kind_of(short) == 1:
        return short
    if _HEX.fullmatch(short):
        found = [short] if len(short) == 40 else store.by_prefix(short)
        commits = sorted({peeled for sha in found if (peeled := store.behind_tags(sha)) and store.kind_of(peeled) == 1})
        if len(commits) > 1:
            raise InvalidRef(f"'{short}' fits several commits.", hint="Give more digits.")
        if commits:
            return commits[0]
    hint = "The repo has no commits yet." if not state.refs else "List the branches and tags to see what there is."
    raise RevisionNotFound(f"There is no branch, tag or commit '{revision or state.default_branch}' in this repo.", hint=hint)


def commit_info(commit: Commit) -> CommitInfo:
    """A commit in the hub's terms."""
    return CommitInfo(
        sha=commit.id.decode(),
        tree=commit.tree.decode(),
        parents=[parent.decode() for parent in commit.parents],
        author=_person(commit.author),
        authored_at=_moment(commit.author_time),
        committer=_person(commit.committer),
        committed_at=_moment(commit.commit_time),
        message=commit.message.decode("utf-8", "replace"),
    )


def _person(identity: bytes) -> Author:
    name, _, rest = identity.decode("utf-8", "replace").partition("<")
    return Author(name.strip(), rest.partition(">")[0].strip())


def _moment(seconds: int) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return dt.datetime.fromtimestamp(0, dt.UTC)


def _parts(path: str) -> list[str]:
    return [part for part in path.strip("/").split("/") if part]


def find(store: SnapshotStore, tree: str, path: str) -> tuple[int, str] | None:
    """Mode and id of what is at a path; None when nothing is."""
    mode, sha = stat.S_IFDIR, tree
    for part in _parts(path):
        if not stat.S_ISDIR(mode):
            return None
        found = store.folder(sha).get(part.encode("utf-8", "surrogateescape"))
        if found is None:
            return None
        mode, sha = found[0], found[1].decode()
    return mode, sha


def _missing(path: str) -> EntryNotFound:
    return EntryNotFound(f"There is no file or folder '{path}' at this revision.", hint="List the files to see what there is.", path=path)


def describe(store: SnapshotStore, path: str, mode: int, sha: str) -> TreeEntry:
    """An entry with its size, and its LFS pointer if it is one."""
    if stat.S_ISDIR(mode):
        return TreeEntry(path, "folder", mode, sha)
    if S_ISGITLINK(mode):
        return TreeEntry(path, "submodule", mode, sha)
    size, pointer = store.blob_facts(sha)
    pointer = pointer if stat.S_ISREG(mode) else None
    return TreeEntry(path, "file", mode, sha, pointer.size if pointer else size, pointer)


def entry(store: SnapshotStore, commit: str, path: str) -> TreeEntry:
    """The entry at a path.

    Raises:
        EntryNotFound: nothing is there.
        RevisionNotFound: no such commit.
    """
    found = find(store, store.root(commit), path)
    if found is None or not _parts(path):
        raise _missing(path)
    return describe(store, "/".join(_parts(path)), *found)


def tree(store: SnapshotStore, commit: str, path: str, recursive: bool) -> list[TreeEntry]:
    """What a folder holds, in Git's order; with `recursive` everything below it, folders included.

    Raises:
        EntryNotFound: no such folder.
        LimitExceeded: more than 500,000 entries.
    """
    found = find(store, store.root(commit), path)
    if found is None or not stat.S_ISDIR(found[0]):
        raise _missing(path)
    prefix = "/".join(_parts(path))
    entries: list[TreeEntry] = []
    for name, mode, sha in walk(store, found[1], prefix, recursive):
        entries.append(describe(store, name, mode, sha))
    return entries


def tree_page(store: SnapshotStore, commit: str, path: str, recursive: bool, after: str, limit: int) -> list[TreeEntry]:
    """Like `tree`, at most `limit` entries that follow the path `after`."""
    found = find(store, store.root(commit), path)
    if found is None or not stat.S_ISDIR(found[0]):
        raise _missing(path)
    page = islice(walk(store, found[1], "/".join(_parts(path)), recursive, after), limit)
    return [describe(store, *item) for item in page]


def walk(store: SnapshotStore, tree_sha: str, prefix: str, recursive: bool, after: str = "") -> Iterator[tuple[str, int, str]]:
    """Path, mode and id of what a tree holds, depth first; with `after` only what follows that path.

    Raises:
        LimitExceeded: more than 500,000 entries.
    """
    stack = [iter([(prefix, stat.S_IFDIR, tree_sha)])]
    count = 0
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
            continue
        path, mode, sha = item
        root = not count and sha == tree_sha and path == prefix
        if not root and not _leads_to(path, after):
            yield path, mode, sha
        count += 1
        if count > MAX_ENTRIES or len(stack) > 1000:
            # A few small trees can name each other into billions of files.
            raise LimitExceeded(f"The folder holds more than {MAX_ENTRIES:,} entries.", hint="List a folder below it.")
        if stat.S_ISDIR(mode) and (root or recursive):
            items = _items(store.tree(sha))
            if after and _leads_to(path, after):
                items = _from(items, after[len(path) :].lstrip("/").partition("/")[0])
            stack.append(iter([(_join(path, name), mode, sha) for name, mode, sha in items]))


def _leads_to(path: str, after: str) -> bool:
    """Whether `after` is this path or lies below it."""
    return bool(after) and (not path or path == after or after.startswith(f"{path}/"))


def _from(items: list[tuple[str, int, str]], name: str) -> list[tuple[str, int, str]]:
    """The items from that name on; all of them where none has it."""
    index = next((index for index, item in enumerate(items) if item[0] == name), 0)
    return items[index:]


def _items(folder: Tree) -> list[tuple[str, int, str]]:
    return [(item.path.decode("utf-8", "replace"), item.mode, item.sha.decode()) for item in folder.iteritems()]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def blob(store: SnapshotStore, sha: str, limit: int | None) -> bytes:
    """The content of a file.

    Raises:
        TooLarge: it is longer than `limit`.
        EntryNotFound: there is no such blob.
    """
    if store.kind_of(sha) != 3:
        raise EntryNotFound("There is no file content of that id.", hint="List the files to see what there is.")
    if limit is not None and store.blob_size(sha) > limit:
        raise TooLarge(f"The file is larger than {limit:,} bytes.", hint="Download it instead.")
    return store.blob(sha)


def history(store: SnapshotStore, start: str) -> Iterator[Commit]:
    """Commits from `start` back, newest first, children before parents where dates allow."""
    first = store.commit(start)
    heap: list[tuple[int, int, Commit]] = [(-first.commit_time, 0, first)]
    seen, counter = {start}, 0
    while heap:
        commit = heapq.heappop(heap)[2]
        yield commit
        for parent in commit.parents:
            sha = parent.decode()
            if sha not in seen:
                seen.add(sha)
                counter += 1
                loaded = store.commit(sha)
                heapq.heappush(heap, (-loaded.commit_time, counter, loaded))


def log(store: SnapshotStore, start: str, path: str | None, limit: int, after: str | None) -> list[CommitInfo]:
    """Commits that touched a path (or all), newest first; `after` continues behind a commit of an earlier answer.

    Raises:
        RevisionNotFound: no such commit.
    """
    found: list[CommitInfo] = []
    skipping = after is not None
    lookup = _Lookup(store, path or "")
    for commit in history(store, start):
        if skipping:
            skipping = commit.id.decode() != after
            continue
        if path and _parts(path) and not _touches(store, commit, lookup):
            continue
        found.append(commit_info(commit))
        if len(found) == limit:
            break
    return found


def between(store: SnapshotStore, head: str, without: Sequence[str], limit: int = 100) -> list[CommitInfo]:
    """Commits in the history of `head` that none of `without` has in its own, the newest first.

    Raises:
        RevisionNotFound: one of them is not there.
    """
    known, waiting, found = set(without), set[str](), list[Commit]()
    heap: list[tuple[int, int, Commit]] = []
    seen: set[str] = set()

    def add(sha: str) -> None:
        if sha not in seen:
            seen.add(sha)
            loaded = store.commit(sha)
            heapq.heappush(heap, (-loaded.commit_time, len(seen), loaded))
            if sha not in known:
                waiting.add(sha)

    for sha in (head, *without):
        add(sha)
    # Until what is left is in the history of the others anyway.
    while waiting and len(found) < limit and len(seen) < MAX_ENTRIES:
        commit = heapq.heappop(heap)[2]
        waiting.discard(commit.id.decode())
        if commit.id.decode() not in known:
            found.append(commit)
        for parent in commit.parents:
            if commit.id.decode() in known:
                known.add(parent.decode())
                waiting.discard(parent.decode())
            add(parent.decode())
    return [commit_info(commit) for commit in found if commit.id.decode() not in known]


class _Lookup:
    """What is at one path in many trees; neighbouring commits share most folders, so steps are remembered."""

    def __init__(self, store: SnapshotStore, path: str) -> None:
        self._store = store
        self._parts = [part.encode("utf-8", "surrogateescape") for part in _parts(path)]
        self._steps: dict[tuple[int, str], tuple[int, str] | None] = {}

    def at(self, tree_sha: str) -> tuple[int, str] | None:
        """Mode and id under a root tree; None when nothing is there."""
        here: tuple[int, str] | None = (stat.S_IFDIR, tree_sha)
        for depth in range(len(self._parts)):
            if here is None or not stat.S_ISDIR(here[0]):
                return None
            here = self._step(depth, here[1])
        return here

    def _step(self, depth: int, sha: str) -> tuple[int, str] | None:
        if (depth, sha) not in self._steps:
            folder, name = self._store.tree(sha), self._parts[depth]
            self._steps[depth, sha] = (folder[name][0], folder[name][1].decode()) if name in folder else None
        return self._steps[depth, sha]


def _touches(store: SnapshotStore, commit: Commit, lookup: _Lookup) -> bool:
    here = lookup.at(commit.tree.decode())
    if not commit.parents:
        return here is not None
    return all(lookup.at(store.commit(parent.decode()).tree.decode()) != here for parent in commit.parents)


def last_commits(store: SnapshotStore, start: str, paths: Sequence[str], depth: int = 5_000) -> dict[str, CommitInfo]:
    """For each path the newest commit that changed it; paths that were last changed more than `depth` commits ago are left out."""
    tree = store.commit(start).tree.decode()
    lookups = {path: _Lookup(store, path) for path in paths}
    wanted = {path: lookup.at(tree) for path, lookup in lookups.items()}
    found: dict[str, CommitInfo] = {}
    for commit in islice(history(store, start), depth):
        if not wanted:
            break
        tree = commit.tree.decode()
        before = [store.commit(parent.decode()).tree.decode() for parent in commit.parents]
        if tree in before:
            continue
        for path, value in list(wanted.items()):
            at = lookups[path].at
            if at(tree) == value and all(at(older) != value for older in before):
                found[path] = commit_info(commit)
                del wanted[path]
    return found


def is_ancestor(store: SnapshotStore, ancestor: str, descendant: str) -> bool:
    """Whether one commit is in the history of another (a commit is in its own).

    Raises:
        RevisionNotFound: one of them is not there.
    """
    store.commit(ancestor)
    return any(commit.id.decode() == ancestor for commit in history(store, descendant))


def merge_base(store: SnapshotStore, one: str, other: str) -> str | None:
    """The best common ancestor of two commits, or None.

    Raises:
        RevisionNotFound: one of them is not there.
    """
    found = _find_lcas(
        lambda sha: store.commit(sha.decode()).parents,
        store.commit(one).id,
        [store.commit(other).id],
        lambda sha: store.commit(sha.decode()).commit_time,
    )
    return found[0].decode() if found else None
