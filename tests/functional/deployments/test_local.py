"""Deployments on this machine: real child processes, from the row to the answer of a request."""

from __future__ import annotations

import os
import signal

import httpx

from hub_core.deployments.asking import ask
from hub_core.metering.tables import UsageHour
from tests.common.deploying import pid
from tests.common.working import wait_until
from tests.functional.deployments.conftest import Hub


def test_what_is_deployed_answers_through_the_gateway(hub: Hub) -> None:
    hub.deploy()
    hub.running()
    answer = hub.chat()
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "The capital is Paris."
    assert answer.json()["model"] == "ann/chat"
    assert hub.chat("chat").json()["model"] == "ann/chat"  # a bare name is enough
    assert hub.post("completions", model="chat", prompt="Hi").json()["choices"][0]["text"]
    assert hub.post("embeddings", model="chat", input="Hi").json()["data"][0]["embedding"] == [0.1, 0.2]
    said = ask(hub.services, hub.ann, hub.found(), "Hi", 10)
    assert (said.text, said.prompt_tokens, said.completion_tokens) == ("The capital is Paris.", 7, 5)


def test_a_copy_that_is_killed_is_started_again(hub: Hub) -> None:
    hub.deploy()
    (address,) = hub.running()
    before = pid(address)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: hub.found().deployment.endpoints not in ([], [address]), 30)
    assert pid(hub.running()[0]) != before
    assert hub.chat().status_code == 200


def test_requests_go_by_turns_over_the_copies_and_past_a_dead_one(hub: Hub) -> None:
    hub.deploy(replicas=2)
    addresses = hub.running(copies=2)
    os.kill(pid(addresses[0]), signal.SIGKILL)
    assert [hub.chat().status_code for _ in range(4)] == [200] * 4


def test_what_keeps_failing_is_told_with_the_reason_from_its_log(hub: Hub) -> None:
    hub.deploy(environment={"FAKE_FAIL": "RuntimeError: CUDA error: no CUDA-capable device is detected"})
    wait_until(lambda: hub.status() == "failed", 30)
    reason = hub.found().view.reason
    assert reason.startswith("There is no GPU that it can use. It ended 3 times in a row (exit status 1).")
    refused = hub.chat()
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "deployment_not_ready"
    assert "no GPU" in refused.json()["error"]["message"]
    (log,) = hub.services.deployments.logs(hub.ann, "chat", 50).values()
    assert "no CUDA-capable device" in log


def test_what_is_stopped_is_not_woken(hub: Hub) -> None:
    found = hub.deploy()
    (address,) = hub.running()
    hub.services.deployments.stop(hub.ann, found)
    refused = hub.chat()
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "deployment_stopped")
    wait_until(lambda: not answers(address))
    hub.services.deployments.start(hub.ann, found)
    hub.running()
    assert hub.chat().status_code == 200


def test_a_restart_and_a_deletion_end_the_process(hub: Hub) -> None:
    found = hub.deploy()
    before = pid(hub.running()[0])
    hub.services.deployments.restart(hub.ann, found)
    after = pid(hub.running()[0])
    assert after != before
    address = hub.running()[0]
    hub.services.deployments.delete(hub.ann, found)
    wait_until(lambda: not answers(address))
    assert hub.chat().json()["error"]["code"] == "model_not_found"


def test_a_stream_is_passed_on_event_by_event(hub: Hub) -> None:
    hub.deploy()
    hub.running()
    plain = hub.chat(stream=True)
    assert plain.headers["content-type"].startswith("text/event-stream")
    assert plain.text.count("data: ") == 6
    assert plain.text.endswith("data: [DONE]\n\n")
    assert "usage" not in plain.text  # the hub asked for it, the client did not
    asked = hub.chat(stream=True, stream_options={"include_usage": True})
    assert asked.text.count("data: ") == 7
    assert '"total_tokens": 12' in asked.text


def test_a_client_that_leaves_ends_the_work_behind(hub: Hub) -> None:
    hub.deploy()
    (address,) = hub.running()
    body = {"model": "chat", "messages": [], "stream": True, "rounds": 1000, "pause": 0.02, "user": "leaver"}
    headers = {"authorization": f"Bearer {hub.token}"}
    with httpx.stream("POST", f"{hub.url}/v1/chat/completions", json=body, headers=headers) as answer:
        next(answer.iter_bytes())
    wait_until(lambda: "leaver" in httpx.get(address + "/aborted").json()["aborted"], 20)


def test_use_is_counted_by_person_deployment_and_hour(hub: Hub) -> None:
    hub.deploy()
    hub.running()
    hub.chat()
    hub.chat(stream=True)
    hub.post("embeddings", model="chat", input="Hi")
    hub.services.usage.flush()
    with hub.services.db.read() as session:
        (row,) = session.query(UsageHour)
    assert (row.requests, row.failed, row.prompt_tokens, row.completion_tokens) == (3, 0, 21, 10)
    assert (row.user_id, row.deployment, row.hour.minute) == (hub.ann.user_id, "ann/chat", 0)


def test_the_models_are_those_that_the_caller_may_use(hub: Hub) -> None:
    hub.deploy()
    hub.running()
    headers = {"authorization": f"Bearer {hub.token}"}
    found = httpx.get(f"{hub.url}/v1/models", headers=headers).json()
    assert [(one["id"], one["owned_by"]) for one in found["data"]] == [("ann/chat", "ann")]
    assert httpx.get(f"{hub.url}/v1/models/ann/chat", headers=headers).json()["id"] == "ann/chat"
    assert httpx.get(f"{hub.url}/v1/models").json()["data"] == []
    hidden = httpx.post(f"{hub.url}/v1/chat/completions", json={"model": "ann/chat", "messages": []})
    never = httpx.post(f"{hub.url}/v1/chat/completions", json={"model": "ann/nothing", "messages": []})
    assert hidden.status_code == never.status_code == 404
    assert hidden.json()["error"]["message"].replace("chat", "nothing") == never.json()["error"]["message"].replace("chat", "nothing")


def test_wrong_requests_are_refused_as_openais_clients_read_it(hub: Hub) -> None:
    bad = hub.post("chat/completions", messages=[])
    assert (bad.status_code, bad.json()["error"]["type"]) == (400, "invalid_request_error")
    headers = {"authorization": "Bearer wrong"}
    unknown = httpx.post(f"{hub.url}/v1/chat/completions", json={"model": "x"}, headers=headers)
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (401, "authentication_error")
    agent = hub.chat("hubtalk")
    assert (agent.status_code, agent.json()["error"]["code"]) == (404, "model_not_found")
    broken = httpx.post(f"{hub.url}/v1/embeddings", content=b"{", headers={"authorization": f"Bearer {hub.token}"})
    assert broken.status_code == 400


def test_a_server_that_dies_in_the_middle_is_told_and_counted(hub: Hub) -> None:
    hub.deploy()
    hub.running()
    refused = hub.chat(crash=True)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "deployment_not_ready")
    assert hub.chat().status_code == 200  # it is known as running for a moment more, and the next copy is waited for


def answers(address: str) -> bool:
    try:
        return httpx.get(address + "/health", timeout=1).is_success
    except httpx.HTTPError:
        return False
