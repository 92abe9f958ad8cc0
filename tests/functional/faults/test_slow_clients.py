"""Clients that say what they want slowly, or stop in the middle: they are let go, and others notice nothing."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from hub_core.authz import Actor, Scope
from hub_core.http import connections, middleware
from hub_core.http.connections import BoundedHttpProtocol
from hub_core.http.errors import add_error_handlers
from hub_core.http.lfs import lfs_router
from hub_core.http.middleware import RequestMiddleware
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services
from tests.common.factories import actor_for, make_user
from tests.common.live import serve

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.6)
    monkeypatch.setattr(middleware, "BODY_IDLE_S", 0.6)


@pytest.fixture
def ann(services: Services) -> Actor:
    """Somebody with a repo `ann/thing`."""
    ann = actor_for(make_user(services.db, "ann"))
    services.repos.create(ann, "ann/thing", RepoKind.MODEL)
    return ann


@pytest.fixture
def address(services: Services) -> Iterator[tuple[str, int]]:
    """A hub with LFS, and a route that reads its body as JSON."""
    app = FastAPI()
    app.add_middleware(RequestMiddleware)
    add_error_handlers(app)
    app.add_api_route("/echo", _echo, methods=["POST"])
    app.include_router(lfs_router(services))
    with serve(app, http=BoundedHttpProtocol) as url:
        yield "127.0.0.1", int(url.rpartition(":")[2])


async def _echo(request: Request) -> Any:
    return await request.json()


def received(connection: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    connection.settimeout(10)
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


@pytest.mark.parametrize("head", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST /echo HTTP/1.1\r\nX-Long: "])
def test_a_head_that_does_not_come_ends_the_connection(address: tuple[str, int], head: bytes) -> None:
    began = time.monotonic()
    with socket.create_connection(address) as connection:
        connection.sendall(head)
        assert received(connection) == b""
    assert time.monotonic() - began < 5


def test_a_head_that_drips_ends_the_connection(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection, pytest.raises(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(100):
            connection.sendall(b"y")
            time.sleep(0.05)


def test_the_second_request_of_a_connection_is_bounded_too(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        answer = b""
        while not answer.endswith(b"{}"):  # head and body may come one after the other
            answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost:")
        assert received(connection) == b""


def test_a_head_without_end_is_refused(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * 2 * MIB)
        except (BrokenPipeError, ConnectionResetError):
            return
        assert received(connection)[:12] in {b"HTTP/1.1 400", b""}


@pytest.mark.parametrize("start", [b"", b'{"a": '])
def test_a_body_that_stops_is_answered_and_ends_the_connection(address: tuple[str, int], start: bytes) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + start)
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"request_timeout" in answer


def test_a_body_that_goes_on_slowly_is_taken(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n")
        for byte in b'"12345678"':
            time.sleep(0.2)
            connection.sendall(bytes([byte]))
        assert received(connection).endswith(b'"12345678"')


def test_an_upload_that_stops_leaves_nothing(address: tuple[str, int], services: Services, ann: Actor) -> None:
    data, token = os.urandom(3 * MIB), services.tokens.create(ann, "laptop", Scope.WRITE).token
    oid = hashlib.sha256(data).hexdigest()
    with socket.create_connection(address) as connection:
        head = f"PUT /ann/thing.git/info/lfs/objects/{oid} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data[: 2 * MIB])
        assert received(connection).startswith(b"HTTP/1.1 408")
    assert list(services.blobs.staging.iterdir()) == []
