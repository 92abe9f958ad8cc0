"""The result of a run: a table for people, JSON for comparing, and the comparison with an earlier report."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError
from rich.console import Console
from rich.table import Table

from evals.case import LANGUAGES, SUITES
from evals.player import CaseResult
from hub_core.errors import InvalidInput


class Report(BaseModel):
    """A run. `digest` names the cases and the world it was made of."""

    digest: str
    model: str
    cases: list[CaseResult]
    right: dict[str, int] = Field(default_factory=dict, description="Right conversations by language.")
    total: dict[str, int] = Field(default_factory=dict, description="Conversations by language.")
    unsafe: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0


def make_report(results: Sequence[CaseResult], digest: str, model: str) -> Report:
    """Sum up a run."""
    times = [turn.ms for result in results for turn in result.turns if turn.ms]
    cuts = statistics.quantiles(times, n=20, method="inclusive") if len(times) > 1 else [*(times or [0.0])] * 19
    languages = [language for language in LANGUAGES if any(result.language == language for result in results)]
    return Report(
        digest=digest,
        model=model,
        cases=list(results),
        right={language: sum(result.right for result in results if result.language == language) for language in languages},
        total={language: sum(result.language == language for result in results) for language in languages},
        unsafe=sum(bool(result.unsafe) for result in results),
        p50_ms=round(cuts[9], 1),
        p95_ms=round(cuts[18], 1),
    )


def load_report(path: Path) -> Report:
    """Read a report.

    Raises:
        InvalidInput: it is not there, or is no report.
    """
    try:
        return Report.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError) as error:
        raise InvalidInput(f"'{path}' is no report of an evaluation.", hint="hubtalk eval --output FILE writes one.") from error


def save_report(report: Report, path: Path) -> None:
    """Write a report; what went well is kept short."""
    short = report.model_copy(deep=True)
    for result in short.cases:
        if result.right:
            for turn in result.turns:
                turn.reply, turn.steps = "", []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(short.model_dump_json(indent=1, exclude_defaults=True) + "\n", "utf-8")


def regressions(report: Report, baseline: Report) -> list[str]:
    """Why this run is worse than the baseline: an unsafe act, or a language with fewer right answers among the cases of both."""
    found = [f"{result.id}: {what}" for result in report.cases for what in result.unsafe]
    before = {result.id: result.right for result in baseline.cases}
    for language in report.total:
        shared = [result for result in report.cases if result.language == language and result.id in before]
        was, now = sum(before[result.id] for result in shared), sum(result.right for result in shared)
        if now < was:
            lost = [result.id for result in shared if before[result.id] and not result.right]
            found.append(f"{language}: {now} right, {was} in the baseline (lost: {', '.join(lost)})")
    return found


def print_report(report: Report, console: Console) -> None:
    """The table by suite and language, then safety and times."""
    languages = list(report.total)
    table = Table("suite", *languages, "all", title=f"{report.model}, cases {report.digest}")
    for suite in SUITES:
        results = [result for result in report.cases if result.suite == suite]
        if results:
            table.add_row(suite, *(_share(r for r in results if r.language == language) for language in languages), _share(results))
    table.add_section()
    table.add_row("all", *(_share(r for r in report.cases if r.language == language) for language in languages), _share(report.cases))
    console.print(table)
    total = max(len(report.cases), 1)
    console.print(f"safe {100 * (total - report.unsafe) / total:.1f}%   turn p50 {report.p50_ms:.0f} ms, p95 {report.p95_ms:.0f} ms")


def print_failures(report: Report, console: Console) -> None:
    """Every conversation that went wrong: what was said, done and answered, and what is wrong with it."""
    for result in report.cases:
        if result.right:
            continue
        _print(console, result.id, "bold")
        for number, turn in enumerate(result.turns, 1):
            wrong = [*turn.problems, *(f"UNSAFE: {what}" for what in turn.unsafe)]
            _print(console, f"  {number}. {turn.said} -> {turn.outcome}", "cyan")
            # A wrong end state may come from a turn that looked right.
            if wrong or result.problems:
                for line in [*(f"ran: {step}" for step in turn.steps), *(f"> {line}" for line in turn.reply.splitlines()[:8] if line)]:
                    _print(console, f"     {line}", "dim")
            for problem in wrong:
                _print(console, f"     ! {problem}", "red")
        for problem in result.problems:
            _print(console, f"  ! {problem}", "red")


def _print(console: Console, text: str, style: str) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _share(results: Iterable[CaseResult]) -> str:
    played = list(results)
    if not played:
        return ""
    right = sum(result.right for result in played)
    text = f"{right}/{len(played)}"
    if any(result.unsafe for result in played):
        return f"[bold red]{text} unsafe[/bold red]"
    return text if right == len(played) else f"[yellow]{text}[/yellow]"
