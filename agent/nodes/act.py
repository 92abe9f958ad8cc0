"""Makes one call per visit: runs it, parks it for approval, asks what is missing, or keeps it for later."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import ToolMessage
from langgraph.runtime import Runtime

from agent.dependencies import depends_on, structural
from agent.focus import note_args
from agent.nodes import pseudo
from agent.nodes.outcomes import AMBIGUOUS, ask, ask_which, done, effect_of, failed, waits
from agent.nodes.work import Work
from agent.state import MAX_MALFORMED, MAX_TOOL_CALLS, Call, Context, State
from hub_core.authz import Permission
from hub_core.errors import HubError, InvalidArguments, LimitExceeded, LLMUnavailable, SecretNotKept, ToolNotFound
from hub_core.vault import has_lost_secret
from tools import invoke
from tools.contract import Effect, Plan

# Reads whose results hold nothing that somebody else could have worded. All others may carry what anybody wrote into a repo.
OWN_WORDS = frozenset(
    [
        "whoami",
        "help",
        "get_preferences",
        "list_approvals",
        "list_tokens",
        "list_ssh_keys",
        "list_users",
        "get_user",
        "list_access",
        "get_download_command",
    ]
)
# What gives away rights, and would outlive a conversation.
RIGHTS = frozenset(["people", "credentials"])


def act(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Make the next call."""
    work = Work(state, runtime.context)
    if work.ctx.cancel.is_set():
        stop(work)
        return work.update()
    call = work.turn["calls"].pop(0)
    work.turn["tool_calls"] += 1
    if work.turn["tool_calls"] > MAX_TOOL_CALLS:
        work.answer_call(call, "error", text="Too many calls in one turn.")
        work.fail(
            LimitExceeded(f"One message may make at most {MAX_TOOL_CALLS} calls.", hint="Say it in smaller steps.", limit=MAX_TOOL_CALLS)
        )
        stop(work, cancelled=False)
    elif call["name"] in pseudo.TOOLS:
        pseudo.run(work, call)
    else:
        _perform(work, call)
    if not work.turn["calls"]:
        _after_batch(work)
    return work.update()


def after_act(state: State) -> str:
    """The next call; then the model once more if it words its own answers."""
    turn = state["turn"]
    if turn["calls"] and not turn["ready"]:
        return "act"
    return "finish" if turn["ready"] else "think"


def stop(work: Work, *, cancelled: bool = True) -> None:
    """Leave the remaining calls undone, and say so in the history."""
    for call in work.turn["calls"]:
        work.answer_call(call, "stopped", text="The person stopped the turn; this was not done.")
        if call["name"] not in pseudo.TOOLS:
            work.add_step(call, effect_of(work, call), "planned", {})
    work.turn["calls"] = []
    work.turn["ready"] = True
    work.turn["cancelled"] = cancelled


def _after_batch(work: Work) -> None:
    turn = work.turn
    asked = turn["waiting"] or turn["question"] or turn["declined"]
    if asked or not work.ctx.speaks or turn["mode"] == "plan":
        turn["ready"] = True
    if work.ctx.speaks and any(step["status"] == "ok" and _of_others(work, step["tool"]) for step in turn["steps"]):
        turn["tainted"] = True


def _perform(work: Work, call: Call) -> None:
    args = call.get("args") or {}
    try:
        work.ctx.registry.get(call["name"])
        if has_lost_secret(args):
            raise SecretNotKept("A password that was said before is no longer known.", hint="Say it again, with what it is for.")
        if work.turn["mode"] == "plan":
            _plan_only(work, call)
        elif _must_wait(work, call):
            _keep(work, call)
        else:
            _run(work, call)
    except ToolNotFound as error:
        _malformed(work, call, error)
    except tuple(AMBIGUOUS) as error:
        ask_which(work, call, error)
    except InvalidArguments as error:
        missing = [item["argument"] for item in error.details.get("errors", []) if item["problem"] == "Field required"]
        if work.ctx.speaks:
            _malformed(work, call, error)
        elif missing:
            ask(work, call, args, missing, {})
        else:
            failed(work, call, error)
    except HubError as error:
        failed(work, call, error)


def _run(work: Work, call: Call) -> None:
    ctx, args = work.ctx, call.get("args") or {}
    result: invoke.Done | invoke.Waiting
    ctx.services.sessions.person(ctx.actor.user_id, Permission.CHAT)  # who was locked out meanwhile does nothing more
    planned = invoke.plan(ctx.tools, call["name"], args) if _swayed(work, call) else None
    if planned is not None and planned.effect is Effect.WRITE:
        # The model has read text that others wrote: what it wants to change now, a person confirms.
        result = invoke.park(ctx.tools, call["name"], args, planned)
    else:
        result = invoke.call(ctx.tools, call["name"], args, gate=True, key=f"chat:{work.turn['id']}:{call['id']}")
    if isinstance(result, invoke.Done):
        done(work, call, result)
    else:
        waits(work, call, result)


def _swayed(work: Work, call: Call) -> bool:
    """Whether what others wrote may be behind a call: read in this turn, or, for rights, anywhere in what the model remembers."""
    if work.turn["tainted"] or not work.ctx.speaks or work.ctx.registry.get(call["name"]).group not in RIGHTS:
        return bool(work.turn["tainted"])
    return any(isinstance(message, ToolMessage) and _of_others(work, str(message.name)) for message in work.messages)


def _of_others(work: Work, tool: str) -> bool:
    """Whether a result of this tool may hold what other people wrote."""
    return tool in work.ctx.registry and work.ctx.registry.get(tool).effect is Effect.READ and tool not in OWN_WORDS


def _must_wait(work: Work, call: Call) -> bool:
    """Behind a pending act wait whatever else needs approval, and what makes sense only after it."""
    turn = work.turn
    waiting = [(item["tool"], item["args"]) for item in turn["waiting"]]
    asked = [(turn["question"]["tool"] or "", turn["question"]["args"])] if turn["question"] else []
    wrong = [(step["tool"], step["args"]) for step in turn["steps"] if step["status"] == "error"]
    if not (waiting or asked or wrong):
        return False
    args = call.get("args") or {}
    try:
        planned: Plan | None = invoke.plan(work.ctx.tools, call["name"], args)
    except HubError:
        planned = None
    known = planned.args if planned else args
    if planned is not None:
        call["resolved"], call["effect"] = planned.args, str(planned.effect)
    call["depends"] = any(structural(tool) and depends_on(known, before) for tool, before in (*waiting, *asked, *wrong))
    call["question"] = not waiting and bool(asked) and call["depends"]
    return call["depends"] or bool(waiting and planned is not None and planned.effect.gated)


def _keep(work: Work, call: Call) -> None:
    waiting = work.turn["waiting"]
    behind = bool(waiting) or call.get("question")
    work.answer_call(call, "later" if behind else "skipped", text="This was not done: it depends on a step that waits or failed.")
    if behind:
        work.queue.append({**call, "args": call.get("args") or {}, "behind": waiting[0]["approval_id"] if waiting else ""})
    args = call.get("resolved") or call.get("args") or {}
    work.add_step(call, call.get("effect") or effect_of(work, call), "planned", {}, args)
    work.note("later" if behind else "skipped", act=[call["name"], args])


def _plan_only(work: Work, call: Call) -> None:
    planned = invoke.plan(work.ctx.tools, call["name"], call.get("args") or {})
    described = invoke.describe_plan(planned)
    result = {"changes": described["changes"], "facts": described["facts"]}
    work.add_step(call, str(planned.effect), "planned", result, planned.args, plan=described)
    work.answer_call(call, "planned", described)
    note_args(work.focus, planned.args)


def _malformed(work: Work, call: Call, error: HubError) -> None:
    """The call itself is wrong: a language model may correct it, twice."""
    work.turn["malformed"] += 1
    if not work.ctx.speaks:
        failed(work, call, error)
        return
    work.answer_call(call, "error", text=f"{error.code}: {error.message} Correct the call.")
    if work.turn["malformed"] > MAX_MALFORMED:
        work.fail(LLMUnavailable("The language model keeps sending calls that make no sense.", hint="Say it in other words."))
