"""Gated repos: asking for access, and what the owner does about it (`user-access-request`)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from starlette.responses import Response

from hub_core.accounts.lookup import storable
from hub_core.authz import Permission
from hub_core.errors import Conflict, InvalidInput, NotFound, RequestNotFound
from hub_core.gating.service import MAX_PAGE
from hub_core.gating.tables import Gating, RequestStatus
from hub_core.gating.views import RequestView
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text
from hub_core.http.huggingface.shapes import REPO, cursor_of, moment, object_id, page_limit, page_response
from hub_core.repos.tables import Repo
from hub_core.services import Services

_STATUSES = (RequestStatus.PENDING, RequestStatus.ACCEPTED, RequestStatus.REJECTED)
_MAX_FIELDS, _MAX_FIELD = 30, 500
_MAX_FORM = 64 * 1024


def add_gating_routes(router: APIRouter, services: Services) -> None:
    """Routes below `user-access-request`, and `ask-access`, which elsewhere is a page."""
    base = REPO + "/user-access-request"
    add_route(router, services, "GET", base + "/{status}", requests)
    add_route(router, services, "POST", base + "/handle", handle)
    add_route(router, services, "POST", base + "/grant", grant)
    for path in (REPO, "/{kind:repokind}/{namespace}/{name}", "/{namespace}/{name}"):
        add_route(router, services, "POST", path + "/ask-access", ask, body_limit=_MAX_FORM)


def gating_of(given: dict[str, Any]) -> Gating | None:
    """The `gated` of settings: false, "auto" or "manual"; None where it is not there.

    Raises:
        InvalidInput: it is something else.
    """
    said = given.get("gated")
    if said is None:
        return None
    if said is not False and said not in ("auto", "manual"):
        raise InvalidInput("'gated' is false, 'auto' or 'manual'.")
    return Gating(said or "off")


def shown_gating(gating: str) -> str | bool:
    """A gate as this dialect writes it."""
    return False if gating == Gating.OFF else gating


def requests(call: Call) -> Response:
    """`GET {pending|accepted|rejected}`: one page of requests for the files."""
    repo, status, cursor = _gated(call), call.param("status"), cursor_of(call)
    if status not in _STATUSES:
        raise NotFound("There is no such list.", hint="pending, accepted or rejected")
    if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 16):
        raise InvalidInput("This cursor does not belong to this list.", hint="Start again without a cursor.")
    limit = page_limit(call, MAX_PAGE, MAX_PAGE)
    page = call.services.gating.page(call.actor, repo, RequestStatus(status), cursor=int(cursor or 0), limit=limit)
    return page_response(call, [_shown(item) for item in page.items], str(page.next) if page.next else None)


def handle(call: Call) -> Any:
    """`POST handle` `{user|requestId, status, rejectionReason?}`: accept, reject, or back among those that wait."""
    repo, given = _gated(call), call.json()
    status = text(given, "status", None)
    if status not in _STATUSES:
        raise InvalidInput("'status' is not known.", hint="pending, accepted or rejected")
    user = text(given, "user") or call.services.gating.username_of(call.actor, repo, _number(text(given, "requestId", None)))
    before = call.services.gating.check_decide(call.actor, repo, user, RequestStatus(status))
    if before.status == status:
        raise RequestNotFound(f"The request of {before.username} is {status} already.")
    done = call.services.gating.decide(call.actor, repo, user, RequestStatus(status), text(given, "rejectionReason"))
    return _shown(done)


def grant(call: Call) -> Any:
    """`POST grant` `{user}`: let somebody in who has not asked."""
    repo = _gated(call)
    try:
        return _shown(call.services.gating.let_in(call.actor, repo, text(call.json(), "user", None)))
    except Conflict as error:
        raise InvalidInput(error.message, hint=error.hint) from error


def ask(call: Call) -> Any:
    """`POST ask-access`, a form or JSON with the fields of the gate's form; `reason` is shown to who decides."""
    repo = call.repo()
    if repo.gated == Gating.OFF:
        raise InvalidInput(f"{repo.full_name} is not gated.", hint="Its files are open to whoever sees it.")
    fields = _fields(call)
    try:
        asked = call.services.gating.ask(call.actor, repo, fields.pop("reason", ""), fields)
    except Conflict as error:
        raise InvalidInput(error.message, hint=error.hint) from error
    return _shown(asked)


def _gated(call: Call) -> Repo:
    repo = call.repo(Permission.REPO_ADMIN)
    if repo.gated == Gating.OFF:
        raise InvalidInput(f"{repo.full_name} is not gated.", hint="update_repo_settings(gated='manual') makes it so.")
    return repo


def _fields(call: Call) -> dict[str, str]:
    if call.request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        try:
            found: dict[str, Any] = dict(parse_qsl(call.body.read().decode("utf-8", "replace"), max_num_fields=_MAX_FIELDS))
        except ValueError as error:
            raise InvalidInput(f"The form has more than {_MAX_FIELDS} fields.") from error
    else:
        found = call.json()
    if len(found) > _MAX_FIELDS:
        raise InvalidInput(f"The form has more than {_MAX_FIELDS} fields.")
    plain = {str(name)[:100]: value for name, value in found.items() if isinstance(value, str | int | float | bool)}
    return {storable(name): storable(str(value)[:_MAX_FIELD]) for name, value in plain.items()}


def _number(request_id: str) -> int:
    try:
        number = int(request_id, 16)
    except ValueError:
        number = -1
    if not 0 < number < 2**31:
        raise RequestNotFound("There is no such request.", hint="List the requests.")
    return number


def _shown(request: RequestView) -> dict[str, Any]:
    found: dict[str, Any] = {
        "requestId": object_id(request.id), "status": str(request.status), "timestamp": moment(request.requested_at),
        "user": {"user": request.username, "fullname": request.username, "email": None, "avatarUrl": "", "isPro": False},
    }  # fmt: skip
    fields = request.fields | ({"reason": request.reason} if request.reason else {})
    return found | ({"fields": fields} if fields else {})
