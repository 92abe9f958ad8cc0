"""The built-in planner as a LangChain chat model: it reads the newest message and answers with tool calls."""

# ruff: noqa: ARG002 - the signatures are LangChain's

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from agent.planner.toolspec import specs_of
from agent.planner.types import Focus, Reading, StaticWorld, Step, ToolSpec

_DECLINES = {"small_talk", "out_of_scope", "not_available", "forbidden"}


class PlannerModel(BaseChatModel):
    """Needs no download and no network. `world`, `focus` and `registry` come as keyword arguments of the call."""

    speaks: bool = False
    _specs: dict[int, Mapping[str, ToolSpec]] = PrivateAttr(default_factory=dict)

    @property
    def _llm_type(self) -> str:
        return "hubtalk-planner"

    @staticmethod
    def warm_up() -> None:
        """Load what the first message would wait for."""
        from agent.planner.read import warm_up

        warm_up()

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """The same model."""
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> ChatResult:
        from agent.planner.read import read

        registry = kwargs["registry"]
        specs = self._specs.get(id(registry))
        if specs is None:
            specs = self._specs[id(registry)] = specs_of(registry)
        focus = kwargs.get("focus") or Focus()
        reading = read(messages[-1].text, kwargs.get("world") or StaticWorld(), focus, specs)
        return ChatResult(generations=[ChatGeneration(message=message_of(reading))])


def message_of(reading: Reading) -> AIMessage:
    """A reading as the message that a tool-calling language model would send."""
    if reading.kind in _DECLINES:
        calls = [_call("decline", {"reason": reading.kind})]
    elif reading.kind == "choose_tool":
        candidates = [{"tool": step.tool, "args": step.args, "missing": list(step.missing)} for step in reading.steps]
        calls = [_call("ask_user", {"candidates": candidates})]
    else:
        calls = [_step_call(step, preview=reading.kind == "preview") for step in reading.steps]
    extra = {"focus": reading.focus.to_json(), "language": reading.language}
    return AIMessage("", tool_calls=calls or [_call("decline", {"reason": "out_of_scope"})], additional_kwargs=extra)


def _step_call(step: Step, *, preview: bool) -> Any:
    if step.missing or step.choices:
        return _call("ask_user", {"tool": step.tool, "args": step.args, "missing": list(step.missing), "choices": step.choices})
    if preview:
        return _call("preview", {"tool": step.tool, "args": step.args})
    return _call(step.tool, step.args)


def _call(name: str, args: dict[str, Any]) -> Any:
    return {"name": name, "args": args, "id": f"call_{uuid.uuid4().hex[:16]}", "type": "tool_call"}
