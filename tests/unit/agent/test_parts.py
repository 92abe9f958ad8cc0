"""Small parts of the agent: dependencies between steps, focus, answers, secrets."""

from __future__ import annotations

from typing import Any

import pytest

from agent.answer.changes import summary
from agent.answer.parts import fenced
from agent.answer.tables import escape, reason, table
from agent.answer.words import size
from agent.dependencies import depends_on, structural
from agent.focus import after_call
from agent.planner.types import Focus, Reading, Step
from agent.planner_model import message_of
from hub_core.secrecy import HIDDEN, redact, secrets_in


@pytest.mark.parametrize(
    ("args", "before", "depends"),
    [
        ({"repo": "acme/x"}, {"repo": "x"}, True),
        ({"repo": "alice/new"}, {"repo": "acme/old", "new_name": "alice/new"}, True),
        ({"repo": "acme/x"}, {"repo": "acme/y"}, False),
        ({"org": "acme", "username": "bob"}, {"username": "bob"}, True),
        ({"query": "x"}, {"repo": "x"}, False),
    ],
)
def test_steps_that_name_one_thing_depend_on_each_other(args: dict[str, Any], before: dict[str, Any], depends: bool) -> None:
    assert depends_on(args, before) is depends


def test_only_acts_that_make_or_remove_something_hold_others_up() -> None:
    assert structural("delete_repo")
    assert structural("move_repo")
    assert not structural("set_visibility")


def test_the_focus_follows_what_ran_and_what_was_shown() -> None:
    focus = Focus()
    after_call(focus, "search_repos", {}, {"items": [{"id": "a/one", "kind": "model"}, {"id": "a/two", "kind": "dataset"}]})
    assert [item["value"] for item in focus.listed] == ["a/one", "a/two"]
    assert focus.repo is None
    after_call(focus, "move_repo", {"repo": "a/one", "new_name": "b/one"}, {"id": "b/one"})
    assert (focus.repo, focus.tool) == ("b/one", "move_repo")
    after_call(focus, "create_branch", {"repo": "b/one", "branch": "dev"}, {})
    assert focus.branch == "dev"


def test_a_reading_becomes_calls() -> None:
    steps = (Step("delete_repo", {"repo": "a/x"}), Step("create_repo", {"name": "y"}, missing=("kind",)))
    message = message_of(Reading("act", steps, language="ja"))
    assert [call["name"] for call in message.tool_calls] == ["delete_repo", "ask_user"]
    assert message.additional_kwargs["language"] == "ja"
    assert [call["name"] for call in message_of(Reading("preview", steps[:1])).tool_calls] == ["preview"]
    assert message_of(Reading("forbidden", steps)).tool_calls[0]["args"] == {"reason": "forbidden"}
    chosen = message_of(Reading("choose_tool", steps, (("delete_repo", 0.4),))).tool_calls[0]
    assert [item["tool"] for item in chosen["args"]["candidates"]] == ["delete_repo", "create_repo"]


def test_a_summary_says_who_loses_what() -> None:
    plan = {
        "args": {"org": "acme", "username": "bob"}, "effect": "destructive", "changes": [{"what": "role", "before": "write", "after": None}],
        "facts": {}, "undo": {"tool": "add_org_member", "args": {}},
    }  # fmt: skip
    assert summary("en", "remove_org_member", plan).splitlines() == [
        "**remove bob from acme**", "- role: write (goes away)", "- bob loses the role write.",
    ]  # fmt: skip
    assert "写入" in summary("zh", "remove_org_member", plan)
    assert "書き込み" in summary("ja", "remove_org_member", plan)
    assert "쓰기" in summary("ko", "remove_org_member", plan)
    assert "cannot be undone" in summary("en", "delete_user", {**plan, "undo": None})


def test_repository_text_cannot_break_out_of_its_frame() -> None:
    assert fenced(["a", "```", "# not a title"]).startswith("````\n")
    assert escape("a|b\nc") == "a\\|b c"
    assert table("en", ("id", "kind"), [{"id": "a/b", "kind": None}]).splitlines()[0] == "| repo |"


def test_reasons_of_access_are_translated() -> None:
    assert reason("ja", "admin in acme") == "acme での管理者権限"
    assert reason("zh", "write on this repo") == "在这个仓库有写入权限"
    assert reason("ko", "owner") == "소유자"


def test_secrets_are_found_and_hidden() -> None:
    value = {"name": "ci", "token": "hub_abc", "inner": [{"password": "pw"}], "other": {"token": "ci-token"}}
    assert secrets_in(value) == ["hub_abc", "pw"]
    assert redact(value) == {"name": "ci", "token": HIDDEN, "inner": [{"password": HIDDEN}], "other": {"token": "ci-token"}}


def test_sizes_are_readable() -> None:
    assert [size(number) for number in (0, 900, 98_000_000, 5 * 2**30)] == ["0 B", "900 B", "93.5 MB", "5.0 GB"]
