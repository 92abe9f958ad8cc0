"""Every tool speaks four languages, says what it does, and states its effect and its permission."""

from __future__ import annotations

import pytest

from hub_core.authz import Permission
from tools import examples
from tools.contract import Effect
from tools.registry import LANGUAGES, default_registry, describe

TOOLS = sorted(tool.name for tool in default_registry())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_tool_ships_at_least_three_patterns(language: str) -> None:
    found = examples.patterns(language)
    assert not [name for name in TOOLS if len(found.get(name, ())) < 3]


@pytest.mark.parametrize("language", LANGUAGES)
def test_patterns_belong_to_tools_that_are_there(language: str) -> None:
    pseudo = {"small_talk", "out_of_scope", "not_available"}
    assert not set(examples.patterns(language)) - set(TOOLS) - pseudo


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_states_what_it_is(name: str) -> None:
    tool = default_registry().get(name)
    assert describe(tool).endswith(".")
    assert isinstance(tool.effect, Effect)
    assert isinstance(tool.permission, Permission)


@pytest.mark.parametrize("name", TOOLS)
def test_every_argument_is_described(name: str) -> None:
    schema = default_registry().get(name).input.model_json_schema()
    bare = [field for field, spec in schema.get("properties", {}).items() if "description" not in str(spec) and "$ref" not in str(spec)]
    assert not bare
