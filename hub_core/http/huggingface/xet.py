"""Xet for `huggingface_hub`: tokens of the hub's API, and the storage API that hf-xet speaks with them.

Source: the Xet protocol specification of huggingface/xet-core, `spec/api.md` and `spec/auth.md`. The storage API lies below an
address that names the store: clients remember by address what they once sent, and an emptied hub must not be taken for the old one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hub_core.authz import Actor, Permission
from hub_core.errors import HubError, NotFound, PermissionDenied, RepoNotFound, Unauthenticated, Unavailable
from hub_core.http.auth import token_of
from hub_core.http.bodies import byte_range, chunks_of, drain, in_threads, spool
from hub_core.http.errors import json_response
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.errors import hf_error
from hub_core.http.paths import base_url
from hub_core.http.threads import in_thread
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.signing import UrlSigner, load_key
from hub_core.xet.reconstruct import Chunks, Plan
from hub_core.xet.shards import MAX_SHARD

TOKEN_S = 15 * 60
Right = Literal["read", "write"]
Act = Callable[[Request, "_Holder"], Awaitable[Any]]
_PERMISSIONS: dict[Right, Permission] = {"read": Permission.REPO_FILES, "write": Permission.REPO_WRITE}


def add_xet_routes(router: APIRouter, services: Services) -> None:
    """Tokens below `/api`, storage below `/xet`."""
    edge = _XetEdge(services)
    for right in _PERMISSIONS:
        path = f"/api/{{kind:repokind}}/{{namespace}}/{{name}}/xet-{right}-token"
        add_route(router, services, "GET", path, edge.token_route(right))
        add_route(router, services, "GET", path + "/{revision:path}", edge.token_route(right))
    base = f"/xet/{edge.instance}"
    acts: list[tuple[str, str, Right, Act]] = [
        ("GET", "/v1/chunks/{prefix}/{hash}", "read", edge.find_chunk),
        ("GET", "/v1/reconstructions/{hash}", "read", edge.reconstruct),
        ("POST", "/v1/xorbs/default/{hash}", "write", edge.put_xorb),
        ("POST", "/v1/shards", "write", edge.put_shard),
        ("POST", "/v2/shards", "write", edge.put_shard_telling),
    ]
    for method, path, right, act in acts:
        router.add_api_route(base + path, edge.handler(right, act), methods=[method], include_in_schema=False)
    router.add_api_route(f"{base}/v1/fetch/{{hash}}", edge.fetch, methods=["GET"], include_in_schema=False)
    # Newer parts of the protocol are optional: clients go on without when they hear 404, also from the page's routes behind these.
    router.add_api_route("/xet/{rest:path}", _absent, methods=["GET", "HEAD", "POST"], include_in_schema=False)


async def _absent(request: Request) -> Response:
    await drain(request)
    return hf_error(NotFound("The hub has nothing at this address."), None)


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who holds a Xet token, and the repo that it is for."""

    actor: Actor
    repo: Repo


class _XetEdge:
    def __init__(self, services: Services) -> None:
        self._services = services
        key = load_key(services.blobs)
        self._signer = UrlSigner(key)
        self.instance = hashlib.sha256(b"xet instance" + key).hexdigest()[:16]

    # -- tokens ----------------------------------------------------------------------------------------------------

    def token_route(self, right: Right) -> Callable[[Call], Response]:
        """`GET .../xet-{right}-token/{revision}`: a token for this repo and this right."""

        def token(call: Call) -> Response:
            repo = call.repo(_PERMISSIONS[right])
            expires = int(time.time()) + TOKEN_S
            address = f"{base_url(call.request, self._services.settings)}/xet/{self.instance}"
            access = self._token(repo, right, call.actor)
            # hf-xet reads the body, `huggingface_hub` itself the headers.
            headers = {"X-Xet-Access-Token": access, "X-Xet-Token-Expiration": str(expires), "X-Xet-Cas-Url": address}
            return json_response({"accessToken": access, "exp": expires, "casUrl": address}, headers=headers)

        return token

    def _token(self, repo: Repo, right: Right, actor: Actor) -> str:
        facts = {"repo": f"{repo.kind}/{repo.full_name}", "id": repo.id, "right": right, "limited": int(actor.repo_id is not None)}
        signed = self._signer.query("xet", *facts.values(), user_id=actor.user_id, seconds=TOKEN_S)
        return "xet_" + base64.urlsafe_b64encode(f"{urlencode(facts)}&{signed}".encode()).decode().rstrip("=")

    def _holder(self, request: Request, needed: Right) -> _Holder:
        """Who sends a request, by its token.

        Raises:
            Unauthenticated: no token, a forged or an expired one, or one of an account that is disabled.
            PermissionDenied: a token for reading where writing is asked, or the right was taken away since.
        """
        facts = _facts(token_of(request.headers.get("authorization", "")))
        named = tuple(facts.get(name, "") for name in ("repo", "id", "right", "limited"))
        try:
            user_id = self._signer.check(facts, "xet", *named)
        except (Unauthenticated, PermissionDenied):
            raise _wrong_token() from None
        if needed == "write" and named[2] != "write":
            raise PermissionDenied("This Xet token is for reading.", hint="Ask for one at xet-write-token.")
        kind, namespace, name = named[0].split("/")
        # The hub gave this token to somebody with the right to use it; they must have it still.
        actor = self._services.sessions.person(user_id, _PERMISSIONS[needed], "api")
        if named[3] == "1":
            actor = replace(actor, repo_id=int(named[1]))
        try:
            repo = self._services.repos.open_repo(actor, RepoKind(kind), namespace, name, _PERMISSIONS[needed])
        except RepoNotFound:
            repo = None
        if repo is None or str(repo.id) != named[1]:
            raise PermissionDenied("The repo of this Xet token is no longer open to you.", hint="Ask for access.")
        return _Holder(actor, repo)

    # -- storage ---------------------------------------------------------------------------------------------------

    def handler(self, right: Right, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """Wrap an act with the check of the token and the error dialect."""

        async def handle(request: Request) -> Response:
            try:
                answer = await act(request, await in_thread(self._holder, request, right))
            except HubError as error:
                await drain(request)
                return hf_error(error, None)
            return answer if isinstance(answer, Response) else json_response(answer)

        return handle

    async def find_chunk(self, request: Request, holder: _Holder) -> Response:
        """`GET v1/chunks/{prefix}/{hash}`: the xorbs of a file that has this chunk, if the holder may read one."""
        found = await in_thread(self._services.xet.chunks.find, holder.actor, request.path_params["hash"])
        if found is None:
            raise NotFound("No file that you can read has this chunk.")
        return Response(found, media_type="application/octet-stream")

    async def reconstruct(self, request: Request, holder: _Holder) -> Any:
        """`GET v1/reconstructions/{hash}`: which chunks make up a file, or a range of it, and where they are."""
        files = self._services.xet.files
        layout = await in_thread(files.open, holder.repo.id, request.path_params["hash"])
        span = byte_range(request.headers.get("range", ""), layout.size)
        if span is None:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{layout.size}"})
        if span[0] == 0:
            await in_thread(self._count, request, holder)
        plan = await in_thread(files.plan, layout, *span)
        return await in_thread(self._answer, plan, request, holder.actor)

    def _count(self, request: Request, holder: _Holder) -> None:
        """A file asked for from its beginning is a download, as at `resolve`."""
        sender = str(holder.actor.user_id or (request.client.host if request.client else ""))
        if self._services.downloads.is_new(holder.repo.id, sender):
            self._services.downloads.count(holder.repo.id)

    def _answer(self, plan: Plan, request: Request, actor: Actor) -> dict[str, Any]:
        root = f"{base_url(request, self._services.settings)}/xet/{self.instance}/v1/fetch"
        terms = [{"hash": piece.chunks.xorb, "unpacked_length": piece.size, "range": _range(piece.chunks)} for piece in plan.pieces]
        fetch = dict[str, list[dict[str, Any]]]()
        for chunks in plan.fetched():
            url = self._services.xet.xorbs.address(chunks.xorb, chunks.start, chunks.stop, expires_s=TOKEN_S)
            if url is None:
                query = self._signer.query("xet-fetch", chunks.xorb, chunks.start, chunks.stop, user_id=actor.user_id, seconds=TOKEN_S)
                url = f"{root}/{chunks.xorb}?from={chunks.start}&to={chunks.stop}&{query}"
            place = {"range": _range(chunks), "url": url, "url_range": {"start": chunks.start, "end": chunks.stop - 1}}
            fetch.setdefault(chunks.xorb, []).append(place)
        return {"offset_into_first_range": plan.skip, "terms": terms, "fetch_info": fetch}

    async def fetch(self, request: Request) -> Response:
        """`GET v1/fetch/{hash}`: stored bytes of a xorb, by an address that was signed for them and no others."""
        params, hash_ = request.query_params, request.path_params["hash"]
        start, stop = params.get("from", ""), params.get("to", "")
        try:
            self._signer.check(params, "xet-fetch", hash_, start, stop)
            span = byte_range(request.headers.get("range", ""), int(stop))
            first, end = (int(start), int(stop)) if span is None or span == (0, int(stop)) else span
            if first < int(start):
                raise _not_for_these()
            read = await in_thread(self._services.xet.files.body, hash_, first, end)
        except Unauthenticated:
            return hf_error(_not_for_these(), None)
        except HubError as error:
            return hf_error(error, None)
        headers = {"Content-Range": f"bytes {first}-{end - 1}/*", "Content-Length": str(end - first), "Cache-Control": "private"}
        return StreamingResponse(in_threads(read), status_code=206, headers=headers, media_type="application/octet-stream")

    async def put_xorb(self, request: Request, _holder: _Holder) -> dict[str, bool]:
        """`POST v1/xorbs/default/{hash}`: chunks, checked while they come in."""
        upload = await in_thread(self._services.xet.begin_xorb, request.path_params["hash"])
        try:
            async for chunk in chunks_of(request):
                await in_thread(upload.write, chunk)
            return {"was_inserted": await in_thread(upload.finish)}
        finally:
            upload.abort()

    async def put_shard(self, request: Request, holder: _Holder) -> dict[str, int]:
        """`POST v1/shards`: which chunks make up which files; these are LFS objects of the repo from then on."""
        with await spool(request, MAX_SHARD, self._services.blobs.staging) as shard:
            await in_thread(self._services.xet.take_shard, holder.repo.id, shard)
        return {"result": 1}

    async def put_shard_telling(self, request: Request, holder: _Holder) -> Response:
        """`POST v2/shards`: the same with a line of JSON now and then, as proxies give up on long silence; an error is the last line."""
        shard = await spool(request, MAX_SHARD, self._services.blobs.staging)
        return StreamingResponse(in_threads(self._telling(holder.repo.id, shard)), media_type="application/x-ndjson")

    def _telling(self, repo_id: int, shard: BinaryIO) -> Iterator[bytes]:
        with shard:
            try:
                for progress in self._services.xet.taking_shard(repo_id, shard):
                    yield _line(type="validating", verified=progress.done, total=progress.total)
                yield _line(type="result")
            except HubError as error:
                yield _line(type="error", message=f"{error.message} {error.hint}".strip(), retryable=isinstance(error, Unavailable))


def _range(chunks: Chunks) -> dict[str, int]:
    return {"start": chunks.first, "end": chunks.end}


def _facts(token: str) -> dict[str, str]:
    """What a token says; nothing of it is checked yet."""
    try:
        text = base64.b64decode(token.removeprefix("xet_") + "==", altchars=b"-_").decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise _wrong_token() from None
    return dict(parse_qsl(text))


def _line(**said: Any) -> bytes:
    return json.dumps(said).encode() + b"\n"


def _not_for_these() -> PermissionDenied:
    # Clients that hear 403 here ask for the address again.
    return PermissionDenied("This address is not for these bytes, or has expired.", hint="Ask for the file again.")


def _wrong_token() -> Unauthenticated:
    return Unauthenticated("The Xet token was not made by this hub, or has expired.", hint="Ask the hub's API for a new one.")
