"""People: who a token stands for, overviews, members, likes, and what one's own repos weigh."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from hub_core.accounts.views import OrgRole, TokenView
from hub_core.authz import Scope, Visibility
from hub_core.errors import InvalidInput
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.shapes import REPO, cursor_of, moment, object_id, page_limit, page_response
from hub_core.repos.info import InfoService
from hub_core.repos.kinds import RepoKind
from hub_core.repos.search import RepoQuery, RepoSort
from hub_core.services import Services

_PAGE = 500


def add_account_routes(router: APIRouter, services: Services) -> None:
    """`whoami-v2`, `users/...`, `organizations/...`, `.../likers` and `settings/repositories`."""
    owned = _Owned(InfoService(services.db, services.git, services.lfs))
    add_route(router, services, "GET", "/api/whoami-v2", whoami)
    add_route(router, services, "GET", "/api/users/{user}/overview", user_overview)
    add_route(router, services, "GET", "/api/users/{user}/likes", likes)
    add_route(router, services, "GET", "/api/organizations/{org}/overview", org_overview)
    add_route(router, services, "GET", "/api/organizations/{org}/members", members)
    add_route(router, services, "GET", REPO + "/likers", likers)
    add_route(router, services, "GET", "/api/settings/repositories", owned.mine)
    add_route(router, services, "GET", "/api/organizations/{org}/settings/repositories", owned.of_org)


def whoami(call: Call) -> dict[str, Any]:
    """Who sends the request, with which token."""
    user = call.services.users.get(call.actor)
    token = call.services.tokens.current(call.actor)
    return {
        "type": "user", "id": object_id(user.id), "name": user.username, "fullname": user.username, "email": user.email,
        "emailVerified": bool(user.email), "isPro": False, "canPay": False, "avatarUrl": "", "periodEnd": None,
        "orgs": [_org_of(org) for org in user.orgs], "auth": _auth(token) if token else {"type": "session"},
    }  # fmt: skip


def _org_of(org: OrgRole) -> dict[str, Any]:
    return {"type": "org", "name": org.name, "fullname": org.name, "avatarUrl": "", "isEnterprise": False, "roleInOrg": str(org.role)}


def _auth(token: TokenView) -> dict[str, Any]:
    role = "fineGrained" if token.repo else "read" if token.scope is Scope.READ else "write"
    return {"type": "access_token", "accessToken": {"displayName": token.name, "role": role, "createdAt": moment(token.created_at)}}


def user_overview(call: Call) -> dict[str, Any]:
    """A person and how many repos of theirs the caller may see."""
    user = call.services.users.get(call.actor, call.param("user"))
    return {
        **_person(user.username), "createdAt": moment(user.created_at), "orgs": [_org_of(org) for org in user.orgs],
        **_counts(call, user.username),
    }  # fmt: skip


def org_overview(call: Call) -> dict[str, Any]:
    """An organisation and how many repos of it the caller may see."""
    org = call.services.orgs.get(call.actor, call.param("org"))
    return {
        "type": "org", "name": org.name, "fullname": org.name, "avatarUrl": "", "details": org.description,
        "numUsers": len(org.members), **_counts(call, org.name),
    }  # fmt: skip


def members(call: Call) -> list[dict[str, Any]]:
    """The members of an organisation."""
    org = call.services.orgs.get(call.actor, call.param("org"))
    return [{**_person(member.username), "role": str(member.role)} for member in org.members]


def likes(call: Call) -> Response:
    """One page of what a person likes."""
    page = call.services.social.likes_of(call.actor, call.param("user"), cursor=_number(call), limit=page_limit(call, _PAGE, _PAGE))
    items = [{"createdAt": moment(like.since), "repo": {"name": like.id, "type": like.kind}} for like in page.items]
    return page_response(call, items, page.next)


def likers(call: Call) -> Response:
    """One page of who likes a repo."""
    page = call.services.social.likers(call.actor, call.repo(), cursor=_number(call), limit=page_limit(call, _PAGE, _PAGE))
    return page_response(call, [_person(name) for name in page.items], page.next)


class _Owned:
    """The repos of one owner with what they weigh."""

    def __init__(self, info: InfoService) -> None:
        self._info = info

    def mine(self, call: Call) -> Response:
        """The caller's own."""
        return self._page(call, call.services.users.get(call.actor).username)

    def of_org(self, call: Call) -> Response:
        """An organisation's, as far as the caller may see them."""
        return self._page(call, call.services.orgs.get(call.actor, call.param("org")).name)

    def _page(self, call: Call, owner: str) -> Response:
        limit = page_limit(call, _PAGE, _PAGE)
        query = RepoQuery(owner=owner, sort=RepoSort.UPDATED, limit=limit, cursor=cursor_of(call) or None)
        page = call.services.search.search(call.actor, query)
        bytes_of = self._info.storages([view.repo_id for view in page.items])
        items = [
            {
                "id": view.id, "type": view.kind, "updatedAt": moment(view.updated_at), "storage": bytes_of[view.repo_id],
                "storagePercent": call.services.lfs.quotas.percent(bytes_of[view.repo_id]),
                "visibility": "public" if view.visibility == Visibility.PUBLIC else "private",
            }
            for view in page.items
        ]  # fmt: skip
        return page_response(call, items, page.next)


def _person(username: str) -> dict[str, Any]:
    return {"type": "user", "user": username, "fullname": username, "avatarUrl": "", "isPro": False}


def _counts(call: Call, owner: str) -> dict[str, int]:
    found = call.services.search.count_by_kind(call.actor, owner)
    names = {"numModels": RepoKind.MODEL, "numDatasets": RepoKind.DATASET, "numSpaces": RepoKind.SPACE}
    return {name: found.get(kind, 0) for name, kind in names.items()}


def _number(call: Call) -> int:
    text = cursor_of(call)
    if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise InvalidInput("This cursor does not belong to this list.", hint="Start again without a cursor.")
    return int(text or 0)
