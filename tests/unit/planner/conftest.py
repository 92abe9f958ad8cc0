from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from agent.planner import Focus, Reading, StaticWorld, ToolSpec, read
from agent.planner.toolspec import specs_of
from tests.unit.planner import dev
from tools.registry import default_registry


@pytest.fixture(scope="session")
def specs() -> Mapping[str, ToolSpec]:
    return specs_of(default_registry())


@pytest.fixture(scope="session")
def place() -> StaticWorld:
    return dev.world()


@pytest.fixture(scope="session")
def reads(specs: Mapping[str, ToolSpec], place: StaticWorld) -> Callable[..., Reading]:
    def run(text: str, world: StaticWorld = place, **focus: object) -> Reading:
        return read(text, world, Focus.from_json(focus), specs)

    return run
