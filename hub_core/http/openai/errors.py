"""Errors as OpenAI's clients read them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hub_core.errors import HubError, InvalidInput, LimitExceeded, NotFound, PermissionDenied, RateLimited, Unauthenticated
from hub_core.http.errors import json_response, status_headers, status_of
from hub_core.http.openai.limits import limit_headers
from hub_core.running_errors import BudgetSpent, DeploymentNotFound

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
    if isinstance(error, RateLimited):
        told = {"message": f"{error.message} {error.hint}", "type": error.details.get("kind", "requests"), "param": None}
        return json_response({"error": told | {"code": "rate_limit_exceeded"}}, status, limit_headers(error))
    if isinstance(error, BudgetSpent):
        kind = "insufficient_quota"
    missing = isinstance(error, DeploymentNotFound)
    body: dict[str, Any] = {
        "message": f"{error.message} {error.hint}".strip(),
        "type": "invalid_request_error" if missing else kind,
        "param": "model" if missing else None,
        "code": "model_not_found" if missing else kind if isinstance(error, BudgetSpent) else error.code,
    }
    return json_response({"error": body}, status, status_headers(status))
