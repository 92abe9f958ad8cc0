from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from structlog.contextvars import get_contextvars

from hub_core.http.metrics import Metrics, MetricsMiddleware
from hub_core.http.middleware import BodyLimitMiddleware, RequestMiddleware, usual_limit

LIMIT = 100


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def client(metrics: Metrics) -> Iterator[TestClient]:
    app, inner = FastAPI(), FastAPI()

    @app.get("/id")
    def request_id() -> Any:
        return get_contextvars()["request_id"]  # in another thread than the middleware

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("a detail of the inside")

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.post("/json")
    def parsed(body: dict[str, Any]) -> int:
        return len(body)

    @app.post("/{ns}/{name}/git-upload-pack")
    async def upload_pack(request: Request) -> StreamingResponse:
        body = await request.body()

        async def answer() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield body

        return StreamingResponse(answer())

    @inner.get("/page/{name}")
    def page(name: str) -> str:
        return name

    app.mount("/chat", inner)
    app.add_middleware(BodyLimitMiddleware, limit_of=lambda path: None if path.endswith("pack") else LIMIT)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    app.add_middleware(RequestMiddleware)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_every_answer_carries_an_id_that_the_code_can_log(client: TestClient) -> None:
    answer = client.get("/id")
    assert answer.json() == answer.headers["x-request-id"]


def test_the_id_of_a_proxy_is_kept(client: TestClient) -> None:
    assert client.get("/id", headers={"X-Request-Id": "proxy-1.2"}).json() == "proxy-1.2"


@pytest.mark.parametrize("forged", ["a b", "x" * 65, 'a"}{', "é"])
def test_an_id_that_could_forge_log_lines_is_replaced(client: TestClient, forged: str) -> None:
    assert client.get("/id", headers={"X-Request-Id": forged.encode()}).json() != forged


def test_an_unforeseen_error_shows_nothing_of_the_inside(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert answer.headers["x-request-id"] in answer.json()["error"]["hint"]
    assert "inside" not in answer.text.replace("inside the hub", "")
    assert "a detail of the inside" in caplog.text


def test_the_access_log_has_no_query(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hubtalk.access")
    client.get("/id?token=s3cr3t")
    (record,) = [record for record in caplog.records if record.name == "hubtalk.access"]
    assert record.getMessage() == "GET /id"
    assert record.status == 200  # type: ignore[attr-defined]


def test_a_path_cannot_write_its_own_log_line(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hubtalk.access")
    client.get("/a%0aGET%20/b")
    assert [record.getMessage() for record in caplog.records if record.name == "hubtalk.access"] == ["GET /a%0aGET%20/b"]


def test_a_body_that_announces_too_much_is_refused_unread(client: TestClient) -> None:
    answer = client.post("/size", content=b"x" * (LIMIT + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/size", "/json"])
def test_a_body_of_unknown_length_is_counted(client: TestClient, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b'{"aaaaaaaa'

    answer = client.post(path, content=chunks(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_a_body_within_the_limit_passes(client: TestClient) -> None:
    assert client.post("/size", content=b"x" * LIMIT).json() == LIMIT


def test_routes_with_a_limit_of_their_own_are_left_alone() -> None:
    assert usual_limit("/acme/m.git/git-receive-pack") is None
    assert usual_limit("/acme/m.git/info/lfs/objects/abc") is None
    assert usual_limit("/xet/0a1b/v1/xorbs/default/abc") is usual_limit("/hf/xet/0a1b/v1/shards") is None
    assert usual_limit("/api/v1/chat/attachments", 10) == usual_limit("/chat/project/file", 10) == 11 * 1024 * 1024
    assert usual_limit("/api/v1/chat") == usual_limit("/api/v1/tools/get_repo") == 16 * 1024 * 1024


def test_requests_are_counted_by_route_and_not_by_name(client: TestClient, metrics: Metrics) -> None:
    client.post("/acme/secret-model/git-upload-pack", content=b"12345")
    client.get("/chat/page/secret-page")
    client.get("/no/such/secret/path")
    assert value(metrics, "hubtalk_requests_total", route="/{ns}/{name}/git-upload-pack", method="POST", status="200") == 1
    assert value(metrics, "hubtalk_requests_total", route="/chat", method="GET", status="200") == 1
    assert value(metrics, "hubtalk_requests_total", route="(none)", method="GET", status="404") == 1
    assert b"secret" not in metrics.render()


def test_bytes_of_git_are_counted_in_both_directions(client: TestClient, metrics: Metrics) -> None:
    client.post("/acme/m/git-upload-pack", content=b"12345")
    assert value(metrics, "hubtalk_transfer_bytes_total", protocol="git", direction="in") == 5
    assert value(metrics, "hubtalk_transfer_bytes_total", protocol="git", direction="out") == 15


def test_nothing_is_running_after_a_failure(client: TestClient, metrics: Metrics) -> None:
    client.get("/broken")
    assert value(metrics, "hubtalk_requests_running") == 0
    assert value(metrics, "hubtalk_requests_total", route="/broken", method="GET", status="500") == 1


def test_invented_methods_do_not_become_labels(client: TestClient, metrics: Metrics) -> None:
    client.request("SECRETMETHOD", "/id")
    assert b"SECRETMETHOD" not in metrics.render()
