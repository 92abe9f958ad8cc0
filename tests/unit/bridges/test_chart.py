"""Plots for platforms that draw none."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.schema import Answer, StepView
from chat_ui.bridges.chart import HEIGHT, WIDTH, Chart, short
from chat_ui.bridges.plots import plots_of
from tests.unit.chat_ui.test_job_view import JOB
from tests.unit.chat_ui.test_usage_views import METRICS, SUMS, USAGE

BLUE = (37, 99, 235)
FALLING = Chart(tuple((float(step), 3.0 - step / 10) for step in range(20)), 0, 19, ("0", "19"))


def pixels(png: bytes) -> list[bytes]:
    """The rows of a picture, read as the PNG specification says."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    found: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + data)
        found[kind] = data
        at += 12 + length
    assert list(found) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", found[b"IHDR"]) == (WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    rows, whole = 1 + WIDTH * 3, zlib.decompress(found[b"IDAT"])
    assert len(whole) == rows * HEIGHT
    return [whole[start + 1 : start + rows] for start in range(0, len(whole), rows)]


def highest_blue(rows: list[bytes], x: int) -> int:
    """The first row from above in which a column is blue; below the picture where none is."""
    return next((y for y, row in enumerate(rows) if tuple(row[x * 3 : x * 3 + 3]) == BLUE), HEIGHT)


def test_a_line_falls_where_the_values_do() -> None:
    rows = pixels(FALLING.png())
    heights = [highest_blue(rows, x) for x in (150, 400, 650, 900)]
    assert heights == sorted(heights) and len(set(heights)) == 4 and heights[-1] < HEIGHT


def test_bars_stand_on_nothing_where_they_belong() -> None:
    rows = pixels(Chart(((0.0, 1.0), (50.0, 2.0)), 0, 100, ("0", "100"), 10).png())
    assert highest_blue(rows, 130) > highest_blue(rows, 540)
    assert highest_blue(rows, 400) == highest_blue(rows, 800) == HEIGHT


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (0.00012, "0.00012"), (2.345, "2.35"), (999.9, "999.9"), (1500, "1.5k"), (2.5e9, "2.5G")]
)
def test_numbers_are_short(value: float, said: str) -> None:
    assert short(value) == said


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=40), st.sampled_from([0.0, 1.0]))
def test_any_values_can_be_drawn(values: list[float], bar: float) -> None:
    chart = Chart(tuple((float(at), value) for at, value in enumerate(values)), 0, len(values) - 1, ("0", "end"), bar)
    pixels(chart.png())


def answer(tool: str, result: dict[str, Any], language: Any = "en") -> Answer:
    step = StepView(tool=tool, effect="read", status="ok", result=result)
    return Answer(thread_id="t", message_id="m", reply="Here it is.", language=language, outcome="done", steps=[step])


def test_the_loss_of_a_fine_tune_is_a_plot() -> None:
    series = [{"step": step, "loss": 3.0 / step} for step in range(1, 9)]
    (plot,) = plots_of(answer("get_job", JOB | {"series": series}, "zh"))
    assert (plot.filename, plot.chart.points[-1]) == ("loss.png", (8.0, 0.375))
    assert "8" in plot.caption and not plot.line, "the answer itself has the line"
    assert plots_of(answer("get_job", JOB | {"series": series[:1]})) == []
    assert plots_of(answer("get_job", JOB | {"series": [{"step": 1, "loss": 3.0}, {"step": 2}]})) == []


@pytest.mark.parametrize(("tool", "result"), [("get_usage", USAGE), ("get_metrics", METRICS)])
def test_use_over_time_is_a_plot_of_what_there_is(tool: str, result: dict[str, Any]) -> None:
    days = [{**result["points"][0], "at": f"2026-11-0{day}T00:00:00Z"} for day in (2, 3)]
    (plot,) = plots_of(answer(tool, result | {"points": days}))
    assert plot.chart.bar == (86400 if tool == "get_usage" else 3600)
    assert "acme" in plot.caption and plot.caption in plot.line and "█" in plot.line
    assert plots_of(answer(tool, result | {"points": []})) == []
    free = [{**day, "cost": 0.0} for day in days]
    assert "EUR" not in plots_of(answer(tool, result | {"points": free}))[0].caption
    assert SUMS["cost"] == 3.0
