"""Signing a program in by a browser (RFC 8628): what `hf auth login` does when it is given no token."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.responses import Response

from hub_core.accounts.device_logins import LIFETIME, TOKEN_DAYS, Waiting
from hub_core.errors import HubError, InvalidInput
from hub_core.http.errors import json_response
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.paths import DEVICE_LOGIN
from hub_core.services import Services

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
POLL_S = 2
_MAX_BODY = 16 * 1024
_PRIVATE = {"cache-control": "no-store"}


def add_device_login_routes(router: APIRouter, services: Services) -> None:
    """`/oauth/device` and `/oauth/token`; the page of the person is at `DEVICE_LOGIN`."""
    add_route(router, services, "POST", "/oauth/device", begin_device_login, body_limit=_MAX_BODY)
    add_route(router, services, "POST", "/oauth/token", take_device_token, body_limit=_MAX_BODY)


def begin_device_login(call: Call) -> Any:
    """Begin to sign a program in by a browser (RFC 8628)."""
    address = call.request.client.host if call.request.client else ""
    begun = call.services.device_logins.begin(call.request.headers.get("user-agent", ""), address)
    page = call.url(DEVICE_LOGIN)
    return json_response(
        {
            "device_code": begun.device_code,
            "user_code": begun.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?code={begun.user_code}",
            "expires_in": int(LIFETIME.total_seconds()),
            "interval": POLL_S,
        },
        headers=_PRIVATE,
    )


def take_device_token(call: Call) -> Response:
    """Fetch the token of a program that was signed in by a browser (RFC 8628)."""
    try:
        fields = parse_qs(call.body.read().decode(), max_num_fields=20)
    except ValueError as error:
        raise InvalidInput("The body is not a form.") from error
    refused = partial(json_response, status=400, headers=_PRIVATE)
    if fields.get("grant_type") != [GRANT]:
        return refused({"error": "unsupported_grant_type", "error_description": f"Only {GRANT} is known here."})
    try:
        found = call.services.device_logins.take(fields.get("device_code", [""])[0])
    except HubError as error:  # for example, as many tokens as one may have
        return refused({"error": Waiting.DENIED, "error_description": str(error)})
    if isinstance(found, Waiting):
        return refused({"error": found, "error_description": found.replace("_", " ")})
    told = {"access_token": found.token, "token_type": "bearer", "expires_in": TOKEN_DAYS * 86_400, "scope": found.view.scope}
    return json_response(told, headers=_PRIVATE)
