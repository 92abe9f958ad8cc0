"""Two revisions that share the requests, and copies that follow them, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.answer import parts
from agent.answer.prices import hourly
from agent.answer.words import plain, say


def rollout_lines(language: str, facts: Mapping[str, Any]) -> list[str]:
    """What somebody should know before a share of the requests goes to a new revision: who takes what, and what both cost."""
    split = facts.get("split")
    if not isinstance(split, Mapping):
        return []
    if split["percent"] in (0, 100):
        return [say(language, "fact.split_back" if split["percent"] == 0 else "fact.split_done", older=split["older"])]
    told = {name: plain(value) for name, value in split.items()}
    price = hourly(language, split["price_per_hour"], split["currency"])
    return [say(language, "fact.split", **told), say(language, "fact.split_price", price=price), say(language, "fact.split_safe", **told)]


def split_lines(language: str, result: Mapping[str, Any]) -> list[str]:
    """What each of two revisions takes of the requests."""
    lines = []
    for one in result.get("split") or []:
        told = {name: plain(value) for name, value in one.items()} | {"price": hourly(language, one["price_per_hour"], result["currency"])}
        key = "word.share" if one["takes"] == one["percent"] else "word.share_waits"
        lines.append(f"- {parts.field(language, 'split')}{say(language, key, **told)}")
    return lines


def scaling(language: str, result: Mapping[str, Any]) -> str:
    """Between how many copies the number follows the requests; empty where it is fixed."""
    if not result.get("max_replicas"):
        return ""
    return say(language, "word.range", least=result.get("min_replicas") or 0, most=result["max_replicas"])
