"""Views of use and of how deployments do: sums, budgets, a plot over time, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chat_ui import presenter_data as data
from chat_ui.presenter_parts import View, bytes_text
from chat_ui.texts import Texts

STEP_S = {"5 minutes": 300, "hour": 3600, "day": 86400, "month": 30 * 86400}
MAX_POINTS = 1000
_SUMS = frozenset({"failed", "prompt_tokens", "completion_tokens"})


def usage_views(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:  # noqa: ARG001 - as all drawings
    """What was used: the sums and the plot, then tables by thing and by person, and of what runs and waits."""
    total, currency = result.get("total") or {}, str(result.get("currency") or "")
    t = words.card("UsagePanel")
    points = [_point(point) | {"tokens": _tokens(point)} for point in result.get("points") or []]
    stats = [
        (words.change("requests_made"), _count(total.get("requests"))),
        (words.change("tokens_used"), _count(_tokens(total))),
        (words.change("hours"), f"{total.get('hours', 0):,.2f}"),
        (words.change("cost"), f"{total.get('cost', 0):,.2f} {currency}"),
    ]
    measures = [
        ("cost", words.change("cost"), currency), ("requests", words.change("requests_made"), ""), ("tokens", words.change("tokens_used"), ""),
        ("hours", words.change("hours"), "h"),
    ]  # fmt: skip
    title = " · ".join(str(result.get(key)) for key in ("owner", "target") if result.get(key))
    panel = _panel(result, words, title, stats, measures, points)
    panel["budgets"] = [_budget(one, currency, t) for one in result.get("budgets") or []]
    tables = (("targets", "owner", "by_thing"), ("people", "", "by_person"), ("work", "", "work"))
    views = [View("UsagePanel", panel)]
    for key, hidden, name in tables:
        rows = [_row(row) for row in result.get(key) or [] if isinstance(row, dict)]
        if rows:
            views.append(data.table_of(rows, words, title=str(t[name]), hide=_SUMS | {hidden}))
    return views


def metrics_views(result: dict[str, Any], args: dict[str, Any], words: Texts) -> list[View]:  # noqa: ARG001 - as all drawings
    """How a deployment did: the sums and the plot."""
    total = result.get("total") or {}
    points = [_point(point) for point in result.get("points") or []]
    late = f"{total['p50_ms']:,} / {total['p95_ms']:,} ms" if total.get("p50_ms") is not None else "–"
    stats = [
        (words.change("requests_made"), _count(total.get("requests"))),
        (words.change("failed"), _count(total.get("failed"))),
        (words.change("latency"), late),
        (words.change("ready"), f"{result.get('ready', 0)} / {result.get('replicas', 0)}"),
    ]
    if result.get("memory"):
        stats.append((words.change("memory"), bytes_text(result["memory"])))
    measures = [
        (key, words.change(name), unit)
        for key, name, unit in (
            ("requests", "requests_made", ""), ("failed", "failed", ""), ("p50_ms", "p50_ms", "ms"), ("p95_ms", "p95_ms", "ms"),
            ("completion_tokens", "tokens_out", ""), ("copies", "ready", ""), ("cpus", "cpus", ""),
        )
        if any(point.get(key) for point in points)
    ]  # fmt: skip
    return [View("UsagePanel", _panel(result, words, str(result.get("target") or ""), stats, measures, points) | {"budgets": []})]


def _panel(
    result: Mapping[str, Any], words: Texts, title: str, stats: Sequence[tuple[str, str]], measures: Sequence[tuple[str, str, str]],
    points: Sequence[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    step = str(result.get("step") or "hour")
    return {
        "title": title,
        "period": str(result.get("period") or ""),
        "begin": result.get("begin"),
        "end": result.get("end"),
        "step": step,
        "step_s": STEP_S.get(step, 3600),
        "stats": [{"label": label, "value": value} for label, value in stats],
        "measures": [{"key": key, "label": label, "unit": unit} for key, label, unit in measures],
        "points": list(points)[-MAX_POINTS:],
        "labels": words.card("UsagePanel"),
    }


def _point(point: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in point.items() if key == "at" or isinstance(value, int | float)}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table, names before numbers, with its tokens together; what is nothing is left empty."""
    together = {"tokens_used": _tokens(row)} if "prompt_tokens" in row else {}
    named = {("requests_made" if key == "requests" else key): value for key, value in row.items()} | together
    ordered = sorted(named.items(), key=lambda item: isinstance(item[1], int | float))
    return {key: value for key, value in ordered if value not in (0, 0.0)}


def _budget(one: Mapping[str, Any], currency: str, t: Mapping[str, str]) -> dict[str, Any]:
    amount, used = float(one.get("amount") or 0), float(one.get("used") or 0)
    return {
        "label": f"{one.get('owner')} · {t.get('per_' + str(one.get('period')), one.get('period'))}",
        "text": f"{used:,.2f} / {amount:,.2f} {currency}",
        "share": min(1.0, used / amount) if amount else 1.0,
    }


def _tokens(row: Mapping[str, Any]) -> int:
    return int(row.get("prompt_tokens") or 0) + int(row.get("completion_tokens") or 0)


def _count(number: Any) -> str:
    return f"{int(number or 0):,}"
