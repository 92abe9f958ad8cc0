"""Taking in a pack from outside: into quarantine, completed, indexed, and checked object by object."""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import shutil
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, BinaryIO

from dulwich.errors import ApplyDeltaError
from dulwich.object_format import SHA1
from dulwich.objects import RawObjectID, parse_tree
from dulwich.pack import (
    OFS_DELTA,
    REF_DELTA,
    DeltaChainIterator,
    PackData,
    PackFileDisappeared,
    UnpackedObject,
    UnresolvedDeltas,
    extend_pack,
    write_pack_index,
)

from hub_core.errors import InvalidPack, StorageFull, TooLarge
from hub_core.git.cache import make_bare
from hub_core.git.checks import MAX_SEARCHED, Findings, check_object, check_tree_names
from hub_core.git.objects import SnapshotStore, base_distance, delta_sizes, header_at
from hub_core.git.process import git_binary, reading_git, run_git
from hub_core.git.types import MIB, GitLimits
from hub_core.lfs.pointer import MAX_POINTER

_WINDOW = 16 * 1024
_FANOUT_END = 8 + 256 * 4  # of a pack index: its header, and how many objects there are up to each first byte
_NAMES_AT_ONCE = 50_000
_SEARCHED = 16 * MIB  # of small files of one push, for secrets
_STREAM_LARGE = ("-c", "core.bigFileThreshold=32m")  # larger files are hashed piece by piece instead of whole in memory
_MALFORMED = (
    zlib.error,
    ApplyDeltaError,
    UnresolvedDeltas,
    PackFileDisappeared,
    AssertionError,
    KeyError,
    ValueError,
    IndexError,
    EOFError,
)


@dataclass(frozen=True, slots=True)
class IncomingPack:
    """A pack in quarantine that passed all checks."""

    name: str
    pack: Path
    index: Path
    objects: int
    findings: Findings


def ingest(quarantine: Path, behind: SnapshotStore, body: IO[bytes], limits: GitLimits) -> IncomingPack | None:
    """Take in the pack that begins at the body's position; None for an empty pack.

    Raises:
        InvalidPack: truncated, corrupt, malformed objects, unacceptable names, or objects that it needs are nowhere.
        TooLarge: it is or expands beyond the limits.
    """
    start = body.tell()
    size = body.seek(0, os.SEEK_END) - start
    body.seek(start)
    header = body.read(12)
    body.seek(start)
    if len(header) < 12 or header[:4] != b"PACK" or int.from_bytes(header[4:8], "big") not in {2, 3}:
        raise InvalidPack("What was sent is not a pack.", hint="Push again.")
    if size > limits.max_pack_bytes:
        raise TooLarge(
            f"The push has {size // MIB} MiB; {limits.max_pack_bytes // MIB} MiB are allowed.", hint="Put large files into Git LFS."
        )
    count = int.from_bytes(header[8:12], "big")
    if count > limits.max_objects:
        raise TooLarge(f"The push has {count:,} objects; {limits.max_objects:,} are allowed.", hint="Push in several steps.")
    if count == 0:
        return None
    if not git_binary():
        return _in_process(quarantine, behind, body, count, limits)
    if size <= limits.in_process_bytes:
        try:
            return _in_process(quarantine, behind, body, count, replace(limits, max_object_bytes=64 * MIB, max_expanded_bytes=256 * MIB))
        except TooLarge:
            # A small pack that grows a lot: a child with its own memory limit may look at it.
            body.seek(start)
    make_bare(quarantine, behind=Path(os.fspath(behind.path)))
    return _with_git(quarantine, body, start, limits)


# --- by C Git: faster from a few hundred objects on ---


def _with_git(quarantine: Path, body: IO[bytes], start: int, limits: GitLimits) -> IncomingPack:
    os.lseek(body.fileno(), start, os.SEEK_SET)
    done = run_git(
        quarantine,
        *_STREAM_LARGE,
        "index-pack",
        "--stdin",
        "--fix-thin",
        "--strict",
        "--index-version=2",
        f"--max-input-size={limits.max_pack_bytes}",
        stdin=body,
        memory_bytes=2 * limits.max_pack_bytes + 4 * limits.max_object_bytes,
        cpu_seconds=1800,
    )
    if done.returncode != 0:
        raise _git_refusal(done.stderr)
    name = done.stdout.split(b"\t")[-1].strip().decode()
    stem = quarantine / "objects" / "pack" / f"pack-{name}"
    pack, index = stem.with_suffix(".pack"), stem.with_suffix(".idx")
    with tempfile.TemporaryFile(dir=quarantine) as names:
        count = _list_objects(index, names)
        findings = _inspect_with_git(quarantine, names, limits)
    return IncomingPack(name, pack, index, count, findings)


def _list_objects(index: Path, out: IO[bytes]) -> int:
    """Write the ids of the objects in a pack index (version 2) to a file, one a line; returns how many there are."""
    with index.open("rb") as file:
        file.seek(_FANOUT_END - 4)
        count = int.from_bytes(file.read(4), "big")
        for first in range(0, count, _NAMES_AT_ONCE):
            names = file.read(20 * min(_NAMES_AT_ONCE, count - first)).hex("\n", 20)
            out.write(f"{names}\n".encode())
    out.flush()
    return count


def _git_refusal(stderr: bytes) -> InvalidPack | TooLarge | StorageFull:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.startswith(("fatal:", "error:"))]
    text = re.sub(r"(fatal|error): ", "", lines[0] if lines else "it could not be read")
    if "No space left" in text:
        return StorageFull("The disk of the hub is full; nothing was stored.", hint="Free space or ask an administrator.")
    if "maximum allowed size" in text or "out of memory" in text.lower():
        return TooLarge("The push expands beyond what is allowed.", hint="Put large files into Git LFS.")
    return InvalidPack(f"The pack was refused: {text[:200]}.", hint="Check the repository with `git fsck --strict`.")


def _inspect_with_git(quarantine: Path, names: IO[bytes], limits: GitLimits) -> Findings:
    findings = Findings()
    known: set[bytes] = set()
    too_large: tuple[bytes, int] | None = None
    searched = 0
    with tempfile.TemporaryFile(dir=quarantine) as wanted:
        with reading_git(quarantine, "cat-file", "--batch-check", "--buffer", stdin=names) as listing:
            for line in listing:
                sha, kind, size_text = line.split(b" ")
                size = int(size_text)
                if kind == b"blob" and size > limits.max_object_bytes:
                    too_large = too_large or (bytes.fromhex(sha.decode()), size)
                    continue
                _count(findings, size, limits)
                if kind == b"blob":
                    searched += size if size <= MAX_SEARCHED else 0
                if kind == b"tree" or (kind == b"blob" and 20 < size < (MAX_SEARCHED if searched <= _SEARCHED else MAX_POINTER)):
                    wanted.write(sha + b"\n")
        wanted.flush()
        with reading_git(quarantine, "cat-file", "--batch", "--buffer", stdin=wanted) as contents:
            for line in contents:
                _, kind, size_text = line.split(b" ")
                data = contents.read(int(size_text))
                contents.read(1)
                if kind == b"tree":
                    check_tree_names(data, known)
                    if too_large and (name := _name_of(too_large[0], data)):
                        raise large_file(name, too_large[1], limits)
                else:
                    findings.note_blob(data)
    if too_large:
        raise large_file("", too_large[1], limits)
    return findings


def _name_of(sha: bytes, tree: bytes) -> str:
    """The name under which a tree has an object; empty for none."""
    return next((name.decode("utf-8", "replace") for name, _, held in parse_tree(tree, 20) if held == sha.hex().encode()), "")


def large_file(name: str, size: int, limits: GitLimits) -> TooLarge:
    """The refusal of a file that is too large for Git; `name` may be unknown, and then is empty."""
    who = f"The file '{name}'" if name else "A file of this push"
    most = limits.max_object_bytes // MIB
    which = f"--include='{name}'" if name else f"--above={most}MiB"
    return TooLarge(
        f"{who} has {size // MIB:,} MiB; outside Git LFS a file may have {most} MiB.",
        hint=f"Move it to LFS in all commits: git lfs migrate import --everything {which}",
    )


def _count(findings: Findings, size: int, limits: GitLimits) -> None:
    findings.expanded += size
    if size > limits.max_object_bytes or findings.expanded > limits.max_expanded_bytes:
        raise TooLarge("The push expands beyond what is allowed.", hint="Put large files into Git LFS.")


# --- in process: faster for small pushes, and all there is without a git program ---


class _Objects(DeltaChainIterator[UnpackedObject]):
    """All objects of a pack, deltas resolved, with checksums for the index."""

    _compute_crc32 = True

    def _result(self, unpacked: UnpackedObject) -> UnpackedObject:
        return unpacked


def _in_process(quarantine: Path, behind: SnapshotStore, body: IO[bytes], count: int, limits: GitLimits) -> IncomingPack:
    raw = quarantine / "objects" / "incoming.pack"
    with raw.open("w+b") as file:
        shutil.copyfileobj(body, file, MIB)
        findings = Findings()
        try:
            length = _scan(file, count, findings, limits)
            file.truncate(length)
            entries, external = _resolve(raw, file, behind, findings)
        except _MALFORMED as error:
            raise InvalidPack("The pack is truncated or corrupt.", hint="Push again; then check the repository with `git fsck`.") from error
        _check_closed(findings, behind)
        file.seek(0)
        checksum, extra = extend_pack(file, external, behind.get_raw, object_format=SHA1)
        entries.extend(extra)
    name = bytes(checksum).hex()
    pack = quarantine / "objects" / "pack" / f"pack-{name}.pack"
    index = pack.with_suffix(".idx")
    with index.open("wb") as out:
        write_pack_index(out, sorted(entries), checksum, version=2)
    raw.rename(pack)
    return IncomingPack(name, pack, index, len(entries), findings)


def _scan(file: BinaryIO, count: int, findings: Findings, limits: GitLimits) -> int:
    """Walk over the compressed objects without keeping them: announced sizes, then the checksum. Returns the pack's length."""
    file.flush()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        position = 12
        for _ in range(count):
            position = skip_object(data, position, findings, limits)
        check = hashlib.sha1(usedforsecurity=False)
        for first in range(0, position, MIB):
            check.update(data[first : min(first + MIB, position)])
        if check.digest() != data[position : position + 20]:
            raise ValueError("checksum")
        return position + 20


def skip_object(data: mmap.mmap, position: int, findings: Findings, limits: GitLimits) -> int:
    """Walk over one packed object, and count it; returns where it ends.

    Raises:
        ValueError, IndexError, zlib.error: it is cut off or broken.
        TooLarge: it is beyond the limits.
    """
    kind, size, position = header_at(data, position)
    if kind == OFS_DELTA:
        position = base_distance(data, position)[1]
    elif kind == REF_DELTA:
        position += 20
    _count(findings, size, limits)
    inflater, length, head, window = zlib.decompressobj(), 0, b"", b""
    while not inflater.eof:
        if not window:
            window = data[position : position + _WINDOW]
            position += len(window)
            if not window:
                raise ValueError("truncated")
        out = inflater.decompress(window, MIB)
        window = inflater.unconsumed_tail
        head = head + out[:32] if len(head) < 32 else head
        length += len(out)
        if length > size:
            raise ValueError("longer than announced")
    if length != size:
        raise ValueError("shorter than announced")
    if kind in {OFS_DELTA, REF_DELTA}:
        _count(findings, delta_sizes(head)[1], limits)
    return position - len(inflater.unused_data)


def _resolve(
    path: Path, file: BinaryIO, behind: SnapshotStore, findings: Findings
) -> tuple[list[tuple[RawObjectID, int, int | None]], set[RawObjectID]]:
    entries: list[tuple[RawObjectID, int, int | None]] = []
    file.flush()
    file.seek(0)
    with PackData(path, file=file, object_format=SHA1) as data:
        walker = _Objects.for_pack_data(data, resolve_ext_ref=behind.get_raw)
        for unpacked in walker:
            chunks = unpacked.obj_chunks
            raw = [chunks] if isinstance(chunks, bytes) else list(chunks or [])
            sha = unpacked.sha()
            check_object(sha.hex(), int(unpacked.obj_type_num or 0), raw, findings)
            entries.append((sha, int(unpacked.offset or 0), unpacked.crc32))
        return entries, set(walker.ext_refs())


def _check_closed(findings: Findings, behind: SnapshotStore) -> None:
    for sha, kind in findings.links.items():
        found = findings.kinds.get(sha) or behind.kind_of(sha)
        if found != kind:
            raise InvalidPack(
                f"The push needs object {sha[:12]}, which it does not contain and the hub does not have.",
                hint="Fetch first; a shallow clone may need `git fetch --unshallow`.",
            )
