"""`hf` as people type it: accounts, lists, cards, copies, and the cache of the client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub_core.authz import Scope, Visibility
from hub_core.repos.kinds import RepoKind
from tests.clients.huggingface.test_hf_command import Terminal, terminal  # noqa: F401
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("hub", ["local"], indirect=True)]

CARD = b"---\nlicense: mit\ntags: [tickets]\n---\n# Tickets of a year\n"


def test_several_tokens_are_kept_and_switched(hub: HfHub, terminal: Terminal) -> None:  # noqa: F811
    other = hub.services.tokens.create(actor_for(hub.ben), "of-ben", Scope.READ).token
    first = terminal.hf("auth", "token").strip()
    terminal.hf("auth", "login", "--token", other, "--force")
    assert "ben" in terminal.hf("auth", "whoami")
    assert "of-ben" in terminal.hf("auth", "list")
    names = terminal.hf("auth", "list", "--quiet").split()
    terminal.hf("auth", "switch", "--token-name", next(name for name in names if name.startswith("terminal")))
    assert terminal.hf("auth", "token").strip() == first
    terminal.hf("auth", "logout")
    assert "Not logged in" in terminal.hf("auth", "whoami", fails=True)
    assert hub.url in terminal.hf("env")
    assert terminal.hf("version")


def test_repos_are_listed_shown_and_read(hub: HfHub, terminal: Terminal) -> None:  # noqa: F811
    model = hub.repo({"README.md": CARD, "sub/config.json": b"{}"}).full_name
    dataset = hub.repo({"README.md": CARD, "train.csv": b"a\n1\n"}, kind=RepoKind.DATASET, visibility=Visibility.PRIVATE).full_name
    space = hub.repo({"README.md": b"---\nsdk: gradio\n---\n# Demo\n"}, kind=RepoKind.SPACE).full_name
    assert model in terminal.hf("models", "list", "--author", "ann", "--filter", "tickets", "--sort", "downloads", "--quiet").split()
    assert dataset in terminal.hf("datasets", "list", "--search", dataset.split("/")[1], "--quiet").split()
    assert space in terminal.hf("spaces", "list", "--author", "ann", "--quiet").split()
    assert "sub/config.json" in terminal.hf("models", "list", model, "-R")
    assert "train.csv" in terminal.hf("datasets", "list", dataset)
    assert "README.md" in terminal.hf("spaces", "list", space)
    assert json.loads(terminal.hf("models", "info", model, "--json"))["card_data"]["license"] == "mit"
    assert json.loads(terminal.hf("spaces", "info", space, "--json"))["sdk"] == "gradio"
    assert "# Tickets of a year" in terminal.hf("models", "card", model)
    assert "# Tickets of a year" in terminal.hf("datasets", "card", dataset)
    assert "# Demo" in terminal.hf("spaces", "card", space)
    owned = {item["id"]: item for item in json.loads(terminal.hf("repos", "list", "--json"))}
    assert {model, dataset, space} <= set(owned)
    assert owned[dataset]["visibility"] == "private"


def test_files_are_copied_to_from_and_between_repos(hub: HfHub, terminal: Terminal, tmp_path: Path) -> None:  # noqa: F811
    source, target = hub.repo({"a.txt": b"from the hub"}).full_name, hub.repo().full_name
    terminal.hf("cp", f"hf://{source}/a.txt", "copy.txt")
    assert (tmp_path / "copy.txt").read_bytes() == b"from the hub"
    terminal.hf("cp", "copy.txt", f"hf://{target}/sent.txt")
    terminal.hf("repos", "cp", f"hf://{source}/a.txt", f"hf://{target}/beside.txt")
    assert {"sent.txt", "beside.txt"} <= set(hub.api().list_repo_files(target))
    terminal.hf("repos", "duplicate", source, f"{source}-copy")
    assert "a.txt" in hub.api().list_repo_files(f"{source}-copy")


def test_branches_and_tags_go_away(hub: HfHub, terminal: Terminal) -> None:  # noqa: F811
    repo = hub.repo({"a.txt": b"a"}).full_name
    terminal.hf("repos", "branch", "create", repo, "dev")
    terminal.hf("repos", "tag", "create", repo, "v1")
    terminal.hf("repos", "branch", "delete", repo, "dev")
    terminal.hf("repos", "tag", "delete", repo, "v1", "--yes")
    refs = hub.api().list_repo_refs(repo)
    assert [ref.name for ref in [*refs.branches, *refs.tags]] == ["main"]


def test_the_cache_is_listed_checked_and_cleared(hub: HfHub, terminal: Terminal, tmp_path: Path) -> None:  # noqa: F811
    repo = hub.repo({"a.txt": b"a" * 1000, "model.safetensors": b"b" * 1000}).full_name
    assert "a.txt" in terminal.hf("download", repo, "--dry-run")
    path = Path(terminal.hf("download", repo, "--include", "*.txt", "--quiet").strip())
    assert [item.name for item in path.iterdir()] == ["a.txt"]
    assert repo in terminal.hf("cache", "list")
    terminal.hf("download", repo)
    assert "checksums match" in terminal.hf("cache", "verify", repo)
    (tmp_path / "local").mkdir()
    terminal.hf("download", repo, "--local-dir", "local")
    (tmp_path / "local/a.txt").write_bytes(b"c" * 1000)
    assert "a.txt" in terminal.hf("cache", "verify", repo, "--local-dir", "local", fails=True)
    hub.api().upload_file(path_or_fileobj=b"new", path_in_repo="a.txt", repo_id=repo)
    terminal.hf("download", repo)
    assert "1" in terminal.hf("cache", "prune", "--yes")
    terminal.hf("cache", "rm", f"model/{repo}", "--yes")
    assert repo not in terminal.hf("cache", "list", "--json")


def test_services_of_hugging_face_are_refused_with_a_reason(terminal: Terminal) -> None:  # noqa: F811
    for said, reason in (
        (terminal.hf("buckets", "list", fails=True), "no buckets"),
        (terminal.hf("buckets", "create", "b", fails=True), "no buckets"),
        (terminal.hf("jobs", "list", fails=True), "no jobs"),
        (terminal.hf("jobs", "run", "python:3.12", "python", "-V", fails=True), "no jobs"),
        (terminal.hf("jobs", "scheduled", "list", fails=True), "no jobs"),
        (terminal.hf("sandbox", "create", fails=True), "no jobs, sandboxes"),
        (terminal.hf("papers", "list", fails=True), "no papers"),
        (terminal.hf("spaces", "search", "chat", fails=True), "hf spaces list --search"),
        (terminal.hf("spaces", "templates", fails=True), "no templates"),
        (terminal.hf("datasets", "leaderboard", "ann/x", fails=True), "no leaderboards"),
    ):
        assert reason in said
