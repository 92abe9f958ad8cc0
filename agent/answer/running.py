"""Deployments, hardware and logs in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from agent.answer import parts
from agent.answer.parts import Step
from agent.answer.prices import gigabytes, hourly, money
from agent.answer.reasons import reason_text
from agent.answer.rollout import scaling, split_lines
from agent.answer.tables import COLUMNS, listing, raw_table, table
from agent.answer.words import plain, say, shown, word
from prompts import has_message

MAX_LOG_LINES = 60
MAX_LOG = 6000
MAX_ANSWER = 4000

_PATHS = {"chat": "/v1/chat/completions", "completions": "/v1/completions", "embeddings": "/v1/embeddings"}
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def state_after(language: str, step: Step) -> str:
    """How a deployment stands after it was changed: its state, what it costs now, what to do next."""
    result = step["result"]
    if result["status"] == "stopped":
        return "\n".join(_next(language, result))
    lines = [f"- {parts.field(language, 'status')}{word(language, 'status', result['status'])}"]
    if result["price_per_hour"]:
        lines.append(f"- {parts.field(language, 'price')}{hourly(language, result['price_per_hour'], result['currency'])}")
    if told := scaling(language, result):
        lines.append(f"- {parts.field(language, 'scaling')}{told}")
    lines += split_lines(language, result)
    return "\n\n".join(["\n".join(lines), *_why(language, result), *_next(language, result)])


def _deployment(language: str, step: Step) -> str:
    """A deployment: its state first and why, then where it answers and what it takes, then what to do."""
    result = step["result"]
    facts: dict[str, str] = {
        "model": f"{plain(result['repo'])} ({plain(result['said'])}, `{plain(result['commit'])[:8]}`)",
        "address": _address(language, result),
        "copies": say(language, "word.ready", ready=result["ready"], replicas=result["replicas"]),
        "scaling": scaling(language, result),
        "price": hourly(language, result["price_per_hour"], result["currency"]) if result["price_per_hour"] else "",
        "hardware": plain(result["hardware"]),
        "runtime": plain(result["runtime"]),
        "revision": str(result["revision"]),
        "serving": str(result["serving"]) if result.get("serving") not in (None, result["revision"]) else "",
        "visibility": word(language, "visibility", result["visibility"]),
        "environment": shown(language, "environment", sorted(result["environment"])) if result.get("environment") else "",
        "requested_at": shown(language, "requested_at", result["requested_at"]) if result.get("requested_at") else "",
    }
    head = parts.head(language, step, deployment=plain(result["name"]), status=word(language, "status", result["status"]))
    lines = "\n".join(f"- {parts.field(language, name)}{text}" for name, text in facts.items() if text)
    lines = "\n".join([lines, *split_lines(language, result)])
    earlier = result.get("revisions") or []
    history = [table(language, COLUMNS["get_deployment"], earlier)] if len(earlier) > 1 else []
    return "\n\n".join([head, *_why(language, result), lines, *history, *_next(language, result)])


def _address(language: str, result: Mapping[str, Any]) -> str:
    path = _PATHS.get(result["task"], _PATHS["chat"])
    return say(language, "word.address", path=f"`{path}`", name=f"`{plain(result['name'])}`")


def _why(language: str, result: Mapping[str, Any]) -> list[str]:
    told = reason_text(language, result)
    return [told] if told else []


def _next(language: str, result: Mapping[str, Any]) -> list[str]:
    key = f"next.{result['status']}"
    silent = result["status"] == "running" and result["task"] == "embeddings"  # it answers with numbers
    return [say(language, key, deployment=plain(result["name"]))] if has_message(language, key) and not silent else []


def _deployments(language: str, step: Step) -> str:
    result = step["result"]
    text = listing(language, step, lambda items: _deployment_table(language, items))
    prices = [item["price_per_hour"] for item in result["items"] if item["price_per_hour"]]
    if len(prices) > 1 and not result.get("next"):
        price = hourly(language, sum(prices), result["items"][0]["currency"])
        text += "\n\n" + say(language, "note.price_total", price=price)
    return text


def _deployment_table(language: str, items: list[dict[str, Any]]) -> str:
    rows = [
        {
            **item,
            "copies": say(language, "word.ready", ready=item["ready"], replicas=item["replicas"]),
            "price": money(item["price_per_hour"], item["currency"]) if item["price_per_hour"] else "",
            "why": reason_text(language, item),
        }
        for item in items
    ]
    return table(language, COLUMNS["list_deployments"], rows)


def _hardware(language: str, step: Step) -> str:
    """The hardware, what is here first: its memory, its price, how many are free."""
    text = listing(language, step, lambda items: _hardware_table(language, items))
    items = step["result"]["items"]
    return text + ("" if not items or any(item["present"] for item in items) else "\n\n" + say(language, "note.no_hardware"))


def _hardware_table(language: str, items: list[dict[str, Any]]) -> str:
    heads = [say(language, f"table.{name}") for name in ("hardware", "memory", "cpus", "price", "free")]
    rows = [
        [
            item["name"],
            f"{gigabytes(item['gpu_memory_gb'])} (GPU)" if item.get("gpu") else gigabytes(item["memory_gb"]),
            f"{item['cpus']:g}",
            money(item["price_per_hour"], item["currency"]),
            say(language, "word.ready", ready=item["free"], replicas=item["present"]) if item["present"] else "–",
        ]
        for item in sorted(items, key=lambda item: not item["present"])
    ]
    return raw_table(heads, rows)


def _logs(language: str, step: Step) -> str:
    """The last lines of each copy, as they are."""
    items = [item for item in step["result"]["items"] if item["text"].strip()]
    told = {"target": plain(step["result"]["target"])}
    if not items:
        return say(language, "none.get_logs", **told)
    lines = [say(language, "some.get_logs", **told)]
    for item in items:
        if len(items) > 1:
            lines.append(say(language, "word.copy", revision=item["revision"], copy=plain(item["copy_number"])))
        text = item["text"]
        kept = text[-MAX_LOG:].splitlines()[-MAX_LOG_LINES:]
        lines.append(parts.fenced([_printable(line) for line in kept]))
        if len(text) > MAX_LOG or len(text.splitlines()) > MAX_LOG_LINES:
            lines.append(say(language, "note.truncated"))
    return "\n\n".join(lines)


def _printable(line: str) -> str:
    """A line of a log without colours and other orders to a terminal."""
    return "".join(char for char in _COLOURS.sub("", line) if char.isprintable() or char == "\t")


def _answer(language: str, step: Step) -> str:
    """What the model said, as a quotation."""
    result = step["result"]
    told = {
        "deployment": plain(result["deployment"]),
        "seconds": f"{result['elapsed_ms'] / 1000:.1f}",
        "tokens": result["completion_tokens"],
    }
    text = str(result["answer"])
    if not text.strip():
        return f"{parts.head(language, step, **told)} {say(language, 'note.empty')}"
    cut = len(text) > MAX_ANSWER or result["completion_tokens"] >= step["args"].get("max_tokens", 256)
    more = [say(language, "note.truncated")] if cut else []
    return "\n\n".join([parts.head(language, step, **told), parts.quoted(text, MAX_ANSWER), *more])


RENDERERS: Mapping[str, Callable[[str, Step], str]] = {
    "list_hardware": _hardware, "list_deployments": _deployments, "get_deployment": _deployment, "get_logs": _logs, "try_deployment": _answer,
}  # fmt: skip
