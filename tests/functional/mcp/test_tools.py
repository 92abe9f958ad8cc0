"""Tools over MCP, with the SDK's own client: the same registry, the same results, errors that say what to do."""

from __future__ import annotations

import json
import threading
from typing import Any

import jsonschema
import pytest
from mcp.types import METHOD_NOT_FOUND

from hub_core.authz import Scope
from tests.common.loops import finish
from tests.functional.mcp.conftest import McpHub, asked_for, content, error
from tools.contract import Effect
from tools.mcp import calls
from tools.mcp.definitions import definition
from tools.registry import default_registry

TOOLS = sorted(tool.name for tool in default_registry())


def test_every_tool_of_the_registry_is_listed_with_its_schemas_and_hints(hub: McpHub) -> None:
    async def play() -> Any:
        async with hub.client(hub.token()) as session:
            return (await session.list_tools()).tools

    found = {tool.name: tool for tool in finish(play())}
    people = {tool.name for tool in default_registry() if str(tool.permission) == "user:admin"}
    assert set(found) == set(TOOLS) - people | {"get_approval"}
    assert found["search_repos"].annotations.readOnlyHint
    assert found["delete_repo"].annotations.destructiveHint
    assert found["create_repo"].annotations.destructiveHint is False
    assert found["set_visibility"].title == "Set visibility"
    assert found["get_repo"].inputSchema["properties"]["repo"]["description"]


@pytest.mark.parametrize("name", TOOLS)
def test_schemas_are_objects_and_hints_follow_the_effect(name: str) -> None:
    tool = default_registry().get(name)
    made = definition(tool)
    for schema in (made.inputSchema, made.outputSchema):
        assert schema is not None
        assert schema["type"] == "object"
        jsonschema.Draft202012Validator.check_schema(schema)
    assert made.annotations is not None
    assert made.annotations.readOnlyHint is (tool.effect is Effect.READ)
    assert made.annotations.destructiveHint is (tool.effect is Effect.DESTRUCTIVE)
    assert not (made.annotations.readOnlyHint and not made.annotations.idempotentHint)


def test_a_result_is_structured_and_text(hub: McpHub) -> None:
    async def play() -> Any:
        async with hub.client(hub.token()) as session:
            return await session.call_tool("get_repo", {"repo": "vision"})

    result = finish(play())
    assert content(result)["id"] == "acme/vision"
    assert json.loads(result.content[0].text) == result.structuredContent


def test_errors_are_results_with_code_and_hint(hub: McpHub) -> None:
    async def play() -> list[Any]:
        async with hub.client(hub.token()) as session:
            return [
                await session.call_tool("get_repo", {"repo": "acme/nothing"}),
                await session.call_tool("get_repo", {}),
                await session.call_tool("get_repo", {"repo": "vision", "surprise": 1}),
                await session.call_tool("no_such_tool", {}),
                await session.call_tool("get_approval", {"approval_id": "x", "wait_s": 1000}),
            ]

    missing, empty, surprising, unknown, bad = (error(result) for result in finish(play()))
    assert missing["code"] == "repo_not_found"
    assert missing["hint"]
    assert empty["code"] == surprising["code"] == bad["code"] == "invalid_arguments"
    assert empty["details"]["errors"][0]["argument"] == "repo"
    assert unknown["code"] == "tool_not_found"


def test_what_a_newer_protocol_asks_first_is_told_to_be_unknown_and_fills_no_log(hub: McpHub, caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> tuple[int, Any]:
        async with hub.client(hub.token()) as session:
            return await asked_for(session, "server/discover"), await session.call_tool("whoami", {})

    code, me = finish(play())
    assert code == METHOD_NOT_FOUND
    assert content(me)["username"] == "alice"
    assert "validation error" not in caplog.text


def test_a_long_call_tells_how_long_it_runs(hub: McpHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "TICK_S", 0.05)
    enough = threading.Event()
    tool: Any = default_registry().get("whoami")
    run = tool.run
    monkeypatch.setattr(tool, "run", lambda *args: enough.wait(20) and run(*args), raising=False)

    async def play() -> tuple[Any, list[tuple[float, str | None]]]:
        told: list[tuple[float, str | None]] = []

        async def tell(seconds: float, _total: float | None, message: str | None) -> None:
            told.append((seconds, message))
            if len(told) == 3:
                enough.set()

        async with hub.client(hub.token()) as session:
            return await session.call_tool("whoami", {}, progress_callback=tell), told

    result, told = finish(play())
    assert content(result)["username"] == "alice"
    assert [seconds for seconds, _ in told] == sorted({seconds for seconds, _ in told})
    assert "whoami" in str(told[0][1])


def test_a_change_is_undone_in_its_session_only(hub: McpHub) -> None:
    async def play() -> tuple[Any, Any]:
        token = hub.token()
        async with hub.client(token) as one, hub.client(token) as other:
            content(await one.call_tool("update_repo", {"repo": "vision", "description": "for the eyes"}))
            stranger = await other.call_tool("undo", {})
            return stranger, await one.call_tool("undo", {})

    stranger, own = finish(play())
    assert error(stranger)["code"] == "nothing_to_undo"
    assert content(own)["undone"] == "update_repo"
    assert hub.services.repos.get(hub.hub.alice, "acme/vision").description == ""


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?toolsets=repos&readonly=true", {}), ("", {"X-MCP-Toolsets": "repos", "X-MCP-Readonly": "true"})],
)
def test_a_smaller_view(hub: McpHub, query: str, headers: dict[str, str]) -> None:
    async def play() -> tuple[Any, list[Any]]:
        async with hub.client(hub.token(), query, headers) as session:
            calls = [
                ("create_repo", {"name": "acme/new", "kind": "model"}),
                ("list_files", {"repo": "vision"}),
                ("get_repo", {"repo": "vision"}),
            ]
            return (await session.list_tools()).tools, [await session.call_tool(*call) for call in calls]

    tools, (made, files, repo) = finish(play())
    names = {tool.name for tool in tools}
    assert names >= {"search_repos", "get_repo", "get_approval", "list_approvals"}
    assert not names & {"create_repo", "list_files", "delete_repo"}
    assert error(made)["code"] == "forbidden"
    assert error(files)["code"] == "tool_not_found"
    assert content(repo)["id"] == "acme/vision"
    assert not hub.hub.exists("acme/new")


def test_an_unknown_toolset_is_refused_with_those_that_are_there(hub: McpHub) -> None:
    answer = hub.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, hub.token(), **{"x-mcp-toolsets": "repos,magic"})
    assert answer.status_code == 422
    assert "repos" in answer.json()["error"]["hint"]


def test_tools_that_a_token_cannot_carry_are_neither_listed_nor_run(hub: McpHub) -> None:
    async def play() -> tuple[Any, Any]:
        async with hub.client(hub.token(scope=Scope.READ)) as session:
            tools = (await session.list_tools()).tools
            return tools, await session.call_tool("create_repo", {"name": "alice/new", "kind": "model"})

    tools, made = finish(play())
    assert {tool.name for tool in tools} >= {"search_repos", "get_repo", "read_file"}
    assert not {tool.name for tool in tools} & {"create_repo", "write_file", "set_visibility", "create_token"}
    assert error(made)["code"] == "forbidden"
    assert not hub.hub.exists("alice/new")


def test_prompts_fill_in_what_they_ask_for(hub: McpHub) -> None:
    async def play() -> tuple[Any, Any]:
        async with hub.client(hub.token()) as session:
            return (await session.list_prompts()).prompts, await session.get_prompt("explain_repo", {"repo": "acme/{vision}"})

    prompts, filled = finish(play())
    assert {prompt.name for prompt in prompts} >= {"explain_repo", "review_access", "deploy"}
    assert "acme/{vision}" in filled.messages[0].content.text
