"""Secrets of Spaces in a backup: never in clear, and to be read again where it is restored."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest

from hub_core.authz import SYSTEM
from hub_core.backup import backup, restore
from hub_core.doctor import examine
from hub_core.repos.kinds import RepoKind
from hub_core.secretbox import KEY_FILE
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from hub_core.spaces.service import Setting
from tests.common.factories import actor_for, make_user

SECRET = "hunter2hunter2"
GIVEN = "a-key-for-all-nodes-of-this-hub-1"


def fill(services: Services) -> None:
    ann = actor_for(make_user(services.db, "ann"))
    services.repos.create(ann, "ann/app", RepoKind.SPACE)
    services.spaces.set(ann, services.repos.find(ann, "ann/app"), [Setting("API_KEY", SECRET, secret=True)])


def environment(services: Services) -> dict[str, str]:
    return services.spaces.environment(SYSTEM, services.repos.find(SYSTEM, "ann/app"))


def problems(settings: Settings) -> list[str]:
    with open_services(settings) as services:
        return [f"{found.subject}: {found.problem}" for found in examine(services) if found.problem]


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def made_and_restored(source: Settings, target: Settings, folder: Path) -> None:
    with open_services(source) as services:
        fill(services)
        backup(services, folder)
    assert SECRET.encode() not in everything(folder)
    restore(target, folder)


def test_a_key_that_the_hub_made_goes_along(tmp_path: Path) -> None:
    source, target = (Settings(data_dir=tmp_path / name, demo=False) for name in ("a", "b"))
    folder = tmp_path / "backup"
    made_and_restored(source, target, folder)
    for path in (folder / KEY_FILE, target.data_dir / KEY_FILE):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with open_services(target) as services:
        assert environment(services) == {"API_KEY": SECRET}
    assert problems(target) == []
    assert SECRET.encode() not in everything(source.data_dir)
    (target.data_dir / KEY_FILE).unlink()
    assert problems(target) == ["secret of ann/app: API_KEY: cannot be read with this hub's key"]


def test_a_key_that_was_given_is_for_others_to_keep(tmp_path: Path) -> None:
    source, target = (Settings(data_dir=tmp_path / name, demo=False, secret_key=GIVEN) for name in ("a", "b"))
    made_and_restored(source, target, tmp_path / "backup")
    assert GIVEN.encode() not in everything(tmp_path / "backup")
    assert not (tmp_path / "backup" / KEY_FILE).exists()
    with open_services(target) as services:
        assert environment(services) == {"API_KEY": SECRET}
    assert problems(dataclasses.replace(target, secret_key="another-key-of-32-characters-....")) == [
        "secret of ann/app: API_KEY: cannot be read with this hub's key"
    ]


@pytest.mark.parametrize("given", [GIVEN, ""])
def test_a_hub_without_secrets_needs_no_key(tmp_path: Path, given: str) -> None:
    source, target = (Settings(data_dir=tmp_path / name, demo=False, secret_key=given) for name in ("a", "b"))
    with open_services(source) as services:
        backup(services, tmp_path / "backup")
    restore(target, tmp_path / "backup")
    assert not (target.data_dir / KEY_FILE).exists()
    assert problems(target) == []
