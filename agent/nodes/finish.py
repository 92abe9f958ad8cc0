"""Last node: the outcome and the words of the answer."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from agent.answer.compose import compose, question_labels
from agent.nodes.work import Work
from agent.schema import Event
from agent.state import Context, State
from hub_core.secrecy import HIDDEN, secrets_in


def finish(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Word the answer and close the history."""
    work = Work(state, runtime.context)
    turn = work.turn
    if turn["cancelled"] or work.ctx.cancel.is_set():
        turn["cancelled"] = True
        _withdraw(work)
    if turn["question"] is None:
        work.offers = []
        if turn["kind"] == "message" and turn["steps"]:
            work.focus.question = None
    elif turn["question"]["tool"] is None:
        labels = question_labels(dict(turn))
        work.offers = [{**offer, "label": label} for offer, label in zip(work.offers, labels, strict=False)]
    shown = [work.ctx.once.get(step["id"], step) | {"status": step["status"]} for step in turn["steps"]]
    reply = compose({**turn, "steps": shown}, speaks=work.ctx.speaks, waiting=_still_waiting(work))
    work.ctx.once["reply"] = reply
    work.ctx.once["offers"] = [str(offer["label"]) for offer in work.offers]
    if not (work.ctx.speaks and reply == turn["said"]):
        for piece in _pieces(reply):
            work.ctx.emit(Event("token", {"text": piece}))
    stored = reply
    for secret in secrets_in([step["result"] for step in shown]):
        stored = stored.replace(secret, HIDDEN)
    work.messages.append(AIMessage(stored))
    turn["said"] = stored
    return work.update()


def outcome_of(turn: Any) -> str:
    """The outcome of a finished turn."""
    steps = turn["steps"]
    if turn["waiting"]:
        return "needs_approval"
    if turn["error"]:
        return "error"
    if turn["question"]:
        return "needs_input"
    if any(step["status"] == "error" for step in steps) and not _recovered(steps):
        return "error"
    if turn["declined"] in ("out_of_scope", "not_available"):
        return "out_of_scope"
    return "done"


def _recovered(steps: list[dict[str, Any]]) -> bool:
    """A model tried again and got it: the last call of the same tool went well."""
    last = {step["tool"]: step["status"] for step in steps}
    return all(status != "error" for status in last.values())


def _withdraw(work: Work) -> None:
    """What was only just asked when the person pressed Stop is not left waiting."""
    for item in work.turn["waiting"]:
        work.ctx.services.approvals.withdraw(work.ctx.actor, item["approval_id"])
    asked = {item["approval_id"] for item in work.turn["waiting"]}
    for step in work.turn["steps"]:
        if step["result"].get("approval_id") in asked:
            step["status"] = "rejected"
    work.turn["waiting"] = []
    work.queue = [call for call in work.queue if call.get("behind") not in asked]
    work.focus.pending = None


def _still_waiting(work: Work) -> list[dict[str, Any]]:
    """Acts of this thread that wait for an answer, other than those asked just now."""
    now = {item["approval_id"] for item in work.turn["waiting"]}
    waiting = work.ctx.services.approvals.pending(work.ctx.actor, work.ctx.thread_id)
    return [{"tool": item.tool, "args": item.args} for item in waiting if item.id not in now]


def _pieces(text: str) -> list[str]:
    """The reply in pieces of a line, for those who watch it come."""
    return text.splitlines(keepends=True)
