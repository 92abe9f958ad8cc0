"""The model behind the agent: the built-in planner, or a language model behind LangChain's `init_chat_model`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from agent.planner.types import Focus, World
from agent.planner_model import PlannerModel
from hub_core.errors import InvalidInput, LLMUnavailable
from hub_core.settings import Settings
from tools.registry import Registry

HINT = "Check HUB_LLM and HUB_LLM_BASE_URL, or set HUB_LLM=builtin."


def chat_model(settings: Settings) -> BaseChatModel:
    """The model that `HUB_LLM` names.

    Raises:
        InvalidInput: it names a provider that is not installed, or lacks its key.
    """
    if settings.llm in ("", "builtin"):
        return PlannerModel()
    from langchain.chat_models import init_chat_model

    options: dict[str, Any] = {"timeout": settings.llm_timeout_s, "max_retries": 1}
    if settings.llm_base_url:
        options["base_url"] = settings.llm_base_url
    # Servers in one's own network often want no key; the client library insists on one.
    if settings.llm_api_key or settings.llm_base_url:
        options["api_key"] = settings.llm_api_key or "none"
    try:
        model: BaseChatModel = init_chat_model(settings.llm, **options)
    except (ImportError, ValueError) as error:
        raise InvalidInput(f"HUB_LLM '{settings.llm}' cannot be used: {error}", hint="For example: HUB_LLM=openai:qwen3-32b") from error
    return model


def speaks(model: BaseChatModel) -> bool:
    """Whether the model words its answers itself; the planner leaves that to templates."""
    return bool(getattr(model, "speaks", True))


def plan(model: BaseChatModel, messages: Sequence[BaseMessage], *, world: World, focus: Focus, registry: Registry) -> AIMessage:
    """Ask a model that reads the message against the visible world."""
    result = model.invoke(list(messages[-1:]), world=world, focus=focus, registry=registry)
    return result if isinstance(result, AIMessage) else AIMessage(str(result.content))


def stream(model: BaseChatModel, messages: Sequence[BaseMessage], tools: list[dict[str, Any]]) -> Iterator[AIMessageChunk]:
    """Ask a language model, piece by piece.

    Raises:
        LLMUnavailable: it cannot be reached, refuses, times out, or breaks off.
    """
    try:
        for chunk in model.bind_tools(tools).stream(list(messages)):
            if isinstance(chunk, AIMessageChunk):
                yield chunk
    except _errors() as error:
        raise LLMUnavailable("The language model does not answer.", hint=HINT, cause=type(error).__name__) from error


def finished(whole: AIMessageChunk | None) -> AIMessage:
    """The whole message of a stream.

    LangChain completes broken JSON as it streams; here only whole JSON counts, or a call that was cut off would run with
    half a name.

    Raises:
        LLMUnavailable: nothing came, or it broke off before its end.
    """
    if whole is None or not (whole.text.strip() or whole.tool_call_chunks or whole.tool_calls):
        raise LLMUnavailable("The language model sent an empty answer.", hint=HINT)
    if whole.response_metadata.get("model_provider") == "openai" and not whole.response_metadata.get("finish_reason"):
        raise LLMUnavailable("The language model broke off in the middle of its answer.", hint=HINT)
    calls: list[Any] = []
    broken: list[Any] = []
    for chunk in whole.tool_call_chunks:
        args = _whole_json(chunk["args"])
        if args is None or not chunk["name"]:
            problem = "the arguments are not one JSON object"
            broken.append({"name": chunk["name"], "args": chunk["args"], "id": chunk["id"], "error": problem, "type": "invalid_tool_call"})
        else:
            calls.append({"name": chunk["name"], "args": args, "id": chunk["id"], "type": "tool_call"})
    return AIMessage(whole.text, tool_calls=calls if whole.tool_call_chunks else whole.tool_calls, invalid_tool_calls=broken)


def _whole_json(text: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _errors() -> tuple[type[BaseException], ...]:
    """What a model behind a wire may raise. The client's own error tree is only there when it was imported."""
    import sys

    found: list[type[BaseException]] = [httpx.HTTPError, OSError, TimeoutError, ValueError, KeyError, TypeError, LLMUnavailable]
    openai = sys.modules.get("openai")
    if openai is not None:
        found.append(openai.OpenAIError)
    return tuple(found)
