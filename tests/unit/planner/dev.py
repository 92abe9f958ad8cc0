"""The planner's own conversations as data: a made-up world and expected readings. `python -m tests.unit.planner.dev` prints accuracy."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agent.planner import Entity, Focus, Reading, StaticWorld, read, warm_up
from agent.planner.toolspec import specs_of
from tools.registry import default_registry

DATA = Path(__file__).parent / "data"
LANGUAGES = ("en", "zh", "ja", "ko")


@dataclass
class Case:
    language: str
    say: str
    focus: Focus
    expect: dict[str, Any]


def world() -> StaticWorld:
    spec = yaml.safe_load((DATA / "world.yaml").read_text(encoding="utf-8"))
    entities = [Entity("user", name) for name in spec["users"]] + [Entity("org", name) for name in spec["orgs"]]
    entities += [Entity("token", name) for name in spec["tokens"]] + [Entity("ssh_key", name) for name in spec["ssh_keys"]]
    entities += [Entity("repo", r["id"], r["kind"], deleted=r.get("deleted", False), own=r.get("own", False)) for r in spec["repos"]]
    return StaticWorld(spec["username"], tuple(entities), spec["branches"], spec["tags"], spec["files"], spec["attachments"])


def cases(language: str) -> list[Case]:
    rows = [row for name in (language, f"{language}_hard") for row in yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))]
    return [Case(language, row["say"], Focus.from_json({**(row.get("focus") or {}), "language": language}), row) for row in rows]


def problem(reading: Reading, expect: dict[str, Any]) -> str | None:
    """What is wrong with a reading, or None."""
    kind = expect.get("kind", "act")
    if kind == "not_act":
        return "acts" if reading.kind == "act" and any(s.tool != "x" for s in reading.steps) else None
    got = [(step.tool, step.args) for step in reading.steps]
    if kind == "any":
        return None if got and got[0][0] in expect["tools"] else f"{reading.kind} {got} {reading.candidates}"
    if reading.kind != kind:
        return f"{reading.kind} {got} {reading.candidates}"
    if kind in ("act", "preview"):
        wanted = [tuple(step) for step in expect["steps"]] if "steps" in expect else [(expect["tool"], expect["args"])]
        return None if got == wanted else f"{got} {reading.candidates}"
    if kind == "ask":
        step = reading.steps[0]
        fine = (
            step.tool == expect["tool"]
            and set(expect.get("missing", [])) <= set(step.missing)
            and expect.get("choices", step.choices) == step.choices
        )
        return None if fine else f"{step} {reading.candidates}"
    return None


def measure(language: str) -> tuple[int, int, list[str], list[float]]:
    """Right, all, problems, and milliseconds of each reading."""
    tools, place = specs_of(default_registry()), world()
    wrong, spent, rows = [], [], cases(language)
    for case in rows:
        began = time.perf_counter()
        reading = read(case.say, place, case.focus, tools)
        spent.append((time.perf_counter() - began) * 1000)
        if trouble := problem(reading, case.expect):
            wrong.append(f"{case.say!r}: {trouble}")
    return len(rows) - len(wrong), len(rows), wrong, spent


def main() -> None:
    warm_up()
    read("hello", world(), Focus(), specs_of(default_registry()))
    times: list[float] = []
    for language in LANGUAGES:
        right, total, wrong, spent = measure(language)
        times += spent
        print(f"{language}: {right}/{total} = {right / total:.3f}")
        for line in wrong if "-v" in sys.argv else []:
            print("   ", line)
    times.sort()
    print(f"read(): p50 {times[len(times) // 2]:.1f} ms, p95 {times[int(len(times) * 0.95)]:.1f} ms, n {len(times)}")


if __name__ == "__main__":
    main()
