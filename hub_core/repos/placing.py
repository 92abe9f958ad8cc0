"""Where a file's content lives: in Git, or in LFS with a pointer in Git. One rule for pages, tools, chat and every dialect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import sqlalchemy as sa

from hub_core.authz import Actor
from hub_core.db import Database
from hub_core.errors import HashMismatch, NotFound
from hub_core.git import FileChange
from hub_core.git.objects import SnapshotStore
from hub_core.git.patterns import Attributes, lfs_line, read_ignore
from hub_core.git.reading import describe, find
from hub_core.lfs.pointer import LfsPointer, format_pointer, parse_pointer
from hub_core.lfs.service import LfsService
from hub_core.lfs.tables import LfsLink
from hub_core.names import check_path
from hub_core.repos.access import readable
from hub_core.repos.seed import LFS_SUFFIXES
from hub_core.repos.tables import Repo

MAX_INLINE = 8 * 1024 * 1024
# Git and git-lfs read these before any filter could run.
_ALWAYS_GIT = {".gitattributes", ".gitignore", ".gitmodules", ".lfsconfig"}
_ATTRIBUTES = ".gitattributes"


@dataclass(frozen=True, slots=True)
class LfsFile:
    """A change of a commit: a file whose bytes are an LFS object already. The size may be left to the hub."""

    path: str
    oid: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """Where a file would go. `oid` is what the path holds now: the sha256 of an LFS file, else the Git id; empty for nothing.

    `folder` tells that a folder has this path.
    """

    path: str
    in_lfs: bool
    ignored: bool
    oid: str
    folder: bool = False


class Placement:
    """The rule for one commit in the making: size, `.gitattributes`, and endings that are large as a rule."""

    def __init__(self, store: SnapshotStore, commit: str) -> None:
        self._store = store
        self._commit = commit
        self._given: dict[str, bytes | None] = {}
        self._attributes = Attributes(self._read)

    def _read(self, path: str) -> bytes | None:
        return self._given[path] if path in self._given else self._store.file_at(self._commit, path)

    def note(self, change: FileChange | LfsFile) -> None:
        """Go by the `.gitattributes` of a change from here on."""
        if isinstance(change, FileChange) and PurePosixPath(change.path).name == _ATTRIBUTES:
            self._given[change.path] = change.content
            self._attributes = Attributes(self._read)

    def in_lfs(self, path: str, size: int) -> bool:
        """Whether a file of that many bytes belongs in LFS."""
        if not size or PurePosixPath(path).name in _ALWAYS_GIT:
            return False
        said = self._attributes.filter_of(path)
        if size > MAX_INLINE or said is None:
            return size > MAX_INLINE or PurePosixPath(path).suffix.lower().lstrip(".") in LFS_SUFFIXES
        return said == "lfs"

    def with_attributes(self, changes: Sequence[FileChange]) -> list[FileChange]:
        """The changes, with a line in `.gitattributes` for every LFS file that nothing there sends to LFS.

        Without it a clone would have the pointer in place of the file.
        """
        lines = [
            lfs_line(change.path)
            for change in changes
            if change.content is not None and parse_pointer(change.content) and self._attributes.filter_of(change.path) != "lfs"
        ]
        return [*changes, FileChange(_ATTRIBUTES, lines=tuple(dict.fromkeys(lines)))] if lines else list(changes)


def plan(store: SnapshotStore, commit: str, sizes: Iterable[tuple[str, int]], ignore: str | None) -> list[Planned]:
    """Where files of these paths and sizes would go; `ignore` stands in for the `.gitignore` at the commit.

    As in Git, a file that is there already is not ignored.
    """
    rule = Placement(store, commit)
    rules = read_ignore((store.file_at(commit, ".gitignore") or b"") if ignore is None else ignore.encode("utf-8", "replace"))
    tree, planned = store.commit(commit).tree.decode(), []
    for path, size in sizes:
        clean = check_path(path.strip("/"))
        found = find(store, tree, clean)
        entry = describe(store, clean, *found) if found else None
        held = (entry.lfs.oid if entry.lfs else entry.sha) if entry and entry.kind == "file" else ""
        planned.append(
            Planned(path, rule.in_lfs(clean, size), not held and rules.ignores(clean), held, bool(entry and entry.kind == "folder"))
        )
    return planned


def resolve_objects(db: Database, lfs: LfsService, actor: Actor, repo: Repo, files: Iterable[LfsFile]) -> dict[str, LfsPointer]:
    """Pointers for files whose bytes are on the hub. The repo comes to hold objects of other repos that the caller may read.

    Raises:
        NotFound: no repo that the caller may read holds an object; that somebody else's does is no reason.
        HashMismatch: the object has another size than was said.
    """
    wanted = {file.oid: file for file in files}
    _take_over(db, lfs, actor, repo, lfs.missing(repo.id, wanted))
    held = lfs.sizes(repo.id, list(wanted))
    for oid, file in wanted.items():
        if oid not in held:
            raise NotFound(f"The content of '{file.path}' ({oid[:12]}) was not uploaded to this repo.", hint="Upload it with LFS first.")
        if file.size not in (None, held[oid]):
            raise HashMismatch(f"The content of '{file.path}' has {held[oid]} bytes, not {file.size}.", hint="Upload the file again.")
    return {oid: LfsPointer(oid, size) for oid, size in held.items()}


def _take_over(db: Database, lfs: LfsService, actor: Actor, repo: Repo, missing: set[str]) -> None:
    if not missing:
        return
    oids = sorted(missing)
    with db.read() as session:
        holders = sa.select(Repo.id).where(Repo.deleted_at.is_(None), readable(actor))
        found: dict[str, int] = {}
        for first in range(0, len(oids), 500):
            query = sa.select(LfsLink.oid, LfsLink.repo_id).where(LfsLink.oid.in_(oids[first : first + 500]), LfsLink.repo_id.in_(holders))
            found.update(session.execute(query).all())
    for source in set(found.values()):
        lfs.link_from(repo.id, source, [oid for oid, repo_id in found.items() if repo_id == source])


def as_pointers(changes: Sequence[FileChange | LfsFile], pointers: dict[str, LfsPointer]) -> list[FileChange]:
    """The changes with LFS files as what Git stores of them."""
    return [FileChange(change.path, format_pointer(pointers[change.oid])) if isinstance(change, LfsFile) else change for change in changes]
