"""What is said of fine-tunes: what they take before they are agreed to, their curve while they run, their measures at the end."""

from __future__ import annotations

from typing import Any

import pytest

from agent.answer import changes, results
from agent.answer.training import curve
from prompts import LANGUAGES

FACTS: dict[str, Any] = {
    "model": "acme/base", "dataset": "acme/tickets", "output": "alice/base-ft-tickets", "steps": 1200, "epochs": 2.0, "learning_rate": 0.0002,
    "rows": 4800, "rows_exact": True, "columns": ["prompt", "completion"], "format": "pair", "tokens_per_row": 31.3, "tokens_counted": True,
    "hardware": "a10", "hardware_title": "NVIDIA A10", "hardware_gb": 24.0, "needs_gb": 3.2, "takes_s": 5400, "first_time_s": 0,
    "estimated_cost": 1.5, "hourly": 1.0, "currency": "USD",
}  # fmt: skip
JOB: dict[str, Any] = {
    "id": 12, "kind": "finetune", "status": "running", "owner": "alice", "repo": "", "progress": 0.4, "message": "Step 8 of 20, loss 2.1",
    "attempts": 1, "result": None, "error": None, "created_at": "2026-11-23T15:00:00Z", "started_at": None, "finished_at": None,
    "series": [{"step": step, "loss": 4.0 / step, "lr": 1e-4} for step in range(1, 9)],
}  # fmt: skip


def plan(**facts: Any) -> dict[str, Any]:
    args = {"model": "acme/base", "dataset": "acme/tickets", "output": "alice/base-ft-tickets"}
    change = [
        {"what": "model", "before": None, "after": "alice/base-ft-tickets"},
        {"what": "visibility", "before": None, "after": "private"},
    ]
    return {"args": args, "effect": "spend", "changes": change, "facts": {**FACTS, **facts}, "undo": None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_approval_names_data_hardware_time_and_price(language: str) -> None:
    told = changes.summary(language, "start_finetune", plan())
    for part in ("acme/base", "acme/tickets", "alice/base-ft-tickets", "4,800", "`prompt`", "1,200", "NVIDIA A10", "24 GB", "3.2 GB", "90", "1.50 USD"):  # fmt: skip
        assert part in told, part


def test_what_is_guessed_is_said_to_be() -> None:
    told = changes.summary("en", "start_finetune", plan(rows_exact=False, tokens_counted=False, first_time_s=180))
    assert "about 4,800 rows" in told
    assert "estimated" in told
    assert "not installed yet" in told
    assert "cannot be undone" not in told


def test_a_result_for_more_people_is_said() -> None:
    one = plan()
    one["changes"][1]["after"] = "public"
    assert len(changes.summary("en", "start_finetune", one)) > len(changes.summary("en", "start_finetune", plan()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_running_fine_tune_shows_its_curve(language: str) -> None:
    told = results.result_text(language, {"tool": "get_job", "effect": "read", "args": {"job": 12}, "result": JOB})
    assert "█" in told and "▁" in told
    assert "12" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_measures_are_a_table(language: str) -> None:
    measures = [{"model": "before", "loss": 3.645, "perplexity": 38.29, "rows": 9, "tokens": 131}, {"model": "acme/base", "loss": 2.5, "perplexity": 12.8}]  # fmt: skip
    told = results.result_text(language, {"tool": "get_job", "effect": "read", "args": {"job": 12}, "result": {**JOB, "result": {"measures": measures}}})  # fmt: skip
    assert "| 3.6450 | 38.29 | 9 | 131 |" in told
    assert "| acme/base |" in told
    measures[0]["accuracy"] = 0.625
    told = results.result_text(language, {"tool": "get_job", "effect": "read", "args": {"job": 12}, "result": {**JOB, "result": {"measures": measures}}})  # fmt: skip
    assert "| 3.6450 | 38.29 | 62.5% | 9 | 131 |" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_measures_of_a_task_are_a_table_with_their_errors(language: str) -> None:
    measures = [{"model": name, "rows": 9, "metrics": {"acc": value}, "errors": {"acc": 0.125}} for name, value in (("acme/new", 0.75), ("acme/base", 0.5))]  # fmt: skip
    told = results.result_text(language, {"tool": "get_job", "effect": "read", "args": {"job": 12}, "result": {**JOB, "result": {"measures": measures}}})  # fmt: skip
    assert "| acme/new | 0.750 ± 0.125 | 9 |" in told
    assert "| acme/base | 0.500 ± 0.125 | 9 |" in told


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tool", ["start_finetune", "evaluate_model"])
def test_what_was_started_says_how_to_follow_it(language: str, tool: str) -> None:
    args = plan()["args"] | {"repo": "acme/base"}
    told = results.result_text(language, {"tool": tool, "effect": "spend", "args": args, "plan": plan(), "result": JOB})
    assert "12" in told
    assert "acme/base" in told


def test_a_curve_is_short_whatever_there_is() -> None:
    assert curve([1.0, 1.0]) == "▁▁"
    assert curve([3.0, 2.0, 1.0]) == "█▄▁" or curve([3.0, 2.0, 1.0]) == "█▅▁"
    assert len(curve([float(number) for number in range(5000)])) == 40
