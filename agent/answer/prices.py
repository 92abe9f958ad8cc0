"""What a deployment costs, in words: before it is agreed to, and in lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.answer.words import plain, say

# Shorter than this, a time is told in seconds.
MINUTES_FROM_S = 120
HOURS_FROM_S = 3 * 3600


def cost_lines(language: str, facts: Mapping[str, Any]) -> list[str]:
    """What somebody should know before spending: on what it runs, what that costs and for how long, when it answers."""
    if "price_per_hour" not in facts:
        return []
    each, count, currency = facts["price_per_hour_each"], facts["replicas"], facts["currency"]
    lines = [say(language, "fact.hardware", hardware=plain(facts["hardware_title"]), memory=gigabytes(facts["memory_gb"]))]
    if facts.get("most"):
        most = hourly(language, facts["most_price"]["price_per_hour"], currency)
        least = money(facts["price_per_hour"], currency)
        lines.append(say(language, "fact.scale_range", least=count, most=facts["most"], price_least=least, price_most=most))
        if count == 0:
            lines.append(say(language, "fact.scale_idle"))
    elif count == 0:
        lines.append(say(language, "fact.cost_on_demand", price=hourly(language, each, currency)))
    else:
        told = {"price": hourly(language, facts["price_per_hour"], currency), "n": count, "each": money(each, currency)}
        lines.append(say(language, "fact.cost_each" if count > 1 else "fact.cost", **told))
        lines.append(say(language, "fact.until_idle" if facts.get("sleeps") else "fact.until_stopped"))
    lines += _budget_lines(language, facts)
    if facts.get("needs_gb"):
        lines.append(say(language, "fact.needs", runtime=plain(facts.get("runtime", "")), memory=gigabytes(facts["needs_gb"])))
    if facts.get("packages"):
        lines.append(say(language, "fact.space_packages", n=facts["packages"]))
    if facts.get("builds_image"):
        lines.append(say(language, "fact.space_image"))
    for name, seconds in (("starts", facts.get("starts_in_s")), ("first_time", facts.get("first_time_s"))):
        if seconds:
            lines.append(say(language, f"fact.{name}", time=duration(language, seconds)))
    return lines


def _budget_lines(language: str, facts: Mapping[str, Any]) -> list[str]:
    """What is left of the budget that pays for it, and for how long that will do."""
    budget = facts.get("budget")
    if not budget:
        return []
    values = {name: money(budget[name], facts["currency"]) for name in ("left", "amount")}
    lines = [say(language, "fact.budget", owner=plain(budget["owner"]), period=budget_per(language, budget["period"]), **values)]
    if budget.get("lasts_s") is not None:
        lines.append(say(language, "fact.budget_short", time=duration(language, budget["lasts_s"])))
    return lines


def budget_per(language: str, period: str) -> str:
    """What an amount of a budget is for: `per month`."""
    return say(language, f"word.budget_per.{period}")


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


def duration(language: str, seconds: float) -> str:
    """A time in the unit that fits."""
    if seconds < MINUTES_FROM_S:
        return say(language, "word.seconds", n=round(seconds))
    if seconds >= HOURS_FROM_S:
        return say(language, "word.hours", n=f"{seconds / 3600:,.0f}")
    return say(language, "word.minutes", n=round(seconds / 60))
