"""`/run/{pass}/…` for browsers, and `/spaces/{namespace}/{name}/app/…` for programs with a token: the apps of Spaces."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from hub_core.authz import Actor, Permission
from hub_core.db import utcnow
from hub_core.deployments.asking import refusal, wake_if_asleep
from hub_core.deployments.service import Target
from hub_core.errors import HubError, PermissionDenied
from hub_core.http.auth import authenticate_request
from hub_core.http.errors import error_body, json_response, status_of
from hub_core.http.paths import base_url
from hub_core.http.spaces.headers import always, preflight
from hub_core.http.spaces.passes import SpacePasses, Visitor
from hub_core.http.spaces.proxy import POLICY, TRY_LATER, Place, Proxy
from hub_core.http.spaces.static import static_page
from hub_core.http.threads import in_thread
from hub_core.repos.browse import BrowseService
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.running_errors import DeploymentNotReady, DeploymentStopped
from hub_core.services import Services
from hub_core.signing import UrlSigner, load_key
from hub_core.spaces.running import SpaceState

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
POLL_S, TOUCH_S = 0.25, 10.0
PATIENCE_S = 20.0  # a page that waits asks again by itself
_WAITING = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>…</title>'
    "<style>body{display:grid;place-items:center;height:95vh;font:2rem sans-serif;color:gray;color-scheme:light dark}</style><body>…"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """An app that somebody may open."""

    actor: Actor
    repo: Repo
    state: SpaceState

    @property
    def target(self) -> Target | None:
        """What runs it; None where nothing does."""
        return Target(self.state.run, self.repo.full_name) if self.state.run is not None else None


Admit = Callable[[], Opened]


class SpaceApps:
    """The apps of a hub's Spaces."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.passes = SpacePasses(UrlSigner(load_key(services.blobs)), services.sessions)
        self._browse = BrowseService(services.git, services.lfs)
        self._proxy = Proxy()
        self._touched: dict[int, float] = {}

    def routes(self) -> list[BaseRoute]:
        """The routes; they come before those of Git, whose paths are wider."""
        return [
            Route("/run/{pass_}", self.by_pass, methods=METHODS, include_in_schema=False),
            Route("/run/{pass_}/{path:path}", self.by_pass, methods=METHODS, include_in_schema=False),
            WebSocketRoute("/run/{pass_}/{path:path}", self.websocket_by_pass),
            Route("/spaces/{namespace}/{name}/app/{path:path}", self.by_token, methods=METHODS, include_in_schema=False),
            WebSocketRoute("/spaces/{namespace}/{name}/app/{path:path}", self.websocket_by_token),
        ]

    # -- who comes -------------------------------------------------------------------------------------------------

    def _by_pass(self, text: str) -> Opened:
        visitor: Visitor = self.passes.read(text)
        repo = self._services.repos.open_by_id(visitor.actor, visitor.repo_id, Permission.REPO_FILES)
        return Opened(visitor.actor, repo, self._services.space_runs.state(visitor.actor, repo))

    def open(self, actor: Actor, namespace: str, name: str) -> Opened:
        """The app of a Space.

        Raises:
            RepoNotFound: there is none that the caller may see. GatedRepo: they were not let in.
        """
        repo = self._services.repos.open_repo(actor, RepoKind.SPACE, namespace, name, Permission.REPO_FILES)
        return Opened(actor, repo, self._services.space_runs.state(actor, repo))

    async def by_pass(self, request: Request) -> Response:
        """A request of an app's own page."""
        text = request.path_params["pass_"]
        if request.headers.get("origin") == "null" and request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            asked = request.headers.get("access-control-request-headers", "")
            return Response(status_code=204, headers=always("null") | preflight(asked))
        return await self._answer(request, lambda: self._by_pass(text), f"/run/{text}")

    async def by_token(self, request: Request) -> Response:
        """A request of a program. A browser's session opens nothing here: its cookie would come along with whatever the app asks for."""
        return await self._answer(request, self._by_token(request), _prefix(request))

    def _by_token(self, connection: HTTPConnection) -> Admit:
        def admit() -> Opened:
            given = token_header(connection)
            if not given:
                raise PermissionDenied("Programs come here with a token.", hint="Browsers open the address without the slash at its end.")
            actor = authenticate_request(self._services, {"authorization": given}, {}, channel="space")
            return self.open(actor, connection.path_params["namespace"], connection.path_params["name"])

        return admit

    # -- answering -------------------------------------------------------------------------------------------------

    async def _answer(self, request: Request, admit: Admit, prefix: str) -> Response:
        origin = request.headers.get("origin", "")
        try:
            if request.headers.get("service-worker"):
                raise PermissionDenied("Apps of Spaces have no service workers.")
            opened = await in_thread(admit)
            if opened.state.is_static and opened.state.run is None:
                path = request.path_params.get("path", "")
                return await in_thread(static_page, self._browse, request, opened.repo, path, opened.state.file, prefix)
            page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
            ready = await self._awake(opened, admit, 0.0 if page else min(PATIENCE_S, self._services.settings.deployment_wake_s))
            return await self._proxy.pass_on(request, self._place(request, ready, prefix))
        except DeploymentNotReady as error:
            if "text/html" in request.headers.get("accept", ""):
                return HTMLResponse(_WAITING, 503, headers={**always(origin), "retry-after": "2", "cache-control": "no-store"})
            return _refused(error, origin)
        except HubError as error:
            return _refused(error, origin)

    async def _awake(self, opened: Opened, admit: Admit, patience: float) -> Opened:
        """The same, once it answers; wakes what sleeps.

        Raises:
            DeploymentStopped: nobody runs it. DeploymentNotReady: it does not answer in time.
        """
        deadline = time.monotonic() + patience
        while True:
            target = opened.target
            if target is None:
                raise DeploymentStopped(f"The Space {opened.repo.full_name} does not run.", hint="Run it first.")
            await in_thread(self._note, target)
            if target.deployment.endpoints:
                return opened
            if refused := refusal(target, late=time.monotonic() >= deadline):
                raise refused
            await asyncio.sleep(POLL_S)
            opened = await in_thread(admit)

    def _note(self, target: Target) -> None:
        """Somebody is here: wake it, or let it not fall asleep."""
        row, now = target.deployment, time.monotonic()
        wake_if_asleep(self._services, target)
        if row.on_demand and row.endpoints and now - self._touched.get(row.id, -TOUCH_S) >= TOUCH_S:
            self._touched[row.id] = now
            self._services.deployments.touch(row.id, utcnow())

    def knock(self, opened: Opened) -> None:
        """Somebody came to look at an app: wake it if it sleeps."""
        if opened.target is not None:
            self._note(opened.target)

    def _place(self, connection: HTTPConnection, opened: Opened, prefix: str) -> Place:
        row = opened.state.run
        assert row is not None
        raw = (connection.scope.get("raw_path") or connection.scope["path"].encode()).split(b"?", 1)[0].decode("latin-1")
        base = base_url(connection, self._services.settings)
        return Place(connection, row.id, str(row.endpoints[0]), prefix, raw[len(prefix) :] if raw.startswith(prefix) else "/", base)

    # -- websockets ------------------------------------------------------------------------------------------------

    async def websocket_by_pass(self, websocket: WebSocket) -> None:
        """A websocket of an app's own page."""
        text = websocket.path_params["pass_"]
        await self._websocket(websocket, lambda: self._by_pass(text), f"/run/{text}")

    async def websocket_by_token(self, websocket: WebSocket) -> None:
        """A websocket of a program."""
        await self._websocket(websocket, self._by_token(websocket), _prefix(websocket))

    async def _websocket(self, websocket: WebSocket, admit: Admit, prefix: str) -> None:
        try:
            opened = await self._awake(await in_thread(admit), admit, PATIENCE_S)
        except DeploymentNotReady:
            await websocket.close(TRY_LATER)
            return
        except HubError:
            await websocket.close(POLICY)
            return

        async def still_allowed() -> bool:
            try:
                now = await in_thread(admit)
            except HubError:
                return False
            if now.target is None or now.target.deployment.stopped:
                return False
            await in_thread(self._note, now.target)
            return True

        await self._proxy.pass_on_websocket(websocket, self._place(websocket, opened, prefix), still_allowed)


def token_header(connection: HTTPConnection) -> str:
    """The credential of a program; `gradio_client` puts it where it does not stand in the way of an app's own."""
    return connection.headers.get("authorization", "") or connection.headers.get("x-hf-authorization", "")


def _prefix(connection: HTTPConnection) -> str:
    raw = (connection.scope.get("raw_path") or connection.scope["path"].encode()).decode("latin-1")
    found = re.match(r"/spaces/[^/]+/[^/]+/app", raw)
    return found[0] if found else ""


def _refused(error: HubError, origin: str) -> Response:
    answer = json_response(error_body(error), status_of(error))
    answer.headers.update(always(origin))
    return answer
