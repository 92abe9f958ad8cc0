"""One way in for every call of this dialect: find the sender, run the act in one thread, answer errors as the client reads them."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import unquote

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from hub_core.authz import Actor, Permission
from hub_core.errors import HubError, InvalidInput, TooLarge, Unauthenticated
from hub_core.http.auth import authenticate_request
from hub_core.http.bodies import MIB, spool
from hub_core.http.errors import json_response
from hub_core.http.huggingface.errors import hf_error
from hub_core.http.openapi import purpose
from hub_core.http.paths import base_url, repo_name
from hub_core.http.routes import PlainRoute
from hub_core.http.threads import in_thread
from hub_core.repos.kinds import KINDS, PREFIX_TO_KIND, RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services

MAX_JSON = 16 * MIB
_MAX_FIELDS, _MAX_FIELD = 20, 64 * 1024
# A control character that neither paths nor refs may have stands for "%2F" while routes are matched.
_ENCODED_SLASH = "\x1f"


class _KindConvertor(Convertor[RepoKind]):
    """`models`, `datasets` ... in a path, as a `RepoKind`."""

    regex = "|".join(PREFIX_TO_KIND)

    def convert(self, value: str) -> RepoKind:
        """The kind of a plural."""
        return PREFIX_TO_KIND[value]

    def to_string(self, value: RepoKind) -> str:
        """The plural of a kind."""
        return KINDS[value].plural


register_url_convertor("repokind", _KindConvertor())


class EncodedRoute(APIRoute):
    """A route that tells `%2F` from `/`: clients send the revision `feat/x` as `feat%2Fx`."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as it came over the wire."""
        return super().matches(_as_sent(scope))


class ActRoute(PlainRoute):
    """The same for an act."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as it came over the wire."""
        return super().matches(_as_sent(scope))


def _as_sent(scope: Scope) -> Scope:
    raw = scope.get("raw_path")
    if not raw or b"%2" not in raw:
        return scope
    path = unquote(raw.decode("latin-1").replace("%2F", _ENCODED_SLASH).replace("%2f", _ENCODED_SLASH))
    return {**scope, "path": path}


@dataclass(frozen=True, slots=True)
class Call:
    """One request of this dialect, with its sender. `body` is at its beginning; it is empty for requests without one.

    Of a form, `body` is its file and `fields` are its other fields.
    """

    services: Services
    request: Request
    actor: Actor
    body: BinaryIO
    fields: dict[str, str] = field(default_factory=dict)

    def param(self, name: str) -> str:
        """A part of the path, decoded; empty where the route has none of that name."""
        return str(self.request.path_params.get(name, "")).replace(_ENCODED_SLASH, "/")

    @property
    def kind(self) -> RepoKind:
        """The kind of repo that the path names; a model without one."""
        kind = self.request.path_params.get("kind", RepoKind.MODEL)
        assert isinstance(kind, RepoKind)
        return kind

    @property
    def revision(self) -> str:
        """The revision in the path; empty for the default branch."""
        return self.param("revision")

    def flag(self, name: str) -> bool:
        """A yes-or-no of the query, as any client spells it."""
        return self.request.query_params.get(name, "").lower() in {"1", "true", "yes"}

    def repo(self, permission: Permission = Permission.REPO_READ) -> Repo:
        """The repo in the path, with `permission` checked; raises like `RepoService.open_repo`."""
        namespace, name = self.param("namespace"), repo_name(self.param("name"))
        return self.services.repos.open_repo(self.actor, self.kind, namespace, name, permission)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            InvalidInput: it is not one.
        """
        raw = self.body.read()
        try:
            content = json.loads(raw or b"{}")
        except (ValueError, RecursionError) as error:
            raise InvalidInput("The body is not JSON.") from error
        if not isinstance(content, dict):
            raise InvalidInput("The body is not a JSON object.")
        return content

    def url(self, path: str = "") -> str:
        """An absolute address under the host (and `/hf`) that this client uses; others make it refuse the answer."""
        return base_url(self.request, self.services.settings) + str(self.request.scope.get("root_path", "")) + path

    def repo_url(self, kind: RepoKind, full_name: str) -> str:
        """The address of a repo."""
        return self.url(f"/{KINDS[kind].prefix}{full_name}")


Act = Callable[[Call], Any]
"""Works on a call, in a thread; returns a response, or a JSON-able value for a 200."""


ShowError = Callable[[HubError, Actor | None], Response]


def add_route(
    router: APIRouter,
    services: Services,
    methods: str,
    path: str,
    act: Act,
    *,
    body_limit: int = MAX_JSON,
    form: bool = False,
    show_error: ShowError = hf_error,
) -> None:
    """Serve `path` with `act`.

    Args:
        methods: one or more, separated by spaces.
        body_limit: bytes of body that are taken at most; bodies over 1 MiB wait in a file.
        form: the body is a form with one file; its size is limited by `usual_limit`.
        show_error: the dialect of errors.
    """
    endpoint = _form_endpoint(services, act, show_error) if form else _endpoint(services, act, body_limit, show_error)
    name = getattr(act, "__name__", "act")
    router.routes.append(ActRoute(router.prefix + path, endpoint, methods.split(), name, purpose(act)))


def _endpoint(services: Services, act: Act, body_limit: int, show_error: ShowError) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        body: BinaryIO = io.BytesIO()
        try:
            if request.method not in {"GET", "HEAD"}:
                body = await _body(request, services, body_limit)
            return await in_thread(_run, services, act, request, body, {}, show_error)
        except HubError as error:
            return show_error(error, None)
        finally:
            body.close()

    return serve


def _form_endpoint(services: Services, act: Act, show_error: ShowError) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            await _signed_in(services, request)
            async with request.form(max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD) as form:
                fields = {name: value for name, value in form.items() if isinstance(value, str)}
                files = [value for value in form.values() if isinstance(value, UploadFile)]
                if not files:
                    raise InvalidInput("The form has no file.", hint="Send multipart/form-data with a field 'file'.")
                return await in_thread(_run, services, act, request, files[0].file, fields, show_error)
        except HTTPException as error:
            return show_error(InvalidInput("The body is not a form with a file.", hint=str(error.detail)), None)
        except HubError as error:
            return show_error(error, None)

    return serve


async def _signed_in(services: Services, request: Request) -> None:
    """Nobody fills the hub's disk without a credential."""
    if (await in_thread(_sender, services, request)).is_anonymous:
        raise Unauthenticated("Sign in to send this.", hint="Give a token: hf auth login")


async def _body(request: Request, services: Services, limit: int) -> BinaryIO:
    announced = request.headers.get("content-length", "")
    encoded = request.headers.get("content-encoding", "")
    if announced.isdecimal() and int(announced) <= min(MIB, limit) and not encoded:
        return io.BytesIO(await request.body())
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"The body has more than {limit // MIB} MiB.", hint="Upload large files with LFS or Xet.")
    await _signed_in(services, request)
    return await spool(request, limit, services.blobs.staging)


def _sender(services: Services, request: Request) -> Actor:
    return authenticate_request(services, request.headers, request.cookies, channel="api", method=request.method)


def _run(services: Services, act: Act, request: Request, body: BinaryIO, fields: dict[str, str], show_error: ShowError) -> Response:
    actor = None
    try:
        actor = _sender(services, request)
        answer = act(Call(services, request, actor, body, fields))
    except HubError as error:
        return show_error(error, actor)
    return answer if isinstance(answer, Response) else json_response(answer)
