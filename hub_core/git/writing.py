"""Making commits without a working copy: a folder that is changed in memory, and the objects it becomes."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dulwich.object_format import SHA1
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tag, Tree
from dulwich.pack import write_pack_index, write_pack_objects

from hub_core.errors import EntryNotFound, InvalidInput, InvalidPath
from hub_core.git.checks import Findings
from hub_core.git.ingest import IncomingPack
from hub_core.git.objects import SnapshotStore
from hub_core.git.types import Author, FileChange
from hub_core.names import check_path

FILE, EXECUTABLE = 0o100644, 0o100755


@dataclass(slots=True)
class Folder:
    """A folder that can be changed; sub-folders are read when they are needed."""

    store: SnapshotStore
    source: str | None = None
    _items: dict[str, tuple[int, str] | Folder] | None = None

    def items(self) -> dict[str, tuple[int, str] | Folder]:
        """What it holds: mode and id, or a folder that was opened."""
        if self._items is None:
            self._items = {}
            if self.source is not None:
                for item in self.store.tree(self.source).iteritems():
                    self._items[item.path.decode("utf-8", "surrogateescape")] = (item.mode, item.sha.decode())
        return self._items

    def get(self, path: str) -> tuple[int, str] | Folder | None:
        """What is at a path."""
        here: tuple[int, str] | Folder | None = self
        for part in path.split("/"):
            here = here.child(part) if isinstance(here, Folder) else None
        return here

    def child(self, name: str) -> tuple[int, str] | Folder | None:
        """What is under a name, opened when it is a folder."""
        found = self.items().get(name)
        if isinstance(found, tuple) and stat.S_ISDIR(found[0]):
            found = self.items()[name] = Folder(self.store, found[1])
        return found

    def put(self, path: str, value: tuple[int, str] | Folder) -> None:
        """Place a file or folder.

        Raises:
            InvalidPath: a file is where a folder would have to be, or the other way round.
        """
        *folders, name = path.split("/")
        here = self
        for depth, part in enumerate(folders):
            below = here.child(part)
            if isinstance(below, tuple):
                file = "/".join(folders[: depth + 1])
                raise InvalidPath(f"'{file}' is a file, so nothing can be below it.", hint="Delete or move that file first.", path=file)
            if below is None:
                below = here.items()[part] = Folder(here.store)
            here = below
        existing = here.child(name)
        if isinstance(existing, Folder) and existing.items() and not isinstance(value, Folder):
            raise InvalidPath(f"'{path}' is a folder.", hint="Choose another name or delete the folder first.", path=path)
        here.items()[name] = value

    def take(self, path: str) -> tuple[int, str] | Folder | None:
        """Take out what is at a path."""
        folder, _, name = path.rpartition("/")
        parent = self.get(folder) if folder else self
        if not isinstance(parent, Folder) or parent.child(name) is None:
            return None
        return parent.items().pop(name)

    def write(self, new: list[ShaFile]) -> str | None:
        """Make the trees, adding those that changed to `new`; None for an empty folder."""
        if self._items is None and self.source is not None:
            return self.source
        tree = Tree()
        for name, value in self.items().items():
            if isinstance(value, Folder):
                sha = value.write(new)
                if sha is not None:
                    tree.add(name.encode("utf-8", "surrogateescape"), stat.S_IFDIR, ObjectID(sha.encode()))
            else:
                tree.add(name.encode("utf-8", "surrogateescape"), value[0], ObjectID(value[1].encode()))
        if len(tree) == 0:
            return None
        if tree.id.decode() != self.source:
            new.append(tree)
        return tree.id.decode()


@dataclass(slots=True)
class Draft:
    """A commit in the making: a root folder and the new objects."""

    store: SnapshotStore
    base_tree: str | None
    new: list[ShaFile] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    root: Folder = field(init=False)

    def __post_init__(self) -> None:
        """Open the base."""
        self.root = Folder(self.store, self.base_tree)

    def apply(self, change: FileChange) -> None:
        """Apply one change.

        Raises:
            InvalidPath: the path is not acceptable, or a file and a folder are in each other's way.
            EntryNotFound: nothing to delete or move; no such blob.
            InvalidInput: not exactly one kind of change.
        """
        kinds = [change.content is not None, change.blob is not None, change.delete, change.move_from is not None, bool(change.lines)]
        if sum(kinds) != 1:
            raise InvalidInput("A change has exactly one of content, blob, delete, move_from and lines.")
        if change.delete:
            self._delete(self._existing(change.path), change.expect)
        elif change.move_from is not None:
            self._move(self._existing(change.move_from), check_path(change.path))
        else:
            self._write(check_path(change.path), change)
        self.changed.append(change.path)

    def _delete(self, path: str, expect: str | None) -> None:
        found = self.root.get(path)
        if found is None or expect == ("file" if isinstance(found, Folder) else "folder"):
            raise _nothing(path)
        self.root.take(path)

    def _existing(self, path: str) -> str:
        # A file that came in by push may have a name that is not in normal form.
        return path if path and self.root.get(path) is not None else check_path(path.rstrip("/"))

    def _move(self, source: str, target: str) -> None:
        if target == source or target.startswith(source + "/"):
            raise InvalidPath(f"'{source}' cannot be moved to '{target}'.", hint="Choose another place.")
        if self.root.get(target) is not None:
            raise InvalidPath(f"'{target}' exists already.", hint="Choose another name or delete it first.")
        taken = self.root.take(source)
        if taken is None:
            raise _nothing(source)
        self.root.put(target, taken)
        self.changed.append(source)

    def _write(self, path: str, change: FileChange) -> None:
        existing = self.root.get(path)
        executable = change.executable
        if executable is None:
            executable = isinstance(existing, tuple) and existing[0] == EXECUTABLE
        content = self._with_lines(existing, change.lines) if change.lines else change.content
        if content is not None:
            blob = Blob.from_string(content)
            sha = blob.id.decode()
            self.findings.note_blob(content)
            self.add(blob)
        else:
            sha = change.blob or ""
            if self.store.kind_of(sha) != 3:
                raise EntryNotFound("There is no file content of that id.", hint="Give the content instead.")
        self.root.put(path, (EXECUTABLE if executable else FILE, sha))

    def _with_lines(self, existing: tuple[int, str] | Folder | None, lines: Sequence[bytes]) -> bytes:
        before = b""
        if isinstance(existing, tuple):
            made = next((item for item in self.new if item.id.decode() == existing[1]), None)
            before = made.as_raw_string() if made is not None else self.store.blob(existing[1])
        known = set(before.splitlines())
        ending = b"" if not before or before.endswith(b"\n") else b"\n"
        return before + ending + b"".join(line + b"\n" for line in lines if line not in known)

    def add(self, item: ShaFile) -> None:
        """Add an object, unless the repo has it."""
        if self.store.kind_of(item.id.decode()) is None:
            self.new.append(item)

    def tree(self) -> str:
        """Make the trees; returns the root's id."""
        trees: list[ShaFile] = []
        sha = self.root.write(trees)
        if sha is None:
            empty = Tree()
            trees.append(empty)
            sha = empty.id.decode()
        for item in trees:
            self.add(item)
        return sha

    def commit(self, tree: str, parents: Sequence[str], author: Author, message: str, *, when: int | None = None) -> str:
        """Make the commit; returns its id."""
        commit = Commit()
        commit.tree = ObjectID(tree.encode())
        commit.parents = [ObjectID(parent.encode()) for parent in parents]
        commit.author = commit.committer = identity(author)
        commit.author_time = commit.commit_time = int(time.time()) if when is None else when
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = clean_message(message)
        self.new.append(commit)
        return commit.id.decode()

    def pack(self, folder: Path) -> IncomingPack:
        """Write the new objects as a pack into `folder`."""
        unique = {item.id: item for item in self.new}
        return write_pack(folder, list(unique.values()), self.findings)


def write_pack(folder: Path, objects: Iterable[ShaFile], findings: Findings) -> IncomingPack:
    """Write objects as a pack with its index."""
    raw = folder / "new.pack"
    with raw.open("wb") as file:
        written, checksum = write_pack_objects(file, [(item, None) for item in objects], object_format=SHA1, deltify=False)
    name = bytes(checksum).hex()
    pack = folder / "objects" / "pack" / f"pack-{name}.pack"
    raw.rename(pack)
    entries = sorted((sha, offset, crc) for sha, (offset, crc) in written.items())
    with pack.with_suffix(".idx").open("wb") as file:
        write_pack_index(file, entries, checksum, version=2)
    return IncomingPack(name, pack, pack.with_suffix(".idx"), len(entries), findings)


def make_tag(name: str, target: str, tagger: Author, message: str) -> Tag:
    """An annotated tag on a commit."""
    tag = Tag()
    tag.name = name.encode()
    tag.object = (Commit, target.encode())
    tag.tagger = identity(tagger)
    tag.tag_time = int(time.time())
    tag.tag_timezone = 0
    tag.message = clean_message(message)
    return tag


def identity(author: Author) -> bytes:
    """Name and address as Git writes them, without what would break the line."""

    def clean(text: str) -> str:
        kept = "".join(" " if char in "<>\n\r\0" else char for char in text)
        return " ".join(kept.split()).strip(".,:;\"'\\ ")

    return f"{clean(author.name) or 'unknown'} <{clean(author.email)}>".encode("utf-8", "replace")


def clean_message(message: str) -> bytes:
    """A message without NUL, with one line end at its end."""
    return (message.replace("\0", "").replace("\r\n", "\n").strip() or "Update").encode("utf-8", "replace") + b"\n"


def _nothing(path: str) -> EntryNotFound:
    return EntryNotFound(f"There is no file or folder '{path}'.", hint="List the files to see what there is.", path=path)
