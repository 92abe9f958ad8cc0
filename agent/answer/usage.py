"""Use, its cost, budgets, and how deployments do, in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from agent.answer import parts
from agent.answer.parts import Step
from agent.answer.prices import budget_per, hourly, money
from agent.answer.tables import raw_table
from agent.answer.words import message_with, plain, say, sentences, size, word
from prompts import has_message

MAX_LINES = 15
_SPAN = re.compile(r"(\d+)([hdw])")


def period_words(language: str, said: str) -> str:
    """A period in its canonical form as people say it."""
    if has_message(language, f"word.period.{said}"):
        return say(language, f"word.period.{said}").strip()
    if span := _SPAN.fullmatch(said):
        return say(language, f"word.period.{span[2]}", n=span[1])
    return say(language, "word.period.dates", dates=plain(said.replace("..", " – ")))


def _usage(language: str, step: Step) -> str:
    """What was used in all, then by thing and by person, what runs now, and how budgets stand."""
    result = step["result"]
    whose = plain(result["target"] or result["owner"])
    head = say(
        language, "head.get_usage", period=period_words(language, result["period"]), whose=say(language, "word.whose", owner=f"**{whose}**") if whose else ""
    )  # fmt: skip
    total, currency = result["total"], result["currency"]
    facts = {
        "asked": f"{total['requests']:,}" if total["requests"] else "",
        "failed": f"{total['failed']:,}" if total["failed"] else "",
        "tokens": f"{total['prompt_tokens']:,} + {total['completion_tokens']:,}" if total["prompt_tokens"] else "",
        "compute": say(language, "word.hours", n=_hours(total["hours"])) if total["hours"] else "",
        "cost": money(total["cost"], currency) if total["hours"] else "",
    }
    lines = [f"- {parts.field(language, name)}{text}" for name, text in facts.items() if text]
    told = ["\n".join([head, *(lines or [say(language, "note.usage_nothing")])])]
    if len(result["targets"]) > 1:
        told += [say(language, "note.usage_targets"), _sums(language, "name", result["targets"], currency)]
    if len(result["people"]) > 1:
        people = [{**one, "username": one["username"] or say(language, "word.unsigned")} for one in result["people"]]
        told += [say(language, "note.usage_people"), _sums(language, "username", people, currency)]
    if result["work"]:
        told += [say(language, "note.usage_work"), _work(language, result["work"], currency)]
    if result["budgets"]:
        states = [f"- {budget_state(language, one, currency)}" for one in result["budgets"][:MAX_LINES]]
        told.append("\n".join([say(language, "note.usage_budgets"), *states]))
    return "\n\n".join(told)


def _hours(number: float) -> str:
    return f"{number:,.1f}" if number >= 0.1 else f"{number:.3f}"


def _sums(language: str, name: str, items: list[dict[str, Any]], currency: str) -> str:
    heads = ["", *(say(language, f"table.{column}") for column in ("requests", "tokens", "hours", "cost"))]
    rows = [
        [
            one[name],
            f"{one['requests']:,}" if one["requests"] else "",
            f"{one['prompt_tokens'] + one['completion_tokens']:,}" if one["requests"] else "",
            _hours(one["hours"]) if one["hours"] else "",
            money(one["cost"], currency) if one["hours"] else "",
        ]
        for one in items[:MAX_LINES]
    ]
    return raw_table(heads, rows)


def _work(language: str, items: list[dict[str, Any]], currency: str) -> str:
    heads = ["", *(say(language, f"table.{name}") for name in ("status", "person", "hardware", "price"))]
    rows = [
        [
            one["name"],
            word(language, "status", one["status"]),
            one["username"],
            one["hardware"],
            money(one["price_per_hour"], currency) if one["price_per_hour"] else "",
        ]
        for one in items[:MAX_LINES]
    ]
    return raw_table(heads, rows)


def budget_state(language: str, one: Mapping[str, Any], currency: str) -> str:
    """How a budget stands."""
    amounts = {name: money(one[name], currency) for name in ("used", "amount", "left")}
    return say(language, "note.budget_state", owner=plain(one["owner"]), period=budget_per(language, one["period"]), **amounts)


def _metrics(language: str, step: Step) -> str:
    """How a deployment did: requests, errors, latency, what it takes; the curve is drawn by the page."""
    result, total = step["result"], step["result"]["total"]
    status = word(language, "status", result["status"])
    head = parts.head(language, step, target=plain(result["target"]), period=period_words(language, result["period"]), status=status)
    facts = {
        "asked": f"{total['requests']:,}" if total["requests"] else "",
        "failed": f"{total['failed']:,}" if total["failed"] else "",
        "tokens": f"{total['prompt_tokens']:,} + {total['completion_tokens']:,}" if total["prompt_tokens"] else "",
        "latency": " / ".join(say(language, "word.milliseconds", n=f"{total[name]:,}") for name in ("p50_ms", "p95_ms"))
        if total.get("p50_ms") is not None
        else "",
        "copies": say(language, "word.ready", ready=result["ready"], replicas=result["replicas"]),
        "taken": f"{size(result['memory'])}, {result['cpus']:g}" if result["memory"] else "",
    }
    lines = [f"- {parts.field(language, name)}{text}" for name, text in facts.items() if text]
    told = ["\n".join([head, *lines])]
    if not total["requests"]:
        told.append(say(language, "note.metrics_nothing"))
    points = result["points"][-MAX_LINES:]
    if len(points) > 1:
        heads = [say(language, f"table.{name}") for name in ("at", "requests", "failed", "latency")]
        rows = [[one["at"][:16].replace("T", " "), one["requests"], one["failed"], _late(one)] for one in points]
        told.append(raw_table(heads, rows))
    return "\n\n".join(told)


def _late(one: Mapping[str, Any]) -> str:
    return f"{one['p50_ms']:,} / {one['p95_ms']:,}" if one.get("p50_ms") is not None else ""


def _budget_set(language: str, step: Step) -> str:
    result = step["result"]
    text = message_with(language, "done.set_budget", {"owner": plain(result["owner"])})
    if not result["amount"]:
        return sentences(language, text, say(language, "note.budget_none"))
    values = {name: money(result[name], result["currency"]) for name in ("amount", "used")}
    return sentences(language, text, say(language, "note.budget_now", period=budget_per(language, result["period"]), **values))


def _idle_stopped(language: str, step: Step) -> str:
    stopped = step["result"]["stopped"]
    if not stopped:
        return say(language, "note.idle_none")
    names = say(language, "word.separator").join(f"**{plain(name)}**" for name in stopped)
    return message_with(language, "done.stop_idle_deployments", {"stopped": names})


def fact_lines(language: str, tool: str, facts: Mapping[str, Any]) -> list[str]:
    """What somebody should know before setting a budget, or before stopping what is idle."""
    if tool == "stop_idle_deployments" and facts.get("saves_per_hour"):
        return [say(language, "fact.saves", price=hourly(language, facts["saves_per_hour"], facts["currency"]))]
    if tool != "set_budget":
        return []
    lines = [say(language, "fact.budget_used", used=money(facts["used"], facts["currency"]))]
    return [*lines, say(language, "fact.budget_stops")] if facts.get("stops") else lines


RENDERERS: Mapping[str, Callable[[str, Step], str]] = {"get_usage": _usage, "get_metrics": _metrics}
# What is said after an act, in the place of its sentence alone.
DONE: Mapping[str, Callable[[str, Step], str]] = {"set_budget": _budget_set, "stop_idle_deployments": _idle_stopped}
