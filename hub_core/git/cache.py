"""The node's disposable copy of packs, and snapshots of repos that any Git reader understands.

Under the cache folder, per repo: `packs/` (immutable, named by the checksum of their content), `snapshots/<digest>/`
(a bare repository made of links to exactly the packs that the database registers at that state) and `incoming/`
(quarantine of pushes). Everything may be deleted at any time when nobody reads it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dulwich.object_format import SHA1
from dulwich.pack import load_pack_index

from hub_core.errors import CorruptStorage, NotFound
from hub_core.git.types import RepoState
from hub_core.storage import BlobStore
from hub_core.storage.local import disk_errors

_CONFIG = """[core]
\trepositoryformatversion = 0
\tbare = true
[uploadpack]
\tallowFilter = true
\tallowTipSHA1InWant = true
\tallowReachableSHA1InWant = true
[pack]
\tthreads = 2
\tallowPackReuse = true
"""
_GRACE_S = 3600


def blob_key(repo_id: int, name: str, suffix: str) -> str:
    """Where a pack (`pack`) or its index (`idx`) is in the blob store."""
    return f"git/{repo_id}/{name}.{suffix}"


class NodeCache:
    """Packs and snapshots on this node's disk."""

    def __init__(self, root: Path, blobs: BlobStore) -> None:
        self._root = root
        self._blobs = blobs
        self._locks = [threading.Lock() for _ in range(64)]
        self._turns = [threading.Lock() for _ in range(64)]

    @contextmanager
    def turn(self, repo_id: int) -> Iterator[None]:
        """Let the hub's own commits to one repo follow each other on this node: at the same time they would only overtake each other."""
        with self._turns[repo_id % len(self._turns)]:
            yield

    def snapshot(self, state: RepoState) -> Path:
        """A bare repository with exactly the refs and packs of `state`.

        Raises:
            CorruptStorage: a registered pack is missing or damaged in the blob store.
        """
        folder = self._root / state.key / "snapshots" / _digest(state)
        try:
            os.utime(folder)
            return folder
        except FileNotFoundError:
            pass
        with self._locks[hash(state.key) % 64], disk_errors():
            if not folder.exists():
                self._build(state, folder)
                self._drop_old(folder)
        return folder

    def _build(self, state: RepoState, folder: Path) -> None:
        building = self._root / state.key / "incoming" / f"snapshot-{uuid.uuid4().hex}"
        packs = building / "objects" / "pack"
        packs.mkdir(parents=True)
        # A busy repo has a hundred packs: one look at the folder, and plain text for the paths, keep this short.
        kept = self._root / state.key / "packs"
        kept.mkdir(parents=True, exist_ok=True)
        with os.scandir(kept) as listing:
            here = {entry.name for entry in listing}
        for name in state.packs:
            needed = [f"pack-{name}.pack", f"pack-{name}.idx"]
            if not here.issuperset(needed):
                self._ensure_pack(state, name)
            for file in (*needed, *here.intersection([f"pack-{name}.bitmap"])):
                _link(f"{kept}/{file}", f"{packs}/{file}")
        make_bare(building, state.default_branch)
        (building / "packed-refs").write_bytes(_packed_refs(state))
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            building.rename(folder)
        except OSError:
            shutil.rmtree(building)
            if not folder.exists():
                raise

    def _drop_old(self, newest: Path) -> None:
        limit = time.time() - _GRACE_S
        for other in (*newest.parent.iterdir(), *(newest.parent.parent / "incoming").iterdir()):
            try:
                if other != newest and other.stat().st_mtime < limit:
                    shutil.rmtree(other, ignore_errors=True)
            except FileNotFoundError:
                continue

    def _pack_path(self, key: str, name: str, suffix: str) -> Path:
        return self._root / key / "packs" / f"pack-{name}.{suffix}"

    def _ensure_pack(self, state: RepoState, name: str) -> None:
        pack, index = self._pack_path(state.key, name, "pack"), self._pack_path(state.key, name, "idx")
        if pack.exists() and index.exists():
            return
        pack.parent.mkdir(parents=True, exist_ok=True)
        for target, suffix in ((pack, "pack"), (index, "idx")):
            temporary = target.with_name(f".{uuid.uuid4().hex}")
            try:
                self._download(blob_key(state.repo_id, name, suffix), temporary, name if suffix == "pack" else "")
                if suffix == "idx":
                    _check_index(temporary, name)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def _download(self, key: str, target: Path, trailer: str) -> None:
        try:
            source = self._blobs.local_path(key)
            if source is not None and not trailer:
                _link(source, target)
                return
            check = hashlib.sha1(usedforsecurity=False)
            held = b""
            with target.open("wb") as file:
                for chunk in self._blobs.get(key):
                    file.write(chunk)
                    held += chunk
                    check.update(held[:-20])
                    held = held[-20:]
        except NotFound as error:
            raise CorruptStorage("A pack of this repo is missing in the storage.", hint="Run `hubtalk doctor`.", key=key) from error
        if trailer and (check.hexdigest() != trailer or held.hex() != trailer):
            raise CorruptStorage("A pack of this repo is damaged in the storage.", hint="Run `hubtalk doctor`.", key=key)

    @contextmanager
    def incoming(self, state: RepoState) -> Iterator[Path]:
        """A quarantine: a folder for new objects that is gone afterwards; `make_bare` makes a repository of it."""
        folder = self._root / state.key / "incoming" / uuid.uuid4().hex
        with disk_errors():
            try:
                (folder / "objects" / "pack").mkdir(parents=True)
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, state: RepoState, name: str, pack: Path, index: Path) -> None:
        """Keep a copy of a pack that was just made here, so that it need not be downloaded."""
        for source, suffix in ((pack, "pack"), (index, "idx")):
            target = self._pack_path(state.key, name, suffix)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary = target.with_name(f".{uuid.uuid4().hex}")
                _link(source, temporary)
                temporary.replace(target)

    def forget_packs(self, state: RepoState, names: list[str]) -> None:
        """Drop copies of packs that are not registered any more; snapshots that still link to them live on."""
        for name in names:
            for suffix in ("pack", "idx", "bitmap"):
                self._pack_path(state.key, name, suffix).unlink(missing_ok=True)

    def drop(self, key: str) -> None:
        """Drop everything of one repo."""
        shutil.rmtree(self._root / key, ignore_errors=True)

    def evict(self, max_bytes: int) -> int:
        """Drop the repos that were not read for longest until the rest fits; returns how many were dropped."""
        if not self._root.exists():
            return 0
        found = sorted(((_last_use(path), _size(path), path) for path in self._root.iterdir() if path.is_dir()), reverse=True)
        total, dropped = 0, 0
        for used, size, path in found:
            total += size
            if total > max_bytes and used < time.time() - _GRACE_S:
                shutil.rmtree(path, ignore_errors=True)
                dropped += 1
        return dropped


def make_bare(folder: Path, default_branch: str = "main", behind: Path | None = None) -> None:
    """Add what makes a folder with `objects/pack` a bare repository for any Git reader; it sees the objects in `behind` too."""
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n")
    (folder / "config").write_text(_CONFIG)
    if behind is not None:
        (folder / "objects" / "info").mkdir()
        (folder / "objects" / "info" / "alternates").write_text(f"{behind.resolve()}\n")


def _digest(state: RepoState) -> str:
    text = repr((state.default_branch, sorted(state.refs.items()), sorted(state.packs)))
    return f"{state.version}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _packed_refs(state: RepoState) -> bytes:
    lines = ["# pack-refs with: peeled fully-peeled sorted "]
    for name in sorted(state.refs, key=str.encode):
        lines.append(f"{state.refs[name]} {name}")
        if name in state.peeled:
            lines.append(f"^{state.peeled[name]}")
    return ("\n".join(lines) + "\n").encode()


def _check_index(path: Path, name: str) -> None:
    index = load_pack_index(path, SHA1)
    try:
        sound = index.get_pack_checksum() == bytes.fromhex(name)
        index.check()
    except (ValueError, AssertionError, OSError) as error:
        raise CorruptStorage("The index of a pack is damaged in the storage.", hint="Run `hubtalk doctor`.") from error
    finally:
        index.close()
    if not sound:
        raise CorruptStorage("The index of a pack belongs to another pack.", hint="Run `hubtalk doctor`.")


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        # Another file system, or one without links.
        shutil.copyfile(source, target)


def _last_use(folder: Path) -> float:
    return max((path.stat().st_mtime for path in (folder / "snapshots").glob("*")), default=folder.stat().st_mtime)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "packs").glob("*"))
