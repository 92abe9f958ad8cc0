"""Fields of a JSON body, checked."""

from __future__ import annotations

import re
from typing import Any

from hub_core.errors import InvalidInput

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def text(given: dict[str, Any], field: str, default: str | None = "") -> str:
    """A field that is a text; `default` where it is missing or null.

    Raises:
        InvalidInput: it is something else, or missing while `default` is None.
    """
    value = given.get(field)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise InvalidInput(f"'{field}' is not a text.")
    return value


def word(given: dict[str, Any], field: str) -> str:
    """A field that is one word, as it may stand in YAML; empty where it is missing.

    Raises:
        InvalidInput: it is something else.
    """
    value = text(given, field)
    if value and not _WORD.fullmatch(value):
        raise InvalidInput(f"'{field}' has letters, digits, '.', '_' and '-'.")
    return value


def number(given: dict[str, Any], field: str) -> int | None:
    """A field that is a whole number of at least 0; None where it is missing.

    Raises:
        InvalidInput: it is something else.
    """
    value = given.get(field)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise InvalidInput(f"'{field}' is not a whole number.")
    return value
