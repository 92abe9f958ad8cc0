"""People, organisations, what belongs to them, what they like, and the tags in use, as CSGHub's REST API shows them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hub_core.errors import InvalidInput, PermissionDenied
from hub_core.http.csghub.answers import csghub_error, ok
from hub_core.http.csghub.lists import number_in, page_of
from hub_core.http.csghub.repos import shown_repo
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.shapes import moment
from hub_core.repos.kinds import RepoKind
from hub_core.repos.search import RepoQuery
from hub_core.services import Services

_MAX_TAGS = 2000
_MAX_LISTED = 1000
_ORGS = "/api/v1/organizations"


def add_community_routes(router: APIRouter, services: Services) -> None:
    """Routes of people, organisations, likes and tags."""
    for methods, path, act in (
        ("GET", "/api/v1/tags", tags),
        ("GET", "/api/v1/user/{owner}", user),
        ("GET", "/api/v1/user/{owner}/likes/{kind:repokind}", likes),
        ("PUT DELETE", "/api/v1/user/{owner}/likes/{repo}", like),
        ("GET", "/api/v1/user/{owner}/{kind:repokind}", repos_of_user),
        ("GET", _ORGS, orgs),
        ("GET", "/api/v1/organization/{owner}", org),
        ("GET", _ORGS + "/{owner}/members", members),
        ("GET", "/api/v1/organization/{owner}/{kind:repokind}", repos_of_org),
    ):
        add_route(router, services, methods, path, act, show_error=csghub_error)


def tags(call: Call) -> Any:
    """`GET tags?category=&scope=`: tags in use on repos that the caller may see."""
    params = call.request.query_params
    scope = params.get("scope", "")
    if scope and scope not in list(RepoKind):
        raise InvalidInput(f"'{scope[:40]}' is not a kind of repo.", hint=f"One of {', '.join(RepoKind)}.")
    found = call.services.tags.in_use(call.actor, scope or None, _MAX_TAGS)
    shown = [_tag(tag, scope) for tag, _ in found]
    return ok([item for item in shown if params.get("category", "") in ("", item["category"])])


def _tag(tag: str, scope: str) -> dict[str, Any]:
    head, colon, rest = tag.partition(":")
    category = head if colon else "language" if len(tag) == 2 else "other"
    return {"name": tag, "show_name": rest or tag, "category": category, "group": "", "scope": scope, "built_in": False}


def user(call: Call) -> Any:
    """`GET user/{name}`: a person and their organisations."""
    found = call.services.users.get(call.actor, call.param("owner"))
    roles = ["admin"] if found.is_admin else []
    orgs_of = [{"path": held.name, "name": held.name, "role": str(held.role)} for held in found.orgs]
    return ok(
        {
            "id": found.id, "username": found.username, "nickname": found.username, "email": found.email, "roles": roles, "orgs": orgs_of,
            "created_at": moment(found.created_at),
        }
    )  # fmt: skip


def likes(call: Call) -> Any:
    """`GET user/{name}/likes/{kind}`: what a person likes, of what the caller may see."""
    page = page_of(call)
    found = call.services.social.likes_of(call.actor, call.param("owner"), limit=_MAX_LISTED)
    liked = [item for item in found.items if item.kind == call.kind]
    views = [call.services.repos.get(call.actor, f"{item.kind}:{item.id}") for item in liked[page.skip : page.skip + page.size]]
    return ok([shown_repo(call, view) for view in views], total=len(liked))


def like(call: Call) -> Any:
    """`PUT|DELETE user/{name}/likes/{repo}`: the caller likes a repo by its number, or does no more.

    Raises:
        PermissionDenied: in the name of somebody else.
    """
    if call.services.users.get(call.actor, call.param("owner")).id != call.actor.user_id:
        raise PermissionDenied("People like for themselves.", hint="Use your own name.")
    repo = call.services.repos.numbered(call.actor, number_in(call, "repo"))
    call.services.social.set_like(call.actor, repo, call.request.method == "PUT")
    return ok()


def repos_of_user(call: Call) -> Any:
    """`GET user/{name}/{kind}`."""
    return _repos(call, call.services.users.get(call.actor, call.param("owner")).username)


def repos_of_org(call: Call) -> Any:
    """`GET organization/{name}/{kind}`."""
    return _repos(call, call.services.orgs.get(call.actor, call.param("owner")).name)


def _repos(call: Call, owner: str) -> Any:
    page = page_of(call)
    wanted = page.skip + page.size
    if wanted > _MAX_LISTED:
        raise InvalidInput(f"This list goes to {_MAX_LISTED:,} repos.", hint="List them by /api, which has no such limit.")
    found = call.services.search.search(call.actor, RepoQuery(kind=call.kind, owner=owner, limit=wanted))
    total = call.services.search.count_by_kind(call.actor, owner).get(call.kind, 0)
    return ok([shown_repo(call, view) for view in found.items[page.skip :]], total=total)


def orgs(call: Call) -> Any:
    """`GET organizations`: those one belongs to first."""
    page = page_of(call)
    if page.skip:
        raise InvalidInput("This list has one page.", hint="Ask with a larger 'per'.")
    found = call.services.orgs.list_orgs(call.actor, limit=page.size)
    return ok([_org(view.name, view.description, view.role) for view in found.items])


def org(call: Call) -> Any:
    """`GET organization/{name}`."""
    found = call.services.orgs.get(call.actor, call.param("owner"))
    return ok({**_org(found.name, found.description, found.role), "id": found.id, "created_at": moment(found.created_at)})


def members(call: Call) -> Any:
    """`GET organizations/{name}/members`."""
    found = call.services.orgs.get(call.actor, call.param("owner")).members
    page = page_of(call)
    shown = [{"username": member.username, "nickname": member.username, "role": str(member.role)} for member in found]
    return ok({"data": shown[page.skip : page.skip + page.size], "total": len(shown)})


def _org(name: str, description: str, role: object) -> dict[str, Any]:
    return {"path": name, "name": name, "description": description, "role": str(role) if role else "", "verified": False}
