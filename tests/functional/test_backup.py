"""Back a hub up while people push into it, put it back elsewhere, and it is the same hub."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chat_ui.cli import main
from hub_core.backup import backup, databases, restore
from hub_core.backup.manifest import MANIFEST
from hub_core.conversations.leases import Leases
from hub_core.errors import AlreadyExists, HashMismatch, InvalidInput, StorageFull, Unavailable
from hub_core.housekeeping import LEASE
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from hub_core.storage import BlobStore
from tests.common.databases import PostgresServer
from tests.common.forked_hub import ForkedHub, forked_hub
from tests.common.git_client import commit_file, git
from tests.common.hub_process import TOKEN

numbers = itertools.count(1)


@pytest.fixture
def source(tmp_path: Path, db_url: str) -> Settings:
    """The hub that is backed up, on both kinds of database."""
    return Settings(data_dir=tmp_path / "hub", database_url=db_url, demo=False, admin_token=TOKEN, admin_password="a-password-for-tests")


@contextmanager
def empty_database(request: pytest.FixtureRequest, like: Settings, folder: Path) -> Iterator[str]:
    """The URL of a database of the same kind that holds nothing."""
    if like.database.startswith("sqlite"):
        yield f"sqlite:///{folder / 'hub.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"restored_{next(numbers)}"
    server.execute(f"CREATE DATABASE {name}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def target(request: pytest.FixtureRequest, source: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Where it is restored: nothing is there."""
    with empty_database(request, source, tmp_path / "other") as url:
        yield dataclasses.replace(source, data_dir=tmp_path / "other", database_url=url)


def fill(hub: ForkedHub, work: Path) -> Path:
    """A repo with an LFS file; gives the clone it was pushed from."""
    hub.tool("create_repo", name="thing", kind="model")
    git(work, "clone", "-q", hub.address("/admin/thing.git"), "mine")
    git(work / "mine", "lfs", "install", "--local")
    git(work / "mine", "lfs", "track", "*.bin")
    (work / "mine" / "weights.bin").write_bytes(os.urandom(300_000))
    commit_file(work / "mine", "a.txt", "first\n")
    git(work / "mine", "push", "-q", "origin", "main")
    return work / "mine"


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def clone(hub: ForkedHub, work: Path, name: str) -> Path:
    git(work, "clone", "-q", hub.address("/admin/thing.git"), name)
    git(work / name, "lfs", "install", "--local")
    git(work / name, "lfs", "pull")
    git(work / name, "fsck", "--strict", "--full")
    return work / name


def test_a_hub_that_is_being_pushed_to_comes_back_whole(source: Settings, target: Settings, work: Path, tmp_path: Path) -> None:
    stop, pushed = threading.Event(), threading.Event()
    with forked_hub(source) as hub:
        mine = fill(hub, work)
        first = git(mine, "rev-parse", "HEAD").stdout.strip()

        def push() -> None:
            for number in itertools.count():
                (mine / "weights.bin").write_bytes(os.urandom(100_000))
                commit_file(mine, "a.txt", f"{number}\n")
                git(mine, "push", "-q", "origin", "main")
                pushed.set()
                if stop.is_set():
                    return

        pusher = threading.Thread(target=push)
        pusher.start()
        assert pushed.wait(60)
        seen: list[tuple[int, int]] = []
        try:
            with open_services(source) as services:
                made = backup(services, tmp_path / "backup", lambda done, total: seen.append((done, total)))
        finally:
            stop.set()
            pusher.join(60)
        assert made.blobs == len(seen) > 2
        assert seen[-1][0] == made.bytes
        assert not (tmp_path / "backup.partial").exists()
    assert restore(target, tmp_path / "backup") == made
    with forked_hub(target) as again:
        assert again.problems() == []
        copy = clone(again, work, "copy")
        assert first in git(copy, "rev-list", "HEAD").stdout
        git(mine, "checkout", "-q", git(copy, "rev-parse", "HEAD").stdout.strip())
        assert content(copy) == content(mine)
        assert again.tool("create_repo", name="more", kind="code")["id"] == "admin/more"


def test_a_hub_that_is_there_is_replaced_only_when_told(source: Settings, work: Path, tmp_path: Path) -> None:
    with forked_hub(source) as hub:
        fill(hub, work)
        with open_services(source) as services:
            backup(services, tmp_path / "backup")
        hub.tool("create_repo", name="later", kind="code")
        hub.tool("write_file", repo="admin/later", path="a.txt", content="later")
    with pytest.raises(AlreadyExists):
        restore(source, tmp_path / "backup")
    with open_services(source) as services:
        before = {info.key for info in services.blobs.list("")}
    restore(source, tmp_path / "backup", overwrite=True)
    with forked_hub(source) as hub:
        assert hub.problems() == []
        assert [item["id"] for item in hub.tool("search_repos")["items"]] == ["admin/thing"]
    with open_services(source) as services:
        assert {info.key for info in services.blobs.list("")} < before


def filled(settings: Settings, folder: Path) -> Path:
    """A backup of a small hub."""
    with open_services(settings) as services:
        for number in range(3):
            services.blobs.put(f"some/blob{number}", [b"x" * 1000, str(number).encode()])
        backup(services, folder)
    return folder


def test_a_damaged_or_unfinished_backup_is_not_restored(source: Settings, target: Settings, tmp_path: Path) -> None:
    folder = filled(source, tmp_path / "backup")
    (folder / "blobs" / "some" / "blob1").write_bytes(b"other")
    with pytest.raises(HashMismatch):
        restore(target, folder)
    assert databases.is_empty(target)
    database = next(path for path in folder.iterdir() if path.name.startswith("hub."))
    database.write_bytes(database.read_bytes() + b"x")
    with pytest.raises(HashMismatch):
        restore(target, folder)
    (folder / MANIFEST).unlink()
    for place in (folder, tmp_path / "nowhere"):
        with pytest.raises(InvalidInput):
            restore(target, place)


class FullDisk:
    """A store that breaks off at its second blob."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._left = 1

    def get(self, key: str) -> Any:
        if not self._left:
            raise StorageFull("full")
        self._left -= 1
        return self._store.get(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_backup_that_breaks_off_leaves_nothing_behind(services: Services, tmp_path: Path) -> None:
    for number in range(3):
        services.blobs.put(f"some/blob{number}", [b"x"])
    broken = dataclasses.replace(services, blobs=FullDisk(services.blobs))  # type: ignore[arg-type]
    with pytest.raises(StorageFull):
        backup(broken, tmp_path / "backup")
    assert not list(tmp_path.glob("backup*"))
    backup(services, tmp_path / "backup")
    with pytest.raises(AlreadyExists):
        backup(services, tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0


def test_a_restore_that_breaks_off_leaves_the_hub_that_was(source: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(source, tmp_path / "backup")
    with open_services(source) as services:
        services.users.bootstrap()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("hub_core.backup.reading.load", _interrupted)
        restore(source, folder, overwrite=True)
    with open_services(source) as services:
        assert services.sessions.login("admin", "a-password-for-tests")


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_running_hub_on_sqlite_is_not_replaced(settings: Settings, tmp_path: Path) -> None:
    folder = filled(settings, tmp_path / "backup")
    with open_services(settings) as services, services.db.read() as session:
        session.connection().exec_driver_sql("SELECT count(*) FROM users")
        with pytest.raises(Unavailable, match="in use"):
            restore(settings, folder, overwrite=True)


def test_nothing_is_replayed_from_an_old_log(settings: Settings, tmp_path: Path) -> None:
    folder = filled(settings, tmp_path / "backup")
    with open_services(settings) as services:
        services.users.bootstrap()
    # As after a power cut: what was written last is in the log only.
    log = sqlite3.connect(settings.data_dir / "hub.db")
    log.execute("PRAGMA wal_autocheckpoint=0")
    log.execute("DELETE FROM users")
    log.commit()
    kept = (settings.data_dir / "hub.db-wal").read_bytes()
    log.close()
    (settings.data_dir / "hub.db-wal").write_bytes(kept)
    restore(settings, folder, overwrite=True)
    assert not (settings.data_dir / "hub.db-wal").exists()
    with open_services(settings) as services:
        assert services.users.bootstrap() is not None


def test_a_backup_waits_for_housekeeping_and_says_so(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_core.backup.writing.WAIT_S", 0.0)
    leases = Leases(services.db)
    try:
        with leases.hold(LEASE), pytest.raises(Unavailable):
            backup(services, tmp_path / "backup")
    finally:
        leases.close()
    assert not list(tmp_path.glob("backup*"))


def test_without_the_programs_of_postgresql_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    settings = Settings(data_dir=tmp_path, database_url="postgresql+psycopg://u:p@localhost/x")
    with pytest.raises(Unavailable) as refused:
        databases.dump(settings, tmp_path)
    assert "pg_dump" in refused.value.message
    assert "deploy.md" in refused.value.hint


def test_a_backup_of_another_kind_of_database_is_refused(settings: Settings, tmp_path: Path) -> None:
    folder = filled(settings, tmp_path / "backup")
    other = dataclasses.replace(settings, database_url="postgresql+psycopg://u:p@localhost/x")
    with pytest.raises(InvalidInput):
        restore(other, folder)


def test_the_commands_do_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def hubtalk(data: str, *arguments: str) -> tuple[int, str, str]:
        for name, value in {"DATA_DIR": str(tmp_path / data), "DEMO": "1", "ADMIN_PASSWORD": "a-password-for-tests"}.items():
            monkeypatch.setenv(f"HUB_{name}", value)
        monkeypatch.setattr("sys.argv", ["hubtalk", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    _, listed, _ = hubtalk("hub", "tool", "search_repos")
    assert json.loads(listed)["result"]["items"]
    code, told, problem = hubtalk("hub", "backup", str(tmp_path / "backup"))
    assert (code, "blobs" in told) == (0, True), problem
    code, told, problem = hubtalk("other", "restore", str(tmp_path / "backup"))
    assert (code, "doctor" in told) == (0, True), problem
    code, told, _ = hubtalk("other", "doctor", "--hashes")
    assert (code, "0 problem(s)" in told) == (0, True), told
    assert hubtalk("other", "tool", "search_repos")[1] == listed
    code, _, problem = hubtalk("other", "restore", str(tmp_path / "backup"))
    assert (code, "--overwrite" in problem) == (1, True)
    code, password, _ = hubtalk("other", "user", "create", "carol")
    assert (code, password.startswith("carol\t")) == (0, True)
    assert hubtalk("other", "tool", "delete_user", "username=carol")[0] == 0
    code, restored, _ = hubtalk("other", "user", "restore", "carol")
    assert (code, restored.startswith("carol\t"), restored != password) == (0, True, True)
