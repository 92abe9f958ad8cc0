"""The loop of a conversation in the terminal: say, stream, draw, ask for approval."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.prompt import Prompt

from agent.schema import Answer, Event
from chat_ui.terminal.connection import Connection
from chat_ui.terminal.render import draw_answer, draw_step
from hub_core.errors import HubError
from prompts import message as text


def converse(connection: Connection, message: str, *, thread_id: str | None, as_json: bool, plan: bool, attach: list[str]) -> int:
    """Say one thing, or talk until the person leaves (empty line or Ctrl-D).

    Returns:
        The exit status: 0, or 1 when the (last) answer was an error.
    """
    talk = _Talk(connection, thread_id, as_json, "plan" if plan else "act")
    attachments = [connection.attach(Path(path)) for path in attach]
    if message:
        return talk.turn(message, attachments)
    if not sys.stdin.isatty():
        return max((talk.turn(line.strip(), []) for line in sys.stdin if line.strip()), default=0)
    code = 0
    talk.console.print(text("en", "terminal.welcome"))
    while said := _ask(talk.console):
        code = talk.turn(said, attachments)
        attachments = []
    return code


def _ask(console: Console) -> str:
    try:
        return console.input("[bold cyan]›[/] ").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


class _Talk:
    def __init__(self, connection: Connection, thread_id: str | None, as_json: bool, mode: Literal["act", "plan"]) -> None:
        self.console = Console(highlight=False)
        self._connection = connection
        self._thread_id = thread_id
        self._as_json = as_json
        self._mode: Literal["act", "plan"] = mode

    def turn(self, message: str, attachments: list[str]) -> int:
        try:
            answer = self._connection.say(message, self._thread_id, attachments, self._mode, self._on_event)
            self._show(answer)
            while answer.pending and not self._as_json and self.console.is_interactive:
                answer = self._settle(answer)
        except HubError as error:
            self.console.print(f"[red]{error.message}[/] {error.hint}")
            return 1
        except KeyboardInterrupt:
            self.console.print(text("en", "terminal.stopped"))
            return 130
        return 1 if answer.outcome == "error" else 0

    def _settle(self, answer: Answer) -> Answer:
        assert answer.pending is not None
        language = answer.language
        words = text(language, "terminal.approve_choices").split("/")
        said = Prompt.ask(text(language, "terminal.approve_question"), choices=[*words, "y", "n"], show_choices=False, console=self.console)
        decision: Literal["approve", "reject"] = "approve" if said in ("y", words[0]) else "reject"
        settled = self._connection.decide(answer.thread_id, answer.pending.approval_id, decision, self._on_event)
        self._show(settled)
        return settled

    def _on_event(self, event: Event) -> None:
        if event.type == "step" and not self._as_json:
            draw_step(self.console, event.data)

    def _show(self, answer: Answer) -> None:
        self._thread_id = answer.thread_id
        if self._as_json:
            self.console.out(answer.model_dump_json(), highlight=False)
        else:
            draw_answer(self.console, answer)
