"""`python -m benchmarks [subject ...]`: measures, prints a table of ratios, writes `benchmarks/results.json`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import bridges, chat, gateway, git, lfs, lfs_batch, reconciler, rest, search, serve, snapshot, startup, xet
from benchmarks.report import Row, table, write

_SUBJECTS = (startup, chat, bridges, rest, search, git, lfs, lfs_batch, snapshot, xet, serve, reconciler, gateway)
SUBJECTS: dict[str, Callable[[], list[Row]]] = {module.SUBJECT: module.measure for module in _SUBJECTS}
# Only where they are asked for: they take long.
LARGE: dict[str, Callable[[], list[Row]]] = {f"{search.SUBJECT}-1m": search.measure_million}


def main() -> int:
    """Run the subjects that were asked for, all by default; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", help=f"some of {', '.join(SUBJECTS)}, all of these by default; or {', '.join(LARGE)}")
    kept = Path(__file__).with_name("results.json")
    parser.add_argument("--output", type=Path, default=kept, help="where to keep the figures; those of other subjects stay")
    arguments = parser.parse_args()
    unknown = set(arguments.subjects) - set(SUBJECTS | LARGE)
    if unknown:
        parser.error(f"not a subject: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    for name in arguments.subjects or SUBJECTS:
        began = time.perf_counter()
        print(f"{name} ...", end=" ", flush=True)
        rows += (SUBJECTS | LARGE)[name]()
        print(f"{time.perf_counter() - began:.0f} s", flush=True)
    print()
    print(table(rows))
    write(rows, arguments.output)
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
