"""The chat API over real HTTP: JSON, server-sent events, errors in one shape, disconnect."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from agent.agent import Agent
from agent.schema import Answer
from chat_ui.api import chat_router
from hub_core.accounts.tables import User
from hub_core.authz import Scope
from tests.common.factories import actor_for
from tests.common.live import serve
from tests.functional.agent.conftest import Hub, call


def token(hub: Hub, user: User, scope: Scope = Scope.ADMIN) -> str:
    return hub.services.tokens.create(actor_for(user), f"t-{scope}-{user.username}", scope).token


@contextmanager
def served(hub: Hub, *lines: Any, wrap: Callable[[Agent], Any] | None = None) -> Iterator[httpx.Client]:
    with hub.agent(*lines) as agent:
        app = FastAPI()
        app.include_router(chat_router(hub.services, lambda: wrap(agent) if wrap else agent))
        with serve(app) as url, httpx.Client(base_url=url, timeout=60) as client:
            client.headers["Authorization"] = f"Bearer {token(hub, hub.alice_row)}"
            yield client


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.strip().split("\n\n"):
        if block.startswith("event: "):
            head, _, data = block.partition("\ndata: ")
            found.append((head.removeprefix("event: "), json.loads(data)))
    return found


def test_a_message_is_answered_as_the_design_says(hub: Hub) -> None:
    with served(hub, call("get_repo", repo="vision")) as client:
        response = client.post("/api/v1/chat", json={"message": "show vision"})
    assert response.status_code == 200
    body = response.json()
    assert set(body) >= {"thread_id", "message_id", "reply", "language", "outcome", "steps", "pending"}
    assert (body["outcome"], body["language"], body["pending"]) == ("done", "en", None)
    assert body["steps"][0] | {"result": {}} == {
        "tool": "get_repo", "args": {"repo": "acme/vision", "kind": "model"}, "effect": "read", "status": "ok", "result": {},
    }  # fmt: skip


def test_events_stream_in_order_and_end_with_done(hub: Hub) -> None:
    with served(hub, call("set_visibility", repo="vision", visibility="public")) as client:
        response = client.post("/api/v1/chat", json={"message": "make vision public"}, headers={"Accept": "text/event-stream"})
    assert response.headers["content-type"].startswith("text/event-stream")
    found = events(response.text)
    kinds = [kind for kind, _ in found]
    assert kinds[0] == "step"
    assert kinds[-1] == "done"
    assert "approval" in kinds
    done = found[-1][1]
    assert "".join(data["text"] for kind, data in found if kind == "token") == done["reply"]
    assert done["pending"]["approval_id"] == next(data["approval_id"] for kind, data in found if kind == "approval")


def test_approvals_over_http(hub: Hub) -> None:
    with served(hub, call("set_visibility", repo="vision", visibility="public")) as client:
        asked = client.post("/api/v1/chat", json={"message": "make vision public"}).json()
        url = f"/api/v1/chat/{asked['thread_id']}/approvals/{asked['pending']['approval_id']}"
        assert client.post(url, json={"decision": "maybe"}).status_code == 422
        small = {"Authorization": f"Bearer {token(hub, hub.alice_row, Scope.READ)}"}
        refused = client.post(url, json={"decision": "approve"}, headers=small)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        foreign = client.post(url, json={"decision": "approve"}, headers={"Authorization": f"Bearer {token(hub, hub.bob_row)}"})
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (404, "thread_not_found")
        detail = client.get(f"/api/v1/chat/{asked['thread_id']}").json()
        assert [item["approval_id"] for item in detail["pending"]] == [asked["pending"]["approval_id"]]
        done = client.post(url, json={"decision": "approve"})
        assert (done.status_code, done.json()["outcome"]) == (200, "done")
        again = client.post(url, json={"decision": "approve"})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "approval_settled")
        gone = client.post(f"/api/v1/chat/{asked['thread_id']}/approvals/nope", json={"decision": "reject"})
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "approval_not_found")
    assert hub.visibility("acme/vision") == "public"


def test_threads_are_listed_read_and_deleted(hub: Hub) -> None:
    with served(hub, *[call("get_repo", repo="vision")] * 3) as client:
        ids = [client.post("/api/v1/chat", json={"message": f"show vision {n}"}).json()["thread_id"] for n in range(3)]
        first = client.get("/api/v1/chat", params={"limit": 2}).json()
        rest = client.get("/api/v1/chat", params={"limit": 2, "cursor": first["next"]}).json()
        assert [item["thread_id"] for item in first["items"] + rest["items"]] == ids[::-1]
        assert rest["next"] is None
        detail = client.get(f"/api/v1/chat/{ids[0]}").json()
        assert [message["role"] for message in detail["messages"]] == ["user", "assistant"]
        assert client.delete(f"/api/v1/chat/{ids[0]}").status_code == 204
        assert client.get(f"/api/v1/chat/{ids[0]}").status_code == 404
        assert client.delete(f"/api/v1/chat/{ids[0]}").status_code == 404


def test_errors_of_the_request_have_one_shape(hub: Hub) -> None:
    with served(hub) as client:
        wrong = [
            (client.post("/api/v1/chat", json={"message": "hi"}, headers={"Authorization": "Bearer nope"}), 401, "unauthenticated"),
            (client.post("/api/v1/chat", json={"message": ""}), 422, "invalid_input"),
            (client.post("/api/v1/chat", json={"text": "hi"}), 422, "invalid_arguments"),
            (client.post("/api/v1/chat", content=b"{", headers={"Content-Type": "application/json"}), 422, "invalid_arguments"),
            (client.post("/api/v1/chat", json={"message": "hi", "thread_id": "x"}), 404, "thread_not_found"),
            (client.post("/api/v1/chat", json={"message": "hi", "attachments": ["x"]}), 404, "attachment_not_found"),
            (client.get("/api/v1/chat", params={"cursor": "%%%"}), 422, "invalid_input"),
            (client.get("/api/v1/chat/x"), 404, "thread_not_found"),
        ]
        del client.headers["Authorization"]
        wrong.append((client.get("/api/v1/chat"), 401, "unauthenticated"))
        stream = client.post("/api/v1/chat", json={"message": "hi"}, headers={"Accept": "text/event-stream"})
        wrong.append((stream, 401, "unauthenticated"))
    for response, status, code in wrong:
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), response.text
        assert set(response.json()["error"]) >= {"code", "message", "hint"}


def test_a_file_is_put_into_the_conversation_and_committed(hub: Hub) -> None:
    with served(hub, call("upload_file", repo="tickets", attachment="data.csv", path="data/")) as client:
        kept = client.post("/api/v1/chat/attachments", files={"file": ("data.csv", b"a,b\n1,2\n")})
        assert kept.status_code == 201
        answer = client.post("/api/v1/chat", json={"message": "put it into tickets", "attachments": [kept.json()["attachment_id"]]}).json()
        assert client.post("/api/v1/chat/attachments").json()["error"]["code"] == "invalid_arguments"
    assert answer["outcome"] == "done"
    assert answer["steps"][0]["args"]["path"] == "data/data.csv"


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
def test_a_client_that_goes_away_stops_the_turn(hub: Hub, accept: str) -> None:
    inside, finished = threading.Event(), threading.Event()
    stops: list[threading.Event] = []
    answers: list[Answer] = []

    def slow(_messages: Any) -> Any:
        inside.set()
        assert stops[0].wait(30), "the turn was not told that the client went away"
        return [call("like_repo", repo="vision"), call("like_repo", repo="tickets")]

    def watched(agent: Agent) -> Any:
        def turn(*args: Any) -> Answer:
            stops.append(args[-1])
            answers.append(agent.turn(*args))
            finished.set()
            return answers[0]

        return SimpleNamespace(turn=turn)

    with served(hub, slow, wrap=watched) as client:
        _post_and_leave(client, {"message": "like both"}, accept, inside)
        assert finished.wait(30)
    assert "Stopped" in answers[0].reply
    assert hub.audit("repo.like") == 0


def _post_and_leave(client: httpx.Client, body: Any, accept: str, inside: threading.Event) -> None:
    """Send a request on a socket of its own and close it while the turn runs."""
    import socket

    data = json.dumps(body).encode()
    url = client.base_url
    head = (
        f"POST /api/v1/chat HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: {client.headers['Authorization']}\r\nAccept: {accept}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(head.encode() + data)
        assert inside.wait(20)


def test_the_documentation_has_schemas_and_examples(hub: Hub) -> None:
    with served(hub) as client:
        document = client.get("/openapi.json").json()
    chat = document["paths"]["/api/v1/chat"]["post"]
    assert chat["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("ChatRequest")
    assert "text/event-stream" in chat["responses"]["200"]["content"]
    assert chat["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("Answer")
    assert document["components"]["schemas"]["ChatRequest"]["examples"]
