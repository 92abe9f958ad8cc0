"""The nouns of the Git store."""

from __future__ import annotations

import datetime as dt
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy.orm import Session

from hub_core.lfs.pointer import LfsPointer

ZERO = "0" * 40
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class GitLimits:
    """What a pack may hold at most."""

    max_pack_bytes: int = 4096 * MIB
    max_object_bytes: int = 2048 * MIB
    max_expanded_bytes: int = 32 * 1024 * MIB
    max_objects: int = 5_000_000
    max_updates: int = 20_000
    in_process_bytes: int = 128 * 1024
    """Packs up to this size are read in process; larger ones by C Git where there is one."""


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """A wish to move a ref from `old` to `new`; `ZERO` stands for absent (create, delete)."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class RefResult:
    """What happened to one update; `reason` says why not."""

    name: str
    ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RepoState:
    """Refs and packs of a repo at one version: immutable, the same for every reader. `initial` is the first commit, made by the hub."""

    repo_id: int
    version: int
    default_branch: str
    key: str
    refs: Mapping[str, str]
    peeled: Mapping[str, str]
    packs: tuple[str, ...]
    initial: str = ""

    @property
    def untouched(self) -> bool:
        """Whether there is nothing but the first commit that the hub made."""
        return bool(self.initial) and self.refs == {f"refs/heads/{self.default_branch}": self.initial}

    def commit_of(self, name: str) -> str | None:
        """The object a ref leads to, annotated tags followed."""
        return self.peeled.get(name) or self.refs.get(name)


@dataclass(frozen=True, slots=True)
class RefsChange:
    """What a hook sees before the transaction.

    Attributes:
        pointers: LFS pointers among the new objects.
        read: content of a path at a commit (old or new), or None.
        commits: what a commit (old or new) has in its history and others have not, the newest first; of very many the newest.
        rewrites: whether an update would take commits out of a ref's history (but for the first one, which the hub made).
        size: bytes of the new objects as they are stored.
    """

    repo_id: int
    default_branch: str
    updates: Sequence[RefUpdate]
    pointers: Sequence[LfsPointer]
    read: Callable[[str, str], bytes | None]
    commits: Callable[[str, Sequence[str]], list[CommitInfo]]
    rewrites: Callable[[RefUpdate], bool]
    size: int = 0


RefsApply = Callable[[Session, Sequence[RefUpdate]], None]
RefHook = Callable[[RefsChange], RefsApply | None]
"""Called before the ref transaction, where it may read and may refuse by raising a `HubError`.
What it returns runs inside the transaction with the updates that were applied."""


@dataclass(frozen=True, slots=True)
class Author:
    """Name and address in a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """One change of a commit: exactly one of `content`, `blob`, `delete`, `move_from` and `lines`.

    `delete` and `move_from` take folders too, unless `expect` says what must be there. For an LFS file `content` is the
    pointer's text. `lines` are added to the end of a file, which is made where it is missing; those that it has are not repeated.
    """

    path: str
    content: bytes | None = None
    blob: str | None = None
    delete: bool = False
    move_from: str | None = None
    executable: bool | None = None
    lines: tuple[bytes, ...] = ()
    expect: Literal["file", "folder"] | None = None


@dataclass(frozen=True, slots=True)
class CommitResult:
    """A commit that is now the head of `branch`."""

    commit: str
    parent: str | None
    branch: str
    changed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file or folder at a commit. `size` of an LFS file is the size of its object; `sha` is the Git id."""

    path: str
    kind: Literal["file", "folder", "submodule"]
    mode: int
    sha: str
    size: int = 0
    lfs: LfsPointer | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_symlink(self) -> bool:
        """Whether the file is a symbolic link."""
        return stat.S_ISLNK(self.mode)


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit."""

    sha: str
    tree: str
    parents: list[str]
    author: Author
    authored_at: dt.datetime
    committer: Author
    committed_at: dt.datetime
    message: str

    @property
    def title(self) -> str:
        """The first line of the message."""
        return self.message.strip().partition("\n")[0]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """How one file differs between two commits."""

    path: str
    old_path: str
    status: Literal["added", "modified", "deleted", "renamed"]
    additions: int
    deletions: int
    patch: str
    binary: bool
    truncated: bool
    old_sha: str
    new_sha: str


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What a consolidation did."""

    packs_before: int
    packs_after: int
    bytes_before: int
    bytes_after: int
    changed: bool
