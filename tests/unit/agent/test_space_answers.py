"""What is said of Docker Spaces: that an image is built before they run, and why none can be."""

from __future__ import annotations

from typing import Any

import pytest

from agent.answer.changes import summary
from agent.answer.errors import error_text
from agent.answer.reasons import reason_text
from hub_core.clusters.reasons import because, parts_of, together
from prompts import LANGUAGES

FACTS: dict[str, Any] = {
    "repo": "acme/demo", "path": "/spaces/acme/demo/app", "sdk": "docker", "hardware": "cpu-small", "hardware_title": "CPU, small",
    "memory_gb": 0.25, "replicas": 1, "price_per_hour": 0.5, "price_per_hour_each": 0.5, "currency": "EUR", "sleeps": True, "packages": 0,
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_approval_says_that_an_image_is_built_first(language: str) -> None:
    plan = {
        "args": {"repo": "acme/demo"},
        "effect": "spend",
        "changes": [{"what": "status", "before": None, "after": "running"}],
        "undo": None,
    }
    told = summary(language, "run_space", {**plan, "facts": {**FACTS, "builds_image": True}})
    assert "Dockerfile" in told
    assert "Dockerfile" not in summary(language, "run_space", {**plan, "facts": FACTS})


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_says_that_nothing_builds_images_here(language: str) -> None:
    error = {"code": "images_not_built", "message": "It has a Dockerfile.", "hint": "See docs/spaces.md.", "details": {}}
    told = error_text(language, error, {"repo": "acme/demo"})
    assert "Dockerfile" in told and "docs/spaces.md" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_build_and_its_failure_are_told_in_the_language(language: str) -> None:
    building = together(because("building", progress="50%"), because("other", text="2/4 RUN pip install x"))
    failed = because("cannot_build", text="error: failed to solve: exit code: 1")
    for reason, part in ((building, "50%"), (building, "pip install x"), (failed, "exit code: 1"), (because("too_long"), "")):
        result = {"reason": str(reason), "reasons": [{"code": code, "params": params} for code, params in parts_of(reason)]}
        told = reason_text(language, result)
        assert part in told
        assert (language == "en") == told.isascii()
