"""Lists as Markdown tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agent.answer import parts
from agent.answer.parts import Step
from agent.answer.words import act, message_with, plain, say, shown, word
from prompts import has_message

MAX_ROWS = 30
MAX_CELL = 80

# Fields of each list's items; `field=head` where the head is not the field's own.
COLUMNS: dict[str, tuple[str, ...]] = {
    "search_repos": ("id", "kind", "visibility", "updated_at"),
    "list_tags": ("tag", "repos"),
    "list_files": ("path", "size"),
    "list_commits": ("commit", "title", "author", "at"),
    "list_branches": ("name", "commit", "is_default"),
    "list_git_tags": ("name", "commit"),
    "list_audit_events": ("at", "actor", "action", "target"),
    "list_users": ("username", "status"),
    "list_orgs": ("name", "role"),
    "list_access": ("username", "role", "reason"),
    "list_tokens": ("name", "scope", "repo", "expires_at", "last_used_at"),
    "list_ssh_keys": ("title", "type", "fingerprint"),
    "list_chat_links": ("number", "platform", "name", "linked_at"),
    "get_org": ("username", "role"),
    "requests": ("username", "role", "status", "reason=why", "requested_at"),
    "list_jobs": ("id=job", "kind", "status", "progress", "repo", "owner", "message"),
    "list_collections": ("title=name", "visibility", "owner", "size=items", "description=what"),
    "get_collection": ("repo", "kind", "note=reason"),
    "list_discussions": ("number", "title", "type=kind", "status", "author", "comments"),
    "list_notifications": ("at", "actor", "event=action", "repo", "title"),
    "list_webhooks": ("url", "owner", "disabled", "last_status", "why=reason"),
    "list_runtimes": ("title=runtime", "formats", "tasks", "hardware", "clusters"),
    "list_deployments": ("name", "status", "hardware", "copies", "price", "why=reason"),
    "get_deployment": ("number=revision", "commit", "hardware", "runtime", "created_at"),
}


def listing(language: str, step: Step, draw: Callable[[list[dict[str, Any]]], str] | None = None, **more: Any) -> str:
    """A list: the sentence above it, its items as a table (or as `draw` tells them), and whether there are more.

    `more` are values of the sentence that stand before arguments of the same name.
    """
    tool, items = step["tool"], step["result"]["items"]
    values = parts.values(language, step) | {"n": len(items), **more}
    if "visibility" in step["result"]:
        values["visibility"] = word(language, "visibility", step["result"]["visibility"])
    key = f"{'some' if items else 'none'}.{tool}"
    head = message_with(language, key, values) if has_message(language, key) else act(language, tool, step["args"])
    if not items:
        return head
    columns = COLUMNS.get(tool) or tuple(name for name, value in items[0].items() if not isinstance(value, list | dict))[:4]
    told = [head, draw(items) if draw else table(language, columns, items)]
    if step["result"].get("next") or step["result"].get("truncated") or len(items) > MAX_ROWS:
        told.append(say(language, "note.more"))
    return "\n\n".join(told)


def table(language: str, columns: Sequence[str], items: Sequence[dict[str, Any]]) -> str:
    """A Markdown table of some fields; columns that are empty everywhere are left out."""
    pairs = [(name, head or name) for name, _, head in (column.partition("=") for column in columns)]
    used = [pair for index, pair in enumerate(pairs) if index == 0 or any(item.get(pair[0]) not in (None, "", False) for item in items)]
    heads = [say(language, f"table.{head}") if has_message(language, f"table.{head}") else head for _, head in used]
    return raw_table(heads, [[_cell(language, name, item) for name, _ in used] for item in items])


def raw_table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table of given cells."""
    lines = [_line(heads), _line(["---"] * len(heads))]
    lines += [_line(row) for row in rows[:MAX_ROWS]]
    return "\n".join(lines)


def _line(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"


def escape(cell: Any) -> str:
    """A cell's text: one line, no column breaks."""
    return plain("" if cell is None else cell, MAX_CELL).replace("|", "\\|")


def _cell(language: str, name: str, item: dict[str, Any]) -> str:
    value = item.get(name)
    if value is None or value == "":
        return ""
    if name == "path" and item.get("type") == "folder":
        return f"{value}/"
    if name == "size" and "slug" in item:
        return str(value)
    if name == "size" and item.get("type") not in (None, "file"):
        return ""
    if name == "username" and item.get("is_audience"):
        return say(language, "reason.everybody" if item.get("reason") == "public" else "reason.signed_in")
    if name == "reason":
        return reason(language, str(value))
    return shown(language, name, value)


def reason(language: str, text: str) -> str:
    """Why somebody has access, as the hub says it, in the language."""
    known = text.replace("site administrator", "site_admin")
    if has_message(language, f"reason.{known}"):
        return say(language, f"reason.{known}")
    role, _, where = text.partition(" ")
    if has_message(language, f"word.role.{role}"):
        if where == "on this repo":
            return say(language, "reason.role_here", role=shown(language, "role", role))
        if where.startswith("in "):
            return say(language, "reason.role_in", role=shown(language, "role", role), org=where.removeprefix("in "))
    return text
