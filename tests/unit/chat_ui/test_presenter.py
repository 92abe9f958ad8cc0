"""Which components are drawn for which answers."""

from __future__ import annotations

from typing import Any

import pytest

from chat_ui.presenter import ApprovalState, present
from chat_ui.presenter_parts import bytes_text, count_text
from chat_ui.presenter_reply import lead
from chat_ui.texts import LANGUAGES
from hub_core.secrecy import HIDDEN

REPO = {"id": "acme/x", "kind": "model", "visibility": "private", "description": "d", "tags": ["a"], "likes": 1, "downloads": 2}


def step(tool: str, result: dict[str, Any], effect: str = "read", status: str = "ok", **args: Any) -> dict[str, Any]:
    return {"tool": tool, "args": args, "effect": effect, "status": status, "result": result}


def answer(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"reply": "", "language": "en", "outcome": "done", "steps": list(steps), **more}


def components(*steps: dict[str, Any], **more: Any) -> list[str]:
    return [view.component for view in present(answer(*steps, **more))]


@pytest.mark.parametrize(
    ("tool", "result", "drawn"),
    [
        ("get_repo", REPO, ["RepoCard"]),
        ("search_repos", {"items": [REPO], "next": None}, ["RepoList"]),
        ("search_repos", {"items": [], "next": None}, []),
        ("list_files", {"items": [{"path": "a.txt", "type": "file", "size": 3}]}, ["FileTree"]),
        ("read_file", {"path": "a", "content": "x", "size": 1, "truncated": False}, ["FileView"]),
        ("show_commit", {"commit": "a" * 40, "message": "m", "files": [{"path": "a", "patch": "+x"}]}, ["DiffView"]),
        ("inspect_model", {"format": "gguf", "parameters": 5, "dtypes": {"F32": 5}, "files": []}, ["ModelCard"]),
        ("preview_dataset", {"file": "a.csv", "columns": [{"name": "a", "type": "int64"}], "rows": [[1]]}, ["DataTable"]),
        ("describe_dataset", {"file": "a.csv", "columns": [{"name": "a", "type": "int64", "top": [["x", 2]]}]}, ["DataTable"]),
        ("list_users", {"items": [{"username": "bob", "status": "active"}]}, ["DataTable"]),
        ("get_org", {"name": "acme", "description": "d", "role": "admin", "members": [{"username": "bob", "role": "read"}]}, ["FactCard", "DataTable"]),
        ("help", {"groups": [{"group": "repos", "tools": []}]}, []),
        ("get_discussion", {"number": 3, "branch": "dev", "base": "main", "events": [{"id": 1}], "files": [{"path": "a", "patch": "+x"}]}, ["DiffView"]),
        ("get_discussion", {"number": 3, "title": "t", "status": "open", "events": [{"id": 1}], "files": []}, []),
        ("get_logs", {"target": "acme/x", "items": [{"revision": 1, "copy_number": "0", "text": "x"}]}, []),
        ("list_deployments", {"items": [{"id": 1, "name": "acme/x", "status": "running", "hardware": "a10"}]}, ["DataTable"]),
    ],
)  # fmt: skip
def test_a_result_becomes_its_component(tool: str, result: dict[str, Any], drawn: list[str]) -> None:
    assert components(step(tool, result)) == drawn


def test_steps_that_did_not_run_are_not_drawn() -> None:
    assert components(step("get_repo", REPO, status="planned"), step("get_repo", {"error": {"code": "x"}}, status="error")) == []


def test_a_fresh_secret_is_drawn_and_a_hidden_one_is_not() -> None:
    assert components(step("create_token", {"name": "ci", "token": "hub_abc", "scope": "read"}, effect="write")) == ["SecretCard"]
    assert components(step("create_token", {"name": "ci", "token": HIDDEN, "scope": "read"}, effect="write")) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_approval_shows_the_exact_change_and_carries_only_its_id(language: str) -> None:
    pending = {
        "approval_id": "id-1", "tool": "set_visibility", "args": {"repo": "acme/x"}, "effect": "destructive",
        "summary": "**make acme/x public**\n- visibility: private → public\n- Everybody will see it.",
    }  # fmt: skip
    plan = {"changes": [{"what": "visibility", "before": "private", "after": "public"}], "facts": {}, "undo": {"tool": "set_visibility"}}
    asked = answer(outcome="needs_approval", pending=pending) | {"language": language}
    [view] = present(asked, ApprovalState("pending", "2026-01-01T00:00:00+00:00", plan))
    assert view.component == "ApprovalCard"
    assert view.props["act"] == "make acme/x public"
    assert view.props["consequences"] == ["Everybody will see it."]
    assert [(change["before"], change["after"]) for change in view.props["changes"]] == [("private", "public")]
    assert view.props["status"] == "pending"
    assert view.props["reversible"] is True
    assert "args" not in view.props


def test_an_approval_that_is_gone_cannot_be_answered() -> None:
    [view] = present(answer(outcome="needs_approval", pending={"approval_id": "x", "tool": "t", "effect": "destructive", "summary": "s"}))
    assert view.props["status"] == "withdrawn"


def test_choices_are_buttons_that_send_what_the_planner_understands() -> None:
    [view] = present(answer(outcome="needs_input", choices=["model:acme/x", "dataset:acme/x"]))
    assert [(choice["send"], choice["label"], choice["hint"]) for choice in view.props["choices"]] == [
        ("model:acme/x", "acme/x", "Model"),
        ("dataset:acme/x", "acme/x", "Dataset"),
    ]


def test_big_results_are_cut_for_the_page() -> None:
    rows = [[number] for number in range(1000)]
    [view] = present(answer(step("query_dataset", {"columns": [{"name": "a", "type": "int64"}], "rows": rows})))
    assert len(view.props["rows"]) == 200
    assert view.props["more"] is True
    [file] = present(answer(step("read_file", {"path": "a", "content": "x" * 100_000, "size": 100_000, "truncated": False})))
    assert file.props["truncated"] is True


def test_what_is_drawn_is_not_said_again() -> None:
    reply = "I found 1 repo:\n\n| repo |\n| --- |\n| acme/x |\n\n(Still waiting for your yes or no: delete acme/y.)"
    found = answer(step("search_repos", {"items": [REPO]}), reply=reply)
    assert lead(found) == "I found 1 repo:\n\n(Still waiting for your yes or no: delete acme/y.)"
    lines = "Two of them:\n\nBy name:\n\n| repo |\n| --- |\n| acme/x |\n\nBy size:\n\n```\nacme/x\n```"
    assert lead(answer(step("search_repos", {"items": [REPO]}), reply=lines)) == "Two of them:"
    listed = answer(step("get_repo", REPO), reply="**acme/x** is a model:\n- licence: mit\n- owner: acme")
    assert lead(listed) == "**acme/x** is a model"


def test_what_is_not_drawn_stays_in_the_reply() -> None:
    reply = "Help:\n- one\n- two"
    assert lead(answer(step("help", {"groups": []}), reply=reply)) == reply
    assert lead(answer(reply="```\ncode\n```")) == "```\ncode\n```"


def test_code_blocks_with_blank_lines_are_one_block() -> None:
    reply = "File a:\n\n````\none\n\n```\ntwo\n````\n\nend"
    assert lead(answer(step("read_file", {"path": "a", "content": "x", "size": 1}), reply=reply)) == "File a:\n\nend"


def test_sizes_and_counts_are_written_for_people() -> None:
    assert [bytes_text(size) for size in (0, 1023, 1024, 1536, 98_000_000)] == ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "93 MiB"]
    assert [count_text(number) for number in (7, 1500, 134_515_008, 7_000_000_000)] == ["7", "1.5 K", "135 M", "7.0 B"]
