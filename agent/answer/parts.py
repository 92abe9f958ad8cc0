"""What results of all tools are told with: the sentence above, the facts below, code."""

from __future__ import annotations

from typing import Any

from agent.answer.words import act, message_with, plain, ranged, say, shown
from prompts import has_message, messages

MAX_PATCH_LINES = 80
Step = dict[str, Any]


def values(language: str, step: Step) -> dict[str, Any]:
    """Everything a sentence may name: results, facts and arguments, the arguments first."""
    plan = step.get("plan") or {}
    values = {name: shown(language, name, value) for name, value in {**step["result"], **(plan.get("facts") or {})}.items()}
    values |= {name: shown(language, name, value) for name, value in ranged(step["args"]).items()}
    repo = step["args"].get("repo") or step["result"].get("repo") or step["result"].get("id")
    return {**values, "repo": plain(repo), "org": step["args"].get("org") or step["args"].get("name", "")}


def head(language: str, step: Step, **more: Any) -> str:
    """The sentence above a result."""
    key = f"head.{step['tool']}"
    if key not in messages(language):
        return act(language, step["tool"], step["args"])
    return message_with(language, key, values(language, step) | more)


def facts(language: str, step: Step, fields: tuple[str, ...] | None = None) -> str:
    """The facts of one thing as a list; what is empty is left out."""
    result = step["result"]
    names = fields or tuple(name for name, value in result.items() if not isinstance(value, list | dict))
    lines = []
    for name in names:
        value = result.get(name)
        if value in (None, "", [], {}) or not has_message(language, f"fields.{name}"):
            continue
        lines.append(f"- {field(language, name)}{shown(language, name, value)}")
    return "\n".join([head(language, step), *lines])


def field(language: str, name: str) -> str:
    """The name of a fact, as it stands before its value."""
    return say(language, f"fields.{name}") + say(language, "word.colon")


def fenced(lines: list[str], info: str = "") -> str:
    """Lines in a code block that their own backticks cannot close."""
    text = "\n".join(lines)
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{info}\n{text}\n{fence}"


def quoted(text: str, limit: int) -> str:
    """Somebody's text as a quotation: its own shape, but no links and no pictures."""
    lines = text[:limit].splitlines()
    return "\n".join(f"> {line[: len(line) - len(line.lstrip())]}{plain(line, limit)}".rstrip().replace("]:", "]\\:") for line in lines)


def changed_files(files: list[dict[str, Any]]) -> list[str]:
    """What a commit or a branch changes: its files with counts, and the patch as far as it is short."""
    if not files:
        return []
    lines = [f"- {plain(item['path'])}  +{item['additions']} −{item['deletions']}" for item in files]
    patch = "\n".join(str(item.get("patch") or "") for item in files).splitlines()
    return ["\n".join(lines[:20]), *([fenced(patch[:MAX_PATCH_LINES], "diff")] if patch else [])]
