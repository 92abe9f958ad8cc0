"""Views of background jobs: the curve of what they measure while they run, and what they measured at the end."""

from __future__ import annotations

from typing import Any

from chat_ui.presenter_data import table_of
from chat_ui.presenter_parts import View, facts_of
from chat_ui.texts import Texts

FACTS = ("kind", "status", "repo", "progress", "message", "owner", "started_at", "finished_at")


def job_view(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:  # noqa: ARG001 - the signature of every drawing
    """A job: its facts, the loss over its steps, its measures as a table."""
    shown = {key: result.get(key) for key in FACTS}
    title = f"{words.change('job')} {result.get('id')}"
    views = [View("FactCard", {"title": title, "facts": facts_of(shown, words), "labels": words.card("FactCard")})]
    points = [[point["step"], point["loss"]] for point in result.get("series") or [] if {"step", "loss"} <= point.keys()]
    if len(points) > 1:
        views.append(View("LineChart", {"title": words.change("loss"), "points": points, "labels": words.card("LineChart")}))
    measures = (result.get("result") or {}).get("measures")
    if isinstance(measures, list) and measures:
        rows = [{key: round(value, 4) if isinstance(value, float) else value for key, value in item.items()} for item in measures]
        views.append(table_of(rows, words, title=words.change("measures")))
    return views
