"""What clients read of one repo at a revision: any number of entries in pages, files with where their bytes are, refs, commits.

Whether the caller may read the repo was checked before, by who found it (`RepoService.open_repo`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub_core.accounts.lookup import storable
from hub_core.errors import EntryNotFound, InvalidInput
from hub_core.git import CommitInfo, GitStore, TreeEntry
from hub_core.git.reading import entry, tree_page
from hub_core.git.refnames import is_sha
from hub_core.lfs.service import LfsService

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class TreePage:
    """Entries of a folder at a commit; `next` is the cursor of the next page."""

    commit: str
    entries: list[TreeEntry]
    next: str | None


@dataclass(frozen=True, slots=True)
class CommitPage:
    """Commits, newest first; `next` is the cursor of the next page."""

    commits: list[CommitInfo]
    next: str | None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file at a commit, and where its bytes are: at most one of `data` (all of a small file), `path` and `url` is set.

    `size` is the size of the real bytes, `etag` names them: the sha256 of an LFS object, else Git's id.
    """

    commit: str
    entry: TreeEntry
    data: bytes | None = None
    path: Path | None = None
    url: str | None = None

    @property
    def etag(self) -> str:
        """See above."""
        return self.entry.lfs.oid if self.entry.lfs else self.entry.sha

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.entry.size


class BrowseService:
    """Reads one repo for clients that want everything of it."""

    def __init__(self, git: GitStore, lfs: LfsService) -> None:
        self._git = git
        self._lfs = lfs

    def tree(self, repo_id: int, revision: str, path: str, *, recursive: bool = False, cursor: str = "", limit: int = MAX_PAGE) -> TreePage:
        """One page of what a folder holds, without submodules. The following pages stay at the commit of the first.

        Raises:
            RevisionNotFound, EntryNotFound: no such revision or folder. InvalidInput: not a cursor of this list.
        """
        pinned, after = _read_cursor(cursor) if cursor else (revision, "")
        with self._git.at(repo_id, pinned) as (commit, store):
            found = tree_page(store, commit, storable(path), recursive, after, limit + 1)
        more = len(found) > limit
        entries = [item for item in found[:limit] if item.kind != "submodule"]
        return TreePage(commit, entries, _cursor(commit, found[limit - 1].path) if more else None)

    def entries(self, repo_id: int, revision: str, paths: Sequence[str]) -> tuple[str, list[TreeEntry]]:
        """The commit of a revision, and those of the paths that are there.

        Raises:
            RevisionNotFound: no such revision.
        """
        found = []
        with self._git.at(repo_id, revision) as (commit, store):
            for path in paths:
                try:
                    found.append(entry(store, commit, storable(path)))
                except EntryNotFound:
                    continue
        return commit, found

    def last_commits(self, repo_id: int, commit: str, paths: Sequence[str]) -> dict[str, CommitInfo]:
        """For each path the newest commit that changed it."""
        return self._git.last_commits(repo_id, commit, paths)

    def file(self, repo_id: int, revision: str, path: str, *, read: int = 0, pointer: bool = False) -> StoredFile:
        """A file and where its bytes are.

        Args:
            read: files in Git of at most so many bytes come with their content.
            pointer: take an LFS file as the pointer that Git has.

        Raises:
            RevisionNotFound: no such revision.
            EntryNotFound: no such file, or its LFS object never arrived; `details["commit"]` is the commit that was looked at.
        """
        with self._git.at(repo_id, revision) as (commit, store):
            try:
                found = entry(store, commit, storable(path))
            except EntryNotFound as error:
                error.details["commit"] = commit
                raise
            if found.kind != "file":
                raise EntryNotFound(f"'{path}' is not a file.", hint="Name a file.", path=path, commit=commit)
            if pointer and found.lfs:
                found = TreeEntry(found.path, found.kind, found.mode, found.sha, store.blob_size(found.sha))
            data = store.blob(found.sha) if found.lfs is None and found.size <= read else None
        return StoredFile(commit, found, data) if found.lfs is None else self._large(repo_id, commit, found)

    def _large(self, repo_id: int, commit: str, found: TreeEntry) -> StoredFile:
        assert found.lfs is not None
        oid = found.lfs.oid
        if self._lfs.has(repo_id, oid) is None:
            hint = "Run git lfs push --all origin."
            raise EntryNotFound(f"The LFS object of '{found.path}' was never uploaded.", hint=hint, path=found.path, commit=commit)
        path = self._lfs.source.local_path(oid)
        url = None if path else self._lfs.source.download_url(oid, filename=found.name)
        return StoredFile(commit, found, path=path, url=url)

    def chunks(self, repo_id: int, file: StoredFile, start: int, end: int) -> Iterator[bytes]:
        """The bytes `[start, end)` of a file."""
        if file.data is not None:
            yield file.data[start:end]
        elif file.entry.lfs is not None:
            yield from self._lfs.source.read(file.entry.lfs.oid, start, end)
        else:
            with self._git.objects(repo_id) as store:
                yield from store.blob_chunks(file.entry.sha, start, end)

    def refs(self, repo_id: int) -> dict[str, str]:
        """Full names of all refs, and the commits behind them."""
        state = self._git.state(repo_id)
        return {name: state.commit_of(name) or target for name, target in state.refs.items()}

    def commits(self, repo_id: int, revision: str, *, cursor: str = "", limit: int = 50) -> CommitPage:
        """One page of the history of a revision.

        Raises:
            RevisionNotFound: no such revision. InvalidInput: not a cursor of this list.
        """
        start, after = _read_cursor(cursor) if cursor else (self._git.resolve(repo_id, revision), "")
        found = self._git.log(repo_id, start, None, limit + 1, after or None)
        more = len(found) > limit
        return CommitPage(found[:limit], _cursor(start, found[limit - 1].sha) if more else None)


def _cursor(commit: str, after: str) -> str:
    return base64.urlsafe_b64encode(f"{commit}{after}".encode("utf-8", "replace")).decode()


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (ValueError, binascii.Error):
        text = ""
    if not is_sha(text[:40]):
        raise InvalidInput("This cursor does not belong to this list.", hint="Start again without a cursor.")
    return text[:40], text[40:]
