"""Questions: a missing argument, which of several things, which of several acts."""

from __future__ import annotations

from typing import Any

from agent.answer.words import act, plain, say, word
from prompts import has_message

_KINDS = frozenset(["model", "dataset", "space", "code", "prompt", "mcp", "skill"])


def question_text(language: str, question: dict[str, Any]) -> str:
    """The question as people read it."""
    if question.get("text"):
        return str(question["text"])
    if question["tool"] is None:
        candidates = question.get("candidates") or []
        lines = [f"{number}. {_label(language, item)}" for number, item in enumerate(candidates, 1)]
        return "\n".join([say(language, "ask.which_tool"), *lines])
    parts = [_choice_question(language, slot, values) for slot, values in question["choices"].items() if values]
    missing = [slot for slot in question["missing"] if slot not in question["choices"]]
    asked = [slot_question(language, question["tool"], slot) for slot in missing]
    if len(asked) > 1 and not parts:
        return "\n".join([say(language, "ask.more"), *(f"- {line}" for line in asked)])
    return "\n".join([*parts, *asked]) or say(language, "ask.which")


def slot_question(language: str, tool: str, slot: str) -> str:
    """The question for one argument."""
    if tool == "set_preference" and slot == "key":
        return say(language, "ask.preference")
    key = f"ask.{slot}"
    return say(language, key) if has_message(language, key) else say(language, "ask.default", slot=slot.replace("_", " "))


def labels(language: str, candidates: list[dict[str, Any]]) -> list[str]:
    """What is on the buttons of a choice of acts."""
    return [_label(language, item) for item in candidates]


def choice_label(language: str, value: str) -> str:
    """A choice as people read it: `model:acme/x` is a repo with its kind."""
    kind, colon, name = value.partition(":")
    if colon and kind in _KINDS:
        return say(language, "word.noted", text=f"**{plain(name)}**", note=word(language, "kind", kind))
    return f"**{plain(value)}**"


def _choice_question(language: str, slot: str, values: list[str]) -> str:
    head = say(language, "ask.which_repo" if slot in ("repo", "other") else "ask.which")
    return "\n".join([head, *(f"{number}. {choice_label(language, value)}" for number, value in enumerate(values, 1))])


def _label(language: str, item: dict[str, Any]) -> str:
    return act(language, str(item["tool"]), dict(item.get("args") or {}))
