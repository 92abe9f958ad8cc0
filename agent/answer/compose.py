"""The reply of a turn, from its steps."""

from __future__ import annotations

from typing import Any

from agent.answer.changes import act_of, change_lines, fact_lines, preview, summary
from agent.answer.errors import error_text
from agent.answer.questions import labels, question_text
from agent.answer.results import result_text
from agent.answer.words import act, plain, say
from hub_core.secrecy import secrets_in

__all__ = ["compose", "question_labels", "summary"]


def compose(turn: dict[str, Any], *, speaks: bool, waiting: list[dict[str, Any]]) -> str:
    """Word the answer.

    Args:
        turn: the turn with its steps as they are shown.
        speaks: the model words plain answers itself; approvals, errors and secrets are always worded here.
        waiting: acts of the thread that still wait, other than those asked in this turn.
    """
    language = turn["language"]
    own_words = speaks and turn["said"] and not (turn["waiting"] or turn["question"] or turn["error"] or turn["cancelled"])
    parts = [_note(language, note) for note in turn["notes"] if note[0] in _FIRST]
    if own_words:
        parts += [str(turn["said"]), *(result_text(language, step) for step in turn["steps"] if secrets_in(step["result"]))]
    else:
        parts += _steps(language, turn)
        if turn["error"]:
            parts.append(error_text(language, turn["error"], {}))
        if turn["declined"]:
            parts.append(_declined(language, turn))
    parts += [_note(language, note) for note in turn["notes"] if note[0] not in _FIRST and note[0] != "later"]
    if turn["cancelled"]:
        parts.append(_stopped(language, turn))
    parts += [_approval(language, turn, item) for item in turn["waiting"]]
    parts += [_note(language, note) for note in turn["notes"] if note[0] == "later"]
    if turn["waiting"]:
        parts.append(say(language, "approve.go"))
    if turn["question"]:
        parts.append(question_text(language, turn["question"]))
    if waiting and not turn["cancelled"]:
        parts.append(say(language, "note.still_waiting", act=act(language, waiting[-1]["tool"], waiting[-1]["args"])))
    return "\n\n".join(part for part in parts if part) or say(language, "note.nothing_pending")


def question_labels(turn: dict[str, Any]) -> list[str]:
    """The buttons of a choice of acts; one that lacks an argument asks for it."""
    return labels(turn["language"], turn["question"]["candidates"])


_FIRST = frozenset({"interrupted", "crashed_done", "crashed_undone"})


def _steps(language: str, turn: dict[str, Any]) -> list[str]:
    parts = []
    planned = [step for step in turn["steps"] if step["status"] == "planned" and step.get("plan") and not step.get("preview")]
    for step in turn["steps"]:
        if step["status"] == "ok":
            parts.append(result_text(language, step))
        elif step["status"] == "error":
            parts.append(error_text(language, step["result"]["error"], step["args"]))
        elif step.get("preview"):
            parts.append(preview(language, step))
    if planned:
        parts.append(_plan(language, planned))
    return parts


def _plan(language: str, steps: list[dict[str, Any]]) -> str:
    lines = [say(language, "plan.head")]
    for number, step in enumerate(steps, 1):
        phrase = act_of(language, step["tool"], step["plan"], step["args"])
        if step["effect"] in ("destructive", "spend"):
            phrase = say(language, "plan.line_ask", act=phrase)
        lines.append(f"{number}. {phrase}")
        lines += [f"   - {line}" for line in change_lines(language, step["plan"])]
    return "\n".join(lines)


def _approval(language: str, turn: dict[str, Any], item: dict[str, Any]) -> str:
    plan = item["plan"]
    phrase = act_of(language, item["tool"], plan, item["args"])
    head = say(language, "approve.next" if turn["kind"] == "decision" or turn["decision"] else "approve.ask", act=phrase)
    lines = [*change_lines(language, plan), *fact_lines(language, item["tool"], plan)]
    parts = [head]
    if lines:
        parts.append("\n".join([say(language, "approve.changes"), *(f"- {line}" for line in lines)]))
    return "\n\n".join(parts)


def _declined(language: str, turn: dict[str, Any]) -> str:
    if turn["said"]:
        return plain(turn["said"], 2000)
    reason = turn["declined"]
    return say(language, f"decline.{reason if reason in ('not_available', 'small_talk', 'forbidden') else 'out_of_scope'}")


def _stopped(language: str, turn: dict[str, Any]) -> str:
    statuses = {step["status"] for step in turn["steps"]}
    changed = any(step["status"] == "ok" and step["effect"] != "read" for step in turn["steps"])
    if "ok" not in statuses:
        return say(language, "note.stopped_nothing")
    return say(language, "note.stopped_done" if changed or "planned" in statuses else "note.stopped")


def _note(language: str, note: list[Any]) -> str:
    key, values = note
    filled = dict(values)
    if "act" in filled:
        filled["act"] = act(language, filled["act"][0], filled["act"][1])
    return say(language, f"note.{key}", **filled)
