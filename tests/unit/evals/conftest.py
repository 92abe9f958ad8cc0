from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.scripted import ScriptedModel
from evals.case import Case
from evals.player import CaseResult, Player
from evals.world import copy_template, load_world, make_template
from hub_core.services import Services, open_services
from hub_core.settings import Settings

Play = Callable[..., CaseResult]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world of the evaluation, seeded once."""
    folder = tmp_path_factory.mktemp("evals") / "template"
    make_template(folder, load_world())
    return folder


@pytest.fixture
def seeded(template: Path, tmp_path: Path) -> Iterator[Services]:
    """A hub of its own with the world in it."""
    copy_template(template, tmp_path / "hub")
    with open_services(dataclasses.replace(Settings(data_dir=tmp_path / "hub"), demo=False)) as services:
        yield services


@pytest.fixture
def play(template: Path) -> Play:
    """Plays a conversation whose planner is a script."""

    def run(case: dict[str, Any], *script: Any) -> CaseResult:
        player = Player(template, lambda _case: ScriptedModel(lines=list(script)))
        return player.play(Case.model_validate({"id": "en-single-001", "as": "alice", **case}))

    return run
