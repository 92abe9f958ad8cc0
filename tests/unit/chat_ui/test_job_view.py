"""A job on the page: its facts, the curve of a fine-tune, its measures."""

from __future__ import annotations

from typing import Any

import pytest

from chat_ui.presenter import present
from chat_ui.presenter_reply import lead
from prompts import LANGUAGES, message

JOB: dict[str, Any] = {
    "id": 7,
    "kind": "finetune",
    "status": "running",
    "progress": 0.5,
    "message": "Step 2 of 4",
    "owner": "ann",
    "repo": "",
}


def views(**more: Any) -> dict[str, dict[str, Any]]:
    step = {"tool": "get_job", "effect": "read", "status": "ok", "args": {"job": 7}, "result": JOB | more}
    return {view.component: view.props for view in present({"language": "en", "steps": [step]})}


def test_a_curve_is_drawn_from_two_points_on() -> None:
    points = [{"step": 1, "loss": 3.0, "lr": 1e-4}, {"step": 2, "loss": 2.0, "lr": 1e-4}]
    assert views(series=points)["LineChart"]["points"] == [[1, 3.0], [2, 2.0]]
    assert "LineChart" not in views(series=points[:1])
    assert "LineChart" not in views()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_drawn_curve_is_not_said_in_blocks(language: str) -> None:
    points = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}]
    step = {"tool": "get_job", "effect": "read", "status": "ok", "args": {"job": 7}, "result": JOB | {"series": points}}
    said = message(language, "note.loss_curve", first="3", last="2", n=2, curve="█▁")
    told = lead({"language": language, "reply": said, "steps": [step]})
    assert "█" not in told and "2" in told and not told.endswith((":", "："))


def test_measures_are_a_table() -> None:
    table = views(result={"measures": [{"model": "before", "loss": 3.6000000001}, {"model": "after", "loss": 2.5}]})["DataTable"]
    assert table["rows"] == [["before", 3.6], ["after", 2.5]]
