"""The state of a turn while a node works on it: copies in, one update out."""

from __future__ import annotations

import json
import re
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.planner.types import Focus
from agent.schema import Event
from agent.state import KEEP_MESSAGES, KEEP_MESSAGES_PLANNER, Call, Context, State, Turn
from hub_core.errors import HubError
from hub_core.secrecy import redact

MAX_RESULT_CHARS = 8000
_CLOSING = re.compile(r"<\s*/\s*data", re.IGNORECASE)
MAX_RESULT_CHARS_PLANNER = 1000


class Work:
    """A node's own copy of the state."""

    def __init__(self, state: State, ctx: Context) -> None:
        self.ctx = ctx
        self.messages: list[AnyMessage] = list(state.get("messages") or [])
        self.focus = Focus.from_json(state.get("focus"))
        self.queue: list[Call] = list(state.get("queue") or [])
        self.files = list(state.get("files") or [])
        self.offers = list(state.get("offers") or [])
        turn = state["turn"]
        self.turn: Turn = {key: list(value) if isinstance(value, list) else value for key, value in turn.items()}  # type: ignore[assignment]

    def update(self) -> dict[str, Any]:
        """What the node returns."""
        return {
            "messages": self.messages,
            "focus": self.focus.to_json(),
            "queue": self.queue,
            "files": self.files,
            "offers": self.offers,
            "turn": self.turn,
        }

    def note(self, key: str, **values: Any) -> None:
        """Add a sentence to the answer."""
        self.turn["notes"].append([key, values])

    def fail(self, error: HubError) -> None:
        """The turn as a whole went wrong."""
        self.turn["error"] = error_json(error)
        self.turn["ready"] = True

    def add_step(
        self, call: Call, effect: str, status: str, result: dict[str, Any], args: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Record a step and tell the listener. Secrets stay out of the state: they are shown once, from the context."""
        step = {"id": call["id"], "tool": call["name"], "args": call.get("args", {}) if args is None else args, "effect": effect}
        step |= {"status": status, "result": result, **more}
        self.ctx.emit(Event("step", public_step(step)))
        self.ctx.once[call["id"]] = step
        self.turn["steps"].append({**step, "args": redact(step["args"]), "result": redact(result)})

    def answer_call(self, call: Call, status: str, data: Any = None, text: str = "") -> None:
        """Answer a tool call in the history; results are marked as data that nobody must take orders from."""
        content = f"status: {status}"
        if text:
            content += f"\n{text}"
        if data is not None:
            raw = json.dumps(redact(data), ensure_ascii=False, default=str)
            limit = MAX_RESULT_CHARS if self.ctx.speaks else MAX_RESULT_CHARS_PLANNER
            if len(raw) > limit:
                raw = raw[:limit] + f"... ({len(raw) - limit} more characters)"
            content += "\n<data>\n" + _CLOSING.sub(r"<\\/data", raw) + "\n</data>"
        self.messages.append(ToolMessage(content, tool_call_id=call["id"], name=call["name"]))

    def adopt_calls(self, calls: list[Call] | None = None) -> None:
        """Put calls that no model made in this turn into the history, so that their results have something to answer."""
        chosen = self.turn["calls"] if calls is None else calls
        made = {call["id"] for message in self.messages if isinstance(message, AIMessage) for call in message.tool_calls}
        renamed: dict[str, Call] = {
            call["id"]: {**call, "id": f"{call['id']}_again_{self.turn['id'][:8]}"} if call["id"] in made else call for call in chosen
        }
        self.turn["calls"] = [renamed.get(call["id"], call) for call in self.turn["calls"]]
        new = list(renamed.values())
        if not new:
            return
        entries: list[Any] = [{"name": call["name"], "args": call.get("args", {}), "id": call["id"], "type": "tool_call"} for call in new]
        last = self.messages[-1] if self.messages else None
        if isinstance(last, AIMessage) and last.tool_calls:
            self.messages[-1] = AIMessage(last.text, tool_calls=[*last.tool_calls, *entries])
        else:
            self.messages.append(AIMessage("", tool_calls=entries))

    def behind_question(self) -> list[Call]:
        """Take the calls that waited for the answer to a question out of the queue."""
        waiting = [call for call in self.queue if call.get("question")]
        self.queue = [call for call in self.queue if not call.get("question")]
        return waiting

    def trim(self) -> None:
        """Keep the newest messages, beginning with one of the person's."""
        keep = KEEP_MESSAGES if self.ctx.speaks else KEEP_MESSAGES_PLANNER
        if len(self.messages) <= keep:
            return
        starts = [index for index, message in enumerate(self.messages) if isinstance(message, HumanMessage)]
        wanted = len(self.messages) - keep
        start = next((index for index in starts if index >= wanted), starts[-1] if starts else 0)
        self.messages = self.messages[start:]

    def repair(self) -> bool:
        """Answer calls that a dead process left open, so that every server accepts the history. Returns whether there were any."""
        answers = {message.tool_call_id: message for message in self.messages if isinstance(message, ToolMessage)}
        repaired: list[AnyMessage] = []
        found = False
        for message in self.messages:
            if isinstance(message, ToolMessage):
                continue
            repaired.append(message)
            for call in message.tool_calls if isinstance(message, AIMessage) else []:
                answer = answers.get(str(call["id"]))
                if answer is None:
                    found = True
                    text = "status: interrupted\nThe hub stopped before this call reported back."
                    answer = ToolMessage(text, tool_call_id=str(call["id"]), name=call["name"])
                repaired.append(answer)
        self.messages = repaired
        return found


def error_json(error: HubError) -> dict[str, Any]:
    """An error as the API shows it, with the facts that translated messages use."""
    return {"code": error.code, "message": error.message, "hint": error.hint, "details": _plain(error.details)}


def public_step(step: dict[str, Any]) -> dict[str, Any]:
    """A step without what is only for us."""
    return {key: step[key] for key in ("tool", "args", "effect", "status", "result")}


def _plain(details: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(details, default=str))
    return plain
