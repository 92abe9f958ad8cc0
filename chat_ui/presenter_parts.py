"""What the presenter's modules share: the view itself, and how single values are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chat_ui.texts import Texts

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class View:
    """Something to draw: the name of a component in `public/elements/` and its JSON properties."""

    component: str
    props: dict[str, Any]


def bytes_text(size: Any) -> str:
    """A size as people read it, e.g. `1.4 MiB`; empty for no number."""
    if not isinstance(size, int | float):
        return ""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 10 else f"{value:.1f} {_UNITS[unit]}"


def count_text(number: Any) -> str:
    """A large number as people read it, e.g. `134.5 M`."""
    if not isinstance(number, int | float):
        return ""
    for factor, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= factor:
            value = number / factor
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    return str(number)


def is_time(value: Any) -> bool:
    """Whether a text is a time in ISO form."""
    return isinstance(value, str) and _TIME.match(value) is not None


def scalar(value: Any) -> str | None:
    """A single value as text; None for empty ones and for structures. Lists of single values are joined."""
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, list):
        parts = [scalar(item) for item in value]
        return ", ".join(part for part in parts if part) if parts and all(parts) else None
    if value is None or value == "" or isinstance(value, dict):
        return None
    return str(value)


def facts_of(result: Mapping[str, Any], words: Texts) -> list[dict[str, Any]]:
    """The single values of a result with their names."""
    facts = []
    for key, value in result.items():
        text = scalar(value)
        if text is not None and key != "next" and not key.endswith("_id"):
            facts.append({"label": words.change(key), "value": text, "time": is_time(value)})
    return facts
