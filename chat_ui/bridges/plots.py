"""The plots of an answer, from what the page draws: the loss of a fine-tune, use and requests over time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.answer.training import curve
from agent.schema import Answer
from chat_ui.bridges.chart import Chart, short
from chat_ui.presenter import step_views
from chat_ui.texts import texts

TOOLS = frozenset({"get_job", "get_usage", "get_metrics"})
MAX_PLOTS = 2
SPANS = 24


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart, what it shows in words, and what its file is called. `line` is the same in one line, where the answer itself has none."""

    caption: str
    filename: str
    chart: Chart
    line: str = ""


def plots_of(answer: Answer) -> list[Plot]:
    """The plots of an answer; few have any."""
    words = texts(answer.language)
    found: list[Plot] = []
    for step in answer.steps:
        if step.tool in TOOLS and step.status == "ok":
            for view in step_views(step.model_dump(mode="json"), words):
                drawn = {"LineChart": _line, "UsagePanel": _bars}.get(view.component)
                found += drawn(view.props) if drawn else ()
    return found[:MAX_PLOTS]


def _line(props: dict[str, Any]) -> Iterator[Plot]:
    points = tuple((float(at), float(value)) for at, value in props["points"])
    begin, end = points[0][0], points[-1][0]
    last = str(props["labels"]["step"]).replace("{n}", f"{end:g}")
    yield Plot(f"{props['title']} · {last}", "loss.png", Chart(points, begin, end, (f"{begin:g}", f"{end:g}")))


def _bars(props: dict[str, Any]) -> Iterator[Plot]:
    """The first measure of which there is something, as the page shows first what there is."""
    if not props["points"]:
        return
    begin, end = (dt.datetime.fromisoformat(props[name]) for name in ("begin", "end"))
    for measure in props["measures"]:
        points = tuple(
            (dt.datetime.fromisoformat(point["at"]).timestamp(), float(point[measure["key"]]))
            for point in props["points"]
            if point.get(measure["key"])
        )
        if len(points) > 1:
            form = "%Y-%m-%d" if props["step"] in ("day", "month") else "%Y-%m-%d %H:%M"
            unit = f" ({measure['unit']})" if measure["unit"] else ""
            chart = Chart(points, begin.timestamp(), end.timestamp(), (begin.strftime(form), end.strftime(form)), float(props["step_s"]))
            caption = " · ".join(part for part in (f"{measure['label']}{unit}", props["title"]) if part)
            yield Plot(caption, "use.png", chart, f"{caption}: {curve(_spread(chart))} {short(chart.low)} – {short(chart.high)}")
            return


def _spread(chart: Chart) -> list[float]:
    """What was used in each of some equal spans."""
    sums = [0.0] * SPANS
    for at, value in chart.points:
        sums[min(SPANS - 1, max(0, int((at - chart.begin) / max(chart.end - chart.begin, 1.0) * SPANS)))] += value
    return sums
