"""Pushes that are too large, or that have very many refs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hub_core.git.receive import pkt
from hub_core.git.types import ZERO
from hub_core.settings import Settings
from tests.common.forked_hub import ForkedHub, forked_hub
from tests.common.git_client import git
from tests.common.hub_process import TOKEN
from tests.functional.faults.conftest import clone, peak_memory

REPO = {"repo": "admin/thing"}
EMPTY_PACK = bytes.fromhex("5041434b0000000200000000029d08823bd8a8eab510ad6ac75c823cfd3ed31e")
MIB = 1024 * 1024
GIB = 1024 * MIB


@pytest.fixture
def hub(fault_settings: Settings) -> Iterator[ForkedHub]:
    """A hub that takes packs of 4 GiB, as it does by default."""
    with forked_hub(replace(fault_settings, max_body_mb=4096)) as running:
        yield running


def push_of(hub: ForkedHub, old: str, new: str, names: list[str], pack: bytes = EMPTY_PACK) -> bytes:
    """What the client sends: it needs minutes itself to compare so many refs with one another."""
    lines = [f"{old} {new} {name}".encode() for name in names]
    lines[0] += b"\0 report-status"
    body = b"".join(pkt(line) for line in lines) + b"0000" + pack
    return hub.request("POST", "/admin/thing.git/git-receive-pack", content=body).content


def test_ten_thousand_refs_are_pushed_listed_paged_and_deleted(hub: ForkedHub, work: Path) -> None:
    hub.tool("create_repo", name="thing", kind="model")
    head, count = hub.tool("get_repo", **REPO)["head"], 10_000
    names = [f"refs/heads/f{number % 100:02}/b{number:05}" for number in range(count)]
    began = time.monotonic()
    assert push_of(hub, ZERO, head, names).count(b"ok refs/heads/") == count
    folder = clone(hub, work, "mine")
    assert len(git(folder, "ls-remote", "--heads", "origin").stdout.splitlines()) == count + 1
    git(folder, "push", "-q", "origin", "main:refs/heads/one-more")
    seen: list[str] = []
    page = hub.tool("list_branches", **REPO)
    assert len(page["items"]) == 1000
    while True:
        seen += [item["name"] for item in page["items"]]
        if page["next"] is None:
            break
        page = hub.tool("list_branches", **REPO, cursor=page["next"], limit=999)
    assert sorted(seen) == sorted([name.removeprefix("refs/heads/") for name in names] + ["main", "one-more"])
    assert b"ng refs/heads/f42 the ref refs/heads/f42/" in push_of(hub, ZERO, head, ["refs/heads/f42"])
    assert push_of(hub, head, ZERO, names[1:]).count(b"ok refs/heads/") == count - 1
    assert time.monotonic() - began < 60
    assert [item["name"] for item in hub.tool("list_branches", **REPO)["items"]] == ["f00/b00000", "main", "one-more"]
    assert hub.problems() == []


@pytest.mark.slow
def test_a_file_of_two_gigabytes_outside_lfs_costs_neither_memory_nor_disk(hub: ForkedHub, work: Path) -> None:
    hub.tool("create_repo", name="thing", kind="model")
    head, folder = hub.tool("get_repo", **REPO)["head"], clone(hub, work, "mine")
    with (folder / "zeros.txt").open("wb") as file:
        file.truncate(2 * GIB)
    git(folder, "-c", "core.bigFileThreshold=1m", "add", "zeros.txt")
    git(folder, "commit", "-q", "-m", "zeros")
    before = peak_memory(hub)
    refused = git(folder, "push", "origin", "main", check=False)
    assert refused.returncode != 0
    assert "The file 'zeros.txt' has 2,048 MiB; outside Git LFS a file may have 100 MiB." in refused.stderr
    assert peak_memory(hub) - before < 64 * MIB
    assert hub.tool("get_repo", **REPO)["head"] == head
    assert not any(path.is_file() for path in hub.settings.data_dir.glob("cache/git/*/incoming/*/**/*"))


def test_a_large_file_is_refused_before_it_fills_the_disk(hub: ForkedHub, work: Path) -> None:
    """400 MiB that cannot be compressed, sent as one object of a pack that never ends."""
    hub.tool("create_repo", name="thing", kind="model")
    head, noise, written = hub.tool("get_repo", **REPO)["head"], os.urandom(MIB), []
    staging = hub.settings.data_dir / "blobs" / ".staging"
    kind_and_size = _header(3, 2 * GIB)
    start = pkt(f"{head} {'1' * 40} refs/heads/main\0 report-status side-band-64k") + b"0000"

    def body() -> Iterator[bytes]:
        yield start + b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + kind_and_size + b"\x78\x01"
        for number in range(400):
            for first in range(0, MIB, 32768):
                yield b"\0" + (32768).to_bytes(2, "little") + (32768 ^ 0xFFFF).to_bytes(2, "little") + noise[first : first + 32768]
            if number % 20 == 0:
                written.append(sum(os.stat(f"/proc/{hub.process.pid}/fd/{fd}").st_size for fd in _open_in(hub, staging)))

    before = peak_memory(hub)
    with hub.client() as client:
        headers = {"authorization": f"Bearer {TOKEN}"}
        answer = client.post(f"{hub.url}/admin/thing.git/git-receive-pack", content=body(), headers=headers)
    assert b"A file of this push has 2,048 MiB; outside Git LFS a file may have 100 MiB." in answer.content
    assert b"--above=100MiB" in answer.content
    assert max(written) < 180 * MIB
    assert written[-1] == 0
    assert peak_memory(hub) - before < 64 * MIB
    assert hub.tool("get_repo", **REPO)["head"] == head


def _header(kind: int, size: int) -> bytes:
    out = bytearray([kind << 4 | size & 15])
    size >>= 4
    while size:
        out[-1] |= 0x80
        out.append(size & 0x7F)
        size >>= 7
    return bytes(out)


def _open_in(hub: ForkedHub, folder: Path) -> list[str]:
    assert hub.process is not None
    fds = f"/proc/{hub.process.pid}/fd"
    return [fd for fd in os.listdir(fds) if os.readlink(f"{fds}/{fd}").startswith(str(folder))]
