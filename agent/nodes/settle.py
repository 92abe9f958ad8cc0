"""The person's yes or no to a waiting act: settles it in the approvals table, and takes up what waited behind it."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.runtime import Runtime

from agent.nodes.outcomes import done
from agent.nodes.work import Work, error_json
from agent.state import Call, Context, State
from hub_core.approvals.service import ApprovalView
from hub_core.errors import ApprovalSettled, HubError
from hub_core.secrecy import HIDDEN
from tools import approvals, invoke


def settle(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Approve or reject. What cannot be settled is an error of the turn; a failed act is an error step."""
    work = Work(state, runtime.context)
    decision = work.turn["decision"]
    try:
        approval = work.ctx.services.approvals.get(work.ctx.actor, decision["approval_id"])
        if decision.get("args") is not None and decision["decision"] == "approve":
            approval = _edited(work, approval, decision["args"])
        _settle(work, approval, decision["decision"])
    except HubError as error:
        work.fail(error)
        return work.update()
    work.focus.pending = None
    _take_up(work)
    return work.update()


def after_settle(state: State) -> str:
    """Take up the steps that waited; a model that words its answers is told and may go on."""
    turn = state["turn"]
    if turn["ready"]:
        return "finish"
    return "act" if turn["calls"] else "think"


def _edited(work: Work, approval: ApprovalView, args: dict[str, Any]) -> ApprovalView:
    """The same tool with other arguments: planned anew, as an approval of its own; the old one is withdrawn."""
    ctx = work.ctx
    if args == approval.args:
        return approval
    known, _ = ctx.services.approvals.revealed(ctx.actor, approval.id)
    args = {key: known.get(key, value) if value == HIDDEN else value for key, value in args.items()}
    planned = invoke.plan(ctx.tools, approval.tool, args)
    if not ctx.services.approvals.withdraw(ctx.actor, approval.id):
        status = ctx.services.approvals.get(ctx.actor, approval.id).status
        raise ApprovalSettled(f"This request is already {status}.", hint="Ask again if you want it done now.", status=status)
    return invoke.park(ctx.tools, approval.tool, args, planned).approval


def _settle(work: Work, approval: ApprovalView, decision: Any) -> None:
    """Run or refuse it, and put both the answer and its outcome into the history."""
    call: Call = {"id": f"settled_{approval.id}", "name": approval.tool, "args": approval.args}
    if work.turn["kind"] == "decision":
        work.messages.append(HumanMessage("Yes, do it." if decision == "approve" else "No, leave it."))
    try:
        settled, result = approvals.decide(work.ctx.tools, approval.id, decision)
    except HubError as error:
        if work.ctx.services.approvals.get(work.ctx.actor, approval.id).status != "failed":
            raise
        _open_call(work, call)
        work.add_step(call, approval.effect, "error", {"error": error_json(error)})
        work.answer_call(call, "error", text=f"{error.code}: {error.message}")
        return
    _open_call(work, call)
    if result is None:
        work.add_step(call, settled.effect, "rejected", {}, plan=settled.plan)
        work.answer_call(call, "rejected", text="The person refused; nothing was changed. Do not try again.")
        work.note("rejected", act=[settled.tool, settled.args])
    else:
        done(work, call, result)


def _open_call(work: Work, call: Call) -> None:
    entry: Any = {"name": call["name"], "args": call["args"], "id": call["id"], "type": "tool_call"}
    work.messages.append(AIMessage("", tool_calls=[entry]))


def _take_up(work: Work) -> None:
    """Steps that waited come next; those that only made sense after an act that did not happen are dropped."""
    happened = any(step["status"] == "ok" for step in work.turn["steps"])
    behind = work.turn["decision"]["approval_id"]
    queue = [call for call in work.queue if call.get("behind") == behind]
    work.queue = [call for call in work.queue if call.get("behind") != behind]
    for call in queue:
        if call.get("depends") and not happened:
            work.note("skipped", act=[call["name"], call["args"]])
        else:
            work.turn["calls"].append({"id": call["id"], "name": call["name"], "args": call["args"]})
    work.adopt_calls()
    approved = work.turn["decision"]["decision"] == "approve"
    if not work.turn["calls"] and not (work.ctx.speaks and approved and happened):
        work.turn["ready"] = True
