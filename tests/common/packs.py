"""Pushes made by hand, sound and hostile, without a Git client."""

from __future__ import annotations

import hashlib
import io
import struct
import tempfile
import zlib
from collections.abc import Sequence
from typing import BinaryIO, cast

from dulwich.object_format import SHA1
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.pack import write_pack_objects

from hub_core.git import ZERO
from hub_core.git.receive import pkt


def commit_of(tree: Tree | bytes, *parents: bytes, message: bytes = b"test\n") -> Commit:
    """A commit by a fixed person."""
    commit = Commit()
    commit.tree = tree.id if isinstance(tree, Tree) else ObjectID(tree)
    commit.parents = [ObjectID(parent) for parent in parents]
    commit.author = commit.committer = b"Ann <ann@example.org>"
    commit.author_time = commit.commit_time = 1_700_000_000
    commit.author_timezone = commit.commit_timezone = 0
    commit.message = message
    return commit


def tree_of(**files: Blob | Tree) -> Tree:
    """A tree of plain names."""
    tree = Tree()
    for name, item in files.items():
        tree.add(name.encode(), 0o40000 if isinstance(item, Tree) else 0o100644, item.id)
    return tree


def raw_tree(*entries: tuple[bytes, bytes, bytes]) -> Tree:
    """A tree from mode, name and id as they are, sound or not."""
    data = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(sha.decode()) for mode, name, sha in entries)
    return cast(Tree, ShaFile.from_raw_string(2, data))


def simple_commit(text: bytes = b"hello", *parents: bytes) -> tuple[Commit, list[ShaFile]]:
    """A commit of one file, and its objects."""
    blob = Blob.from_string(text)
    tree = tree_of(file=blob)
    commit = commit_of(tree, *parents)
    return commit, [blob, tree, commit]


def pack_of(objects: Sequence[ShaFile]) -> bytes:
    """A pack of whole objects."""
    out = io.BytesIO()
    write_pack_objects(out, [(item, None) for item in objects], object_format=SHA1, deltify=False)
    return out.getvalue()


def raw_pack(*entries: tuple[int, int, bytes, bytes]) -> bytes:
    """A pack from type, announced size, bytes between header and data (delta base), and inflated data."""
    body = b"PACK" + struct.pack(">II", 2, len(entries))
    for kind, size, base, data in entries:
        header, rest = (kind << 4) | (size & 15), size >> 4
        head = bytearray()
        while rest:
            head.append(header | 0x80)
            header, rest = rest & 0x7F, rest >> 7
        body += bytes([*head, header]) + base + zlib.compress(data)
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def push_body(pack: bytes, *commands: tuple[str, str, str], capabilities: str = "report-status atomic") -> BinaryIO:
    """The body of a push in a real file: commands (name, old, new), then the pack."""
    lines = [f"{old} {new} {name}" for name, old, new in commands]
    body = pkt(f"{lines[0]}\0 {capabilities}") + b"".join(pkt(line) for line in lines[1:]) + b"0000" + pack
    file = cast(BinaryIO, tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
    file.write(body)
    file.seek(0)
    return file


def create(name: str, commit: Commit) -> tuple[str, str, str]:
    """The command that makes a branch."""
    return f"refs/heads/{name}", ZERO, commit.id.decode()
