"""`/v1/...`: passes requests on to the deployment that `model` names, and its answers back as they come."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from hub_core.authz import Actor
from hub_core.deployments.service import Target
from hub_core.errors import HubError, InvalidInput, RateLimited
from hub_core.http.auth import actor_dependency, authenticate_request
from hub_core.http.errors import json_response
from hub_core.http.openai.admission import Admission, Ticket
from hub_core.http.openai.errors import openai_error
from hub_core.http.openai.metrics import GatewayMetrics
from hub_core.http.openai.routing import POLL_S, Route, Router
from hub_core.http.openai.upstream import BROKEN, Answer, NoConnection, Upstream
from hub_core.http.openai.usage import EventStream, tokens
from hub_core.http.openapi import OPENAI
from hub_core.http.routes import PlainRoute
from hub_core.http.threads import in_thread
from hub_core.metering.meter import Used
from hub_core.repos.kinds import RepoKind
from hub_core.running_errors import DeploymentNotFound, DeploymentNotReady
from hub_core.services import Services

AGENT = "hubtalk"
"""The model name that is the agent itself; `Agent` answers it."""

TASKS = ("chat/completions", "completions", "embeddings")
MAX_MODELS = 1000
LOOK_AGAIN_S = 10.0
_PASSED_BACK = ("content-type", "cache-control")

Agent = Callable[[Request, Actor, dict[str, Any]], Awaitable[Response]]
"""Answers `/v1/chat/completions` for the model `hubtalk`, given the request, who asks and the body."""


class GatewayRouter(APIRouter):
    """The routes, and what is behind them: to be closed at the end."""

    gateway: Gateway


def openai_router(services: Services, agent: Agent | None = None, metrics: GatewayMetrics | None = None) -> GatewayRouter:
    """The routes. Without an `agent` there is no model `hubtalk`."""
    router = GatewayRouter(tags=[OPENAI])
    gateway = router.gateway = Gateway(services, agent, metrics or GatewayMetrics())
    router.routes += [PlainRoute(f"/v1/{task}", gateway.endpoint(task), ["POST"], task, *_DOCS[task]) for task in TASKS]
    router.routes.append(PlainRoute("/v1/models", gateway.models, ["GET"], "models", "The models that the caller may ask"))
    router.routes.append(PlainRoute("/v1/models/{model:path}", gateway.model, ["GET"], "model", "One of them"))
    return router


_MODEL = {"type": "string", "description": "A deployment: `namespace/name`, or its bare name."}
_MESSAGES = {"type": "array", "items": {"type": "object"}}
_STREAM = {"type": "boolean"}


def _docs(summary: str, description: str, **properties: Any) -> tuple[str, dict[str, Any]]:
    schema = {"type": "object", "required": ["model"], "properties": {"model": _MODEL, **properties}, "additionalProperties": True}
    return summary, {"description": description, "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_DOCS = {
    "chat/completions": _docs("Answer a conversation", "Streams with `stream: true`.", messages=_MESSAGES, stream=_STREAM),
    "completions": _docs("Go on with a text", "Streams with `stream: true`.", prompt={"type": "string"}, stream=_STREAM),
    "embeddings": _docs("Turn texts into vectors", "For deployments of embedding models.", input={"type": ["string", "array"]}),
}


class Gateway:
    """One per application; its client keeps connections to the copies open."""

    def __init__(self, services: Services, agent: Agent | None, metrics: GatewayMetrics) -> None:
        self._services = services
        self._admission = Admission(services)
        self._metrics = metrics
        self._agent = agent
        self._actor = actor_dependency(services, "gateway")
        self._router = Router(services)
        self._upstream = Upstream()

    async def close(self) -> None:
        """Close the connections to the copies."""
        await self._upstream.close()

    def endpoint(self, task: str) -> Callable[[Request], Awaitable[Response]]:
        """The route of a task."""

        async def endpoint(request: Request) -> Response:
            try:
                return await self._serve(request, task)
            except HubError as error:
                if isinstance(error, RateLimited):
                    self._metrics.refused(str(error.details.get("kind")))
                return openai_error(error)

        return endpoint

    async def models(self, request: Request) -> Response:
        """The deployments that the caller may use and that are not stopped."""
        try:
            actor = await self._actor(request)
            page = await in_thread(self._services.deployments.list_deployments, actor, kind=RepoKind.MODEL, limit=MAX_MODELS)
        except HubError as error:
            return openai_error(error)
        own = [_model(AGENT, 0, "hubtalk")] if self._agent is not None and not actor.is_anonymous else []
        found = [_model(view.name, int(view.created_at.timestamp()), view.owner) for view in page.items if not view.stopped]
        return json_response({"object": "list", "data": own + found})

    async def model(self, request: Request) -> Response:
        """One of them."""
        model = str(request.path_params["model"])
        try:
            actor = await self._actor(request)
            if model == AGENT and self._agent is not None and not actor.is_anonymous:
                return json_response(_model(AGENT, 0, AGENT))
            found = await in_thread(self._services.deployments.target, actor, model)
        except HubError as error:
            return openai_error(error)
        return json_response(_model(found.name, int(found.deployment.created_at.timestamp()), found.name.partition("/")[0]))

    async def _serve(self, request: Request, task: str) -> Response:
        try:
            body = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            body = None
        except ClientDisconnect:
            return Response(status_code=499)
        model = body.get("model") if isinstance(body, dict) else None
        said = model if isinstance(model, str) else ""
        actor, ticket, found = await in_thread(self._enter, request, said)
        try:
            if not said:
                raise InvalidInput("The body is a JSON object with 'model'.", hint="GET /v1/models lists the models.")
            answer = await self._ask(request, task, body, actor, ticket, found)
        except BaseException:
            ticket.leave()
            raise
        for name, value in ticket.headers().items():
            answer.headers[name] = value
        return answer

    def _enter(self, request: Request, model: str) -> tuple[Actor, Ticket, Target | None]:
        """Who asks, within their limits, and what. All in one go of a thread: each go costs more than what is done in it."""
        actor = authenticate_request(self._services, request.headers, request.cookies, channel="gateway", method=request.method)
        ticket = self._admission.enter(request, actor)
        try:
            return actor, ticket, self._router.look(actor, model) if model not in ("", AGENT) else None
        except BaseException:
            ticket.leave()
            raise

    async def _ask(self, request: Request, task: str, body: dict[str, Any], actor: Actor, ticket: Ticket, found: Target | None) -> Response:
        if found is None:
            if self._agent is None or task != "chat/completions":
                raise DeploymentNotFound(f"There is no model '{AGENT}' here.", hint="POST /api/v1/chat is the agent.")
            try:
                return await self._agent(request, actor, body)
            finally:
                ticket.leave()
        route = await self._router.route(actor, found)
        ticket.ask(route.deployment_id, route.name)
        kept = body.get("stream_options") if isinstance(body.get("stream_options"), dict) else {}
        streams = body.get("stream") is True
        if streams:
            body["stream_options"] = {**(kept or {}), "include_usage": True}
        call = _Call(self._services, self._metrics, actor, route, ticket)
        try:
            exchanged = await _unless_gone(request, self._exchange(actor, route, task, body, streams))
        except DeploymentNotReady:
            call.over(failed=True)
            raise
        if exchanged is None:
            call.over(failed=True)
            return Response(status_code=499)
        answer, raw = exchanged
        if raw is None:
            return _stream(call, answer, EventStream(keep_usage=bool((kept or {}).get("include_usage"))))
        call.over(*_counted(raw), failed=answer.failed)
        return Response(raw, answer.status, {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers})

    async def _exchange(self, actor: Actor, route: Route, task: str, body: dict[str, Any], streams: bool) -> tuple[Answer, bytes | None]:
        """The answer, and all of what it says unless that is a stream."""
        answer = await self._send_patiently(actor, route, task, body)
        if streams and "text/event-stream" in answer.headers.get("content-type", ""):
            return answer, None
        return answer, await _read(answer)

    async def _send_patiently(self, actor: Actor, route: Route, task: str, body: dict[str, Any]) -> Answer:
        """Send it. Copies that ended a moment ago are still known for as long as the cluster takes to tell: then look again."""
        deadline = time.monotonic() + LOOK_AGAIN_S
        while True:
            try:
                return await self._send(route, task, body)
            except NoConnection:
                if time.monotonic() > deadline:
                    told = f"The deployment {route.name} does not answer."
                    raise DeploymentNotReady(told, hint="Try again in a moment; its logs tell more.") from None
            await asyncio.sleep(POLL_S)
            route = await self._router.route(actor, await in_thread(self._router.look, actor, route.name))

    async def _send(self, route: Route, task: str, body: dict[str, Any]) -> Answer:
        """Send to the first copy that takes the request. One that broke off may have begun to work on it: that is not asked twice.

        Raises:
            NoConnection: none took it. DeploymentNotReady: one broke off.
        """
        for place in route.places:
            try:
                return await self._upstream.post(f"{place.address}/v1/{task}", body | {"model": place.model_field})
            except NoConnection:
                continue
            except BROKEN as error:
                raise DeploymentNotReady(f"The deployment {route.name} broke off.", hint="Try again; its logs tell more.") from error
        raise NoConnection


class _Call:
    """One request, to be counted once."""

    def __init__(self, services: Services, metrics: GatewayMetrics, actor: Actor, route: Route, ticket: Ticket) -> None:
        self._services = services
        self._ticket = ticket
        self._began = time.perf_counter()
        # Once, in `over`; or when an answer is dropped before its first byte was asked for.
        self._gone = weakref.finalize(self, metrics.over, route.deployment_id, 0.0, 0, 0, failed=True)
        self._metrics = metrics
        metrics.begin(route.deployment_id)
        self._actor = actor
        self._route = route
        self._counted = False
        self._leave: Callable[[], object] = int
        if route.scales:
            services.load.begin(route.deployment_id)
            self._leave = weakref.finalize(self, services.load.end, route.deployment_id)

    def over(self, prompt: int = 0, completion: int = 0, *, failed: bool = False) -> None:
        """Count it."""
        if not self._counted:
            self._counted = True
            route, seconds = self._route, time.perf_counter() - self._began
            self._leave()
            self._gone.detach()
            self._ticket.leave(prompt + completion)
            self._metrics.over(route.deployment_id, seconds, prompt, completion, failed=failed)
            self._services.usage.count(
                Used(self._actor.user_id, route.deployment_id, route.name, route.repo_id, prompt, completion, failed, seconds)
            )


def _model(name: str, created: int, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


def _counted(raw: bytes) -> tuple[int, int]:
    if b'"usage"' not in raw:
        return 0, 0
    try:
        return tokens(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return 0, 0


async def _read(answer: Answer) -> bytes:
    try:
        return await answer.whole()
    except BROKEN as error:
        raise DeploymentNotReady("The deployment broke off in the middle of its answer.", hint="Try again; its logs tell more.") from error
    finally:
        answer.close()


def _stream(call: _Call, answer: Answer, events: EventStream) -> StreamingResponse:
    async def through() -> AsyncIterator[bytes]:
        failed = True
        try:
            async for chunk in events.through(answer.chunks()):
                yield chunk
            failed = False
        except BROKEN:
            error = DeploymentNotReady("The deployment broke off in the middle of its answer.")
            yield b"data: " + bytes(openai_error(error).body) + b"\n\n"
        finally:
            # Also when the client has gone: closing the connection ends the work of the server behind it.
            answer.close()
            call.over(events.prompt_tokens, events.completion_tokens, failed=failed)

    return StreamingResponse(through(), answer.status, media_type="text/event-stream", headers={"cache-control": "no-cache"})


async def _unless_gone(request: Request, work: Any) -> Any:
    """What `work` gives; None when the client leaves before, which ends it."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_leaves(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return None
    finally:
        for one in (task, gone):
            if not one.done():
                one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
