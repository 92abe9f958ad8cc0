"""Housekeeping removes only what its rules name, and what people can reach stays whole."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub_core import housekeeping
from hub_core.db import utcnow
from hub_core.doctor import examine
from hub_core.git import FileChange
from hub_core.git.tables import GitPack
from hub_core.lfs.objects import object_key
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from hub_core.xet.objects import XetObjects
from tests.common.factories import actor_for, make_user


def _problems(hub: Services) -> list[str]:
    return [finding.problem for finding in examine(hub, hashes=True) if finding.problem]


def test_many_packs_become_one_and_nothing_is_lost(db_url: str, tmp_path: Path) -> None:
    with open_services(Settings(data_dir=tmp_path / "data", database_url=db_url, demo=False)) as hub:
        alice = actor_for(make_user(hub.db, "alice"))
        hub.repos.create(alice, "busy", RepoKind.CODE)
        repo = hub.repos.find(alice, "busy")
        for number in range(housekeeping.MANY_PACKS):
            hub.files.commit(alice, repo, [FileChange(f"f{number}.txt", b"%d" % number)], f"commit {number}")
        assert housekeeping.run_once(hub).consolidated == 1
        with hub.db.read() as session:
            active = session.scalar(sa.select(sa.func.count()).select_from(GitPack).where(GitPack.retired_at.is_(None)))
        assert active == 1
        assert hub.files.read_text(alice, repo, "f3.txt").content == "3"
        assert _problems(hub) == []


def test_the_trash_is_emptied_only_after_its_days(db_url: str, tmp_path: Path) -> None:
    with open_services(Settings(data_dir=tmp_path / "data", database_url=db_url, demo=False)) as hub:
        alice = actor_for(make_user(hub.db, "alice"))
        for name in ("old", "fresh", "kept"):
            hub.repos.create(alice, name, RepoKind.MODEL)
            hub.files.commit(alice, hub.repos.find(alice, name), [FileChange("w.bin", name.encode() * 100)], "weights")
        for name in ("old", "fresh"):
            hub.repos.delete(alice, hub.repos.find(alice, name))
        with hub.db.write() as session:
            session.execute(
                sa.update(Repo)
                .where(Repo.key == "old")
                .values(deleted_at=utcnow() - dt.timedelta(days=31), created_at=utcnow() - dt.timedelta(days=40))
            )
        assert housekeeping.run_once(hub).purged == 1
        with hub.db.read() as session:
            assert set(session.scalars(sa.select(Repo.name))) == {"fresh", "kept"}
        restored = hub.repos.restore(alice, hub.repos.find(alice, "fresh", deleted=True))
        assert restored.id == "alice/fresh"
        assert hub.files.reader(alice, hub.repos.find(alice, "fresh"), "w.bin").read(0, 5) == b"fresh"
        assert _problems(hub) == []


def test_bytes_that_a_dead_node_left_behind_are_swept_and_nothing_else(db_url: str, tmp_path: Path) -> None:
    with open_services(Settings(data_dir=tmp_path / "data", database_url=db_url, demo=False)) as hub:
        alice = actor_for(make_user(hub.db, "alice"))
        hub.repos.create(alice, "busy", RepoKind.MODEL)
        repo = hub.repos.find(alice, "busy")
        hub.files.commit(alice, repo, [FileChange("w.bin", b"weights" * 100)], "weights")
        kept = {info.key for info in hub.blobs.list("")}
        stray = [
            "lfs/ab/cd/abcd" + "0" * 60,
            f"git/{repo.id}/{'1' * 40}.idx",
            f"git/{repo.id}/{'2' * 40}.pack",
            "xet/ab/cd/abcd" + "0" * 60,
        ]
        for key in stray:
            hub.blobs.put(key, [b"left"])
        turns = {0xAB, repo.id}
        assert sum(housekeeping.run_once(hub, turn).removed for turn in turns) == 0
        for key in stray:
            path = hub.blobs.local_path(key)
            assert path is not None
            os.utime(path, (time.time() - 3 * 86400,) * 2)
        assert housekeeping.run_once(hub, 0xAC).removed == 0
        assert sum(housekeeping.run_once(hub, turn).removed for turn in turns) == 3
        # What a client may still refer to stays longer.
        assert {info.key for info in hub.blobs.list("")} == {*kept, stray[3]}
        assert hub.xet.xorbs.sweep(0xAB, dt.timedelta(days=1)) == 1
        assert _problems(hub) == []


def test_an_object_that_comes_in_while_its_bytes_are_swept_is_whole_in_the_end(
    db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of an earlier attempt are there without a row, and go away right when the new attempt has seen them."""
    with open_services(Settings(data_dir=tmp_path / "data", database_url=db_url, demo=False)) as hub:
        alice = actor_for(make_user(hub.db, "alice"))
        hub.repos.create(alice, "busy", RepoKind.MODEL)
        repo = hub.repos.find(alice, "busy")
        content = b"weights" * 100
        oid = hashlib.sha256(content).hexdigest()
        hub.blobs.put(object_key(oid), [content])
        size, swept = XetObjects.size, list[int]()

        def sweep_after(self: XetObjects, asked: str) -> int | None:
            found = size(self, asked)
            if not swept:
                swept.append(hub.lfs.sweep(int(oid[:2], 16), dt.timedelta(seconds=-2)))
            return found

        monkeypatch.setattr(XetObjects, "size", sweep_after)
        hub.lfs.upload(repo.id, oid, len(content), [content])
        assert swept == [1]
        assert b"".join(hub.lfs.read(repo.id, oid)) == content
        assert _problems(hub) == []
