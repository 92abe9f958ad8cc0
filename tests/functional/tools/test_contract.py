"""What holds for every tool, whatever it does: generated from the registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from hub_core.errors import NothingToUndo
from tests.functional.tools.conftest import copy_of
from tests.functional.tools.world import CASES, World
from tools import invoke
from tools.contract import Effect
from tools.registry import default_registry

NAMES = sorted(tool.name for tool in default_registry())
READS = [name for name in NAMES if default_registry().get(name).effect is Effect.READ]
# `undo` acts on a conversation, which a direct call has none of: it has its own test.
CHANGES = [name for name in NAMES if name not in READS and name != "undo"]
# The commit to revert is known only after the run.
WITH_LATE_INVERSE = {"write_file", "upload_file", "move_file", "delete_file", "revert_commit"}
WITH_LATE_INVERSE |= {"create_webhook", "open_discussion", "open_pull_request", "merge_pull_request", "start_finetune", "evaluate_model"}
# Differ from call to call: secrets, ids made by chance, times, and commits, which hold a time.
VOLATILE = {
    "requested_at",
    "created_at",
    "updated_at",
    "scanned_at",
    "finished_at",
    "deleted_at",
    "expires_at",
    "last_used_at",
    "token",
    "password",
    "commit",
    "merge_commit",
    "head",
    "elapsed_ms",
    "id",
    "at",
}


# When somebody asked last is noted: what nobody asks is put to sleep.
NOTED = {"try_deployment": {"deployments"}}


def post(client: TestClient, world: World, name: str, body: Any, who: str = "alice", **params: Any) -> Any:
    headers = {"authorization": f"Bearer {world.tokens[who]}"} if who else {}
    return client.post(f"/api/v1/tools/{name}", json=body, headers=headers, params=params)


def shape_of_error(response: Any) -> dict[str, Any]:
    error = response.json()["error"]
    assert {"code", "message", "hint"} <= set(error) <= {"code", "message", "hint", "details"}
    assert all(isinstance(error[key], str) for key in ("code", "message", "hint"))
    assert error["code"] and error["message"]
    assert "Traceback" not in response.text
    return dict(error)


def settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: settled(item) for key, item in value.items() if key not in VOLATILE}
    return [settled(item) for item in value] if isinstance(value, list) else value


def test_every_tool_has_a_case() -> None:
    assert sorted(CASES) == NAMES


@pytest.mark.parametrize("name", READS)
def test_a_read_over_rest_gives_what_the_tool_gives_and_changes_nothing(shared: World, shared_client: TestClient, name: str) -> None:
    case, before = CASES[name], shared.dump()
    answer = post(shared_client, shared, name, case.args, case.who)
    assert answer.status_code == 200, answer.text
    after = shared.dump()
    assert {table: rows for table, rows in after.items() if table not in NOTED.get(name, ())} == {
        table: rows for table, rows in before.items() if table not in NOTED.get(name, ())
    }
    # The credential is part of some answers, so both sides use the same one.
    actor = shared.services.tokens.authenticate_token(shared.tokens[case.who], "api")
    done = invoke.call(invoke.ToolContext(actor, shared.services), name, case.args, gate=False)
    assert isinstance(done, invoke.Done)
    expected = done.output.model_dump(mode="json")
    found = answer.json()["result"]
    assert {**found, "elapsed_ms": 0} == {**expected, "elapsed_ms": 0}
    default_registry().get(name).output.model_validate(found)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_planned_without_a_trace_then_made_and_audited_and_undone(
    world: World, client: TestClient, template: tuple[Path, World], tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    plan_leaves_no_trace(world, client, name)
    result = run_is_audited(world, client, name)
    # The same on a second copy of the world by the tool itself, in a conversation, and back again.
    with copy_of(template, tmp_path / "twin") as twin:
        thread = twin.services.conversations.create_thread(twin.actor(case.who)).id
        before = twin.visible() if case.undoable else {}
        expected = twin.call(case.who, name, thread, **case.args)
        assert settled(result) == settled(expected)
        assert set(result) == set(expected)
        if case.undoable:
            undo_brings_back(twin, name, thread, before)
        else:
            with pytest.raises(NothingToUndo):
                twin.call(case.who, "undo", thread)


def plan_leaves_no_trace(world: World, client: TestClient, name: str) -> None:
    case, before = CASES[name], world.dump()
    planned = post(client, world, name, case.args, case.who, dry_run="true")
    assert planned.status_code == 200, planned.text
    assert world.dump() == before
    plan = planned.json()["plan"]
    assert plan["changes"], "a change says what it changes"
    assert all(change["before"] != change["after"] or change["what"] == "file" for change in plan["changes"])
    assert plan["effect"] in ("write", "destructive", "spend")
    assert (plan["undo"] is not None) == (case.undoable and name not in WITH_LATE_INVERSE)


def run_is_audited(world: World, client: TestClient, name: str) -> dict[str, Any]:
    case, before = CASES[name], world.dump()
    done = post(client, world, name, case.args, case.who)
    assert done.status_code == 200, done.text
    after = world.dump()
    assert {table for table in after if after[table] != before[table]} - {"audit_events"}, "nothing changed"
    events = set(after["audit_events"]) - set(before["audit_events"])
    assert events, "a change leaves an audit event"
    assert all(f"'{case.who}'" in event for event in events if name != "create_repo" or "repo.create" in event)
    result: dict[str, Any] = done.json()["result"]
    return result


def undo_brings_back(world: World, name: str, thread: str, before: dict[str, Any]) -> None:
    who = CASES[name].who
    assert world.visible() != before
    assert world.call(who, "undo", thread)["undone"] == name
    assert world.visible() == before
    # What was taken back cannot be taken back again.
    with pytest.raises(NothingToUndo):
        world.call(who, "undo", thread)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_gets_in_without_a_credential(shared: World, shared_client: TestClient, name: str) -> None:
    for params in ({}, {"dry_run": "true"}):
        for headers in ({}, {"authorization": "Bearer hub_wrong"}, {"authorization": "Basic ???"}, {"cookie": "hubtalk_session=x"}):
            answer = shared_client.post(f"/api/v1/tools/{name}", json=CASES[name].args, headers=headers, params=params)
            # A cookie with a change that may come from another site is refused before it is looked at.
            assert answer.status_code == (403 if "cookie" in headers else 401), answer.text
            shape_of_error(answer)


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_is_refused_and_nothing_happens(shared: World, shared_client: TestClient, name: str) -> None:
    case, before = CASES[name], shared.dump()
    if case.stranger or name == "undo":
        return
    for params in ({"dry_run": "true"}, {}):
        answer = post(shared_client, shared, name, case.args, "carol", **params)
        assert answer.status_code in (403, 404, 409), answer.text
        shape_of_error(answer)
    assert shared.dump() == before


@pytest.mark.parametrize("name", CHANGES)
def test_a_token_for_reading_changes_nothing(shared: World, shared_client: TestClient, name: str) -> None:
    case, before = CASES[name], shared.dump()
    for params in ({"dry_run": "true"}, {}):
        answer = post(shared_client, shared, name, case.args, "alice (read)", **params)
        assert answer.status_code in (403, 404), answer.text
        shape_of_error(answer)
    assert shared.dump() == before


@pytest.mark.parametrize("name", NAMES)
def test_wrong_arguments_are_named(shared: World, shared_client: TestClient, name: str) -> None:
    tool, case = default_registry().get(name), CASES[name]
    schema = tool.input.model_json_schema()
    wrong: list[tuple[str, dict[str, Any]]] = [("surprise", {**case.args, "surprise": 1})]
    wrong += [(field, {**case.args, field: {"an": "object"}}) for field in schema.get("properties", {})]
    wrong += [(field, {key: value for key, value in case.args.items() if key != field}) for field in schema.get("required", [])]
    for field, body in wrong:
        answer = post(shared_client, shared, name, body, case.who)
        assert answer.status_code == 422, (field, answer.text)
        error = shape_of_error(answer)
        assert error["code"] == "invalid_arguments"
        assert error["details"]["errors"][0]["argument"].split(".")[0] == field
        assert field in error["message"]


def unbounded(spec: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    found = []
    for part in spec.get("anyOf", [spec]):
        part = definitions[part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
        limits = {"string": {"maxLength"}, "integer": {"minimum", "maximum"}, "array": {"maxItems"}}.get(part.get("type", ""), set())
        if not limits <= set(part) and "enum" not in part:
            found.append(part["type"])
        if part.get("type") == "array":
            found += unbounded(part["items"], definitions)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_has_its_limits(name: str) -> None:
    schema = default_registry().get(name).input.model_json_schema()
    found = {field: unbounded(spec, schema.get("$defs", {})) for field, spec in schema.get("properties", {}).items()}
    assert not {field: kinds for field, kinds in found.items() if kinds}


def test_the_listed_schemas_are_those_that_validate(shared: World, shared_client: TestClient) -> None:
    headers = {"authorization": f"Bearer {shared.tokens['carol']}"}
    listed = {tool["name"]: tool for tool in shared_client.get("/api/v1/tools", headers=headers).json()["tools"]}
    assert sorted(listed) == NAMES
    for name, entry in listed.items():
        tool = default_registry().get(name)
        assert entry["arguments"] == json.loads(json.dumps(tool.input.model_json_schema()))
        assert entry["arguments"]["additionalProperties"] is False
        assert issubclass(tool.output, BaseModel)
        assert entry["effect"] == str(tool.effect)
        assert all(entry["examples"][language] for language in ("en", "zh", "ja", "ko")), name
        assert entry["description"].endswith(".")
    assert shared_client.get("/api/v1/tools").status_code == 401


def test_a_tool_that_is_not_there_is_404(shared: World, shared_client: TestClient) -> None:
    for name in ("deploy_modal", "x" * 5000, "Get_Repo", "get_repo%20", "get_repo\u202e"):
        answer = post(shared_client, shared, name, {})
        assert answer.status_code == 404
        assert shape_of_error(answer)["code"] == "tool_not_found"
    for path in ("/api/v1/tools/get_repo/more", "/api/v1/tools/"):
        answer = shared_client.post(path, json={}, follow_redirects=False)
        assert answer.status_code in (404, 307)
    shape_of_error(shared_client.post("/api/v1/tools/get_repo/more", json={}))
    refused = shared_client.put("/api/v1/tools/get_repo", json={})
    assert refused.status_code == 405
    shape_of_error(refused)


def test_a_dry_run_is_never_taken_for_a_run(shared: World, shared_client: TestClient) -> None:
    before = shared.dump()
    answer = post(shared_client, shared, "delete_repo", CASES["delete_repo"].args, dry_run="perhaps")
    assert answer.status_code == 422
    assert shape_of_error(answer)["details"]["errors"][0]["argument"] == "dry_run"
    assert shared.dump() == before


def test_undo_outside_a_conversation_says_so(shared: World, shared_client: TestClient) -> None:
    answer = post(shared_client, shared, "undo", {})
    assert answer.status_code == 409
    assert shape_of_error(answer)["code"] == "nothing_to_undo"
