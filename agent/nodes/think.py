"""The model's turn: the built-in planner or a language model says which tools to call, or what to answer."""

from __future__ import annotations

import uuid
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langgraph.runtime import Runtime

from agent import models
from agent.nodes.work import Work
from agent.planner.types import Focus
from agent.prompting import system_prompt, tool_schemas
from agent.schema import Event
from agent.state import MAX_MALFORMED, MAX_MODEL_CALLS, Call, Context, State
from agent.world import HubWorld
from hub_core.errors import LLMUnavailable
from hub_core.secrecy import secrets_in


def think(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Ask the model once and take over the calls it makes."""
    work = Work(state, runtime.context)
    if work.ctx.cancel.is_set():
        work.turn["cancelled"] = work.turn["ready"] = True
        return work.update()
    if work.turn["model_calls"] >= MAX_MODEL_CALLS or work.turn["malformed"] > MAX_MALFORMED:
        return _give_up(
            work, LLMUnavailable("The language model did not come to an answer.", hint="Say it in other words, or in smaller steps.")
        )
    work.turn["model_calls"] += 1
    try:
        message = _ask(work)
    except LLMUnavailable as error:
        return _give_up(work, error)
    if message is None:
        work.turn["cancelled"] = work.turn["ready"] = True
        return work.update()
    _take_over(work, message)
    return work.update()


def after_think(state: State) -> str:
    """Act on calls, ask the model again after malformed ones, or answer."""
    turn = state["turn"]
    if turn["ready"]:
        return "finish"
    return "act" if turn["calls"] else "think"


def _give_up(work: Work, error: LLMUnavailable) -> dict[str, Any]:
    """Without a model: what was done is still said; with nothing done it is an error."""
    if any(step["status"] == "ok" for step in work.turn["steps"]):
        work.note("model_gone")
        work.turn["ready"] = True
    else:
        work.fail(error)
    return work.update()


def _ask(work: Work) -> AIMessage | None:
    ctx = work.ctx
    if not ctx.speaks:
        files = [item["filename"] for item in work.files]
        world = HubWorld(ctx.actor, ctx.services, files, ctx.worlds)
        return models.plan(ctx.model, work.messages, world=world, focus=work.focus, registry=ctx.registry)
    prompt: list[BaseMessage] = [SystemMessage(system_prompt(ctx, work.turn["language"])), *map(_with_files, work.messages)]
    whole: AIMessageChunk | None = None
    for chunk in models.stream(ctx.model, prompt, tool_schemas(ctx.registry)):
        if ctx.cancel.is_set():
            return None
        whole = chunk if whole is None else whole + chunk
        if text := chunk.text:
            ctx.emit(Event("token", {"text": text}))
    return models.finished(whole)


def _with_files(message: BaseMessage) -> BaseMessage:
    names = message.additional_kwargs.get("files")
    return HumanMessage(f"{message.text}\n\n(Attached files: {', '.join(names)})") if names else message


def _take_over(work: Work, message: AIMessage) -> None:
    """Put the message into the history and its calls into the queue. Malformed calls are answered with what is wrong with them."""
    extra = message.additional_kwargs
    if isinstance(extra.get("focus"), dict):
        asked = work.focus.question
        work.focus = Focus.from_json(extra["focus"])
        work.focus.language = str(extra.get("language") or work.focus.language)
        if not work.turn["chosen_language"]:
            work.turn["language"] = work.focus.language
        names = [call["name"] for call in message.tool_calls]
        answered = asked is not None and (asked.tool is None or asked.tool in names)
        behind = work.behind_question()
    else:
        answered, behind = False, []
    calls: list[Call] = [{"id": str(call["id"] or _new_id()), "name": call["name"], "args": call["args"]} for call in message.tool_calls]
    broken = [{"id": str(call.get("id") or _new_id()), "name": str(call.get("name") or "unknown")} for call in message.invalid_tool_calls]
    clean = [{"name": call["name"], "args": call["args"], "id": call["id"], "type": "tool_call"} for call in calls]
    clean += [{"name": call["name"], "args": {}, "id": call["id"], "type": "tool_call"} for call in broken]
    work.ctx.services.vault.learn(work.ctx.thread_id, secrets_in([call["args"] for call in calls]))
    if not clean:
        work.turn["said"] = message.text
        work.turn["ready"] = True
        return
    work.messages.append(AIMessage(message.text, tool_calls=clean))
    for call, raw in zip(broken, message.invalid_tool_calls, strict=True):
        work.turn["malformed"] += 1
        text = f"The arguments are not valid JSON ({raw.get('error') or 'cannot be read'}). Send the call again with a JSON object."
        work.answer_call({"id": call["id"], "name": call["name"]}, "error", text=text)
    work.turn["calls"] = calls
    if answered:
        work.turn["calls"] = calls + behind
        work.adopt_calls(behind)


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:16]}"
