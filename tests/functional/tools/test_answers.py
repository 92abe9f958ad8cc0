"""What the agent says of a tool's plan and result, for every tool, as the tool really gives them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agent.answer.changes import summary
from agent.answer.results import result_text
from agent.answer.words import say
from prompts import LANGUAGES, has_message
from tests.functional.tools.test_contract import CHANGES, READS, WITH_LATE_INVERSE
from tests.functional.tools.world import CASES, World
from tools import invoke
from tools.contract import Effect

# A variable that was not filled in, a value that is not there, a key of the catalogue.
UNWORDED = re.compile(r"\{[a-z_]+\}|\bNone\b|\bword\.[a-z]")


def told(language: str, step: dict[str, Any]) -> str:
    """The answer, which never falls back on what nobody worded."""
    text = result_text(language, step)
    assert text.strip()
    assert not text.startswith("✓")
    assert not UNWORDED.search(text), text
    return text


def step_of(world: World, name: str, **more: Any) -> dict[str, Any]:
    case = CASES[name]
    done = invoke.call(world.context(case.who), name, {**case.args, **more}, gate=False)
    assert isinstance(done, invoke.Done)
    plan = invoke.describe_plan(done.plan)
    effect = str(done.plan.effect)
    return {
        "tool": name, "args": plan["args"], "effect": effect, "status": "ok", "plan": plan, "result": done.output.model_dump(mode="json", exclude_none=True),
    }  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_every_result_can_be_told(shared: World, name: str) -> None:
    step = step_of(shared, name)
    answers = {language: told(language, step) for language in LANGUAGES}
    assert len(set(answers.values())) == len(LANGUAGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_can_be_told_before_and_after(world: World, name: str) -> None:
    case = CASES[name]
    planned = invoke.describe_plan(invoke.plan(world.context(case.who), name, case.args))
    assert all(has_message("en", f"word.what.{change['what']}") for change in planned["changes"])
    before = {language: summary(language, name, planned | {"undo": planned.get("undo")}) for language in LANGUAGES}
    assert len(set(before.values())) == len(LANGUAGES)
    assert not any(UNWORDED.search(text) for text in before.values())
    if planned["effect"] == Effect.SPEND:
        assert all("USD" in text for text in before.values())
    if name in WITH_LATE_INVERSE:
        assert say("en", "approve.cannot_undo") not in before["en"]
    step = step_of(world, name)
    assert len({told(language, step) for language in LANGUAGES}) == len(LANGUAGES)
