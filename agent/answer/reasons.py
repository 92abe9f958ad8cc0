"""Why a deployment does not run, in the person's language: from the codes that come with the hub's own English words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.answer.words import plain, say, sentences
from prompts import has_message

MAX_REASON = 600
# What is true of everything that was just changed tells nobody anything.
_UNTOLD = frozenset({"taken_up"})


def reason_text(language: str, result: Mapping[str, Any]) -> str:
    """The reason in a result or in the details of an error; it can end with a line of the server's log. Empty where there is none."""
    parts = result.get("reasons") or []
    if not result.get("reason") or (parts and all(part["code"] in _UNTOLD for part in parts)):
        return ""
    if language == "en" or not parts or not all(has_message(language, f"why.{part['code']}") for part in parts):
        return plain(result["reason"], MAX_REASON)
    told = (say(language, f"why.{part['code']}", **{name: plain(value) for name, value in part["params"].items()}) for part in parts)
    return plain(sentences(language, *told), MAX_REASON)
