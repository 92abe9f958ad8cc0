"""Upkeep of stored packs: consolidation, removal of what is not needed, verification."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from dulwich.objects import S_ISGITLINK, Commit, ObjectID, ShaFile, Tag, Tree

from hub_core.db import Database, utcnow
from hub_core.errors import CorruptStorage, Unavailable
from hub_core.git.cache import NodeCache, blob_key, make_bare
from hub_core.git.checks import Findings
from hub_core.git.ingest import IncomingPack
from hub_core.git.objects import ObjectPool, SnapshotStore
from hub_core.git.process import git_binary, run_git
from hub_core.git.refs import NewPack, RefStore, register_pack
from hub_core.git.tables import GitPack
from hub_core.git.types import MaintenanceReport, RepoState
from hub_core.git.writing import write_pack
from hub_core.repos.tables import Repo
from hub_core.storage import BlobStore

RETIRED_GRACE = dt.timedelta(hours=2)
ORPHAN_GRACE = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Maintainer:
    """Keeps the packs of repos few and sound."""

    db: Database
    blobs: BlobStore
    cache: NodeCache
    refs: RefStore
    pool: ObjectPool

    def consolidate(self, repo_id: int, *, min_packs: int = 2) -> MaintenanceReport:
        """Make one pack of all that the refs reach, and retire the others; objects that no ref reaches are left behind.

        Nothing changes when somebody pushed meanwhile; call again later.

        Raises:
            CorruptStorage: the repo is not sound.
        """
        state = self.refs.state(repo_id)
        before = self._sizes(state)
        unchanged = MaintenanceReport(len(before), len(before), sum(before.values()), sum(before.values()), False)
        if len(before) < min_packs or not state.refs:
            return unchanged
        with self.cache.incoming(state) as quarantine:
            pack = self._repack(state, quarantine)
            if pack.name in before and len(before) == 1:
                return unchanged
            size = pack.pack.stat().st_size
            self.blobs.put_file(blob_key(repo_id, pack.name, "idx"), pack.index)
            self.blobs.put_file(blob_key(repo_id, pack.name, "pack"), pack.pack)
            self.cache.adopt(state, pack.name, pack.pack, pack.index)
            if not self._swap(state, NewPack(pack.name, size, pack.objects)):
                return unchanged
        self.cache.forget_packs(state, [name for name in state.packs if name != pack.name])
        return MaintenanceReport(len(before), 1, sum(before.values()), size, True)

    def _sizes(self, state: RepoState) -> dict[str, int]:
        with self.db.read() as session:
            query = sa.select(GitPack.name, GitPack.size).where(GitPack.repo_id == state.repo_id, GitPack.retired_at.is_(None))
            return dict(session.execute(query).all())

    def _repack(self, state: RepoState, quarantine: Path) -> IncomingPack:
        tips = sorted(set(state.refs.values()))
        if not git_binary():
            with self.pool.open(state) as store:
                return write_pack(quarantine, _reachable(store, tips), Findings())
        make_bare(quarantine, behind=self.cache.snapshot(state) / "objects")
        base = quarantine / "objects" / "pack" / "pack"
        done = run_git(
            quarantine,
            "pack-objects",
            "--revs",
            "--delta-base-offset",
            "--threads=1",
            "-q",
            str(base),
            stdin="".join(f"{tip}\n" for tip in tips).encode(),
        )
        if done.returncode != 0:
            raise CorruptStorage("The repo cannot be repacked.", hint="Run `hubtalk doctor`.")
        name = done.stdout.decode().split()[-1]
        pack = base.with_name(f"pack-{name}.pack")
        trailer = pack.read_bytes()[-20:].hex() if pack.stat().st_size < 1024 else _trailer(pack)
        objects = int.from_bytes(_slice(pack, 8, 4), "big")
        return IncomingPack(trailer, pack, pack.with_suffix(".idx"), objects, Findings())

    def _swap(self, state: RepoState, pack: NewPack) -> bool:
        with self.db.write() as session:
            version = session.execute(sa.select(Repo.refs_version).where(Repo.id == state.repo_id).with_for_update()).scalar_one_or_none()
            if version != state.version:
                return False
            if self.blobs.size(blob_key(state.repo_id, pack.name, "pack")) != pack.size:
                raise Unavailable("The new pack is not in the storage.", hint="Try again.")
            register_pack(session, state.repo_id, pack)
            retire = sa.update(GitPack).where(GitPack.repo_id == state.repo_id, GitPack.retired_at.is_(None), GitPack.name != pack.name)
            session.execute(retire.values(retired_at=utcnow()))
            session.execute(sa.update(Repo).where(Repo.id == state.repo_id).values(refs_version=Repo.refs_version + 1))
            return True

    def collect(self, repo_id: int, *, retired: dt.timedelta = RETIRED_GRACE, orphans: dt.timedelta = ORPHAN_GRACE) -> int:
        """Remove packs that were retired, and stored files that were never registered, after a grace; returns how many files."""
        now, removed = utcnow(), 0
        prefix = f"git/{repo_id}/"
        found = {info.key[len(prefix) :]: info.modified for info in self.blobs.list(prefix)}
        with self.db.write() as session:
            # The row lock keeps pushes from registering what is being removed here.
            session.execute(sa.select(Repo.id).where(Repo.id == repo_id).with_for_update())
            rows = dict(session.execute(sa.select(GitPack.name, GitPack.retired_at).where(GitPack.repo_id == repo_id)).all())
            over = {name for name, at in rows.items() if at is not None and at < now - retired}
            for file, modified in found.items():
                name = file.partition(".")[0]
                if name in over or (name not in rows and modified < now - orphans):
                    self.blobs.delete(prefix + file)
                    removed += 1
            session.execute(sa.delete(GitPack).where(GitPack.repo_id == repo_id, GitPack.name.in_(over)))
        return removed

    def verify(self, repo_id: int) -> list[str]:
        """Problems of a repo, as sentences: packs whose bytes are not what they should be, and objects that refs need and that are absent."""
        state = self.refs.state(repo_id)
        problems = [problem for name in state.packs if (problem := self._check_pack(repo_id, name))]
        if problems:
            return problems
        try:
            with self.pool.open(state) as store:
                for name, tip in state.refs.items():
                    if store.kind_of(tip) is None:
                        problems.append(f"{name} leads to {tip}, which is not there.")
                if not problems:
                    for _ in _reachable(store, sorted(set(state.refs.values()))):
                        pass
        except CorruptStorage as error:
            problems.append(f"{error.message} {error.details or ''}".strip())
        return problems

    def _check_pack(self, repo_id: int, name: str) -> str:
        if self.blobs.size(blob_key(repo_id, name, "idx")) is None:
            return f"The index of pack {name} is missing."
        if self.blobs.size(blob_key(repo_id, name, "pack")) is None:
            return f"Pack {name} is missing."
        check, held = hashlib.sha1(usedforsecurity=False), b""
        for chunk in self.blobs.get(blob_key(repo_id, name, "pack")):
            held += chunk
            check.update(held[:-20])
            held = held[-20:]
        return "" if held.hex() == name == check.hexdigest() else f"Pack {name} is damaged."


def _trailer(pack: Path) -> str:
    return _slice(pack, pack.stat().st_size - 20, 20).hex()


def _slice(path: Path, start: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(length)


def _reachable(store: SnapshotStore, tips: Iterable[str]) -> list[ShaFile]:
    """Every object that the tips reach.

    Raises:
        CorruptStorage: one of them is absent.
    """
    found: dict[str, ShaFile] = {}
    pending = list(tips)
    while pending:
        sha = pending.pop()
        if sha in found:
            continue
        item = store.load(sha)
        if item is None:
            raise CorruptStorage("An object that a ref needs is missing.", hint="Restore it from a backup or a clone.", object=sha)
        found[sha] = item
        pending.extend(target.decode() for target in _targets(item))
    return list(found.values())


def _targets(item: ShaFile) -> list[ObjectID]:
    if isinstance(item, Commit):
        return [item.tree, *item.parents]
    if isinstance(item, Tree):
        return [entry.sha for entry in item.iteritems() if not S_ISGITLINK(entry.mode)]
    if isinstance(item, Tag):
        return [ObjectID(item.object[1])]
    return []
