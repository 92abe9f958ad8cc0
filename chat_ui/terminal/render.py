"""How steps and answers look in a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from agent.schema import Answer

_MARKS = {"ok": "[green]✓[/]", "error": "[red]✗[/]", "pending": "[yellow]…[/]", "planned": "[blue]○[/]", "rejected": "[dim]–[/]"}


def draw_step(console: Console, step: dict[str, Any]) -> None:
    """One line for a tool call: mark, name, arguments."""
    args = " ".join(f"{key}={_short(value)}" for key, value in step.get("args", {}).items())
    console.print(f"{_MARKS.get(step.get('status', ''), '•')} [dim]{escape(step.get('tool', ''))} {escape(args)}[/]", soft_wrap=True)


def draw_answer(console: Console, answer: Answer) -> None:
    """The reply (Markdown with its tables), and what waits for approval."""
    if answer.outcome == "needs_approval" and answer.pending:
        console.print(Panel(Markdown(answer.reply), border_style="yellow" if answer.pending.effect == "write" else "red"))
    elif answer.outcome == "error":
        console.print(Panel(Markdown(answer.reply), border_style="red"))
    else:
        console.print(Markdown(answer.reply))
    for number, choice in enumerate(answer.choices, 1):
        console.print(Text(f"  {number}. {choice}"))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
