"""The database or the store goes away in the middle of things: told in words, applied once or not at all, and met again."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_core import db as database_module
from hub_core.db import Database
from hub_core.errors import Unavailable
from tests.common.faulty import Asked, Fault
from tests.common.forked_hub import ForkedHub
from tests.common.git_client import commit_file, git
from tests.common.nodes import Nodes
from tests.functional.faults.conftest import clone, peak_memory

pytestmark = [pytest.mark.xdist_group("production"), pytest.mark.slow]
REPO = {"repo": "admin/thing"}
MIB = 1024 * 1024
DIALECTS = {
    "git": "/admin/thing.git/info/refs?service=git-upload-pack",
    "tools": "/api/v1/tools/get_repo",
    "lfs": "/admin/thing.git/info/lfs/locks",
    "hugging face": "/api/models/admin/thing",
    "csghub": "/csg/api/v1/models/admin/thing",
}


def check_told(hub: ForkedHub, words: str) -> None:
    """Every dialect says it with 503, words, and when to try again."""
    for dialect, path in DIALECTS.items():
        answer = hub.request(*(("POST", path) if dialect == "tools" else ("GET", path)), **({"json": REPO} if dialect == "tools" else {}))
        assert answer.status_code == 503, (dialect, answer.text)
        assert words in answer.text, dialect
        assert int(answer.headers["retry-after"]) > 0, dialect


def try_push(hub: ForkedHub, folder: Path) -> subprocess.CompletedProcess[str]:
    return git(folder, "-c", "lfs.transfer.maxretries=1", "push", "-q", hub.address("/admin/thing.git"), "main", check=False)


@pytest.mark.parametrize("fault", [pytest.param(Fault.RESET, marks=pytest.mark.slow), Fault.LOSE_ANSWER])
def test_the_database_goes_away_at_each_commit_of_a_push(nodes: Nodes, work: Path, fault: Fault) -> None:
    proxy, url = nodes.database_proxy()
    hub = nodes.node(nodes.settings(database=url))
    hub.tool("create_repo", name="thing", kind="model")
    folder, numbers, seen = clone(hub, work, "mine"), itertools.count(), [0]
    git(folder, "lfs", "track", "*.bin")

    def commit() -> str:
        (folder / "weights.bin").write_bytes(os.urandom(1000))
        return commit_file(folder, "a.txt", f"{next(numbers)}\n")

    def at_commit(number: int) -> None:
        seen[0] = 0

        def decide(data: bytes) -> Fault | None:
            if b"COMMIT" not in data:
                return None
            seen[0] += 1
            # As a server that is started again does it: all connections end.
            if seen[0] == number:
                proxy.cut_others()
                return fault
            return None

        proxy.on_sent = decide

    at_commit(0)
    old = commit()
    assert try_push(hub, folder).returncode == 0
    assert seen[0] > 1
    for number in range(1, seen[0] + 1):
        new = commit()
        at_commit(number)
        pushed = try_push(hub, folder)
        # Without a restart, and at once.
        head = hub.tool("get_repo", **REPO)["head"]
        assert head in {old, new}
        if pushed.returncode == 0:
            assert head == new
        else:
            assert "database of the hub does not answer" in pushed.stderr, pushed.stderr
        at_commit(0)
        assert try_push(hub, folder).returncode == 0
        assert hub.tool("get_repo", **REPO)["head"] == new
        old = new
    assert hub.problems() == []
    git(clone(hub, work, "again"), "fsck", "--strict", "--full")


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.LOSE_ANSWER])
def test_the_database_goes_away_at_each_commit_of_a_change_by_the_api(nodes: Nodes, fault: Fault) -> None:
    proxy, url = nodes.database_proxy()
    hub = nodes.node(nodes.settings(database=url))
    hub.tool("create_repo", name="thing", kind="model")
    for number in range(1, 4):
        before, left = hub.tool("list_commits", **REPO)["items"], iter(range(number - 1, -1, -1))
        proxy.on_sent = lambda data, left=left: fault if b"COMMIT" in data and next(left, -1) == 0 else None
        answer = hub.request("POST", "/api/v1/tools/write_file", json={**REPO, "path": f"{number}.txt", "content": "new"})
        proxy.on_sent = lambda _data: None
        after = hub.tool("list_commits", **REPO)["items"]
        assert after[-len(before) :] == before
        assert len(after) - len(before) in ({1} if answer.status_code == 200 else {0, 1})
        assert answer.status_code == 200 or (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert hub.problems() == []


def test_while_the_database_is_away_every_dialect_says_so(nodes: Nodes, work: Path) -> None:
    proxy, url = nodes.database_proxy()
    hub = nodes.node(nodes.settings(database=url))
    hub.tool("create_repo", name="thing", kind="model")
    folder = clone(hub, work, "mine")
    commit_file(folder, "a.txt", "1")
    proxy.refuse = True
    proxy.cut()
    check_told(hub, "The database of the hub does not answer.")
    for refused in (try_push(hub, folder), git(work, "clone", hub.address("/admin/thing.git"), "x", check=False)):
        assert refused.returncode != 0
        assert "The database of the hub does not answer." in refused.stderr
    # Where Git is in the middle of its protocol already, it shows no text of a status.
    for service in ("git-receive-pack", "git-upload-pack"):
        answer = hub.request("POST", f"/admin/thing.git/{service}", content=b"0000")
        assert (answer.status_code, b"The database of the hub does not answer." in answer.content) == (200, True)
    proxy.refuse = False
    assert try_push(hub, folder).returncode == 0


def test_a_database_that_somebody_else_locks_is_waited_for_and_then_told(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "LOCK_S", 1)
    database = Database(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(Unavailable, match="busy"), database.write():
        raise AssertionError
    assert 0.9 < time.monotonic() - began < 5
    with database.read():
        pass
    other.execute("ROLLBACK")
    other.close()
    with database.write():
        pass
    database.close()


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.RESET, pytest.param(Fault.HANG, marks=pytest.mark.slow)])
def test_while_the_store_is_away_pushes_are_refused_in_words_and_nothing_is_half_there(nodes: Nodes, work: Path, fault: Fault) -> None:
    proxy = nodes.store_proxy()
    hub = nodes.node(nodes.settings(store=proxy.endpoint, s3_timeout_s=0.5))
    hub.tool("create_repo", name="thing", kind="model")
    folder, head = clone(hub, work, "mine"), hub.tool("get_repo", **REPO)["head"]
    git(folder, "lfs", "track", "*.bin")
    commit_file(folder, "a.txt", "1")
    proxy.on_request = lambda _asked: fault
    began = time.monotonic()
    refused = try_push(hub, folder)
    assert refused.returncode != 0
    assert "The blob storage" in refused.stderr, refused.stderr
    commit_file(folder, "weights.bin", os.urandom(100_000))
    refused = try_push(hub, folder)
    assert refused.returncode != 0
    assert "The blob storage" in refused.stderr, refused.stderr
    assert time.monotonic() - began < 90
    # What needs no blobs goes on.
    assert hub.tool("get_repo", **REPO)["head"] == head
    answer = hub.request("POST", "/api/v1/tools/write_file", json={**REPO, "path": "b.txt", "content": "new"})
    assert (answer.status_code, answer.json()["error"]["code"], "retry-after" in answer.headers) == (503, "unavailable", True)
    proxy.on_request = lambda _asked: None
    assert try_push(hub, folder).returncode == 0
    assert hub.problems() == []
    git(clone(hub, work, "again"), "lfs", "fsck")


def test_a_node_without_a_cache_says_that_the_store_is_away(nodes: Nodes, work: Path) -> None:
    proxy = nodes.store_proxy()
    hub = nodes.node(nodes.settings(store=proxy.endpoint, s3_timeout_s=0.5))
    hub.tool("create_repo", name="thing", kind="model")
    shutil.rmtree(hub.settings.data_dir / "cache")
    (hub.settings.data_dir / "cache" / "staging").mkdir(parents=True)
    proxy.on_request = lambda _asked: Fault.RESET
    refused = git(work, "clone", hub.address("/admin/thing.git"), "x", check=False)
    assert refused.returncode != 0
    assert "The blob storage does not answer." in refused.stderr
    proxy.on_request = lambda _asked: None
    git(work, "clone", "-q", hub.address("/admin/thing.git"), "x")


def test_a_large_upload_through_a_store_that_stumbles_takes_constant_memory(nodes: Nodes) -> None:
    proxy, numbers, size, seed = nodes.store_proxy(), itertools.count(), 300, os.urandom(MIB)
    hub = nodes.node(nodes.settings(store=proxy.endpoint))
    hub.tool("create_repo", name="thing", kind="model")

    def stumble(asked: Asked) -> Fault | None:
        faults = {3: Fault.RESET, 8: Fault.LOSE_ANSWER, 13: Fault.SLOW_DOWN}
        return faults.get(next(numbers)) if asked.method == "PUT" else None

    def body() -> Iterator[bytes]:
        for number in range(size):
            yield number.to_bytes(4, "big") + seed[4:]

    check = hashlib.sha256()
    for chunk in body():
        check.update(chunk)
    proxy.on_request = stumble
    before, path = peak_memory(hub), f"/admin/thing.git/info/lfs/objects/{check.hexdigest()}"
    headers = {"content-length": str(size * MIB)}
    with hub.client() as client:
        address = hub.address(path)
        sent = client.put(address, content=body(), headers=headers, timeout=120)
    assert sent.status_code == 200, sent.text
    assert next(numbers) > 14
    assert peak_memory(hub) - before < 160 * MIB
    got = hashlib.sha256()
    with hub.client() as client, client.stream("GET", address) as answer:
        for chunk in answer.iter_bytes():
            got.update(chunk)
    assert got.digest() == check.digest()
    assert peak_memory(hub) - before < 160 * MIB
