"""What the page draws of use: sums, a plot that can be switched, budgets, tables; in every language."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat_ui.presenter import step_views
from chat_ui.texts import LANGUAGES, Language, texts

SUMS = {"requests": 3, "failed": 1, "prompt_tokens": 30, "completion_tokens": 12, "hours": 1.5, "cost": 3.0}
USAGE: dict[str, Any] = {
    "owner": "acme", "target": "", "period": "month", "begin": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z", "currency": "EUR",
    "total": SUMS, "targets": [{"name": "acme/chat", "kind": "deployment", "owner": "acme", **SUMS}], "people": [{"username": "bob", **SUMS}],
    "hardware": [{"hardware": "a10", "hours": 1.5, "cost": 3.0}], "step": "day", "points": [{"at": "2026-11-03T00:00:00Z", **SUMS}],
    "budgets": [{"owner": "acme", "period": "month", "amount": 10.0, "used": 12.0, "left": 0.0, "ends_at": "2026-12-01T00:00:00Z"}],
    "work": [{"kind": "deployment", "name": "acme/chat", "owner": "acme", "username": "bob", "status": "running", "hardware": "a10", "copies": 1, "price_per_hour": 2.0}],
}  # fmt: skip
POINT = {
    "requests": 3,
    "failed": 0,
    "prompt_tokens": 3,
    "completion_tokens": 9,
    "p50_ms": 120,
    "p95_ms": 300,
    "copies": 1,
    "memory": 0,
    "cpus": 0.0,
}
METRICS: dict[str, Any] = {
    "target": "acme/chat", "status": "running", "period": "24h", "begin": "2026-11-02T00:00:00Z", "end": "2026-11-03T00:00:00Z", "step": "hour",
    "replicas": 1, "ready": 1, "memory": 1024, "cpus": 0.5, "total": {"at": "2026-11-02T00:00:00Z", **POINT},
    "points": [{"at": "2026-11-02T10:00:00Z", **POINT}],
}  # fmt: skip


def views(tool: str, result: dict[str, Any], language: Language = "en") -> list[Any]:
    step = {"tool": tool, "args": {}, "effect": "read", "status": "ok", "result": result}
    return step_views(step, texts(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_use_has_a_panel_and_three_tables(language: Language) -> None:
    panel, *tables = views("get_usage", USAGE, language)
    assert panel.component == "UsagePanel"
    assert [table.component for table in tables] == ["DataTable"] * 3
    assert [measure["key"] for measure in panel.props["measures"]] == ["cost", "requests", "tokens", "hours"]
    assert panel.props["points"][0]["tokens"] == 42
    assert not tables[0].props["columns"][0]["numeric"], "names stand before numbers"
    assert panel.props["budgets"][0]["share"] == 1.0
    assert panel.props["budgets"][0]["text"] == "12.00 / 10.00 EUR"
    json.dumps([view.props for view in (panel, *tables)])


def test_metrics_offer_what_there_is_to_plot() -> None:
    (panel,) = views("get_metrics", METRICS)
    assert [measure["key"] for measure in panel.props["measures"]] == ["requests", "p50_ms", "p95_ms", "completion_tokens", "copies"]
    assert {stat["label"]: stat["value"] for stat in panel.props["stats"]}["Latency p50 / p95"] == "120 / 300 ms"


def test_nothing_used_is_told_and_not_plotted() -> None:
    empty = USAGE | {"points": [], "targets": [], "people": [], "budgets": [], "work": [], "total": dict.fromkeys(SUMS, 0)}
    (panel,) = views("get_usage", empty)
    assert panel.props["points"] == []
