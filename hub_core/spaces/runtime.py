"""What is known of a Space that runs nowhere: whether it has something to run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_APP_FILES = {"docker": "Dockerfile", "static": "index.html"}


def stage(card: Mapping[str, Any], paths: Collection[str]) -> str:
    """`STOPPED`, or `NO_APP_FILE` where the file is missing that the card's `sdk` (and `app_file`) asks for."""
    usual = _APP_FILES.get(str(card.get("sdk", "")), "app.py")
    named = card.get("app_file")
    app_file = named if isinstance(named, str) and usual != "Dockerfile" else usual
    return "STOPPED" if app_file in paths else "NO_APP_FILE"
