"""A turn that the storage broke off: what was done is said, and the error that ended it."""

from __future__ import annotations

from typing import Any, cast

from agent.answer.compose import compose
from agent.language import detect_language
from agent.nodes.work import error_json
from agent.state import Context, Turn
from hub_core.errors import Unavailable


def broken_off(turn: Turn, context: Context, error: Unavailable) -> Turn:
    """The turn as far as it came. Its last steps are not in the agent's memory; approvals, undo and what was done are in the hub's."""
    steps = [step for step in context.once.values() if isinstance(step, dict) and "tool" in step]
    broken = cast(Turn, {**turn, "steps": steps, "error": error_json(error), "waiting": [], "question": None})
    if not broken["chosen_language"]:
        broken["language"] = detect_language(broken["text"], broken["language"])
    told: dict[str, Any] = {**broken}
    if any(step["status"] == "ok" and step["effect"] != "read" for step in steps):
        told |= {"error": None, "notes": [["broke_off", {}]]}  # "nothing was changed" would be wrong
    context.once["reply"] = compose(told, speaks=False, waiting=[])
    return broken
