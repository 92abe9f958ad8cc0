"""What a Space needs to run, as its card says it, and how it stands in the words of the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hub_core.deployments.tables import Status

_APP_FILES = {"docker": "Dockerfile", "static": "index.html"}
_STAGES = {
    Status.QUEUED: "BUILDING",
    Status.STARTING: "APP_STARTING",
    Status.RUNNING: "RUNNING",
    Status.SLEEPING: "SLEEPING",
    Status.STOPPED: "PAUSED",
    Status.FAILED: "RUNTIME_ERROR",
}


def app_file(card: Mapping[str, Any]) -> str:
    """The file that starts the Space: `app_file` of the card, or what is usual with its sdk."""
    usual = _APP_FILES.get(str(card.get("sdk", "")), "app.py")
    named = card.get("app_file")
    return named if isinstance(named, str) and named and usual != "Dockerfile" else usual


def stage_at_rest(card: Mapping[str, Any], paths: Collection[str]) -> str:
    """The stage of a Space that no program runs for: static pages are always there, others are stopped or have nothing to start."""
    if app_file(card) not in paths:
        return "NO_APP_FILE"
    return "RUNNING" if card.get("sdk") == "static" else "STOPPED"


def stage_of(status: str, *, built: bool) -> str:
    """The stage of a Space that was run. `built`: its packages could be installed, or its image built."""
    return "BUILD_ERROR" if status == Status.FAILED and not built else _STAGES[Status(status)]
