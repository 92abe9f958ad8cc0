from __future__ import annotations

from collections.abc import Mapping

from agent.planner.classify import HEAD_PATH, head
from agent.planner.expand import expand
from agent.planner.made_up import made_up_world
from agent.planner.train import digest
from agent.planner.types import PSEUDO_TOOLS, ToolSpec
from tools import examples


def test_the_head_was_trained_from_these_examples() -> None:
    assert head().digest == digest(), "run `python -m agent.planner.train`"


def test_the_head_is_small_and_knows_every_tool(specs: Mapping[str, ToolSpec]) -> None:
    assert HEAD_PATH.stat().st_size < 3_000_000
    assert set(specs) | set(PSEUDO_TOOLS) == set(head().labels)


def test_every_tool_has_patterns_in_every_language(specs: Mapping[str, ToolSpec]) -> None:
    for language in ("en", "zh", "ja", "ko"):
        patterns = examples.patterns(language)
        assert not [name for name in (*specs, *PSEUDO_TOOLS) if len(patterns.get(name, ())) < 3]


def test_expansion_is_the_same_every_time() -> None:
    patterns = {"get_repo": ("(show|open) {repo} [please]", "{it}?"), "whoami": ("who am I",)}
    first = expand(patterns, "en", 5)
    assert first == expand(patterns, "en", 5)
    assert {s.tool for s in first} == {"get_repo", "whoami"}
    assert any(s.pronoun for s in first)


def test_training_names_are_not_demo_names() -> None:
    names = {part for e in made_up_world().entities() for part in e.value.split("/")}
    assert not names & {
        "acme",
        "labs",
        "alice",
        "bob",
        "carol",
        "dave",
        "erin",
        "support-7b",
        "tickets-q3",
        "vision-base",
        "zeta",
        "omni",
        "birdcalls",
    }
