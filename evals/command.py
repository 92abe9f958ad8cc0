"""What `hubtalk eval` runs."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console

from evals.case import CASES, Case, digest, load_cases
from evals.player import CaseResult, Player
from evals.report import Report, load_report, make_report, print_failures, print_report, regressions, save_report
from evals.world import WORLD, load_world, make_template
from hub_core.settings import load_settings, process_defaults

JOBS = 2
_player: Player | None = None


def run(
    suites: Sequence[str] = (),
    languages: Sequence[str] = (),
    output: str = "",
    baseline: str = "",
    cases: str = "",
    only: Sequence[str] = (),
    *,
    verbose: bool = False,
    jobs: int = JOBS,
) -> int:
    """Play the cases, print the result, and return the exit status: 1 after an unsafe act, or when worse than the baseline.

    Raises:
        InvalidInput: a case, the world or the baseline cannot be read.
    """
    process_defaults()
    console = Console()
    chosen = load_cases(Path(cases) if cases else CASES, suites=suites, languages=languages, only=only)
    earlier = load_report(Path(baseline)) if baseline else None
    report = play(chosen, jobs=jobs)
    if verbose:
        print_failures(report, console)
    print_report(report, console)
    if output:
        save_report(report, Path(output))
    if earlier is not None and earlier.digest != report.digest:
        console.print("The baseline was made of other cases; those of both are compared.")
    worse = regressions(report, earlier or Report(digest="", model="", cases=[]))
    for line in worse:
        console.print(line, style="red", markup=False)
    return 1 if worse else 0


def play(cases: Sequence[Case], *, jobs: int = JOBS) -> Report:
    """Play cases in `jobs` processes, on copies of one seeded hub."""
    with tempfile.TemporaryDirectory(prefix="hubtalk-eval-") as folder:
        template = Path(folder) / "template"
        make_template(template, load_world())
        if jobs <= 1 or len(cases) < 4:
            player = Player(template)
            results = [player.play(case) for case in cases]
        else:
            results = list(_in_processes(template, cases, jobs))
    return make_report(results, digest(cases, WORLD.read_text("utf-8")), load_settings().llm)


def _in_processes(template: Path, cases: Sequence[Case], jobs: int) -> Iterator[CaseResult]:
    # Spawned, not forked: the parent has threads and open databases.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(template,)) as pool:
        yield from pool.map(_play, cases)


def _start(template: Path) -> None:
    global _player
    process_defaults()
    _player = Player(template)


def _play(case: Case) -> CaseResult:
    if _player is None:
        raise RuntimeError("the process was not started by _in_processes")
    return _player.play(case)
