"""Use, budgets and metrics in words, in four languages."""

from __future__ import annotations

from typing import Any

import pytest

from agent.answer.changes import fact_lines
from agent.answer.results import result_text
from agent.answer.usage import period_words
from prompts import LANGUAGES
from tests.unit.chat_ui.test_usage_views import METRICS, USAGE


def step(tool: str, result: dict[str, Any], effect: str = "read", **more: Any) -> dict[str, Any]:
    return {"tool": tool, "args": {}, "effect": effect, "status": "ok", "result": result, **more}


@pytest.mark.parametrize("language", LANGUAGES)
def test_use_tells_sums_work_and_budgets(language: str) -> None:
    people = [*USAGE["people"], {**USAGE["people"][0], "username": ""}]
    text = result_text(language, step("get_usage", USAGE | {"people": people}))
    for part in ("**acme**", "3.00 EUR", "30 + 12", "12.00 EUR", "acme/chat", "bob"):
        assert part in text
    assert "{" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_used_is_told(language: str) -> None:
    nothing = dict.fromkeys(USAGE["total"], 0)
    empty = USAGE | {"owner": "", "total": nothing, "targets": [], "people": [], "budgets": [], "work": []}
    text = result_text(language, step("get_usage", empty))
    assert text.count("\n") == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_metrics_tell_latency_and_copies(language: str) -> None:
    text = result_text(language, step("get_metrics", METRICS))
    for part in ("**acme/chat**", "120", "300", "1.0 KB"):
        assert part in text
    idle = METRICS | {"total": {**METRICS["total"], "requests": 0, "p50_ms": None, "p95_ms": None}, "points": []}
    assert result_text(language, step("get_metrics", idle)) != text


@pytest.mark.parametrize("language", LANGUAGES)
def test_acts_tell_what_counts_now(language: str) -> None:
    changes = {"changes": [{"what": "budget", "before": None, "after": 10}], "facts": {}}
    result = {"owner": "acme", "period": "month", "amount": 10.0, "used": 4.0, "currency": "EUR", "level": "own"}
    text = result_text(language, step("set_budget", result, "write", plan=changes))
    assert "10.00 EUR" in text
    assert "4.00 EUR" in text
    assert "EUR" not in result_text(language, step("set_budget", result | {"amount": 0}, "write", plan=changes))
    stopped = result_text(language, step("stop_idle_deployments", {"stopped": ["acme/a", "acme/b"], "already": []}, "destructive"))
    assert "**acme/a**" in stopped
    assert "**acme/b**" in stopped
    assert result_text(language, step("stop_idle_deployments", {"stopped": [], "already": []}, "write"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_approvals_tell_what_is_left_and_for_how_long(language: str) -> None:
    cost = {
        "hardware_title": "A10", "memory_gb": 24, "replicas": 1, "price_per_hour": 2.0, "price_per_hour_each": 2.0, "currency": "EUR",
        "budget": {"owner": "acme", "period": "month", "amount": 10.0, "left": 3.0, "lasts_s": 5400},
    }  # fmt: skip
    told = "\n".join(fact_lines(language, "deploy_model", {"facts": cost, "effect": "spend", "undo": {}}))
    assert "3.00 EUR" in told
    assert "10.00 EUR" in told
    assert "90" in told
    lower = {"facts": {"used": 4.0, "currency": "EUR", "stops": True}, "effect": "destructive", "undo": {}}
    assert "4.00 EUR" in "\n".join(fact_lines(language, "set_budget", lower))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("said", ["today", "last-month", "7d", "24h", "2w", "2026-11", "2026-11-01..2026-11-15"])
def test_periods_have_words(language: str, said: str) -> None:
    text = period_words(language, said)
    assert text
    assert "{" not in text
