"""How a turn reads as the answer of a model: its steps, its words, the link of what waits, and OpenAI's shapes around it."""

from __future__ import annotations

import math
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from agent.answer.words import plain, say
from agent.schema import Answer, Event
from hub_core.http.openai.router import AGENT
from hub_core.http.paths import approval_address
from hub_core.secrecy import redact

MAX_VALUE = 80
BYTES_PER_TOKEN = 4
_MARKS = {"ok": "✓", "error": "✗", "pending": "…", "rejected": "–", "planned": "○"}


class Writer:
    """Writes a turn down, event by event; `text` is all of it."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._worded = False
        self.text = ""

    def write(self, event: Event) -> str:
        """What an event adds."""
        match event.type:
            case "step":
                piece = self._step(event.data)
            case "token":
                piece = self._words(str(event.data.get("text") or ""))
            case "done":
                piece = self._end(event.data)
            case _:
                piece = ""
        self.text += piece
        return piece

    def write_all(self, answer: Answer) -> str:
        """A whole answer."""
        data = answer.model_dump(mode="json")
        for event in (*(Event("step", step) for step in data["steps"]), Event("done", data)):
            self.write(event)
        return self.text

    def _step(self, step: dict[str, Any]) -> str:
        given = redact(step.get("args") or {}).items()
        told = ", ".join(f"{name}: {plain(value, MAX_VALUE)}" for name, value in given if value not in (None, "", [], {}))
        gap = "" if not self.text or self.text.endswith("  \n") else "\n\n"
        return f"{gap}> {_MARKS.get(str(step.get('status')), '·')} `{step.get('tool')}` {told}".rstrip() + "  \n"

    def _words(self, text: str) -> str:
        gap = "\n" if self.text.endswith("  \n") and not self._worded else ""
        self._worded = self._worded or bool(text)
        return gap + text

    def _end(self, answer: dict[str, Any]) -> str:
        """The words, where they did not come bit by bit, and where a person can decide."""
        text = "" if self._worded else self._words(str(answer.get("reply") or ""))
        pending = answer.get("pending")
        if pending:
            address = approval_address(self._base, pending["approval_id"])
            text += "\n\n" + say(str(answer.get("language")), "link.decide", url=address)
        return text


@dataclass
class Shape:
    """OpenAI's objects for one answer. `answer` is what the agent says about it, once it is there."""

    answer: Answer | None = None
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def completion(self, text: str, counted: dict[str, int]) -> dict[str, Any]:
        """The whole answer."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return {**self._head("chat.completion"), "choices": [choice], "usage": counted, **self._own()}

    def chunk(self, delta: dict[str, Any]) -> dict[str, Any]:
        """A piece of a streamed answer."""
        return {**self._head("chat.completion.chunk"), "choices": [{"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}]}

    def end(self) -> dict[str, Any]:
        """The last piece."""
        choice = {"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": None}
        return {**self._head("chat.completion.chunk"), "choices": [choice], **self._own()}

    def counted(self, counted: dict[str, int]) -> dict[str, Any]:
        """The numbers after the last piece."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": counted}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": AGENT}

    def _own(self) -> dict[str, Any]:
        """What only the hub knows: where to go on, how it ended, what was done, what waits."""
        if self.answer is None:
            return {}
        answer = self.answer.model_dump(mode="json")
        steps = [{name: value for name, value in redact(step).items() if name != "result"} for step in answer["steps"]]
        return {AGENT: {**{name: answer[name] for name in ("thread_id", "message_id", "outcome", "language", "pending")}, "steps": steps}}


def usage(said: str, text: str) -> dict[str, int]:
    """Tokens, estimated at four bytes each: the agent may have counted none, or its model's differently."""
    prompt, completion = (math.ceil(len(part.encode("utf-8", "replace")) / BYTES_PER_TOKEN) for part in (said, text))
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
