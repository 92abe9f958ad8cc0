"""`hf collections`, `hf webhooks` and `hf spaces` as people type them."""

from __future__ import annotations

import json

import pytest

from hub_core.repos.kinds import RepoKind
from tests.clients.huggingface.test_hf_command import Terminal, terminal  # noqa: F401
from tests.common.hf_hub import HfHub

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("hub", ["local"], indirect=True)]


def test_a_collection_from_the_terminal(hub: HfHub, terminal: Terminal) -> None:  # noqa: F811
    repo = hub.repo().full_name
    slug = terminal.hf("collections", "create", "From the terminal", "--private", "--quiet").strip()
    assert slug in terminal.hf("collections", "list", "--owner", "ann", "--quiet").split()
    terminal.hf("collections", "add-item", slug, repo, "model", "--note", "The small one")
    shown = json.loads(terminal.hf("collections", "info", slug, "--json"))
    assert (shown["title"], shown["private"]) == ("From the terminal", True)
    assert [(item["item_id"], item["note"]) for item in shown["items"]] == [(repo, "The small one")]
    item = shown["items"][0]["item_object_id"]
    terminal.hf("collections", "update-item", slug, item, "--note", "The large one")
    terminal.hf("collections", "update", slug, "--title", "Renamed", "--theme", "green")
    shown = json.loads(terminal.hf("collections", "info", slug, "--json"))
    assert (shown["title"], shown["theme"], shown["items"][0]["note"]) == ("Renamed", "green", "The large one")
    terminal.hf("collections", "delete-item", slug, item)
    assert json.loads(terminal.hf("collections", "info", slug, "--json"))["items"] == []
    terminal.hf("collections", "delete", slug)
    terminal.hf("collections", "info", slug, fails=True)


def test_a_webhook_from_the_terminal(hub: HfHub, terminal: Terminal) -> None:  # noqa: F811
    repo = hub.repo().full_name
    number = terminal.hf(
        "webhooks", "create", "--url", "https://ci.example.com/hook", "--watch", f"model:{repo}", "--domain", "repo", "--quiet"
    ).strip()
    assert number in terminal.hf("webhooks", "list", "--quiet").split()
    terminal.hf("webhooks", "disable", number)
    assert json.loads(terminal.hf("webhooks", "info", number, "--json"))["disabled"] is True
    terminal.hf("webhooks", "enable", number)
    terminal.hf("webhooks", "update", number, "--url", "https://ci.example.com/other")
    shown = json.loads(terminal.hf("webhooks", "info", number, "--json"))
    assert (shown["url"], shown["disabled"], shown["domains"]) == ("https://ci.example.com/other", False, ["repo"])
    assert shown["watched"] == [{"type": "model", "name": repo}], "what is not said stays"
    terminal.hf("webhooks", "delete", number, "--yes")
    assert number not in terminal.hf("webhooks", "list", "--quiet")


def test_variables_and_secrets_of_a_space_from_the_terminal(hub: HfHub, terminal: Terminal) -> None:  # noqa: F811
    terminal.hf("repos", "create", "ann/typed-space", "--type", "space", "--space-sdk", "gradio")
    space = "ann/typed-space"
    shown = json.loads(terminal.hf("spaces", "info", space, "--json"))
    assert (shown["sdk"], shown["runtime"]["stage"]) == ("gradio", "NO_APP_FILE"), "the card counts from the first commit"
    terminal.hf("spaces", "variables", "add", space, "-e", "MODEL=acme/m")
    assert "acme/m" in terminal.hf("spaces", "variables", "list", space)
    terminal.hf("spaces", "variables", "delete", space, "MODEL", "--yes")
    assert "MODEL" not in terminal.hf("spaces", "variables", "list", space)
    terminal.hf("spaces", "secrets", "add", space, "-s", "KEY=very-secret")
    listed = terminal.hf("spaces", "secrets", "list", space)
    assert "KEY" in listed
    assert "very-secret" not in listed
    terminal.hf("spaces", "secrets", "delete", space, "KEY", "--yes")
    assert "KEY" not in terminal.hf("spaces", "secrets", "list", space, "--json")
    assert json.loads(terminal.hf("spaces", "volumes", "list", space, "--json")) == []


def test_what_spaces_have_none_of_is_refused_with_a_reason(hub: HfHub, terminal: Terminal) -> None:  # noqa: F811
    space = hub.repo({"app.py": b"print()"}, kind=RepoKind.SPACE).full_name
    for said in (
        terminal.hf("spaces", "dev-mode", space, fails=True),
        terminal.hf("spaces", "volumes", "set", space, "-v", "hf://ann/x:/data", fails=True),
        terminal.hf("spaces", "volumes", "delete", space, "--yes", fails=True),
    ):
        assert "have no volumes" in said
    assert "does not run" in terminal.hf("spaces", "pause", space, fails=True)
    assert "is not running (stage='STOPPED')" in terminal.hf("spaces", "wait", space, "--timeout", "5", fails=True)
