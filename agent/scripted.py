"""A chat model that plays a script: for tests, demos and evaluations without a language model."""

# ruff: noqa: ARG002 - the signatures are LangChain's

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr

Line = str | dict[str, Any] | list[dict[str, Any]] | BaseException | Callable[[list[BaseMessage]], Any]


class ScriptedModel(BaseChatModel):
    """Answers with the next line of its script.

    A line is a text (the final answer), a call `{"tool": ..., "args": {...}}` or a list of calls, an exception to raise,
    or a function of the messages that returns one of these. At the end of the script it says nothing, and the agent words
    the answer itself. `seen` keeps the messages of every call.
    """

    lines: list[Any] = Field(default_factory=list)
    speaks: bool = False
    _at: int = PrivateAttr(default=0)
    _seen: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def seen(self) -> list[list[BaseMessage]]:
        """The messages of every call so far."""
        return self._seen

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """The same model: a script needs no schemas."""
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        message = self._next(messages)
        words = str(message.content).split(" ")
        for index, word in enumerate(words):
            text = word if index == len(words) - 1 else word + " "
            last = index == len(words) - 1
            chunk = AIMessageChunk(content=text, tool_calls=message.tool_calls if last else [], id=message.id)
            yield ChatGenerationChunk(message=chunk)

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        with self._lock:
            self._seen.append(list(messages))
            line: Any = self.lines[self._at] if self._at < len(self.lines) else ""
            self._at += 1
        if callable(line):
            line = line(messages)
        if isinstance(line, BaseException):
            raise line
        if isinstance(line, AIMessage):
            return line
        if isinstance(line, str):
            return AIMessage(line)
        calls = line if isinstance(line, list) else [line]
        return AIMessage(
            "",
            tool_calls=[
                {"name": call["tool"], "args": call.get("args", {}), "id": f"call_{uuid.uuid4().hex[:12]}", "type": "tool_call"}
                for call in calls
            ],
        )
