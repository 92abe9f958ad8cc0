"""A conversation from the transcript looks as it did live."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chat_ui.transcript import replay, stable_id
from hub_core.approvals.service import ApprovalView
from hub_core.conversations.views import MessageView
from hub_core.db import utcnow

THREAD = "11111111-1111-4111-8111-111111111111"
PENDING = {"approval_id": "a-1", "tool": "delete_repo", "args": {"repo": "acme/x"}, "effect": "destructive", "summary": "**delete acme/x**"}


def message(seq: int, role: str, text: str, **payload: Any) -> MessageView:
    return MessageView(f"m-{seq}", seq, role, text, payload, utcnow())


def approval(status: str = "pending", lasts: dt.timedelta = dt.timedelta(hours=1)) -> ApprovalView:
    plan = {
        "args": {"repo": "acme/x"},
        "changes": [{"what": "repo", "before": "acme/x", "after": None}],
        "facts": {},
        "undo": None,
        "effect": "destructive",
    }
    now = utcnow()
    return ApprovalView("a-1", 1, THREAD, "web", "delete_repo", {"repo": "acme/x"}, "destructive", plan, status, now, now + lasts, None)


def test_steps_hang_under_the_message_that_caused_them() -> None:
    step = {"tool": "whoami", "args": {}, "effect": "read", "status": "ok", "result": {"username": "bob"}}
    steps, _ = replay(
        [message(1, "user", "who am I"), message(2, "assistant", "bob", language="en", steps=[step])], "bob", THREAD, {}, composed=True
    )
    user, run, tool, reply = steps
    assert (user["type"], run["type"], tool["type"], reply["type"]) == ("user_message", "run", "tool", "assistant_message")
    assert run["parentId"] == user["id"]
    assert tool["parentId"] == reply["parentId"] == run["id"]
    assert '"username": "bob"' in tool["output"]


def test_a_card_shows_what_became_of_its_approval() -> None:
    messages = [
        message(1, "user", "delete it"),
        message(2, "assistant", "Shall I?", language="en", outcome="needs_approval", pending=PENDING),
    ]
    for status, shown in (("pending", "pending"), ("executed", "executed")):
        _, drawn = replay(messages, "bob", THREAD, {"a-1": approval(status)}, composed=True)
        assert drawn[0]["id"] == stable_id("approval", "a-1")
        assert drawn[0]["props"]["status"] == shown
    _, drawn = replay(messages, "bob", THREAD, {"a-1": approval(lasts=dt.timedelta(seconds=-1))}, composed=True)
    assert drawn[0]["props"]["status"] == "expired"


def test_an_approval_that_no_message_shows_is_asked_again() -> None:
    steps, drawn = replay(
        [message(1, "user", "x"), message(2, "assistant", "y", language="zh")], "bob", THREAD, {"a-1": approval()}, composed=True
    )
    assert drawn[-1]["props"]["approval_id"] == "a-1"
    assert drawn[-1]["forId"] == steps[-1]["id"]
    assert drawn[-1]["props"]["labels"]["approve"] == "批准"


def test_files_of_a_message_are_named() -> None:
    said = message(1, "user", "take this", attachments=[{"id": "f", "filename": "a.csv", "size": 2048}])
    _, drawn = replay([said], "bob", THREAD, {}, composed=True)
    assert drawn[0]["props"]["files"] == [{"name": "a.csv", "size_text": "2.0 KiB"}]


def test_secrets_in_steps_are_hidden() -> None:
    step = {"tool": "create_token", "args": {}, "effect": "write", "status": "ok", "result": {"token": "hub_secret_value"}}
    steps, _ = replay([message(1, "assistant", "done", language="en", steps=[step])], "bob", THREAD, {}, composed=True)
    assert "hub_secret_value" not in str(steps)
