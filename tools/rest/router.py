"""Routes of the tool API. A call here is explicit: nothing waits for approval; `?dry_run=true` only shows the plan."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError

from hub_core.errors import InvalidArguments, TooLarge, Unauthenticated
from hub_core.http.auth import authenticate_request
from hub_core.http.errors import json_response
from hub_core.http.routes import PlainRoute
from hub_core.http.threads import in_thread
from hub_core.services import Services
from tools import invoke
from tools.contract import ToolContext
from tools.registry import default_registry

MAX_BODY = 8 * 1024 * 1024
MAX_ARGUMENTS = 100
_FLAG = TypeAdapter(bool)


def tool_router(services: Services) -> APIRouter:
    """The two routes over `services`. Their OpenAPI descriptions come from `tools.rest.openapi`."""
    router = APIRouter(include_in_schema=False)
    listing: list[bytes] = []

    async def list_tools(request: Request) -> Response:
        await in_thread(_context, services, request)
        if not listing:
            registry = default_registry()
            listing.append(bytes(json_response({"tools": [registry.describe(tool) for tool in registry]}).body))
        return Response(listing[0], media_type="application/json")

    async def call_tool(request: Request) -> Response:
        dry_run, raw = _dry_run(request), await _arguments(request)
        return json_response(await in_thread(_call, services, request, request.path_params["name"], raw, dry_run))

    # Plain routes: the arguments are the tool's to check, and FastAPI's own looking for parameters takes as long as a small tool.
    router.routes.append(PlainRoute("/api/v1/tools", list_tools, ["GET"], "list_tools", None))
    router.routes.append(PlainRoute("/api/v1/tools/{name}", call_tool, ["POST"], "call_tool", None))
    return router


def _context(services: Services, request: Request) -> ToolContext:
    actor = authenticate_request(services, request.headers, request.cookies, channel="api", method=request.method)
    if actor.is_anonymous:
        raise Unauthenticated("Sign in first.", hint="Send a token as 'Authorization: Bearer ...'.")
    return ToolContext(actor, services)


def _call(services: Services, request: Request, name: str, raw: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    ctx = _context(services, request)
    if dry_run:
        return {"plan": invoke.describe_plan(invoke.plan(ctx, name, raw))}
    said = request.headers.get("idempotency-key")
    key = f"api:{ctx.actor.user_id}:{hashlib.sha256(said.encode()).hexdigest()}" if said else None
    done = invoke.call(ctx, name, raw, gate=False, key=key)
    if isinstance(done, invoke.Waiting):
        raise AssertionError("an ungated call does not wait")
    return {"result": done.output.model_dump(mode="json")}


def _dry_run(request: Request) -> bool:
    """The flag in the query; what is neither yes nor no is refused, as it must not be taken for a run.

    Raises:
        InvalidArguments: it is not a truth value.
    """
    said = request.query_params.get("dry_run")
    try:
        return said is not None and _FLAG.validate_python(said)
    except ValidationError as error:
        problem = {"argument": "dry_run", "problem": error.errors()[0]["msg"]}
        raise InvalidArguments("dry_run is true or false.", hint="Leave it out to run the tool.", errors=[problem]) from error


async def _arguments(request: Request) -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty object.

    Raises:
        InvalidArguments: not a JSON object. TooLarge: over 8 MiB.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLarge("The arguments of a tool have at most 8 MiB.", hint="Upload large files with Git, LFS or as an attachment.")
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidArguments("The body is not valid JSON.", hint="Send the arguments as one JSON object.") from error
    if not isinstance(value, dict) or len(value) > MAX_ARGUMENTS:
        raise InvalidArguments(
            "The arguments are not one JSON object with at most 100 members.", hint='For example: {"repo": "acme/support-7b"}'
        )
    return value
