"""The one mapping from hub errors to HTTP. Dialects differ in the body and in the status of bad input; both are told here."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hub_core.errors import (
    Conflict,
    HubError,
    InvalidArguments,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

RETRY_AFTER_S = "5"
_STATUS: tuple[tuple[type[HubError], int], ...] = (
    (TooLarge, 413),
    # Not 429, which means to try again: clients would.
    (QuotaExceeded, 413),
    (Unauthenticated, 401),
    (PermissionDenied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (LimitExceeded, 429),
    (Unavailable, 503),
)


def status_of(error: HubError, *, invalid: int = 422) -> int:
    """The HTTP status of an error; `invalid` is the dialect's status for bad input (tools 422, Git and Hugging Face 400)."""
    if isinstance(error, InvalidInput):
        return invalid
    return next((status for family, status in _STATUS if isinstance(error, family)), 500)


def error_body(error: HubError) -> dict[str, Any]:
    """`{"error": {"code", "message", "hint"}}`, with `details` where there are any."""
    body: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    if error.details:
        body["details"] = error.details
    return {"error": body}


def status_headers(status: int) -> dict[str, str]:
    """The headers that go with a status: 401 asks for a token, 503 says when to try again."""
    match status:
        case 401:
            return {"WWW-Authenticate": 'Bearer realm="hubtalk"'}
        case 503:
            return {"Retry-After": RETRY_AFTER_S}
        case _:
            return {}


def error_response(error: HubError, status: int | None = None) -> Response:
    """The answer to an error in the tool and chat APIs."""
    status = status or status_of(error)
    return json_response(error_body(error), status, status_headers(status))


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON for whatever a tool may find: numbers of any size, NaN (as null), text with broken characters (as question marks)."""
    try:
        raw = orjson.dumps(value)
    except orjson.JSONEncodeError:
        raw = json.dumps(_sendable(value), ensure_ascii=False, allow_nan=False).encode()
    return Response(raw, status, headers, "application/json")


def invalid_request(error: RequestValidationError) -> InvalidArguments:
    """What FastAPI found wrong with a request, as the hub says it: which argument and why."""
    errors = [{"argument": ".".join(map(str, item["loc"][1:])) or "body", "problem": item["msg"]} for item in error.errors()]
    return InvalidArguments("The request does not fit.", hint="See /docs for its schema.", errors=errors)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of the application in the hub's one shape."""

    async def hub_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HubError)
        return error_response(error)

    async def wrong_request(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return error_response(invalid_request(error))

    async def http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return error_response(NotFound("There is nothing at this address.", hint="See /docs."))
        return error_response(InvalidInput(str(error.detail), hint="See /docs."), error.status_code)

    app.add_exception_handler(HubError, hub_error)
    app.add_exception_handler(RequestValidationError, wrong_request)
    app.add_exception_handler(HTTPException, http_error)


def _sendable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {_sendable(key): _sendable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(item) for item in value]
    return value
