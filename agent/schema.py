"""What goes out of the agent: answers and events. The shape of the chat API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field

Language = Literal["en", "zh", "ja", "ko"]
Outcome = Literal["done", "needs_approval", "needs_input", "out_of_scope", "error"]
StepStatus = Literal["planned", "ok", "error", "pending", "rejected"]
Mode = Literal["act", "plan"]


class StepView(BaseModel):
    """One call of a tool, with the resolved arguments."""

    tool: str = Field(description="Name of the tool.")
    args: dict[str, Any] = Field(default_factory=dict, description="Resolved arguments; what is known so far when an argument is missing.")
    effect: Literal["read", "write", "destructive", "spend"] = Field(description="What this very call does to the hub.")
    status: StepStatus = Field(description="`planned` steps did not run, `pending` ones wait for the person.")
    result: dict[str, Any] = Field(
        default_factory=dict, description="The tool's output; `{error: {code, message, hint}}`; or what would change."
    )


class PendingView(BaseModel):
    """An act that waits for the person's approval."""

    approval_id: str
    tool: str
    args: dict[str, Any]
    effect: Literal["write", "destructive", "spend"]
    summary: str = Field(description="Exactly what will change, in the language of the conversation (Markdown).")


class Answer(BaseModel):
    """The answer of one turn."""

    thread_id: str
    message_id: str
    reply: str = Field(description="The answer in Markdown.")
    language: Language
    outcome: Outcome
    steps: list[StepView] = Field(default_factory=list)
    pending: PendingView | None = None
    error: dict[str, Any] | None = Field(
        None, description="What ended the turn as a whole, `{code, message, hint}`; errors of single steps are in their results."
    )
    choices: list[str] = Field(default_factory=list, description="Answers to offer as buttons when the outcome is `needs_input`.")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens while a turn runs: `token` {text}, `step` (a StepView), `approval` (a PendingView), `done` (an Answer)."""

    type: Literal["token", "step", "approval", "done"]
    data: dict[str, Any]
