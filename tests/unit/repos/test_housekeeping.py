"""Housekeeping removes only what its rules name, and what people can reach stays whole."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import sqlalchemy as sa

from hub_core import housekeeping
from hub_core.db import utcnow
from hub_core.doctor import examine
from hub_core.git import FileChange
from hub_core.git.tables import GitPack
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
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
