"""The state of a conversation's graph (plain data, checkpointed) and its context (services and rights, never stored)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage

from agent.schema import Event
from agent.world import WorldCache
from hub_core.authz import Actor
from hub_core.services import Services
from tools.contract import ToolContext
from tools.registry import Registry

MAX_MODEL_CALLS = 8
MAX_TOOL_CALLS = 20
MAX_MALFORMED = 2
KEEP_MESSAGES = 30
# The planner reads only the newest message; a short history is kept for a language model that may take over.
KEEP_MESSAGES_PLANNER = 8
KEEP_FILES = 20


class Call(TypedDict, total=False):
    """A call that still has to be made.

    `depends`: it makes sense only if what it waits for happens; `question`: it waits for an answer; `behind`: the approval it waits for;
    `resolved` and `effect`: from its plan.
    """

    id: str
    name: str
    args: dict[str, Any]
    depends: bool
    question: bool
    behind: str
    resolved: dict[str, Any]
    effect: str


class Turn(TypedDict, total=False):
    """What belongs to one turn.

    `kind` is message or decision; `calls` are still to be made; `waiting` holds approvals asked in this turn; `notes` are
    further sentences for the answer, as [key, variables]; `error` is the error of the whole turn.
    """

    id: str
    kind: str
    mode: str
    text: str
    language: str
    chosen_language: bool
    attachments: list[str]
    files: list[dict[str, str]]
    decision: dict[str, Any]
    calls: list[Call]
    steps: list[dict[str, Any]]
    waiting: list[dict[str, Any]]
    question: dict[str, Any] | None
    declined: str | None
    candidates: list[str]
    notes: list[list[Any]]
    error: dict[str, Any] | None
    said: str
    model_calls: int
    tool_calls: int
    malformed: int
    tainted: bool
    cancelled: bool
    ready: bool


class State(TypedDict, total=False):
    """What is checkpointed per thread.

    `queue` holds steps that wait behind a pending approval or question, `files` what was attached, `offers` the choices that the last answer offered.
    """

    messages: list[AnyMessage]
    focus: dict[str, Any]
    queue: list[Call]
    files: list[dict[str, str]]
    offers: list[dict[str, Any]]
    turn: Turn


@dataclass(frozen=True, slots=True)
class Context:
    """Who talks on which hub, for the length of one turn. `speaks`: the model words its answers itself.

    `once` holds steps and the reply with their secrets: shown to the person, never stored.
    """

    actor: Actor
    services: Services
    registry: Registry
    thread_id: str
    model: BaseChatModel
    speaks: bool
    emit: Callable[[Event], None]
    cancel: threading.Event
    worlds: WorldCache
    once: dict[str, Any] = field(default_factory=dict)

    @property
    def tools(self) -> ToolContext:
        """The context of tool calls."""
        return ToolContext(self.actor, self.services, self.thread_id)


def new_turn(turn_id: str, **values: Any) -> Turn:
    """A turn at its start."""
    turn: Turn = {
        "id": turn_id, "kind": "message", "mode": "act", "text": "", "language": "en", "chosen_language": False, "attachments": [], "files": [], "decision": {}, "calls": [],
        "steps": [], "waiting": [], "question": None, "declined": None, "candidates": [], "notes": [], "error": None, "said": "",
        "model_calls": 0, "tool_calls": 0, "malformed": 0, "tainted": False, "cancelled": False, "ready": False,
    }  # fmt: skip
    turn.update(values)  # type: ignore[typeddict-item]
    return turn
