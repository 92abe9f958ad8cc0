"""The one mapping from hub errors to HTTP. Dialects differ in the body and in the status of bad input; both are told here."""

from __future__ import annotations

from typing import Any

from hub_core.errors import (
    Conflict,
    HubError,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

_STATUS: tuple[tuple[type[HubError], int], ...] = (
    (TooLarge, 413),
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


def challenge(status: int) -> dict[str, str]:
    """The headers that go with a status: 401 asks for a token."""
    return {"WWW-Authenticate": 'Bearer realm="hubtalk"'} if status == 401 else {}
