"""Spaces in words: how the app of one stands, where it is opened, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.answer import parts
from agent.answer.parts import Step
from agent.answer.prices import hourly
from agent.answer.reasons import MAX_REASON
from agent.answer.words import message_with, plain, say

_NEXT = {"BUILDING": "building", "BUILD_ERROR": "error", "RUNTIME_ERROR": "error", "PAUSED": "paused"}


def _changed(language: str, step: Step) -> str:
    """What was done, then how it stands."""
    done = message_with(language, f"done.{step['tool']}", {"repo": plain(step["result"]["repo"])})
    return "\n\n".join([done, *_state(language, step)])


def _shown(language: str, step: Step) -> str:
    """How a Space stands that runs as it was asked to."""
    result = step["result"]
    told = {"repo": plain(result["repo"]), "stage": say(language, f"space.stage.{result['stage']}")}
    return "\n\n".join([message_with(language, "head.run_space", told), *_state(language, step)])


def _state(language: str, step: Step) -> list[str]:
    result = step["result"]
    lines = []
    if step["tool"] != "stop_space":
        lines.append(f"- {say(language, 'space.open', path='`' + plain(result['path']) + '`')}")
    if result["price_per_hour"]:
        lines.append(f"- {parts.field(language, 'price')}{hourly(language, result['price_per_hour'], result['currency'])}")
    told = ["\n".join(lines)] if lines else []
    if result["sdk"] == "static":
        return [*told, say(language, "space.static")]
    if result["reason"] and result["stage"] in ("BUILD_ERROR", "RUNTIME_ERROR"):
        told.append(plain(result["reason"], MAX_REASON))
    if (key := _NEXT.get(result["stage"])) is not None:
        told.append(say(language, f"space.{key}", repo=plain(result["repo"])))
    return told


DONE: Mapping[str, Callable[[str, Step], str]] = {"run_space": _changed, "stop_space": _changed}
RENDERERS: Mapping[str, Callable[[str, Step], str]] = {"run_space": _shown}
