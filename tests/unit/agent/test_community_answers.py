"""How notifications, webhooks and pull requests are told, in every language."""

from __future__ import annotations

from typing import Any

import pytest

from agent.answer.results import result_text
from prompts import LANGUAGES
from tools.registry import default_registry

AT = "2026-11-23T09:12:00+00:00"
REGISTRY = default_registry()
every_language = pytest.mark.parametrize("language", LANGUAGES)


def told(language: str, tool: str, result: dict[str, Any], **args: Any) -> str:
    given = REGISTRY.get(tool).output.model_validate(result).model_dump(mode="json", exclude_none=True)
    return result_text(language, {"tool": tool, "args": args, "effect": "read", "status": "ok", "result": given})


@every_language
def test_a_notification_says_in_words_what_happened_and_how_often(language: str) -> None:
    item = {
        "id": 1, "action": "discussion.comment", "reason": "mention", "actor": "bob", "repo": "acme/x", "kind": "model", "title": "A | B",
        "details": {}, "count": 2, "at": AT, "read": False,
    }  # fmt: skip
    text = told(language, "list_notifications", {"items": [item], "unread": 7}, unread=True)
    assert "discussion.comment" not in text
    assert " ×2 | acme/x | A \\| B |" in text
    assert "7" in text


@every_language
def test_a_webhook_says_why_it_no_longer_sends(language: str) -> None:
    hook = {
        "id": "a", "repo": "acme/x", "url": "https://ci.example.com/hook", "domains": ["repo"], "owner": "bob", "disabled": True,
        "reason": "Too many failures.", "failures": 9, "last_status": 500, "last_error": "", "created_at": AT,
    }  # fmt: skip
    assert "Too many failures." in told(language, "list_webhooks", {"repo": "acme/x", "items": [hook]}, repo="acme/x")
    hook |= {"reason": "", "disabled": False, "last_error": "It does not answer."}
    assert "It does not answer." in told(language, "list_webhooks", {"repo": "acme/x", "items": [hook]}, repo="acme/x")


@every_language
def test_a_pull_request_shows_its_talk_its_commits_and_its_diff(language: str) -> None:
    event = {"id": 1, "kind": "comment", "author": "bob", "at": AT, "text": "See ![x]\n[x]: http://e.org/x.png"}
    commit = {"commit": "a" * 40, "title": "Fix it", "message": "Fix it", "author": "bob", "email": "bob@e.org", "at": AT, "parents": []}
    changed = {
        "path": "a.txt",
        "status": "modified",
        "additions": 1,
        "deletions": 1,
        "binary": False,
        "truncated": False,
        "patch": "-a\n+b",
    }
    result = {
        "repo": "acme/x", "kind": "code", "number": 3, "title": "Fix", "type": "pull_request", "status": "open", "author": "bob",
        "created_at": AT, "updated_at": AT, "comments": 1, "base": "main", "branch": "dev", "events": [event], "truncated": False,
        "commits": [commit], "files": [changed],
    }  # fmt: skip
    text = told(language, "get_discussion", result, repo="acme/x", number=3)
    assert "```diff\n-a\n+b\n```" in text
    assert "| aaaaaaaa | Fix it | bob |" in text
    assert "> See ![x]\n> [x]\\: http://e.org/x.png" in text
    assert "pull_request" not in told(language, "list_discussions", {"repo": "acme/x", "items": [result]}, repo="acme/x")
