"""The process dies at any step of a change: afterwards there is the old state or the new one, and everything works on."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.common.forked_hub import ENDLESS, ForkedHub
from tests.common.git_client import commit_file, git
from tests.functional.faults.conftest import clone

pytestmark = pytest.mark.slow
REPO = {"repo": "admin/thing"}


def push(folder: Path, *options: str) -> bool:
    return git(folder, *options, "push", "-q", "origin", "main", check=False).returncode == 0


def check_sound(hub: ForkedHub, work: Path) -> Path:
    """Nothing is broken, and a clone has everything."""
    assert hub.problems() == []
    folder = work / "check"
    shutil.rmtree(folder, ignore_errors=True)
    clone(hub, work, "check")
    git(folder, "fsck", "--strict", "--full")
    git(folder, "lfs", "fsck")
    return folder


def steps_to_try(total: int, every: int) -> range:
    return range(1, total + 1, every)


def crash_pushes(hub: ForkedHub, work: Path, every: int) -> None:
    """Push again and again, a plain and a large file each time, and die one step later each time."""
    hub.tool("create_repo", name="thing", kind="model")
    folder = clone(hub, work, "mine")
    git(folder, "lfs", "track", "*.bin")
    numbers = itertools.count()

    def next_commit() -> str:
        (folder / "weights.bin").write_bytes(os.urandom(300_000))
        return commit_file(folder, "a.txt", f"content {next(numbers)}\n")

    next_commit()
    hub.die_at(ENDLESS)
    assert push(folder)
    total = hub.taken()
    assert total > 10
    old = hub.tool("get_repo", **REPO)["head"]
    died = 0
    for step in steps_to_try(total, every):
        new = next_commit()
        hub.die_at(step)
        acknowledged = push(folder, "-c", "lfs.transfer.maxretries=1")
        died += not hub.alive
        hub.restart()
        head = hub.tool("get_repo", **REPO)["head"]
        assert head in {old, new}, f"step {step}"
        assert head == new or not acknowledged, f"step {step}: an acknowledged push is lost"
        if step % 5 == 1:
            check_sound(hub, work)
        assert push(folder), f"step {step}: the same push again"
        old = hub.tool("get_repo", **REPO)["head"]
        assert old == new
    # The first push makes folders and files that later ones find there, so that the last steps are not reached any more.
    assert died > len(steps_to_try(total, every)) // 2
    mine = check_sound(hub, work)
    assert (mine / "weights.bin").read_bytes() == (folder / "weights.bin").read_bytes()


def test_a_push_with_large_files_is_cut_off(hub: ForkedHub, work: Path) -> None:
    crash_pushes(hub, work, every=17)


def test_a_push_with_large_files_is_cut_off_at_every_step(hub: ForkedHub, work: Path) -> None:
    crash_pushes(hub, work, every=1)


def seen(hub: ForkedHub) -> dict[str, Any]:
    """What people see of the repos."""
    repos = hub.tool("search_repos", limit=100)["items"]
    found = {}
    for repo in repos:
        name = {"repo": repo["id"], "kind": repo["kind"]}
        facts = {key: repo[key] for key in ("visibility", "description", "head", "default_branch")}
        files = hub.tool("list_files", **name, recursive=True)["items"] if repo["head"] else None
        found[repo["id"]] = {**facts, "files": files, "branches": hub.tool("list_branches", **name)["items"]}
    return found


def settled(state: dict[str, Any]) -> dict[str, Any]:
    """Without the ids of commits, which hold the time."""
    return {name: {**facts, "head": "", "branches": [b["name"] for b in facts["branches"]]} for name, facts in state.items()}


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "commit": ("write_file", {**REPO, "path": "a.txt", "content": "new"}),
    "large commit": ("write_file", {**REPO, "path": "large.bin", "content": "not plain"}),
    "revert": ("revert_commit", {**REPO, "revision": "main"}),
    "branch": ("create_branch", {**REPO, "branch": "idea"}),
    "create": ("create_repo", {"name": "fresh", "kind": "model"}),
    "fork": ("fork_repo", {**REPO, "to": "copy"}),
    "move": ("move_repo", {**REPO, "new_name": "other"}),
    "delete": ("delete_repo", REPO),
}


def crash_changes(hub: ForkedHub, copy_of: Callable[[int], ForkedHub], tool: str, arguments: dict[str, Any], every: int) -> None:
    """Make one change on copies of a hub, and die one step later each time."""
    hub.tool("create_repo", name="thing", kind="model")
    hub.tool("write_file", **REPO, path="weights.bin", content="binary enough for LFS")
    hub.tool("write_file", **REPO, path="a.txt", content="old")
    old = seen(hub)
    hub.kill()
    first = copy_of(0)
    first.die_at(ENDLESS)
    first.tool(tool, **arguments)
    total, new = first.taken(), seen(first)
    first.kill()
    for step in steps_to_try(total, every):
        other = copy_of(step)
        other.die_at(step)
        try:
            answered = other.request("POST", f"/api/v1/tools/{tool}", json=arguments).status_code == 200
        except httpx.TransportError:
            answered = False
        other.restart()
        now = seen(other)
        assert now == old or settled(now) == settled(new), f"step {step}: neither the old state nor the new one"
        assert now != old or not answered, f"step {step}: an acknowledged change is lost"
        assert other.problems() == [], f"step {step}"
        if now == old:
            other.tool(tool, **arguments)
        check_usable(other, f"step {step}")
        other.kill()
        shutil.rmtree(other.settings.data_dir)


def check_usable(hub: ForkedHub, where: str) -> None:
    """Every repo that is there can be changed; a file of another repo's LFS object is readable in a fork."""
    for name, facts in seen(hub).items():
        hub.tool("write_file", repo=name, path="after.txt", content="works")
        if facts["files"] and any(item["lfs"] for item in facts["files"]):
            path = next(item["path"] for item in facts["files"] if item["lfs"])
            assert hub.tool("read_file", repo=name, path=path)["size"] > 0, where
    assert hub.problems() == [], where


@pytest.fixture
def copy_of(hub: ForkedHub, tmp_path: Path) -> Any:
    """Copies of the stopped hub, running; each ends with the test."""
    copies: list[ForkedHub] = []

    def make(number: int) -> ForkedHub:
        folder = tmp_path / f"copy{number}"
        shutil.copytree(hub.settings.data_dir, folder)
        made = ForkedHub(dataclasses.replace(hub.settings, data_dir=folder))
        copies.append(made)
        made.start()
        return made

    yield make
    for each in copies:
        each.kill()


@pytest.mark.parametrize("name", ["commit", "create", "fork"])
def test_a_change_by_the_api_is_cut_off(hub: ForkedHub, copy_of: Any, name: str) -> None:
    crash_changes(hub, copy_of, *CHANGES[name], every=15)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_by_the_api_is_cut_off_at_every_step(hub: ForkedHub, copy_of: Any, name: str) -> None:
    crash_changes(hub, copy_of, *CHANGES[name], every=1)
