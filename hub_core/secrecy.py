"""Secrets that a tool shows once: found by name, and replaced before a result is stored anywhere."""

from __future__ import annotations

from typing import Any

SECRET_KEYS = frozenset({"token", "password", "secret", "new_password"})
HIDDEN = "••••••"


def redact(value: Any) -> Any:
    """A copy of JSON-like data in which every secret text is replaced."""
    if isinstance(value, dict):
        return {key: HIDDEN if _is_secret(key, item) else redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def secrets_in(value: Any) -> list[str]:
    """The secret texts in JSON-like data."""
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in ([item] if _is_secret(key, item) else secrets_in(item))]
    if isinstance(value, list | tuple):
        return [text for item in value for text in secrets_in(item)]
    return []


def _is_secret(key: str, item: Any) -> bool:
    # A tool may also tell the name of a token; only secrets of ours begin with the prefix.
    return key in SECRET_KEYS and isinstance(item, str) and bool(item) and (key != "token" or item.startswith("hub_"))
