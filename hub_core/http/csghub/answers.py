"""Answers of this dialect: `{"msg": "OK", "data": ...}`, and errors as text."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hub_core.authz import Actor
from hub_core.errors import HubError, RepoNotFound
from hub_core.http.errors import json_response, status_headers, status_of


def ok(data: Any = None, **more: Any) -> dict[str, Any]:
    """A good answer."""
    return {"msg": "OK", "data": data, **more}


def csghub_error(error: HubError, actor: Actor | None) -> Response:
    """An error in this dialect."""
    status = status_of(error, invalid=400)
    if isinstance(error, RepoNotFound) and (actor is None or actor.is_anonymous):
        status = 401
    text = f"{error.message} {error.hint}".strip()
    return json_response({"code": error.code, "msg": text}, status, status_headers(status))
