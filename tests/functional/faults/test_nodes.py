"""Three hubs on one PostgreSQL and one S3 store, each with its own disk: whatever happens to one, they stay one hub."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hub_core.authz import SYSTEM
from hub_core.errors import HubError
from hub_core.services import open_services
from tests.common.forked_hub import ForkedHub
from tests.common.git_client import commit_file, git
from tests.common.nodes import Nodes
from tests.functional.faults.conftest import clone

pytestmark = [pytest.mark.xdist_group("production"), pytest.mark.slow]
REPO = {"repo": "admin/thing"}


def push(folder: Path, node: ForkedHub, *refs: str) -> bool:
    done = git(folder, "-c", "lfs.transfer.maxretries=1", "push", "-q", node.address("/admin/thing.git"), *(refs or ("main",)), check=False)
    return done.returncode == 0


def heads(nodes: list[ForkedHub]) -> set[str]:
    return {node.tool("get_repo", **REPO)["head"] for node in nodes}


def check_sound(nodes: list[ForkedHub], work: Path) -> None:
    """Every node gives a whole clone, and all the same."""
    assert nodes[0].problems() == []
    found = set()
    for number, node in enumerate(nodes):
        name = f"check{number}"
        shutil.rmtree(work / name, ignore_errors=True)
        folder = clone(node, work, name)
        git(folder, "fsck", "--strict", "--full")
        git(folder, "lfs", "fsck")
        found.add(git(folder, "rev-parse", "HEAD").stdout)
        found.add(git(folder, "ls-remote", "origin").stdout)
    assert len(found) == 2


def test_pushes_through_three_nodes_at_once_lose_nobody(nodes: Nodes, work: Path) -> None:
    three = [nodes.node() for _ in range(3)]
    three[0].tool("create_repo", name="thing", kind="model")
    folders = [clone(three[number % 3], work, f"c{number}") for number in range(4)]
    for folder in folders:
        git(folder, "lfs", "track", "*.bin")
        (folder / f"{folder.name}.bin").write_bytes(os.urandom(50_000))
        commit_file(folder, f"{folder.name}.txt", folder.name)
    waiting, reading = list(folders), threading.Event()

    def read() -> None:
        for number in itertools.count():
            if reading.is_set():
                return
            shutil.rmtree(work / "reader", ignore_errors=True)
            git(work, "clone", "-q", three[number % 3].address("/admin/thing.git"), "reader")
            git(work / "reader", "fsck", "--strict", "--full")

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(read)
        while waiting:
            done = list(pool.map(push, waiting, [three[number % 3] for number in range(len(waiting))]))
            winners = [folder for folder, won in zip(waiting, done, strict=True) if won]
            assert len(winners) == 1
            waiting = [folder for folder in waiting if folder not in winners]
            for number, folder in enumerate(waiting):
                git(folder, "pull", "-q", "--rebase", three[number % 3].address("/admin/thing.git"), "main")
        reading.set()
        reader.result()
    names = {item["path"] for item in three[2].tool("list_files", **REPO)["items"]}
    assert {f"{folder.name}.{kind}" for folder in folders for kind in ("txt", "bin")} <= names
    check_sound(three, work)


def die_in_the_middle(nodes: Nodes, work: Path, every: int) -> None:
    """A node dies at one step after the other of a push with a large file, and of a commit by the API."""
    weak, doom = nodes.doomed()
    others = [nodes.node(), nodes.node()]
    weak.tool("create_repo", name="thing", kind="model")
    folder, numbers = clone(weak, work, "mine"), itertools.count()
    git(folder, "lfs", "track", "*.bin")

    def pushed() -> tuple[str, bool]:
        (folder / "weights.bin").write_bytes(os.urandom(100_000))
        new = commit_file(folder, "a.txt", f"{next(numbers)}\n")
        return new, push(folder, weak)

    def committed() -> tuple[str, bool]:
        arguments = {**REPO, "path": f"{next(numbers)}.txt", "content": "new"}
        try:
            answer = weak.request("POST", "/api/v1/tools/write_file", json=arguments)
        except httpx.TransportError:
            return "", False
        return (answer.json()["result"]["commit"], True) if answer.status_code == 200 else ("", False)

    for act in (pushed, committed):
        doom.arm()
        new, acknowledged = act()
        assert acknowledged
        total, died = doom.taken, 0
        assert total > 4
        for step in range(1, total + 1, every):
            old = new
            doom.arm(step)
            new, acknowledged = act()
            died += doom.taken >= step
            doom.arm()
            (now,) = heads(others)
            assert now in {old, new} or not new, f"step {step}"
            assert now == new or not acknowledged, f"step {step}: an acknowledged change is lost"
            weak.restart()
            assert heads([weak]) == {now}
            if act is pushed:
                assert push(folder, others[step % 2]), f"step {step}: the same push again, elsewhere"
            (new,) = heads([weak, *others])
        assert died >= len(range(1, total + 1, every)) // 2
        git(folder, "pull", "-q", others[0].address("/admin/thing.git"), "main")
    check_sound([weak, *others], work)


def test_a_node_dies_in_the_middle_of_a_change(nodes: Nodes, work: Path) -> None:
    die_in_the_middle(nodes, work, every=7)


@pytest.mark.slow
def test_a_node_dies_at_every_step_of_a_change(nodes: Nodes, work: Path) -> None:
    die_in_the_middle(nodes, work, every=1)


def clean_while_pushing(nodes: Nodes, work: Path, pushes: int) -> None:
    """One node pushes; another one removes, without any grace, all that nothing refers to at that moment."""
    node, folder = nodes.node(), work / "mine"
    node.tool("create_repo", name="thing", kind="model")
    clone(node, work, "mine")
    git(folder, "lfs", "track", "*.bin")
    stop, none = threading.Event(), dt.timedelta(seconds=-2)
    with open_services(nodes.settings()) as services:
        repo_id = services.repos.find(SYSTEM, "admin/thing").id

        def clean() -> int:
            removed = 0
            while not stop.is_set():
                removed += services.git.gc(repo_id, orphans=none) + services.lfs.gc(none)
                for shard in range(256):
                    if stop.is_set():
                        break
                    removed += services.lfs.sweep(shard, none)
                try:
                    services.git.consolidate(repo_id, min_packs=3)
                except HubError:
                    continue
            return removed

        with ThreadPoolExecutor(1) as pool:
            cleaning = pool.submit(clean)
            refused = 0
            for number in range(pushes):
                (folder / f"w{number}.bin").write_bytes(os.urandom(40_000))
                commit_file(folder, "a.txt", f"{number}\n")
                # What was taken away in this moment is told, and sent again.
                refused += sum(1 for _ in itertools.takewhile(lambda _: not push(folder, node), range(20)))
                assert heads([node]) == {git(folder, "rev-parse", "HEAD").stdout.strip()}
            stop.set()
            cleaning.result()
    check_sound([node, nodes.node()], work)


def test_what_is_needed_stays_while_another_node_cleans_up(nodes: Nodes, work: Path) -> None:
    clean_while_pushing(nodes, work, pushes=6)


@pytest.mark.slow
def test_what_is_needed_stays_while_another_node_cleans_up_for_long(nodes: Nodes, work: Path) -> None:
    clean_while_pushing(nodes, work, pushes=60)
