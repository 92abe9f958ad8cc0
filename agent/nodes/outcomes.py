"""What becomes of a call: done, waiting for approval, a question, an error. Each is recorded as a step and in the history."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agent.focus import after_call, note_args
from agent.nodes.work import Work, error_json
from agent.planner.types import Question
from agent.schema import Event
from agent.state import Call
from hub_core.errors import AmbiguousChatLink, AmbiguousCollection, AmbiguousRepo, HubError
from hub_core.running_errors import AmbiguousDeployment
from tools import invoke


def done(work: Work, call: Call, result: invoke.Done) -> None:
    """Record a call that ran."""
    output = result.output.model_dump(mode="json", exclude_none=True)
    effect = str(result.plan.effect)
    changes = [asdict(change) for change in result.plan.changes]
    plan = {"changes": changes, "facts": result.plan.facts, "undo": result.plan.inverse is not None}
    work.add_step(call, effect, "ok", output, result.plan.args, plan=plan)
    work.answer_call(call, "ok", output)
    after_call(work.focus, call["name"], result.plan.args, output)


def waits(work: Work, call: Call, result: invoke.Waiting) -> None:
    """Record a call that waits for the person's approval."""
    approval = result.approval
    described = invoke.describe_plan(result.plan)
    asked = {"approval_id": approval.id, "changes": described["changes"]}
    work.add_step(call, str(result.plan.effect), "pending", asked, result.plan.args, plan=described)
    waiting = {"approval_id": approval.id, "tool": call["name"], "args": approval.args, "effect": approval.effect, "plan": approval.plan}
    work.turn["waiting"].append(waiting)
    work.focus.pending = {"tool": call["name"], "args": approval.args}
    note_args(work.focus, result.plan.args)
    text = f"This waits for the person's approval ({approval.id}); nothing has changed yet. Do not call it again."
    work.answer_call(call, "waiting_for_approval", described["changes"], text=text)
    work.ctx.emit(Event("approval", {key: waiting[key] for key in ("approval_id", "tool", "args", "effect")}))


def ask(work: Work, call: Call, args: dict[str, Any], missing: list[str], choices: dict[str, list[str]], text: str = "") -> None:
    """Ask the person for an argument; the call is kept as a question."""
    tool = call["name"]
    work.turn["question"] = {"tool": tool, "args": args, "missing": missing, "choices": choices, "text": text}
    work.focus.question = Question(tool, dict(args), list(missing), {key: list(value) for key, value in choices.items()})
    note_args(work.focus, args)
    work.add_step(call, effect_of(work, call), "pending", {"missing": missing, "choices": choices}, args)
    work.answer_call(call, "asked_the_person", text="The person was asked; wait for their answer.")
    slot = next((name for name in [*missing, *choices] if name in choices), None)
    others = [name for name in missing if name != slot]
    work.offers = [{"label": value, "tool": tool, "args": {**args, slot: value}} for value in choices[slot]] if slot and not others else []


# What is asked back when a name fits several things, and the argument it usually stands in.
AMBIGUOUS: dict[type[HubError], str] = {
    AmbiguousRepo: "repo", AmbiguousCollection: "collection", AmbiguousDeployment: "deployment", AmbiguousChatLink: "link",
}  # fmt: skip


def ask_which(work: Work, call: Call, error: HubError) -> None:
    """Ask which of several things was meant."""
    usual = AMBIGUOUS[type(error)]
    said = str(error.details.get(usual, ""))
    args = dict(call.get("args") or {})
    slot = next((key for key, value in args.items() if value == said), usual)
    args.pop(slot, None)
    ask(work, call, args, [slot], {slot: [str(choice) for choice in error.details.get("choices", [])]})


def failed(work: Work, call: Call, error: HubError) -> None:
    """Record a call that raised."""
    result = {"error": error_json(error)}
    work.add_step(call, effect_of(work, call), "error", result)
    work.answer_call(call, "error", text=f"{error.code}: {error.message} {error.hint}".strip())
    note_args(work.focus, {key: value for key, value in (call.get("args") or {}).items() if "/" in str(value)})


def effect_of(work: Work, call: Call) -> str:
    """The strongest effect the tool can have."""
    return str(work.ctx.registry.get(call["name"]).effect) if call["name"] in work.ctx.registry else "read"
