"""The pages of a hub answer HEAD as they answer GET, without a body."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from chat_ui.server import create_app
from hub_core.settings import Settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=tmp_path_factory.mktemp("hub"), demo=False)), follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/favicon.svg", "/login", "/chat", "/chat/"]
)
def test_head_answers_like_get(client: TestClient, path: str) -> None:
    shown, asked = client.get(path), client.head(path)
    assert asked.status_code == shown.status_code < 400
    assert asked.headers.get("location") == shown.headers.get("location")
    assert asked.headers.get("content-type") == shown.headers.get("content-type")
    assert asked.content == b""
