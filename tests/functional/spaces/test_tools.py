"""The tools that run and stop Spaces: what they would do, what they cost, and how that is told in four languages."""

from __future__ import annotations

from typing import Any

import pytest

from agent.answer.changes import summary
from agent.answer.results import result_text
from hub_core.errors import InvalidInput
from hub_core.repos.kinds import RepoKind
from tests.common.spaces import SpacesHub
from tools.contract import ToolContext
from tools.invoke import Done, Waiting, call, describe_plan, plan

LANGUAGES = ("en", "zh", "ja", "ko")


def told(language: str, done: Done) -> str:
    step: dict[str, Any] = {
        "tool": done.tool, "args": done.plan.args, "effect": str(done.plan.effect), "plan": describe_plan(done.plan),
        "result": done.output.model_dump(mode="json"),
    }  # fmt: skip
    return result_text(language, step)


def test_running_names_hardware_and_price_and_waits_for_a_yes(hub: SpacesHub) -> None:
    hub.space("tool")
    ctx = ToolContext(hub.ann, hub.services)
    waiting = call(ctx, "run_space", {"repo": "tool"}, gate=True)
    assert isinstance(waiting, Waiting)
    planned = plan(ctx, "run_space", {"repo": "tool", "hardware": "cpu-medium"})
    assert planned.args == {"repo": "ann/tool", "hardware": "cpu-medium"}
    for language in LANGUAGES:
        text = summary(language, "run_space", describe_plan(planned))
        assert "ann/tool" in text
        assert "1.50 EUR" in text
        assert "CPU, medium" in text
    done = call(ctx, "run_space", {"repo": "tool"}, gate=False)
    assert isinstance(done, Done)
    for language in LANGUAGES:
        assert "/spaces/ann/tool/app" in told(language, done)
    assert plan(ctx, "run_space", {"repo": "tool"}).changes == ()  # it runs as it is asked to
    assert plan(ctx, "get_logs", {"target": "tool"}).args["target"] == "ann/tool"

    stopping = call(ctx, "stop_space", {"repo": "tool"}, gate=True)
    assert isinstance(stopping, Waiting)
    assert stopping.plan.inverse is not None
    assert all("ann/tool" in summary(language, "stop_space", describe_plan(stopping.plan)) for language in LANGUAGES)
    stopped = call(ctx, "stop_space", {"repo": "tool"}, gate=False)
    assert isinstance(stopped, Done)
    assert stopped.output.model_dump()["stage"] == "PAUSED"
    for language in LANGUAGES:
        assert "ann/tool" in told(language, stopped)
    assert plan(ctx, "stop_space", {"repo": "tool"}).changes == ()
    assert [change.what for change in plan(ctx, "run_space", {"repo": "tool"}).changes] == ["status"]
    assert [change.what for change in plan(ctx, "run_space", {"repo": "tool", "hardware": "cpu-medium"}).changes] == ["hardware"]


def test_static_pages_cost_nothing_and_ask_nobody(hub: SpacesHub) -> None:
    hub.space("leaflet", "static", **{"index.html": "x"})
    done = call(ToolContext(hub.ann, hub.services), "run_space", {"repo": "leaflet"}, gate=True)
    assert isinstance(done, Done)
    for language in LANGUAGES:
        assert "/spaces/ann/leaflet/app" in told(language, done)


def test_only_spaces_have_apps(hub: SpacesHub) -> None:
    hub.services.repos.create(hub.ann, "weights", RepoKind.MODEL)
    ctx = ToolContext(hub.ann, hub.services)
    for tool in ("run_space", "stop_space"):
        with pytest.raises(InvalidInput, match="only Spaces have apps"):
            plan(ctx, tool, {"repo": "ann/weights"})
