"""Requests that are meant to cost or to break something."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from agent.planner.read import read
from agent.planner.toolspec import specs_of
from agent.planner.types import Focus, StaticWorld
from chat_ui.api import chat_router
from hub_core.accounts.throttle import Throttle
from hub_core.datasets.json_rows import parse_json
from hub_core.errors import TooManyAttempts, UnsupportedFormat
from hub_core.git import FileChange
from hub_core.http.bodies import byte_range
from hub_core.http.errors import add_error_handlers
from hub_core.models.safetensors import read_safetensors
from hub_core.reading import BytesReader
from hub_core.repos.files import GitReader
from tests.functional.security.conftest import Guarded
from tools.registry import default_registry


def test_the_body_of_an_upload_is_not_read_for_somebody_unknown(hub: Guarded) -> None:
    app = FastAPI()
    app.include_router(chat_router(hub.services, lambda: pytest.fail("no agent is needed")))
    add_error_handlers(app)
    came: list[int] = []

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        async def counted() -> Any:
            came.append(1)
            return await receive()

        await app(scope, counted, send)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = TestClient(counting).post("/api/v1/chat/attachments", content=b"--b\r\n" + b"x" * 1024, headers=headers)
    assert (answer.status_code, came) == (401, [])


def test_many_guesses_at_once_are_not_more_than_many_in_a_row() -> None:
    throttle, barrier, let_in = Throttle(failures=10), threading.Barrier(40), []

    def guess() -> None:
        barrier.wait()
        try:
            throttle.attempt("admin")
        except TooManyAttempts:
            return
        let_in.append(1)

    threads = [threading.Thread(target=guess) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == 10


def test_json_that_unfolds_into_gigabytes_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ValueError, match="too many"):
        parse_json("[" + "[]," * 1_000_001 + "0]")
    header = b"{" + b"[]," * 1_100_000
    with pytest.raises(UnsupportedFormat):
        read_safetensors(BytesReader("m.safetensors", len(header).to_bytes(8, "little") + header))


def test_readers_of_many_files_hold_one_of_them(hub: Guarded) -> None:
    repo = hub.services.repos.find(hub.alice, "alice/open")
    names = [f"f{number}.txt" for number in range(5)]
    hub.services.files.commit(hub.alice, repo, [FileChange(name, name.encode() * 1000) for name in names], "Add")
    readers = hub.services.files.readers(hub.alice, repo, names)
    for name, reader in readers.items():
        assert isinstance(reader, GitReader)
        assert (reader.size, reader.read(0, 6), reader.read(5994, 100)) == (6000, name.encode(), name.encode())
    assert len({id(reader.held) for reader in readers.values() if isinstance(reader, GitReader)}) == 1


def test_numbers_with_thousands_of_digits_are_no_ranges_and_no_cursors(hub: Guarded) -> None:
    assert byte_range(f"bytes={'9' * 5000}-", 10) == (0, 10)
    headers = hub.token(hub.alice, "t")
    for query in ("cursor=" + "9" * 5000, "id=" + "9" * 12, "cursor=" + "9" * 12):
        assert hub.client.get(f"/alice/open.git/info/lfs/locks?{query}", headers=headers).status_code == 422
    deep = "[" * 100_000
    answer = hub.client.post("/alice/open.git/info/lfs/objects/batch", content=deep, headers=headers)
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "text",
    [
        "create user bob with password hunter2hunter2",
        "新建用户 bob 密码是 hunter2hunter2",
        "bob 사용자 만들어줘 비밀번호는 hunter2hunter2",
    ],
)
def test_a_password_never_becomes_a_name(text: str) -> None:
    reading = read(text, StaticWorld(), Focus(), specs_of(default_registry()))
    assert [step.args for step in reading.steps] == [{"username": "bob", "password": "hunter2hunter2"}]
