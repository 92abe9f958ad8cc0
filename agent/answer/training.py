"""Fine-tunes and evaluations in words: what they take, how far they are, what they brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.answer.parts import Step
from agent.answer.prices import duration, gigabytes, hourly, money
from agent.answer.tables import raw_table
from agent.answer.words import joined, message_with, plain, say, sentences, word
from prompts import has_message

MAX_CURVE = 40
_BLOCKS = "▁▂▃▄▅▆▇█"


def cost_lines(language: str, facts: Mapping[str, Any]) -> list[str]:
    """What somebody should know before they agree: the data, the steps, the hardware, the time and the price; all but the data estimated."""
    if "takes_s" not in facts:
        return []
    rows = f"{facts['rows']:,}"
    columns = joined(language, (f"`{name}`" for name in facts["columns"]))
    told = {
        "rows": rows if facts["rows_exact"] else say(language, "word.about", n=rows),
        "columns": columns,
        "tokens": f"{facts['tokens_per_row']:g}",
    }
    lines = [say(language, "fact.learn_data" if facts["tokens_counted"] else "fact.learn_data_guessed", **told)]
    if "steps" in facts:
        lines.append(
            say(
                language, "fact.learn_steps", steps=f"{facts['steps']:,}", epochs=f"{facts['epochs']:g}", rate=f"{facts['learning_rate']:g}"
            )
        )
    if facts.get("task"):
        lines.append(say(language, "fact.learn_task", task=plain(facts["task"]), shots=f"{facts['shots']:g}"))
    if facts.get("before"):
        lines.append(say(language, "fact.learn_compare", before=plain(facts["before"])))
    if facts.get("publish"):
        lines.append(say(language, "fact.learn_publish"))
    memory, needs = gigabytes(facts["hardware_gb"]), gigabytes(facts["needs_gb"])
    lines.append(say(language, "fact.learn_hardware", hardware=plain(facts["hardware_title"]), memory=memory, needs=needs))
    price = hourly(language, facts["hourly"], facts["currency"])
    cost = money(facts["estimated_cost"], facts["currency"])
    lines.append(say(language, "fact.learn_cost", time=duration(language, facts["takes_s"]), cost=cost, price=price))
    if facts.get("first_time_s"):
        lines.append(say(language, "fact.learn_install", time=duration(language, facts["first_time_s"])))
    return lines


def started(language: str, step: Step) -> str:
    """The job that was started, and how to follow it."""
    args, job = step["args"], str(step["result"]["id"])
    values = {name: plain(args.get(name, "")) for name in ("model", "dataset", "output", "repo")} | {"id": job}
    return sentences(language, message_with(language, f"done.{step['tool']}", values), say(language, "note.job_follow", job=job))


def job_lines(language: str, result: Mapping[str, Any]) -> list[str]:
    """What a job tells of itself besides its facts: the curve of the loss while it learns, its measures at the end."""
    told = []
    losses = [float(point["loss"]) for point in result.get("series") or [] if isinstance(point.get("loss"), int | float)]
    if len(losses) > 1:
        values = {"first": f"{losses[0]:.3g}", "last": f"{losses[-1]:.3g}", "n": f"{result['series'][-1]['step']:g}"}
        told.append(say(language, "note.loss_curve", curve=f"`{curve(losses)}`", **values))
    measures = (result.get("result") or {}).get("measures") or []
    if measures and isinstance(measures, list):
        told.append(_measures(language, measures))
    return told


def _measures(language: str, measures: Sequence[Mapping[str, Any]]) -> str:
    if any(item.get("metrics") for item in measures):
        return _task_measures(language, measures)
    asked = any("accuracy" in item for item in measures)
    heads = [
        say(language, f"table.{name}") for name in ("measured", "loss", "perplexity", *(("accuracy",) if asked else ()), "rows", "tokens")
    ]
    rows = []
    for item in measures:
        name = str(item.get("model", ""))
        who = word(language, "measured", name) if has_message(language, f"word.measured.{name}") else name
        accuracy = [f"{item['accuracy']:.1%}" if isinstance(item.get("accuracy"), int | float) else ""] if asked else []
        counts = (_number(item.get(name), 0) for name in ("rows", "tokens"))
        rows.append([who, _number(item.get("loss"), 4), _number(item.get("perplexity"), 2), *accuracy, *counts])
    return raw_table(heads, rows)


def _task_measures(language: str, measures: Sequence[Mapping[str, Any]]) -> str:
    """Those of a task: its metrics as it calls them, with their standard errors."""
    names = list(dict.fromkeys(name for item in measures for name in item.get("metrics") or {}))
    heads = [say(language, "table.measured"), *map(plain, names), say(language, "table.rows")]
    rows = []
    for item in measures:
        found, errors = item.get("metrics") or {}, item.get("errors") or {}
        cells = [_number(found.get(name), 3) + (f" ± {errors[name]:.3f}" if name in errors else "") for name in names]
        rows.append([str(item.get("model", "")), *cells, _number(item.get("rows"), 0)])
    return raw_table(heads, rows)


def _number(value: Any, digits: int) -> str:
    return f"{value:,.{digits}f}" if isinstance(value, int | float) else ""


def curve(values: Sequence[float]) -> str:
    """Numbers as a line of blocks, high ones high; many of them are averaged."""
    size = min(MAX_CURVE, len(values))
    parts = [values[index * len(values) // size : (index + 1) * len(values) // size] for index in range(size)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    return "".join(_BLOCKS[round((mean - low) / (high - low) * (len(_BLOCKS) - 1)) if high > low else 0] for mean in means)
