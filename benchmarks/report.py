"""What a measurement is, and how measurements are shown and kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One figure of the hub, the peer's figure from the same run, and the goal.

    Attributes:
        ratio: hub / peer; None where there is no peer.
        goal: in words, e.g. `<= 1.25 x` or `< 6 s`; empty where none is set.
        runs: every single measurement, hub first.
    """

    subject: str
    what: str
    hub: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    goal: str = ""
    met: bool | None = None
    runs: list[list[float]] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """Hub / peer."""
        return self.hub / self.peer if self.peer else None


def compared(
    subject: str,
    what: str,
    unit: str,
    peer_name: str,
    runs: Sequence[tuple[float, float]],
    *,
    most: float | None = None,
    least: float | None = None,
) -> Row:
    """A row from interleaved runs (hub, peer): the medians, and whether their ratio is within the goal."""
    hub, peer = (statistics.median(column) for column in zip(*runs, strict=True))
    ratio = hub / peer
    goal = f"<= {most} x" if most is not None else f">= {least} x" if least is not None else ""
    met = ratio <= most if most is not None else ratio >= least if least is not None else None
    kept = [[round(value, 5) for value in pair] for pair in runs]
    return Row(subject, what, hub, unit, peer, peer_name, goal, met, kept)


def interleaved(times: int, hub: Callable[[], T], peer: Callable[[], float]) -> list[tuple[T, float]]:
    """Measure both in turn, each time in the other order, so that slow moments of the machine hit both."""
    runs = []
    for number in range(times):
        if number % 2:
            second = peer()
            runs.append((hub(), second))
        else:
            first = hub()
            runs.append((first, peer()))
    return runs


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def table(rows: Sequence[Row]) -> str:
    """The rows as a table for a terminal."""
    lines = [("subject", "what", "hub", "peer", "ratio", "goal", "")]
    for row in rows:
        peer = f"{shown(row.peer)} {row.unit} ({row.peer_name})" if row.peer is not None else "-"
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else "-"
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        lines.append((row.subject, row.what, f"{shown(row.hub)} {row.unit}", peer, ratio, row.goal, verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def shown(value: float) -> str:
    """Three significant figures."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def write(rows: Sequence[Row], path: Path) -> None:
    """Keep the rows, each with what is needed to judge it, as JSON; rows of other subjects that the file has stay."""
    about = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "load_1m": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    measured = {row.subject for row in rows}
    kept = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    kept = [row for row in kept if row["subject"] not in measured]
    body = {"rows": kept + [asdict(row) | {"ratio": row.ratio, "about": about} for row in rows]}
    path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
