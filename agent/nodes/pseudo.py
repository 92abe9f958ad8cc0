"""What a model may call besides real tools: asking the person, looking ahead, and declining."""

from __future__ import annotations

from typing import Any

from agent.nodes.outcomes import ask
from agent.nodes.work import Work, error_json
from agent.planner.types import Question
from agent.state import Call
from hub_core.errors import HubError
from tools import invoke

TOOLS = frozenset({"ask_user", "preview", "decline"})


def run(work: Work, call: Call) -> None:
    """Carry out a pseudo call."""
    args = call.get("args") or {}
    if call["name"] == "ask_user":
        _ask_user(work, call, args)
    elif call["name"] == "preview":
        _preview(work, call, args)
    else:
        work.turn["declined"] = str(args.get("reason") or "out_of_scope")
        work.turn["said"] = str(args.get("text") or "")
        work.answer_call(call, "ok")


def _ask_user(work: Work, call: Call, args: dict[str, Any]) -> None:
    tool = args.get("tool")
    text = str(args.get("question") or "")
    if isinstance(tool, str) and tool in work.ctx.registry:
        choices = {str(key): [str(item) for item in value] for key, value in dict(args.get("choices") or {}).items()}
        missing = [str(name) for name in args.get("missing") or []]
        ask(work, {**call, "name": tool}, dict(args.get("args") or {}), missing, choices, text)
        work.messages[-1] = work.messages[-1].model_copy(update={"name": "ask_user"})
        return
    candidates = [item for item in args.get("candidates") or [] if isinstance(item, dict) and str(item.get("tool")) in work.ctx.registry]
    work.turn["question"] = {"tool": None, "args": {}, "missing": [], "choices": {}, "text": text, "candidates": candidates}
    heard = {"text": str(work.turn["text"])} if work.turn.get("text") else {}
    work.focus.question = Question(None, heard, [], {"tool": [str(item["tool"]) for item in candidates]})
    work.offers = [
        {"label": "", "tool": item["tool"], "args": dict(item.get("args") or {}), "missing": list(item.get("missing") or [])}
        for item in candidates
    ]
    work.answer_call(call, "asked_the_person", text="The person was asked; wait for their answer.")


def _preview(work: Work, call: Call, args: dict[str, Any]) -> None:
    """What an act would do: told from its plan, never by doing it."""
    real: Call = {"id": call["id"], "name": str(args.get("tool")), "args": dict(args.get("args") or {})}
    try:
        planned = invoke.plan(work.ctx.tools, real["name"], real["args"])
    except HubError as error:
        work.add_step(real, "read", "error", {"error": error_json(error)})
        work.answer_call(call, "error", text=f"{error.code}: {error.message}")
        return
    described = invoke.describe_plan(planned)
    result = {"changes": described["changes"], "facts": described["facts"]}
    work.add_step(real, str(planned.effect), "planned", result, planned.args, plan=described, preview=True)
    work.answer_call(call, "planned", described, text="Nothing was changed.")
    work.focus.repo = planned.args.get("repo", work.focus.repo)
