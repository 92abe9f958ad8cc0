"""The card of a deployment says sentences that the planner understands, whatever is asked."""

from __future__ import annotations

from typing import Any

import pytest

from agent.planner import Entity, Focus, StaticWorld, read
from agent.planner.toolspec import specs_of
from chat_ui.presenter import present
from chat_ui.presenter_running import deployment_props
from chat_ui.texts import LANGUAGES, Language, texts
from prompts import message
from tools.registry import default_registry

NAME = "acme/support-7b"
FOUND: dict[str, Any] = {
    "name": NAME, "repo": NAME, "status": "running", "ready": 1, "replicas": 2, "price_per_hour": 2.0, "currency": "USD", "hardware": "a10",
    "runtime": "llama.cpp", "revision": 2, "commit": "a" * 40, "task": "chat", "split": [{"revision": 2, "percent": 10, "takes": 0}],
}  # fmt: skip
ENTITIES = (
    Entity("repo", NAME, "model"), Entity("repo", "acme/tickets", "dataset"), Entity("deployment", NAME, aliases=("support-7b", NAME)),
    Entity("deployment", "acme/other", aliases=("other",)),
)  # fmt: skip
PROMPTS = ("Hello", "What is the capital of France?", "你好", "リポジトリの削除について詩を書いて", "저장소 삭제에 대한 시를 써줘", "stop")


def understood(text: str) -> list[tuple[str, dict[str, Any]]]:
    reading = read(text, StaticWorld("ada", ENTITIES, {}, {}, {}, []), Focus(), specs_of(default_registry()))
    assert reading.kind == "act"
    return [(step.tool, dict(step.args)) for step in reading.steps]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_buttons_say_what_is_understood(language: Language) -> None:
    say = deployment_props(FOUND, texts(language))["say"]
    assert understood(say["logs"]) == [("get_logs", {"target": NAME})]
    assert understood(say["stop"]) == [("stop_deployment", {"deployment": NAME})]
    assert understood(say["start"]) == [("start_deployment", {"deployment": NAME})]
    for prompt in PROMPTS:
        assert understood(say["try"].replace("{text}", prompt)) == [("try_deployment", {"deployment": NAME, "prompt": prompt})]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_shows_how_it_stands_and_is_drawn_after_a_change_too(language: Language) -> None:
    for tool, effect in (("get_deployment", "read"), ("deploy_model", "spend"), ("stop_deployment", "destructive")):
        step = {"tool": tool, "effect": effect, "status": "ok", "args": {}, "result": FOUND}
        [view] = present({"language": language, "steps": [step]})
        assert view.component == "DeploymentCard"
    shown = {fact["value"] for fact in view.props["facts"]}
    assert {"1 / 2", "2.00 USD", "a10", "2 (aaaaaaaa)", "/v1/chat/completions"} <= shown
    assert view.props["split"] == [{"revision": 2, "percent": 10, "takes": 0}]
    assert (view.props["tries"], view.props["moving"]) == (True, False)
    vectors = deployment_props({**FOUND, "task": "embeddings"}, texts(language))
    starting = deployment_props({**FOUND, "status": "starting"}, texts(language))
    assert (vectors["tries"], starting["tries"], starting["moving"]) == (False, False, True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_list_of_deployments_tells_states_and_reasons_in_the_person_s_language(language: Language) -> None:
    reasons = [{"code": "disk_full", "params": {}}]
    failed = {**FOUND, "status": "failed", "reason": "The disk is full.", "reason_code": "disk_full", "reasons": reasons, "traffic": 100}
    step = {"tool": "list_deployments", "effect": "read", "status": "ok", "args": {}, "result": {"items": [failed], "next": None}}
    [view] = present({"language": language, "steps": [step]})
    names = [column["name"] for column in view.props["columns"]]
    [row] = view.props["rows"]
    assert row[names.index("reason")] == message(language, "why.disk_full")
    assert row[names.index("status")] == texts(language).card("DeploymentCard")["status.failed"]
    assert not {"reason_code", "traffic", "split"} & set(names)
