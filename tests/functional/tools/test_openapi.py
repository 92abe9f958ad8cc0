"""The OpenAPI document of the whole application: valid, complete, with examples that work."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from chat_ui.background import AgentLoader
from chat_ui.chat_gate import Loader
from chat_ui.server import _include, create_app
from hub_core.http.metrics import Metrics
from hub_core.http.openapi import ABOUT
from hub_core.settings import Settings
from tests.functional.tools.world import World
from tools.registry import default_registry


@pytest.fixture(scope="module")
def document(shared: World) -> dict[str, Any]:
    """The document as `/openapi.json` gives it; routes are there once the services are open."""
    app = create_app(Settings(data_dir=shared.services.settings.data_dir, demo=False))

    def absent() -> Any:
        raise AssertionError("the document needs no chat page")

    _include(app, shared.services, AgentLoader(shared.services), Loader(absent), Metrics())
    made: dict[str, Any] = app.openapi()
    return made


def test_it_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_every_dialect_is_a_group_whose_operations_say_what_they_are_for(document: dict[str, Any]) -> None:
    groups = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert groups == ABOUT
    found = [(act["tags"][0], act["summary"]) for acts in document["paths"].values() for act in acts.values() if act["tags"][0] in ABOUT]
    assert {tag for tag, _ in found} == set(ABOUT)
    assert all(summary and "`" not in summary[:1] for _, summary in found)


def test_it_has_every_tool_with_an_example_that_its_model_takes(document: dict[str, Any]) -> None:
    for tool in default_registry():
        operation = document["paths"][f"/api/v1/tools/{tool.name}"]["post"]
        content = operation["requestBody"]["content"]["application/json"]
        example = content.get("example", next(iter(content.get("examples", {}).values()), {"value": None}).get("value", {}))
        tool.input.model_validate(example)
        result = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert "result" in str(result)
        assert set(operation["responses"]) >= {"200", "401", "403", "404", "409", "422", "429"}
        assert operation["security"] == [{"token": []}]
        assert operation["summary"]


def test_it_has_the_routes_of_the_design_and_nothing_of_the_inside(document: dict[str, Any]) -> None:
    paths = set(document["paths"])
    chat = {"/api/v1/chat", "/api/v1/chat/{thread_id}", "/api/v1/chat/{thread_id}/approvals/{approval_id}"}
    assert chat | {"/api/v1/tools"} <= paths
    own = {path for path, acts in document["paths"].items() for act in acts.values() if not set(act.get("tags", [])) & set(ABOUT)}
    assert not [path for path in own if not re.match(r"/(api/v1|healthz|readyz|metrics|login|logout)", path)]
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
