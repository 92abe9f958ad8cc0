"""What a deployment costs, in words: before it is agreed to, and in lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.answer.words import plain, say

# Shorter than this, a time is told in seconds.
MINUTES_FROM_S = 120


def cost_lines(language: str, facts: Mapping[str, Any]) -> list[str]:
    """What somebody should know before spending: on what it runs, what that costs and for how long, when it answers."""
    if "price_per_hour" not in facts:
        return []
    each, count, currency = facts["price_per_hour_each"], facts["replicas"], facts["currency"]
    lines = [say(language, "fact.hardware", hardware=plain(facts["hardware_title"]), memory=gigabytes(facts["memory_gb"]))]
    if count == 0:
        lines.append(say(language, "fact.cost_on_demand", price=hourly(language, each, currency)))
    else:
        told = {"price": hourly(language, facts["price_per_hour"], currency), "n": count, "each": money(each, currency)}
        lines.append(say(language, "fact.cost_each" if count > 1 else "fact.cost", **told))
        lines.append(say(language, "fact.until_stopped"))
    if facts.get("needs_gb"):
        lines.append(say(language, "fact.needs", runtime=plain(facts.get("runtime", "")), memory=gigabytes(facts["needs_gb"])))
    for name, seconds in (("starts", facts.get("starts_in_s")), ("first_time", facts.get("first_time_s"))):
        if seconds:
            lines.append(say(language, f"fact.{name}", time=_time(language, seconds)))
    return lines


def gigabytes(number: float) -> str:
    """An amount of memory."""
    return f"{number:g} GB"


def money(amount: float, currency: str) -> str:
    """An amount with its currency; four digits where two would not tell it."""
    rounded = round(amount, 4)
    return f"{rounded:,.{2 if round(rounded, 2) == rounded else 4}f} {currency}"


def hourly(language: str, amount: float, currency: str) -> str:
    """A price per hour."""
    return say(language, "word.price", amount=money(amount, currency))


def _time(language: str, seconds: float) -> str:
    if seconds < MINUTES_FROM_S:
        return say(language, "word.seconds", n=round(seconds))
    return say(language, "word.minutes", n=round(seconds / 60))
