from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hub_core.logging import configure_logging
from hub_core.secrecy import HIDDEN

TOKEN = "hub_" + "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; the logging of the test run is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    configure_logging("info", written)
    yield written
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_traceback_at_a_terminal_holds_no_secret(stream: io.StringIO) -> None:
    terminal = Terminal()
    configure_logging("info", terminal)
    try:
        raise ValueError(f"cannot use {TOKEN}")
    except ValueError:
        logging.getLogger("a").exception("failed with %s", TOKEN)
    assert "ValueError" in terminal.getvalue()
    assert TOKEN not in terminal.getvalue()
    assert HIDDEN in terminal.getvalue()


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    logging.getLogger("hub_core.thing").info("two\nlines %s", "here", extra={"status": 200})
    (entry,) = entries(stream)
    assert (entry["event"], entry["level"], entry["logger"], entry["status"]) == ("two\nlines here", "info", "hub_core.thing", 200)


def test_structlog_and_logging_write_the_same_shape(stream: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("a").info("one", n=1)
        logging.getLogger("a").info("one", extra={"n": 1})
    first, second = ({key: value for key, value in entry.items() if key != "timestamp"} for entry in entries(stream))
    assert first == second
    assert first["request_id"] == "r1"


@pytest.mark.parametrize(
    "text",
    [
        f"signed in with {TOKEN}",
        f"Authorization: Bearer {TOKEN}",
        "connect postgresql+psycopg://hub:s3cr3t-pass@db/hub",
        "GET /blob?u=1&e=2&s=s3cr3t-pass",
        "PUT https://s3/b/k?X-Amz-Signature=0123456789abcdef",
    ],
)
def test_secrets_in_a_text_are_hidden(stream: io.StringIO, text: str) -> None:
    logging.getLogger("a").warning("%s", text)
    assert HIDDEN in stream.getvalue()
    assert not any(secret in stream.getvalue() for secret in (TOKEN, "s3cr3t-pass", "0123456789abcdef"))


@pytest.mark.parametrize("name", ["password", "token", "Authorization", "cookie", "secret_key"])
def test_secrets_are_hidden_by_name(stream: io.StringIO, name: str) -> None:
    structlog.get_logger("a").info("event", **{name: "s3cr3t"}, nested={name: "s3cr3t"})
    assert "s3cr3t" not in stream.getvalue()


def test_an_exception_keeps_its_traceback_but_not_its_secrets(stream: io.StringIO) -> None:
    try:
        raise ValueError(f"bad token {TOKEN}")
    except ValueError:
        logging.getLogger("a").exception("failed")
    (entry,) = entries(stream)
    assert "Traceback" in entry["exception"]
    assert TOKEN not in stream.getvalue()


def test_libraries_do_not_log_each_request(stream: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET ...")
    logging.getLogger("uvicorn.error").info("Started")
    assert [entry["event"] for entry in entries(stream)] == ["Started"]


def test_a_terminal_gets_readable_lines() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = Terminal()
    try:
        configure_logging("info", stream)
        logging.getLogger("a").info("hello", extra={"password": "s3cr3t"})
    finally:
        root.handlers[:], root.level = handlers, level
        logging.captureWarnings(False)
        structlog.reset_defaults()
    assert "hello" in stream.getvalue()
    assert "s3cr3t" not in stream.getvalue()
    assert not stream.getvalue().startswith("{")
