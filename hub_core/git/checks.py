"""What an object from outside must be like before it may enter a repo: the rules of `git fsck` and of file names."""

from __future__ import annotations

import re
import stat
from collections import Counter
from dataclasses import dataclass, field

from dulwich.errors import ObjectFormatException
from dulwich.objects import S_IFGITLINK, Commit, ShaFile, Tag, Tree, parse_tree

from hub_core.errors import InvalidPack, InvalidPath
from hub_core.lfs.pointer import MAX_POINTER, LfsPointer, parse_pointer
from hub_core.names import check_path
from hub_core.scanning.secrets import secrets_in

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
KIND_NAMES = {COMMIT: "commit", TREE: "tree", BLOB: "blob", TAG: "tag"}
_PLAIN = re.compile(rb"[A-Za-z0-9_+=,@#()\[\]{}-][A-Za-z0-9._+=,@#()\[\]{} -]*[A-Za-z0-9_+=,@#()\[\]{}-]|[A-Za-z0-9_-]")
_MODES = {0o100644, 0o100755, 0o100664, stat.S_IFLNK, stat.S_IFDIR, S_IFGITLINK}
_MAX_NAME = 255
MAX_SEARCHED = 64 * 1024
"""Bytes of a file up to which it is searched for secrets while it comes in; a scan looks at all of them later."""
_MAX_KNOWN = 500_000
_ENTRY = re.compile(rb"([^\0]+)\0.{20}", re.DOTALL)  # mode, space, name; the id is not looked at
_OCTAL = re.compile(rb"[0-7]{1,6}")
_AFTER_NAME = 21


@dataclass(slots=True)
class Findings:
    """What was seen while checking new objects: their types, what they point at, LFS pointers, and kinds of secrets."""

    kinds: dict[str, int] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    pointers: set[LfsPointer] = field(default_factory=set)
    expanded: int = 0
    secrets: Counter[str] = field(default_factory=Counter)

    def link(self, sha: str, kind: int) -> None:
        """Note that an object of that type must exist."""
        if self.links.setdefault(sha, kind) != kind:
            raise InvalidPack(f"The pack uses object {sha[:12]} as two different types.", hint="Check the repository with `git fsck`.")

    def note_blob(self, data: bytes) -> None:
        """Note a pointer, if the content of a blob is one, and the secrets in it, if it is small."""
        pointer = parse_pointer(data) if len(data) < MAX_POINTER else None
        if pointer:
            self.pointers.add(pointer)
        elif len(data) <= MAX_SEARCHED:
            self.secrets.update(secret.kind for secret in secrets_in(data))


def check_object(sha: str, kind: int, chunks: list[bytes], findings: Findings) -> None:
    """Check one object, and note what it points at.

    Raises:
        InvalidPack: it is malformed, or a tree holds a name that is not acceptable.
    """
    findings.kinds[sha] = kind
    if kind == BLOB:
        if sum(map(len, chunks)) <= MAX_SEARCHED:
            findings.note_blob(b"".join(chunks))
        return
    if kind not in KIND_NAMES:
        raise InvalidPack(f"The pack holds an object of an unknown type ({kind}).")
    try:
        shape = ShaFile.from_raw_chunks(kind, chunks)
        shape.check()
        if isinstance(shape, Tree):
            _links_of_tree(b"".join(chunks), findings)
        elif isinstance(shape, Commit):
            findings.link(shape.tree.decode(), TREE)
            for parent in shape.parents:
                findings.link(parent.decode(), COMMIT)
        elif isinstance(shape, Tag):
            target_class, target = shape.object
            findings.link(target.decode(), target_class.type_num)
    except (ObjectFormatException, ValueError, AssertionError, UnicodeDecodeError) as error:
        raise InvalidPack(
            f"The {KIND_NAMES[kind]} {sha[:12]} is malformed.", hint="Check the repository with `git fsck --strict`."
        ) from error


def _links_of_tree(raw: bytes, findings: Findings) -> None:
    for name, mode, sha in parse_tree(raw, 20, strict=True):
        check_entry(name, mode)
        if mode != S_IFGITLINK:
            findings.link(sha.decode(), TREE if stat.S_ISDIR(mode) else BLOB)


def check_tree_names(raw: bytes, known: set[bytes]) -> None:
    """Check the names and modes of one tree but for those in `known`, where good ones are added: most names come again in every commit.

    Raises:
        InvalidPack: one is not acceptable.
    """
    entries = _ENTRY.findall(raw)
    if sum(map(len, entries)) + _AFTER_NAME * len(entries) != len(raw):
        raise InvalidPack("A tree of the pack is malformed.", hint="Check the repository with `git fsck --strict`.")
    if len(known) > _MAX_KNOWN:
        known.clear()
    for entry in [entry for entry in entries if entry not in known]:
        mode, space, name = entry.partition(b" ")
        if not space or not _OCTAL.fullmatch(mode):
            raise InvalidPack("A tree of the pack is malformed.", hint="Check the repository with `git fsck --strict`.")
        check_entry(name, int(mode, 8))
        known.add(entry)


def check_entry(name: bytes, mode: int) -> None:
    """Check one entry of a tree.

    Raises:
        InvalidPack: the name or the mode is not acceptable.
    """
    if mode not in _MODES:
        raise InvalidPack(f"The file {_shown(name)} has a mode that Git does not know ({mode:o}).", hint="Commit it anew.")
    if _PLAIN.fullmatch(name) and len(name) <= _MAX_NAME and not name.upper().startswith(b"GIT~"):
        return
    try:
        text = name.decode()
        if "/" in text or len(name) > _MAX_NAME:
            raise InvalidPath("The name is too long or has a '/'.", hint="Use a shorter name.")
        check_path(text)
    except (UnicodeDecodeError, InvalidPath) as error:
        why = error.message if isinstance(error, InvalidPath) else "File names are UTF-8."
        raise InvalidPack(f"The file name {_shown(name)} is not accepted. {why}", hint="Rename the file and commit again.") from error


def _shown(name: bytes) -> str:
    return ascii(name[:80].decode(errors="replace"))
