"""Errors as OpenAI's clients read them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hub_core.errors import (
    DeploymentNotFound,
    HubError,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)
from hub_core.http.errors import json_response, status_headers, status_of

_TYPES: tuple[tuple[type[HubError], str], ...] = (
    (Unauthenticated, "authentication_error"),
    (PermissionDenied, "permission_error"),
    (NotFound, "not_found_error"),
    (LimitExceeded, "rate_limit_error"),
    (InvalidInput, "invalid_request_error"),
)


def openai_error(error: HubError) -> Response:
    """`{"error": {"message", "type", "param", "code"}}`. A model that is not there has the code that clients look for."""
    status = status_of(error, invalid=400)
    kind = next(
        (name for family, name in _TYPES if isinstance(error, family)), "server_error" if status >= 500 else "invalid_request_error"
    )
    missing = isinstance(error, DeploymentNotFound)
    body: dict[str, Any] = {
        "message": f"{error.message} {error.hint}".strip(),
        "type": "invalid_request_error" if missing else kind,
        "param": "model" if missing else None,
        "code": "model_not_found" if missing else error.code,
    }
    return json_response({"error": body}, status, status_headers(status))
