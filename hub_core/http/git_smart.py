"""Git over HTTP (smart protocol) for every kind of repo: `/{ns}/{name}.git`, `/datasets/{ns}/{name}.git` and so on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import BinaryIO

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from hub_core.authz import Actor, Permission
from hub_core.errors import HubError, InvalidInput, RepoNotFound, Unauthenticated, Unavailable
from hub_core.git.early import LargeFileWatch
from hub_core.git.receive import pkt
from hub_core.http.auth import actor_dependency
from hub_core.http.bodies import MIB, drain, in_threads, spool
from hub_core.http.errors import status_headers, status_of
from hub_core.http.openapi import GIT, purpose
from hub_core.http.paths import GIT_PREFIXES, repo_name
from hub_core.http.threads import in_thread
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services

SERVICES = {"git-upload-pack": Permission.REPO_FILES, "git-receive-pack": Permission.REPO_WRITE}
_MAX_FETCH_REQUEST = 64 * MIB
_NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate", "Expires": "Fri, 01 Jan 1980 00:00:00 GMT", "Pragma": "no-cache"}
Handler = Callable[[Request], Awaitable[Response]]


def git_router(services: Services) -> APIRouter:
    """Routes of the Git protocol; LFS has its own router."""
    router = APIRouter(include_in_schema=False, tags=[GIT])
    edge = _GitEdge(services)
    acts = (
        ("GET", "info/refs", edge.info_refs),
        ("POST", "git-upload-pack", edge.upload_pack),
        ("POST", "git-receive-pack", edge.receive_pack),
    )
    for prefix, kind in GIT_PREFIXES.items():
        base = f"/{prefix}/{{namespace}}/{{name}}" if prefix else "/{namespace}/{name}"
        for method, path, act in acts:
            router.add_api_route(f"{base}/{path}", edge.handler(kind, act), methods=[method], summary=None if prefix else purpose(act))
    return router


def git_error(error: HubError, actor: Actor | None) -> Response:
    """An error as Git shows it: text, and 401 with a challenge where signing in could help."""
    status = status_of(error, invalid=400)
    if isinstance(error, Unauthenticated) or (isinstance(error, RepoNotFound) and (actor is None or actor.is_anonymous)):
        # Git asks its credential helpers only after a 401, so a hidden repo must look like one that needs a password.
        status = 401
    headers = {"WWW-Authenticate": 'Basic realm="hubtalk", charset="UTF-8"'} if status == 401 else status_headers(status)
    return PlainTextResponse(_text(error) + "\n", status_code=status, headers={**_NO_CACHE, **headers})


def _text(error: HubError) -> str:
    return f"{error.message} {error.hint}".strip()


def _in_protocol(service: str, error: HubError) -> Response:
    """An error that Git shows to people: of an HTTP status in the middle of a fetch or push it would show the number alone."""
    line = f"{_text(error)}\n".encode()
    answer = pkt(b"\x03" + line) if service == "git-receive-pack" else pkt(b"ERR " + line)
    return Response(answer, media_type=f"application/x-{service}-result", headers=_NO_CACHE)


class _GitEdge:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._actor_from = actor_dependency(services, "git")

    def handler(self, kind: RepoKind, act: Callable[[Request, Actor, RepoKind], Awaitable[Response]]) -> Handler:
        """Wrap an act with authentication and the error dialect."""

        async def handle(request: Request) -> Response:
            actor = None
            try:
                actor = await self._actor_from(request)
                return await act(request, actor, kind)
            except Unavailable as error:
                if request.method == "GET":
                    return git_error(error, actor)
                await drain(request)
                return _in_protocol(request.url.path.rpartition("/")[2], error)
            except HubError as error:
                return git_error(error, actor)

        return handle

    async def _repo(self, request: Request, actor: Actor, kind: RepoKind, permission: Permission) -> Repo:
        namespace, name = request.path_params["namespace"], repo_name(request.path_params["name"])
        if permission is Permission.REPO_WRITE:
            return await in_thread(self._services.pulls.open_for_push, actor, kind, namespace, name)
        return await in_thread(self._services.repos.open_repo, actor, kind, namespace, name, permission)

    async def info_refs(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`GET info/refs?service=...`."""
        service = request.query_params.get("service", "")
        if service not in SERVICES:
            raise InvalidInput("This hub speaks the smart HTTP protocol only.", hint="Use a Git client of version 1.7 or newer.")
        repo = await self._repo(request, actor, kind, SERVICES[service])
        protocol = request.headers.get("git-protocol", "")
        body = await in_thread(self._services.git.advertise, repo.id, service, protocol)
        start = b"" if body.startswith(b"000eversion 2") else pkt(f"# service={service}\n") + b"0000"
        return Response(start + body, media_type=f"application/x-{service}-advertisement", headers=_NO_CACHE)

    async def upload_pack(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`POST git-upload-pack`: clone and fetch. The whole request is read before the answer begins."""
        repo = await self._repo(request, actor, kind, Permission.REPO_FILES)
        body = await spool(request, _MAX_FETCH_REQUEST, self._services.blobs.staging)
        protocol = request.headers.get("git-protocol", "")
        try:
            answer = await in_thread(self._services.git.upload_pack, repo.id, body, protocol)
        finally:
            body.close()
        return StreamingResponse(in_threads(answer), media_type="application/x-git-upload-pack-result", headers=_NO_CACHE)

    async def receive_pack(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`POST git-receive-pack`: push."""
        repo, limits = await self._repo(request, actor, kind, Permission.REPO_WRITE), self._services.git.limits
        try:
            body = await spool(request, limits.max_pack_bytes, self._services.blobs.staging, LargeFileWatch(limits).look)
        except HubError as error:
            return _in_protocol("git-receive-pack", error)
        try:
            repo = await self._repo(request, actor, kind, Permission.REPO_WRITE)  # the body may have taken hours
            answer = await in_thread(self._receive, actor, repo, body)
        finally:
            body.close()
        return Response(answer, media_type="application/x-git-receive-pack-result", headers=_NO_CACHE)

    def _receive(self, actor: Actor, repo: Repo, body: BinaryIO) -> bytes:
        return self._services.git.receive_pack(repo.id, body, hook=self._services.files.hook(actor, repo))
