"""Words of a language, and how values are written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from prompts import PromptError, has_message, message

MAX_TEXT = 300
# Fields whose words stand under another name.
_GROUPS = {"watch": "level", "request": "status"}
# Arguments and fields whose values are words of ours.
_TRANSLATED = frozenset(
    {"visibility", "role", "scope", "kind", "status", "level", "relation", "type", "gated", "decision", "platform", *_GROUPS}
)
_SIZES = ("B", "KB", "MB", "GB", "TB")


def say(language: str, key: str, /, **values: Any) -> str:
    """A sentence of the catalogue."""
    return message(language, key, **values)


def sentences(language: str, *told: str) -> str:
    """Sentences in a row; Chinese and Japanese put no space between them."""
    return ("" if language in ("zh", "ja") else " ").join(text for text in told if text)


def word(language: str, group: str, value: Any) -> str:
    """A value of ours (a role, a kind ...) in the language; anything else as it is."""
    key = f"word.{_GROUPS.get(group, group)}.{value}"
    return say(language, key).strip() if has_message(language, key) else plain(value)


def plain(value: Any, limit: int = MAX_TEXT) -> str:
    """A value on one line, without what would make a link or a picture of it: names and texts of repos are anybody's."""
    text = " ".join(str(value).split()).replace("](", "]\\(").replace("][", "]\\[")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def joined(language: str, values: Iterable[Any]) -> str:
    """Several values in a row."""
    return say(language, "word.separator").join(plain(value) for value in values) or say(language, "word.nobody")


def shown(language: str, name: str, value: Any) -> str:
    """A value as people read it in this language."""
    if value is None or value == "" or value == []:
        return say(language, "word.nobody")
    if isinstance(value, bool):
        return say(language, "word.yes" if value else "word.no")
    if name in _TRANSLATED and isinstance(value, str):
        return word(language, name, value)
    if isinstance(value, int | float):
        return _number(name, value)
    if isinstance(value, list | tuple):
        return joined(language, value)
    if isinstance(value, dict):
        return joined(language, (f"{key}: {item}" for key, item in value.items()))
    text = str(value)
    if name in ("commit", "revision") and len(text) == 40:
        return text[:8]
    if name in ("password", "secret", "scan") and has_message(language, f"word.{text}"):
        return say(language, f"word.{text}")
    if name.endswith("_at") or name in ("at", "scan"):
        return when(text)
    return plain(text)


def _number(name: str, value: float) -> str:
    """A size with its unit, a share as per cent, a number that only names something as it is, others with separators."""
    if name in ("size", "bytes_total", "bytes") and isinstance(value, int):
        return size(value)
    if name == "progress":
        return f"{value:.0%}"
    return str(value) if name in ("number", "job") else f"{value:,}"


def size(number: int) -> str:
    """Bytes in the unit that fits."""
    amount = float(number)
    for unit in _SIZES:
        if amount < 1024 or unit == _SIZES[-1]:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1024
    return str(number)


def when(text: str) -> str:
    """A time to the minute (UTC)."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return plain(text)
    return moment.strftime("%Y-%m-%d %H:%M")


def act(language: str, tool: str, args: dict[str, Any]) -> str:
    """A call as a phrase; what is not known yet is left open."""
    known: dict[str, Any] = _Open(say(language, "word.something"))
    known["username"] = say(language, "word.self")
    known.update({name: shown(language, name, value) for name, value in ranged(args).items() if value not in (None, "", [])})
    try:
        return message_with(language, f"act.{tool}", known)
    except PromptError:
        return tool.replace("_", " ")


def ranged(args: dict[str, Any]) -> dict[str, Any]:
    """Arguments as they are told: two numbers of copies are one range."""
    return args if args.get("max") is None or "replicas" not in args else {**args, "replicas": f"{args['replicas']}–{args['max']}"}


def message_with(language: str, key: str, values: dict[str, Any]) -> str:
    """A sentence filled from a dictionary that may know defaults."""
    from prompts import messages

    text = messages(language).get(key)
    if text is None:
        raise PromptError(f"no message {key} in {language}")
    return text.format_map(values)


class _Open(dict[str, Any]):
    """Names that are not there yet are shown as open."""

    def __init__(self, blank: str) -> None:
        super().__init__()
        self._blank = blank

    def __missing__(self, key: str) -> str:
        return self._blank
