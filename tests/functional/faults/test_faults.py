"""Clients that go away, disks that fill up, two servers on one hub."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hub_core.settings import Settings
from tests.common.forked_hub import ForkedHub, forked_hub
from tests.common.git_client import commit_file, git
from tests.common.hub_process import TOKEN
from tests.common.waiting import until
from tests.functional.faults.conftest import clone

REPO = {"repo": "admin/thing"}
MIB = 1024 * 1024


def staged(hub: ForkedHub) -> list[str]:
    return [path.name for path in (hub.settings.data_dir / "blobs" / ".staging").iterdir()]


def send_half(hub: ForkedHub, method: str, path: str, body: bytes, announced: int) -> socket.socket:
    """Begin a request and stop in the middle of its body."""
    connection = socket.create_connection(("127.0.0.1", hub.port))
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {announced}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


@pytest.mark.parametrize("ending", ["client", "server"])
def test_an_upload_cut_off_in_the_middle_leaves_nothing(hub: ForkedHub, ending: str) -> None:
    hub.tool("create_repo", name="thing", kind="model")
    data = os.urandom(6 * MIB)
    oid = hashlib.sha256(data).hexdigest()
    connection = send_half(hub, "PUT", f"/admin/thing.git/info/lfs/objects/{oid}", data[: 3 * MIB], len(data))
    until(lambda: any((hub.settings.data_dir / "blobs" / ".staging" / name).stat().st_size >= MIB for name in staged(hub)))
    if ending == "client":
        connection.close()
        until(lambda: staged(hub) == [])
    else:
        hub.restart()
        connection.close()
    assert hub.request("GET", f"/admin/thing.git/info/lfs/objects/{oid}").status_code == 404
    assert hub.problems() == []
    assert hub.request("PUT", f"/admin/thing.git/info/lfs/objects/{oid}", content=data).status_code == 200
    assert hub.request("GET", f"/admin/thing.git/info/lfs/objects/{oid}").content == data


@pytest.mark.parametrize("ending", ["client", "server"])
def test_a_push_cut_off_in_the_middle_leaves_nothing(hub: ForkedHub, work: Path, ending: str) -> None:
    hub.tool("create_repo", name="thing", kind="model")
    folder = clone(hub, work, "mine")
    head = hub.tool("get_repo", **REPO)["head"]
    new = commit_file(folder, "big.txt", os.urandom(4 * MIB).hex())
    objects = git(folder, "rev-list", "--objects", f"{head}..{new}").stdout
    made = subprocess.run(["git", "pack-objects", "--stdout", "-q"], cwd=folder, input=objects.encode(), capture_output=True, check=True)
    line = f"{head} {new} refs/heads/main\0 report-status"
    body = f"{len(line) + 4:04x}{line}0000".encode() + made.stdout
    connection = send_half(hub, "POST", "/admin/thing.git/git-receive-pack", body[: len(body) // 2], len(body))
    connection.close() if ending == "client" else hub.restart()
    connection.close()
    assert hub.tool("get_repo", **REPO)["head"] == head
    assert hub.problems() == []
    git(folder, "push", "-q", "origin", "main")
    assert hub.tool("get_repo", **REPO)["head"] == new
    # What comes shortened but whole as a request is refused as well.
    newer = commit_file(folder, "a.txt", "1")
    line = f"{new} {newer} refs/heads/main\0 report-status"
    short = f"{len(line) + 4:04x}{line}0000".encode() + made.stdout[:-1000]
    refused = hub.request("POST", "/admin/thing.git/git-receive-pack", content=short)
    assert b"ng refs/heads/main" in refused.content
    assert hub.tool("get_repo", **REPO)["head"] == new


@pytest.mark.slow
def test_two_servers_on_one_hub_see_each_others_work_and_lose_nothing(hub: ForkedHub, work: Path) -> None:
    hub.tool("create_repo", name="thing", kind="model")
    with forked_hub(hub.settings) as other:
        mine, theirs = clone(hub, work, "mine"), clone(other, work, "theirs")
        git(mine, "lfs", "track", "*.bin")
        commit_file(mine, "weights.bin", os.urandom(100_000))
        git(mine, "push", "-q", "origin", "main")
        git(theirs, "pull", "-q")
        assert (theirs / "weights.bin").read_bytes() == (mine / "weights.bin").read_bytes()
        # Eight clones push to one branch through both servers: in each round exactly one wins, and in the end nothing is lost.
        folders = [clone((hub, other)[number % 2], work, f"c{number}") for number in range(8)]
        for folder in folders:
            commit_file(folder, f"{folder.name}.txt", folder.name)
        waiting = folders
        while waiting:
            with ThreadPoolExecutor(8) as pool:
                done = list(pool.map(lambda folder: git(folder, "push", "-q", "origin", "main", check=False), waiting))
            winners = [folder for folder, result in zip(waiting, done, strict=True) if result.returncode == 0]
            assert len(winners) == 1, [result.stderr for result in done]
            waiting = [folder for folder in waiting if folder not in winners]
            # Only the first rounds are raced, the rest goes one by one: each costs a second.
            if len(waiting) <= 5:
                for folder in waiting:
                    git(folder, "pull", "-q", "--rebase")
                    git(folder, "push", "-q", "origin", "main")
                break
            for folder in waiting:
                git(folder, "pull", "-q", "--rebase")
        names = {item["path"] for item in hub.tool("list_files", **REPO)["items"]}
        assert {f"c{number}.txt" for number in range(8)} <= names
        # Both write metadata at once.
        with ThreadPoolExecutor(8) as pool:
            servers = [(hub, other)[number % 2] for number in range(24)]
            list(pool.map(lambda pair: pair[1].tool("write_file", **REPO, path=f"f{pair[0]}.txt", content="x"), enumerate(servers)))
        assert len(hub.tool("list_files", **REPO)["items"]) >= 8 + 24
        assert hub.problems() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(hub: ForkedHub, work: Path) -> None:
    """More than fits by each way in: a clear error each time, and nothing is broken."""
    hub.tool("create_repo", name="thing", kind="model")
    hub.tool("write_file", **REPO, path="a.txt", content="first")
    head = hub.tool("get_repo", **REPO)["head"]
    data = os.urandom(14 * MIB)
    oid = hashlib.sha256(data).hexdigest()
    answer = hub.request("PUT", f"/admin/thing.git/info/lfs/objects/{oid}", content=data)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_full"), answer.text

    folder = clone(hub, work, "mine")
    commit_file(folder, "big.txt", data.hex()[: 26 * MIB])
    refused = git(folder, "push", "origin", "main", check=False)
    assert refused.returncode != 0
    assert "disk of the hub is full" in refused.stderr, refused.stderr
    git(folder, "reset", "-q", "--hard", "origin/main")
    git(folder, "lfs", "track", "*.bin")
    commit_file(folder, "big.bin", data)
    refused = git(folder, "-c", "lfs.transfer.maxretries=1", "push", "origin", "main", check=False)
    assert refused.returncode != 0
    assert "disk of the hub is full" in refused.stderr, refused.stderr

    assert hub.tool("get_repo", **REPO)["head"] == head
    assert staged(hub) == []
    assert hub.problems() == []
    hub.tool("write_file", **REPO, path="b.txt", content="there is room for small things")


def test_a_full_disk_is_told_and_breaks_nothing(small_disk: Path, fault_settings: Settings, work: Path) -> None:
    with forked_hub(replace(fault_settings, data_dir=small_disk / "hub")) as hub:
        fill_up(hub, work)


def test_a_disk_without_a_single_free_byte(small_disk: Path, fault_settings: Settings, work: Path) -> None:
    with forked_hub(replace(fault_settings, data_dir=small_disk / "hub")) as hub:
        hub.tool("create_repo", name="thing", kind="model")
        mine = clone(hub, work, "mine")
        with (small_disk / "ballast").open("wb", buffering=0) as ballast:
            size = MIB
            while size:
                try:
                    size = size if ballast.write(b"x" * size) == size else size // 2
                except OSError:
                    size //= 2
        for tool, arguments in (
            ("write_file", {**REPO, "path": "b.txt", "content": "x" * 50_000}),
            ("create_repo", {"name": "more", "kind": "model"}),
            ("update_repo", {**REPO, "description": "x" * 2000}),
            ("fork_repo", {**REPO, "to": "copy"}),
            ("create_org", {"name": "lab"}),
        ):
            answer = hub.request("POST", f"/api/v1/tools/{tool}", json=arguments)
            # A small change may still find room in what the database holds already.
            assert answer.status_code == 200 or (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_full"), answer.text
        commit_file(mine, "big.txt", os.urandom(MIB))
        assert git(mine, "push", "origin", "main", check=False).returncode != 0
        assert hub.tool("get_repo", **REPO)["id"] == "admin/thing"
        fetched = git(mine, "fetch", "-q", check=False)
        assert fetched.returncode == 0 or "HTTP 503" in fetched.stderr or "disk of the hub is full" in fetched.stderr
        (small_disk / "ballast").unlink()
        hub.tool("write_file", **REPO, path="c.txt", content="room again")
        assert hub.problems() == []
        clone(hub, work, "again")


def test_files_may_not_grow_beyond_what_the_system_allows(hub: ForkedHub, work: Path) -> None:
    """The way to have a full disk where nothing can be mounted."""
    hub.kill()
    hub.start(file_limit=10 * MIB)
    fill_up(hub, work)
