"""Where a training program in a cluster gets its data and leaves its result: `/api/v1/training/files`, with the pass of its job only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hub_core.errors import HubError
from hub_core.http.auth import token_of
from hub_core.http.bodies import blob_response, pour
from hub_core.http.errors import error_body, json_response, status_headers, status_of
from hub_core.http.routes import PlainRoute
from hub_core.http.threads import in_thread
from hub_core.services import Services

PATH = "/api/v1/training/files"
_Act = Callable[[Request, str], Awaitable[Response]]


def training_files_router(services: Services) -> APIRouter:
    """Routes for programs of the hub, which no client and no person calls."""
    files = services.training.handed

    async def goes_on(_request: Request, secret: str) -> Response:
        return json_response({"goes_on": await in_thread(files.goes_on, secret)})

    async def get(request: Request, secret: str) -> Response:
        size, read = await in_thread(files.read, secret, request.path_params["name"])
        return await in_thread(blob_response, request, size, read)

    async def put(request: Request, secret: str) -> Response:
        with ExitStack() as stack:
            write = await in_thread(stack.enter_context, files.writing(secret, request.path_params["name"]))
            await pour(request, write)
            await in_thread(stack.close)
        return Response(status_code=204)

    router = APIRouter()
    for method, path, act in (("GET", PATH, goes_on), ("GET", PATH + "/{name:path}", get), ("PUT", PATH + "/{name:path}", put)):
        router.routes.append(PlainRoute(path, _guarded(act), [method], f"training_{act.__name__}", None))
    return router


def _guarded(act: _Act) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            return await act(request, token_of(request.headers.get("authorization", "")))
        except HubError as error:
            status = status_of(error, invalid=422)
            return json_response(error_body(error), status, status_headers(status))

    return handle
