"""The settings of compose.yaml on real parts: PostgreSQL, an S3 store, hub processes as people run them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from hub_core.settings import load_settings
from tests.architecture.sources import ROOT
from tests.common.databases import PostgresServer, free_port
from tests.common.forked_hub import ForkedHub
from tests.common.git_client import commit_file, git
from tests.common.hub_process import PASSWORD, TOKEN, HubProcess
from tests.common.swift import SwiftServer, run_swift, swift_missing

pytestmark = pytest.mark.xdist_group("production")
REPO = {"repo": "admin/weights"}


@dataclass
class Stack:
    """The database, the bucket and a running hub."""

    hub: HubProcess
    postgres: PostgresServer
    database: str
    environment: dict[str, str]

    def clone(self, work: Path, name: str, port: int = 0) -> Path:
        """A clone through one of the nodes."""
        git(work, "clone", "-q", f"http://admin:{TOKEN}@127.0.0.1:{port or self.hub.port}/admin/weights.git", name)
        git(work / name, "lfs", "install", "--local")
        git(work / name, "lfs", "pull")
        return work / name

    def say(self, message: str, thread: str | None = None) -> Any:
        """A turn of a conversation."""
        answer = self.hub.request("POST", "/api/v1/chat", json={"message": message, "thread_id": thread})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def second_node(self, folder: Path) -> ForkedHub:
        """Another hub with its own empty disk on the same database and bucket."""
        port = free_port()
        environment = {**self.environment, "HUB_DATA_DIR": str(folder), "HUB_PORT": str(port), "HUB_ADMIN_TOKEN": TOKEN}
        return ForkedHub(load_settings({**environment, "HUB_PUBLIC_URL": f"http://127.0.0.1:{port}"}), port)


def compose_environment(postgres: PostgresServer, swift: SwiftServer, database: str, port: int) -> dict[str, str]:
    """What compose.yaml sets, with the addresses of the parts that run here. A setting it has and this has not fails the test."""
    wanted = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["hub"]["environment"]
    here = {
        "HUB_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "HUB_DATABASE_URL": postgres.url(database),
        "HUB_STORAGE_URL": wanted["HUB_STORAGE_URL"],
        "HUB_S3_ENDPOINT_URL": swift.endpoint,
        "HUB_S3_PUBLIC_URL": swift.endpoint,
        "HUB_S3_ACCESS_KEY": swift.access_key,
        "HUB_S3_SECRET_KEY": swift.secret_key,
        "HUB_ADMIN_PASSWORD": PASSWORD,
        "HUB_SECRET_KEY": "of-all-nodes-" * 3,
        "HUB_SSH_PORT": "-1",
        "HUB_DEMO": "1",
        "HUB_LLM": "builtin",
        "HUB_LLM_BASE_URL": "",
        "HUB_LLM_API_KEY": "",
    }
    assert set(wanted) <= set(here), "compose.yaml has a setting that is not exercised here"
    assert str(wanted["HUB_DATABASE_URL"]).partition(":")[0] == here["HUB_DATABASE_URL"].partition(":")[0]
    return {name: here[name] for name in wanted}


@pytest.fixture(scope="module")
def stack(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole stack from nothing: the hub makes its tables, its bucket and the demo assets."""
    missing = swift_missing()
    if missing:
        pytest.skip(f"{missing} is not installed")
    folder, port, database = tmp_path_factory.mktemp("production"), free_port(), "production"
    postgres_server.execute(f"CREATE DATABASE {database}")
    with run_swift(folder / "swift") as swift:
        environment = compose_environment(postgres_server, swift, database, port)
        (folder / "node").mkdir()
        hub = HubProcess(folder / "node", port, environment)
        try:
            hub.start()
            yield Stack(hub, postgres_server, database, environment)
        finally:
            hub.stop()
            postgres_server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture(scope="module")
def weights(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Bytes that were pushed with git and git-lfs into a new repo."""
    work, content = tmp_path_factory.mktemp("push"), os.urandom(3_000_000)
    stack.hub.tool("create_repo", name="weights", kind="model")
    folder = stack.clone(work, "first")
    git(folder, "lfs", "track", "*.bin")
    commit_file(folder, "weights.bin", content)
    git(folder, "push", "-q", "origin", "main")
    return content


@pytest.mark.slow
def test_a_node_loses_its_disk_between_a_question_and_its_answer(stack: Stack, work: Path, weights: bytes) -> None:
    assert (stack.clone(work, "before") / "weights.bin").read_bytes() == weights
    asked = stack.say("make admin/weights public")
    assert asked["outcome"] == "needs_approval", asked
    assert stack.hub.tool("get_repo", **REPO)["visibility"] == "private"

    stack.hub.stop()
    shutil.rmtree(stack.hub.folder)
    stack.hub.folder.mkdir()
    stack.hub.start()
    path = f"/api/v1/chat/{asked['thread_id']}/approvals/{asked['pending']['approval_id']}"
    answer = stack.hub.request("POST", path, json={"decision": "approve"}).json()
    assert answer["outcome"] == "done", answer
    assert stack.hub.tool("get_repo", **REPO)["visibility"] == "public"
    assert stack.hub.request("POST", path, json={"decision": "approve"}).status_code == 409
    assert stack.say("make it private again", asked["thread_id"])["outcome"] == "done"
    assert stack.hub.tool("get_repo", **REPO)["visibility"] == "private"

    after = stack.clone(work, "after")
    assert (after / "weights.bin").read_bytes() == weights
    git(after, "fsck", "--strict")
    # What a node has on its disk it can make again: the cache, the chat page's texts, and the log that this test asked for.
    assert {path.name for path in stack.hub.folder.iterdir()} <= {"cache", "local", "chat", "server.log"}


def test_two_nodes_are_one_hub(stack: Stack, work: Path, tmp_path: Path, weights: bytes) -> None:
    other = stack.second_node(tmp_path / "node2")
    other.start()
    try:
        theirs = stack.clone(work, "theirs", other.port)
        assert (theirs / "weights.bin").read_bytes() == weights
        newer = os.urandom(200_000)
        commit_file(theirs, "newer.bin", newer)
        git(theirs, "push", "-q", "origin", "main")
        mine = stack.clone(work, "mine")
        assert (mine / "newer.bin").read_bytes() == newer
        commit_file(mine, "a.txt", "from one node")
        commit_file(theirs, "b.txt", "from the other")
        git(mine, "push", "-q", "origin", "main")
        refused = git(theirs, "push", "origin", "main", check=False)
        assert refused.returncode != 0
        git(theirs, "pull", "-q", "--rebase")
        git(theirs, "push", "-q", "origin", "main")
        files = {item["path"] for item in stack.hub.tool("list_files", **REPO)["items"]}
        assert {"weights.bin", "newer.bin", "a.txt", "b.txt"} <= files
        assert other.problems() == []
    finally:
        other.kill()


def test_a_database_that_drops_its_connections_is_met_again(stack: Stack, weights: bytes) -> None:
    everybody = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(
        host=stack.postgres.host, port=stack.postgres.port, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(everybody, [stack.database])
    assert stack.hub.tool("get_repo", **REPO)["id"] == "admin/weights"
    assert stack.say("who can see admin/weights?")["outcome"] == "done"
