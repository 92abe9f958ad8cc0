"""First node: what kind of message is this? Repairs, language, a yes or no, a click on an offered choice."""

from __future__ import annotations

import re
import unicodedata
from itertools import takewhile
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.runtime import Runtime

from agent.consent import read_consent
from agent.language import detect_language
from agent.nodes.work import Work
from agent.state import KEEP_FILES, Call, Context, State
from hub_core.approvals.service import ApprovalView
from hub_core.errors import ApprovalExpired


def understand(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Set up the turn; anything but a plain yes, no or choice is left to the model."""
    work = Work(state, runtime.context)
    if work.repair():
        work.note("interrupted")
    pending = _pending(work)
    _forget_queue(work, pending)
    work.trim()
    work.files = [*work.files, *work.turn["files"]][-KEEP_FILES:]
    if work.turn["kind"] == "decision":
        if not work.turn["chosen_language"]:
            work.turn["language"] = work.focus.language or work.turn["language"]
        return work.update()
    text = work.turn["text"]
    work.focus.language = detect_language(text, work.focus.language or work.turn["language"])
    if not work.turn["chosen_language"]:
        work.turn["language"] = work.focus.language
    files = [item["filename"] for item in work.files if item["id"] in work.turn["attachments"]]
    work.messages.append(HumanMessage(text, additional_kwargs={"files": files} if files else {}))
    if not _chosen(work, text):
        _consent(work, text, pending)
    return work.update()


def after_understand(state: State) -> str:
    """Where to go on."""
    turn = state["turn"]
    if turn["ready"]:
        return "finish"
    if turn["decision"]:
        return "settle"
    return "act" if turn["calls"] else "think"


def _pending(work: Work) -> list[ApprovalView]:
    """What waits in this thread. An act that was approved when its process died is told of: nobody shall think it is still coming."""
    approvals = work.ctx.services.approvals
    unsettled = approvals.unsettled(work.ctx.actor, work.ctx.thread_id)
    for approval in unsettled:
        if approval.status == "approved":
            ran = approvals.execution(f"approval:{approval.id}") == "ok"
            approvals.finish(work.ctx.actor, approval.id, "executed" if ran else "failed")
            work.note("crashed_done" if ran else "crashed_undone", act=[approval.tool, approval.args])
    return [approval for approval in unsettled if approval.status == "pending"]


def _forget_queue(work: Work, pending: list[ApprovalView]) -> None:
    """Drop what waits behind an act that nobody can approve any more."""
    waiting = {item.id for item in pending}
    waiting.add(str(work.turn["decision"].get("approval_id", "")))
    work.queue = [call for call in work.queue if call.get("question") or call.get("behind") in waiting]


def _chosen(work: Work, text: str) -> bool:
    """The person picked one of the choices that were offered, by its label or number."""
    offers, work.offers = work.offers, []
    if not offers or work.focus.question is None:
        return False
    said = _fold(text)
    for number, offer in enumerate(offers, 1):
        labels = {_fold(str(offer["label"])), str(number), f"{number}.", f"#{number}"}
        if said in labels or (len(offers) == 1 and read_consent(text) == "approve"):
            call: Call = {"id": f"choice_{work.turn['id'][:8]}_{number}", "name": offer["tool"], "args": offer["args"]}
            if offer.get("missing"):
                call |= {"name": "ask_user", "args": {"tool": offer["tool"], "args": offer["args"], "missing": offer["missing"]}}
            work.focus.question = None
            work.turn["calls"] = [call, *work.behind_question()]
            work.adopt_calls()
            return True
    return False


def _consent(work: Work, text: str, pending: list[ApprovalView]) -> None:
    """A plain yes or no settles what was asked last; one that names an act settles that act."""
    said_last = _said_last(work)
    for approval in reversed(pending):
        answer = read_consent(text, _act_of(approval), just_asked=approval.id in said_last)
        if answer is not None:
            work.turn["decision"] = {"approval_id": approval.id, "decision": answer}
            return
    consent = read_consent(text)
    if consent is None:
        return
    latest = work.ctx.services.approvals.latest(work.ctx.actor, work.ctx.thread_id)
    asked = work.focus.pending is not None
    work.focus.pending = None
    if asked and latest is not None and latest.status in ("pending", "expired"):
        _expire(work, latest.id)
    elif work.focus.question is not None:
        if consent == "reject":
            work.focus.question = None
            work.note("question_dropped")
            work.turn["ready"] = True
    elif consent == "reject" and work.focus.tool is not None:
        return  # perhaps the last change is to be taken back: the model reads it
    elif not work.ctx.speaks:
        work.note("nothing_pending")
        work.turn["ready"] = True


def _said_last(work: Work) -> str:
    """What tools answered in the turn before this message; an act that waits is told there by its id."""
    before = list(takewhile(lambda message: not isinstance(message, HumanMessage), reversed(work.messages[:-1])))
    return " ".join(str(message.content) for message in before if isinstance(message, ToolMessage))


def _act_of(approval: ApprovalView) -> dict[str, Any]:
    """The act that a person sees in an approval: for an undo, what it would do."""
    facts = approval.plan.get("facts") or {}
    if approval.tool == "undo" and facts.get("tool"):
        return {"tool": facts["tool"], "args": facts.get("args") or {}}
    return {"tool": approval.tool, "args": approval.args}


def _expire(work: Work, approval_id: str) -> None:
    try:
        work.ctx.services.approvals.decide(work.ctx.actor, approval_id, "reject")
    except ApprovalExpired as error:
        work.fail(error)


def _fold(text: str) -> str:
    return re.sub(r"[\s.!。!]+$", "", unicodedata.normalize("NFKC", text).strip().casefold())
