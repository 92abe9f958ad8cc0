"""The Git LFS API: batch, basic transfers, verify, locks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hub_core.accounts.lookup import storable
from hub_core.authz import Actor, Permission
from hub_core.errors import HubError, InvalidInput, LockHeld, NotFound, PermissionDenied, RepoNotFound, TooLarge
from hub_core.http.auth import actor_dependency
from hub_core.http.bodies import MIB, blob_response, pour, small_body
from hub_core.http.errors import status_headers, status_of
from hub_core.http.lfs_access import LfsAccess
from hub_core.http.lfs_parts import LfsParts, takes_parts
from hub_core.http.lfs_passes import LfsPasses
from hub_core.http.openapi import LFS, purpose
from hub_core.http.paths import GIT_PREFIXES, base_url
from hub_core.http.routes import PlainRoute
from hub_core.http.threads import in_thread
from hub_core.lfs.locks import Lock, LockService
from hub_core.lfs.parts import PartsService
from hub_core.lfs.pointer import LfsPointer
from hub_core.lfs.service import BatchItem, Upload
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.signing import UrlSigner, load_key

MEDIA_TYPE = "application/vnd.git-lfs+json"
_MAX_JSON = 4 * MIB
_EXPIRES_S = 3600
Act = Callable[[Request, Actor, RepoKind], Awaitable[Response]]


def lfs_router(services: Services) -> APIRouter:
    """Routes below `.../info/lfs` of every kind of repo."""
    router = APIRouter(tags=[LFS])
    edge = _LfsEdge(services)
    acts: list[tuple[str, str, Act]] = [
        ("POST", "objects/batch", edge.batch),
        ("PUT", "objects/{oid}", edge.put),
        ("GET", "objects/{oid}", edge.get),
        ("HEAD", "objects/{oid}", edge.get),
        ("POST", "objects/{oid}/verify", edge.verify),
        ("PUT", "objects/{oid}/parts/{number}", edge.parts.put),
        ("POST", "objects/{oid}/complete", edge.complete),
        ("GET", "locks", edge.list_locks),
        ("POST", "locks", edge.lock),
        ("POST", "locks/verify", edge.verify_locks),
        ("POST", "locks/{lock_id}/unlock", edge.unlock),
    ]
    for prefix, kind in GIT_PREFIXES.items():
        base = f"/{prefix}/{{namespace}}/{{name}}" if prefix else "/{namespace}/{name}"
        for method, path, act in acts:
            summary = None if prefix else purpose(act)
            router.routes.append(PlainRoute(f"{base}/info/lfs/{path}", edge.handler(kind, act), [method], act.__name__, summary))
    return router


def lfs_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response in the LFS media type."""
    return Response(json.dumps(content), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def lfs_error(error: HubError, actor: Actor | None) -> Response:
    """An error in the LFS dialect; 401 with a challenge where signing in could help."""
    status = status_of(error, invalid=422)
    if isinstance(error, RepoNotFound) and (actor is None or actor.is_anonymous):
        status = 401
    headers = status_headers(status)
    if status == 401:
        headers = dict.fromkeys(("LFS-Authenticate", "WWW-Authenticate"), 'Basic realm="hubtalk", charset="UTF-8"')
    content: dict[str, Any] = {"message": f"{error.message} {error.hint}".strip(), "code": error.code}
    if isinstance(error, LockHeld) and isinstance(error.details.get("lock"), Lock):
        content["lock"] = _lock_json(error.details["lock"])
    return lfs_json(content, status, headers)


def _lock_json(lock: Lock) -> dict[str, Any]:
    return {"id": str(lock.id), "path": lock.path, "locked_at": lock.locked_at.isoformat(), "owner": {"name": lock.owner}}


async def _json(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_JSON:
            raise TooLarge("The request is too long.", hint="Send several batches.")
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The body is not JSON.") from error
    if not isinstance(content, dict):
        raise InvalidInput("The body is not a JSON object.")
    return content


class _LfsEdge:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._lfs = services.lfs
        self._locks = LockService(services.db)
        self._actor_from = actor_dependency(services, "git")
        self._signer = UrlSigner(load_key(services.blobs))
        self._access = LfsAccess(services, self._signer)
        self.parts = LfsParts(PartsService(services.lfs, services.blobs), self._access, self._signer)
        self._passes = LfsPasses(self._signer, services.sessions)

    def handler(self, kind: RepoKind, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """Wrap an act with authentication and the error dialect."""

        async def handle(request: Request) -> Response:
            actor = None
            try:
                with_pass = self._passes.among(request.headers)
                actor = await (in_thread(self._passes.actor, with_pass) if with_pass else self._actor_from(request))
                return await act(request, actor, kind)
            except HubError as error:
                return lfs_error(error, actor)

        return handle

    async def batch(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`POST objects/batch`."""
        content = await _json(request)
        operation = str(content.get("operation", ""))
        if str(content.get("hash_algo") or "sha256") != "sha256":
            raise InvalidInput("The hash algorithm is sha256.")
        permission = Permission.REPO_WRITE if operation == "upload" else Permission.REPO_FILES
        repo = await self._access.repo(request, actor, kind, permission)
        items = await in_thread(self._lfs.batch, repo.id, operation, _objects(content))
        root = base_url(request, self._services.settings) + request.url.path.removesuffix("/batch")
        parted = takes_parts(content.get("transfers"))
        # csghub-sdk's workers know parts only: for a file that is small, and for one that is here already, too.
        workers = parted and "upload_id" in content
        objects = await in_thread(lambda: [self._object(item, root, repo, actor, parted, workers) for item in items])
        in_parts = any("chunk_size" in found.get("actions", {}).get("upload", {}).get("header", {}) for found in objects)
        return lfs_json({"transfer": "multipart" if in_parts else "basic", "objects": objects, "hash_algo": "sha256"})

    def _object(self, item: BatchItem, root: str, repo: Repo, actor: Actor, parted: bool, workers: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"oid": item.oid, "size": item.size}
        if item.error:
            return {**found, "error": {"code": item.error[0], "message": item.error[1]}}
        if item.action is None and not workers:
            return found
        actions: dict[str, Any] = {}
        if item.action == "download":
            direct = self._lfs.source.download_url(item.oid)  # the batch has found that the repo holds it
            query = self._signer.query("download", repo.id, item.oid, user_id=actor.user_id, seconds=_EXPIRES_S)
            actions["download"] = {"href": direct or f"{root}/{item.oid}?{query}", "expires_in": 3000 if direct else _EXPIRES_S}
        else:
            in_parts = self.parts.action(root, repo, actor, LfsPointer(item.oid, item.size), even_one=workers) if parted else None
            # What comes in one piece is hashed as it comes: there is nothing left to ask for after it.
            for purpose, suffix in {"upload": "", "verify": "/verify"}.items() if in_parts else [("upload", "")]:
                query = self._signer.query(purpose, repo.id, item.oid, item.size, user_id=actor.user_id, seconds=_EXPIRES_S)
                actions[purpose] = {"href": f"{root}/{item.oid}{suffix}?{query}&size={item.size}", "expires_in": _EXPIRES_S}
            actions.update({"upload": in_parts} if in_parts else {})
        return {**found, "authenticated": True, "actions": actions}

    def _allowed(self, request: Request, actor: Actor, kind: RepoKind, purpose: str) -> tuple[Repo, int | None]:
        """The repo and announced size: by the signature in the address, or by the caller's own right."""
        params, oid = request.query_params, request.path_params["oid"]
        if "s" not in params:
            permission = Permission.REPO_FILES if purpose == "download" else Permission.REPO_WRITE
            return self._access.find(request, actor, kind, permission), None
        size = params.get("size", "")
        facts = (oid,) if purpose == "download" else (oid, size)
        repo, _ = self._access.find_signed(request, actor, kind, purpose, *facts)
        return repo, int(size) if size.isdecimal() else None

    async def put(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`PUT objects/{oid}`: the bytes, hashed while they come in."""
        whole = await small_body(request)
        if whole is not None:
            await in_thread(self._take, request, actor, kind, whole)
            return Response(status_code=200)
        upload = await in_thread(self._begin, request, actor, kind)
        try:
            await pour(request, upload.write)
            await in_thread(upload.finish)
        finally:
            upload.abort()
        return Response(status_code=200)

    def _begin(self, request: Request, actor: Actor, kind: RepoKind) -> Upload:
        repo, size = self._allowed(request, actor, kind, "upload")
        length = request.headers.get("content-length", "")
        if size is None and length.isdecimal():
            size = int(length)
        return self._lfs.begin_upload(repo.id, request.path_params["oid"], size)

    def _take(self, request: Request, actor: Actor, kind: RepoKind, whole: bytes) -> None:
        with self._begin(request, actor, kind) as upload:
            upload.write(whole)
            upload.finish()

    async def get(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`GET objects/{oid}`, whole or a range."""
        return await in_thread(self._give, request, actor, kind)

    def _give(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        repo, _ = self._allowed(request, actor, kind, "download")
        oid = request.path_params["oid"]
        size = self._lfs.has(repo.id, oid)
        if size is None:
            raise NotFound("This repo has no such object.", hint="Push it with git-lfs.")
        headers = {"ETag": f'"{oid}"', "Cache-Control": "private, max-age=31536000, immutable"}
        path = self._lfs.source.local_path(oid)
        return blob_response(request, size, lambda start, end: self._lfs.read(repo.id, oid, start, end), path=path, headers=headers)

    async def verify(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`POST objects/{oid}/verify`."""
        await in_thread(self._verify, request, actor, kind, await _json(request))
        return lfs_json({})

    def _verify(self, request: Request, actor: Actor, kind: RepoKind, content: dict[str, Any]) -> None:
        repo, _ = self._allowed(request, actor, kind, "verify")
        pointer = _objects({"objects": [content]})[0]
        if pointer.oid != request.path_params["oid"]:
            raise InvalidInput("The address belongs to another object.")
        self._lfs.verify(repo.id, pointer.oid, pointer.size)

    async def complete(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`POST objects/{oid}/complete`: all parts were sent."""
        return await self.parts.complete(request, actor, kind, await _json(request))

    async def list_locks(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`GET locks`."""
        repo = await self._access.repo(request, actor, kind, Permission.REPO_READ)
        params = request.query_params
        path = storable(params["path"]) if "path" in params else None
        lock_id = _number(params.get("id"), "id")
        limit = _number(params.get("limit"), "limit") or 100
        locks, cursor = await in_thread(
            lambda: self._locks.locks(repo.id, path=path, lock_id=lock_id, limit=limit, cursor=params.get("cursor", ""))
        )
        content: dict[str, Any] = {"locks": [_lock_json(lock) for lock in locks]}
        return lfs_json({**content, **({"next_cursor": cursor} if cursor else {})})

    async def lock(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`POST locks`."""
        content = await _json(request)
        repo = await self._access.repo(request, actor, kind, Permission.REPO_WRITE)
        lock = await in_thread(self._locks.lock, actor, repo.id, str(content.get("path", "")))
        return lfs_json({"lock": _lock_json(lock)}, 201)

    async def verify_locks(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`POST locks/verify`: which locks stand in the way of a push."""
        content = await _json(request)
        repo = await self._access.pushed(request, actor, kind)
        limit = _number(content.get("limit"), "limit") or 100
        locks, cursor = await in_thread(lambda: self._locks.locks(repo.id, limit=limit, cursor=str(content.get("cursor") or "")))
        answer: dict[str, Any] = {"ours": [], "theirs": []}
        for lock in locks:
            answer["ours" if lock.owner == actor.username else "theirs"].append(_lock_json(lock))
        return lfs_json({**answer, **({"next_cursor": cursor} if cursor else {})})

    async def unlock(self, request: Request, actor: Actor, kind: RepoKind) -> Response:
        """`POST locks/{id}/unlock`."""
        content = await _json(request)
        force = bool(content.get("force"))
        repo = await self._access.repo(request, actor, kind, Permission.REPO_WRITE)
        if force:
            try:
                await self._access.repo(request, actor, kind, Permission.REPO_ADMIN)
            except PermissionDenied:
                # One's own lock can be released with --force by anybody who could take it.
                force = False
        lock_id = _number(request.path_params["lock_id"], "id") or 0
        lock = await in_thread(lambda: self._locks.unlock(actor, repo.id, lock_id, force=force))
        return lfs_json({"lock": _lock_json(lock)})


def _number(value: object, name: str) -> int | None:
    if value is None or value == "":
        return None
    if not str(value).isdecimal() or len(str(value)) > 9:
        raise InvalidInput(f"'{name}' is not a number.")
    return int(str(value))


def _objects(content: dict[str, Any]) -> list[LfsPointer]:
    found = content.get("objects")
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise InvalidInput("'objects' is not a list of objects.")
    pointers: list[LfsPointer] = []
    for item in found:
        oid, size = item.get("oid"), item.get("size")
        if not isinstance(oid, str) or not isinstance(size, int) or isinstance(size, bool):
            raise InvalidInput("Each object has an 'oid' and a 'size'.")
        pointers.append(LfsPointer(oid, size))
    return pointers
