"""Files of a repo: reading (Git or LFS, the caller need not know) and committing."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import sqlalchemy as sa

from hub_core.accounts.tables import User
from hub_core.authz import Actor, Permission
from hub_core.db import Database
from hub_core.discussions.rights import require_proposal, require_ref, writes
from hub_core.errors import EntryNotFound, InvalidInput, PermissionDenied, TooLarge
from hub_core.git import Author, CommitResult, FileChange, GitStore, RefHook, RefsApply, TreeEntry
from hub_core.lfs.pointer import format_pointer, parse_pointer
from hub_core.lfs.service import LfsService
from hub_core.names import check_path
from hub_core.reading import FileReader
from hub_core.repos.access import permission_for, require_repo
from hub_core.repos.placing import MAX_INLINE, LfsFile, Placement, Planned, as_pointers, plan, resolve_objects
from hub_core.repos.sync import refs_hook
from hub_core.repos.tables import Repo

MAX_GIT = 8 * MAX_INLINE
READ_LIMIT = 256 * 1024
MAX_ENTRIES = 2000


@dataclass(frozen=True, slots=True)
class FileText:
    """A file as text: at most the asked number of bytes. `binary` files have no content."""

    path: str
    revision: str
    content: str
    size: int
    truncated: bool
    binary: bool
    lfs: bool


@dataclass(frozen=True, slots=True)
class FileListing:
    """Entries of a folder (or of the whole tree) at a commit."""

    revision: str
    entries: list[TreeEntry]
    truncated: bool


@dataclass(frozen=True, slots=True)
class LfsReader:
    """A `FileReader` over an LFS object."""

    lfs: LfsService
    repo_id: int
    oid: str
    size: int
    name: str

    def read(self, start: int, length: int) -> bytes:
        """Bytes `[start, start+length)`, cut at the end of the object."""
        end = min(self.size, start + length)
        return b"".join(self.lfs.read(self.repo_id, self.oid, start, end)) if end > start else b""


@dataclass(slots=True)
class Held:
    """The file of plain Git that was read last, whole. Readers made together share one, so that a repo of many files never fills the memory."""

    sha: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class GitReader:
    """A `FileReader` over a file in plain Git, which is fetched when it is first read."""

    git: GitStore
    repo_id: int
    sha: str
    size: int
    name: str
    held: Held

    def read(self, start: int, length: int) -> bytes:
        """Bytes `[start, start+length)`, cut at the end of the file."""
        if self.held.sha != self.sha:
            self.held.sha, self.held.data = "", b""
            self.held.data, self.held.sha = self.git.blob(self.repo_id, self.sha, limit=MAX_GIT), self.sha
        return self.held.data[start : start + length]


class FileService:
    """Reads and commits files of repos; every commit runs the repo's hook (card, audit)."""

    def __init__(self, db: Database, git: GitStore, lfs: LfsService) -> None:
        self._db = db
        self._git = git
        self._lfs = lfs

    # -- reading ---------------------------------------------------------------------------------------------------

    def tree(self, actor: Actor, repo: Repo, path: str = "", revision: str = "", *, recursive: bool = False) -> FileListing:
        """Entries below `path` at `revision` (default: the default branch); at most 2,000.

        Raises:
            RevisionNotFound, EntryNotFound, InvalidPath.
        """
        self._require(actor, Permission.REPO_READ, repo)
        commit = self._git.resolve(repo.id, revision)
        entries = self._git.tree(repo.id, commit, check_path(path.strip("/")) if path.strip("/") else "", recursive)
        return FileListing(commit, entries[:MAX_ENTRIES], len(entries) > MAX_ENTRIES)

    def paths(self, actor: Actor, repo: Repo, revision: str = "") -> list[str]:
        """All file paths (at most 2,000)."""
        return [entry.path for entry in self.tree(actor, repo, "", revision, recursive=True).entries if entry.kind == "file"]

    def reader(self, actor: Actor, repo: Repo, path: str, revision: str = "") -> FileReader:
        """Random access to a file's real bytes.

        Raises:
            EntryNotFound: no such file, or its LFS object never arrived. TooLarge: over 64 MiB in plain Git.
            GatedRepo: the repo is gated, and the caller was not let in.
        """
        self._require(actor, permission_for(repo, path, revision), repo)
        return self._reader(repo, self._git.resolve(repo.id, revision), path, Held())

    def _reader(self, repo: Repo, commit: str, path: str, held: Held) -> FileReader:
        entry = self._git.entry(repo.id, commit, check_path(path.strip("/")))
        if entry.kind != "file":
            raise EntryNotFound(f"'{path}' is a folder.", hint="list_files shows what is in it.")
        if entry.lfs is None:
            if entry.size > MAX_GIT:
                raise TooLarge(f"'{path}' is larger than {MAX_GIT:,} bytes.", hint="Download it instead.")
            return GitReader(self._git, repo.id, entry.sha, entry.size, path, held)
        if self._lfs.has(repo.id, entry.lfs.oid) is None:
            raise EntryNotFound(f"The LFS object of '{path}' was never uploaded.", hint="Run git lfs push --all origin.")
        return LfsReader(self._lfs, repo.id, entry.lfs.oid, entry.lfs.size, path)

    def readers(self, actor: Actor, repo: Repo, paths: Iterable[str], revision: str = "") -> dict[str, FileReader]:
        """Readers of several files at one commit; raises like `reader`."""
        self._require(actor, Permission.REPO_FILES, repo)
        commit = self._git.resolve(repo.id, revision)
        held = Held()
        return {path: self._reader(repo, commit, path, held) for path in paths}

    def read_text(self, actor: Actor, repo: Repo, path: str, revision: str = "", *, limit: int = READ_LIMIT) -> FileText:
        """A file as text, cut after `limit` bytes at a character boundary; raises like `reader`."""
        self._require(actor, permission_for(repo, path, revision), repo)
        commit = self._git.resolve(repo.id, revision)
        entry = self._git.entry(repo.id, commit, check_path(path.strip("/")))
        reader = self._reader(repo, commit, path, Held())
        data = reader.read(0, min(limit, reader.size))
        binary = b"\0" in data[:8192]
        try:
            text = "" if binary else data.decode("utf-8")
        except UnicodeDecodeError as error:
            cut = error.start >= len(data) - 4 and reader.size > len(data)
            text, binary = (data[: error.start].decode("utf-8"), False) if cut else ("", True)
        return FileText(path.strip("/"), commit, text, reader.size, reader.size > len(data), binary, entry.lfs is not None)

    def check_readable(self, actor: Actor, repo: Repo) -> None:
        """Raise what reading a file would, where the caller may not."""
        self._require(actor, Permission.REPO_FILES, repo)

    # -- writing ---------------------------------------------------------------------------------------------------

    def commit(
        self,
        actor: Actor,
        repo: Repo,
        changes: Iterable[FileChange | LfsFile],
        message: str,
        *,
        branch: str | None = None,
        base: str | None = None,
    ) -> CommitResult:
        """One commit of several changes on `branch` (default: the default branch), in the caller's name.

        Large contents, and those that `.gitattributes` sends there, become LFS objects by themselves.

        Args:
            changes: applied in order; read once, and put into LFS as they come.
            base: the commit the caller has seen as head; None commits on whatever is the head now.

        Raises:
            StaleBase, NothingToCommit, InvalidPath, EntryNotFound, RevisionNotFound, PermissionDenied.
            NotFound: the bytes of an `LfsFile` are not here, or not the caller's to use.
        """
        branch = branch or repo.default_branch
        with self._db.read() as session:
            large = require_ref(session, actor, repo, branch)
        message = _check_message(message)
        ready = self._ready(actor, repo, self._git.resolve(repo.id, branch), changes, large)
        return self._git.commit(repo.id, branch, base, ready, self.author(actor), message, hook=self.hook(actor, repo))

    def commit_apart(
        self,
        actor: Actor,
        repo: Repo,
        changes: Iterable[FileChange | LfsFile],
        message: str,
        *,
        ref: str,
        start: str,
        hook: RefHook,
        large: bool,
    ) -> CommitResult:
        """One commit on top of the commit `start`, under a ref that is made with it; the right to do so was checked before.

        Args:
            large: whether files may go into LFS.

        Raises:
            As `commit`.
        """
        message = _check_message(message)
        ready = self._ready(actor, repo, start, changes, large)
        return self._git.commit(repo.id, ref, start, ready, self.author(actor), message, hook=hook, create=True)

    def _ready(self, actor: Actor, repo: Repo, head: str, changes: Iterable[FileChange | LfsFile], large: bool) -> list[FileChange]:
        """The changes of a commit on `head` as Git takes them, with large contents in LFS."""
        with self._git.objects(repo.id) as store:
            rule = Placement(store, head)
            placed = [self._placed(repo, change, rule, large) for change in changes]
            files = [change for change in placed if isinstance(change, LfsFile)]
            if not large and self._lfs.missing(repo.id, [file.oid for file in files]):
                raise no_large_files(files[0].path)
            return rule.with_attributes(as_pointers(placed, resolve_objects(self._db, self._lfs, actor, repo, files)))

    def plan_upload(
        self,
        actor: Actor,
        repo: Repo,
        sizes: Iterable[tuple[str, int]],
        revision: str = "",
        *,
        ignore: str | None = None,
        proposed: bool = False,
    ) -> list[Planned]:
        """Where files of these paths and sizes would go in a commit on `revision`.

        Args:
            ignore: a `.gitignore` that comes with them.
            proposed: the commit will open a pull request.

        Raises:
            RevisionNotFound, InvalidPath, PermissionDenied.
        """
        with self._db.read() as session:
            large = writes(require_proposal(session, actor, repo)) if proposed else require_ref(session, actor, repo, revision)
        commit = self._git.resolve(repo.id, revision)
        with self._git.objects(repo.id) as store:
            planned = plan(store, commit, sizes, ignore)
        if not large and (found := next((item for item in planned if item.in_lfs and not item.ignored), None)):
            raise no_large_files(found.path)
        return planned

    def commit_stream(
        self, actor: Actor, repo: Repo, path: str, chunks: Iterator[bytes], message: str, *, branch: str | None = None
    ) -> CommitResult:
        """Commit one file of any size from a stream."""
        self._require(actor, Permission.REPO_WRITE, repo)
        head = io.BytesIO()
        for chunk in chunks:
            head.write(chunk)
            if head.tell() > MAX_INLINE:
                break
        data = head.getvalue()
        if len(data) <= MAX_INLINE:
            return self.commit(actor, repo, [FileChange(path, data)], message, branch=branch)

        def whole() -> Iterator[bytes]:
            yield data
            yield from chunks

        pointer = self._lfs.store(repo.id, whole())
        return self.commit(actor, repo, [FileChange(path, format_pointer(pointer))], message, branch=branch)

    def _placed(self, repo: Repo, change: FileChange | LfsFile, rule: Placement, large: bool) -> FileChange | LfsFile:
        """The change with its path checked, and its content in LFS where it belongs there."""
        change = replace(change, path=check_path(change.path.strip("/")))
        rule.note(change)
        if isinstance(change, LfsFile):
            return change
        content = change.content
        if content is not None and parse_pointer(content) is None and rule.in_lfs(change.path, len(content)):
            if not large:
                raise no_large_files(change.path)
            content = format_pointer(self._lfs.store(repo.id, iter([content])))
        move_from = check_path(change.move_from.strip("/")) if change.move_from else None
        return replace(change, content=content, move_from=move_from)

    def hook(self, actor: Actor, repo: Repo, *, opening: int | None = None, within: RefsApply | None = None) -> RefHook:
        """See `sync.refs_hook`; pushes use it too."""
        return refs_hook(self._db, self._lfs, actor, repo, opening=opening, within=within)

    def author(self, actor: Actor) -> Author:
        """Name and address of the caller for commits."""
        with self._db.read() as session:
            email = session.scalar(sa.select(User.email).where(User.id == actor.user_id)) or ""
        return Author(actor.username or "system", email or f"{actor.username or 'system'}@users.hubtalk")

    def _require(self, actor: Actor, permission: Permission, repo: Repo) -> None:
        with self._db.read() as session:
            require_repo(session, actor, permission, repo)


def no_large_files(path: str) -> PermissionDenied:
    """What people hear whose pull request brings a file that would go into the storage of the repo."""
    return PermissionDenied(
        f"'{path}' belongs in LFS, and only people with the role write put large files into this repo.",
        hint="Leave large files out of the pull request, or ask for the role write.",
        path=path,
    )


def _check_message(message: str) -> str:
    clean = message.strip()
    if not clean:
        raise InvalidInput("A commit needs a message.", hint="Say in a line what changes.")
    if len(clean) > 10_000:
        raise TooLarge("A commit message has at most 10,000 characters.")
    return clean
