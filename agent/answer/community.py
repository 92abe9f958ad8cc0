"""Results of jobs, discussions and collections in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.answer import parts, training, trust
from agent.answer.parts import Step
from agent.answer.tables import COLUMNS, listing, table
from agent.answer.words import plain, shown, word


def _job(language: str, step: Step) -> str:
    """How far a job is, or why it failed."""
    result = step["result"]
    told = {"job": result["id"], "kind": word(language, "kind", result["kind"]), "status": word(language, "status", result["status"])}
    text = parts.head(language, step, **told)
    lines = parts.facts(language, step, ("progress", "message", "repo", "owner", "attempts", "created_at", "started_at", "finished_at"))
    error = result.get("error")
    why = f"\n- {parts.field(language, 'error')}{plain(error['message'])} {plain(error.get('hint', ''))}" if error else ""
    came = "".join(f"\n{line}" for line in trust.outcome_lines(language, result.get("result") or {}))
    return "\n\n".join([text + lines.removeprefix(parts.head(language, step)) + came + why, *training.job_lines(language, result)])


MAX_EVENTS = 15
MAX_QUOTE = 600


def _thread(language: str, step: Step) -> str:
    """A discussion with what was said, or a pull request with what it changes."""
    result = step["result"]
    told = {"number": result["number"], "title": plain(result["title"]), "status": word(language, "status", result["status"])}
    head = parts.head(language, step, **told)
    lines = parts.facts(language, step, ("author", "branch", "base", "created_at")).removeprefix(parts.head(language, step))
    events = [text for event in result.get("events") or [] if (text := _event(language, event))]
    files = result.get("conflicts") or []
    conflicts = [f"- {parts.field(language, 'conflicts')}{', '.join(plain(name) for name in files)}"] if files else []
    commits = [table(language, COLUMNS["list_commits"], result["commits"])] if result.get("commits") else []
    return "\n\n".join([head + lines, *conflicts, *events[-MAX_EVENTS:], *commits, *parts.changed_files(result.get("files") or [])])


def _event(language: str, event: dict[str, Any]) -> str:
    who = f"**{plain(event['author'])}** · {shown(language, 'at', event['at'])}"
    if event.get("hidden"):
        return ""
    if event["kind"] == "comment":
        return f"{who}\n{parts.quoted(str(event['text']), MAX_QUOTE)}"
    text = word(language, "status", event["text"]) if event["kind"] == "status" else plain(event["text"])
    return f"{who} → {text}"


def _notifications(language: str, step: Step) -> str:
    """What is new, each event in a few words, and how often it happened."""

    def rows(items: list[dict[str, Any]]) -> str:
        told = [{**item, "event": word(language, "event", item["action"]) + _times(item["count"])} for item in items]
        return table(language, COLUMNS["list_notifications"], told)

    return listing(language, step, rows, unread=step["result"]["unread"])


def _times(count: int) -> str:
    return f" ×{count}" if count > 1 else ""


def _webhooks(language: str, step: Step) -> str:
    """Where a repo sends its events, and why it no longer does."""

    def rows(items: list[dict[str, Any]]) -> str:
        return table(language, COLUMNS["list_webhooks"], [{**item, "why": item["reason"] or item["last_error"]} for item in items])

    return listing(language, step, rows)


RENDERERS: Mapping[str, Callable[[str, Step], str]] = {
    "get_job": _job, "get_discussion": _thread, "list_notifications": _notifications, "list_webhooks": _webhooks,
}  # fmt: skip
