"""Collections as CSGHub's REST API has them: numbered, with `repositories` and remarks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hub_core.authz import Permission, Visibility
from hub_core.collections.search import CollectionQuery
from hub_core.collections.views import CollectionView, ItemView
from hub_core.errors import InvalidInput
from hub_core.http.csghub.answers import csghub_error, ok
from hub_core.http.csghub.lists import number_in, page_of
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text
from hub_core.http.huggingface.shapes import moment
from hub_core.services import Services

_ALL = "/api/v1/collections"
_ONE = _ALL + "/{id}"
_MAX_REPOS = 100


def add_collection_routes(router: APIRouter, services: Services) -> None:
    """Routes of collections."""
    for method, path, act in (
        ("GET", _ALL, list_),
        ("POST", _ALL, create),
        ("GET", _ONE, show),
        ("PUT", _ONE, change),
        ("DELETE", _ONE, delete),
        ("POST", _ONE + "/repos", add_repos),
        ("DELETE", _ONE + "/repos", remove_repos),
        ("PUT", _ONE + "/repos/{repo}", change_repo),
        ("GET", "/api/v1/user/{owner}/collections", of_user),
        ("GET", "/api/v1/organization/{owner}/collections", of_org),
    ):
        add_route(router, services, method, path, act, show_error=csghub_error)


def list_(call: Call) -> Any:
    """`GET collections?search=&per=&page=`: the newest first, each with its first repos."""
    return _listed(call)


def of_user(call: Call) -> Any:
    """`GET user/{name}/collections`."""
    return _listed(call, call.services.users.get(call.actor, call.param("owner")).username)


def of_org(call: Call) -> Any:
    """`GET organization/{name}/collections`."""
    return _listed(call, call.services.orgs.get(call.actor, call.param("owner")).name)


def _listed(call: Call, owner: str | None = None) -> Any:
    page = page_of(call)
    query = CollectionQuery(
        owners=[owner] if owner else (), words=call.request.query_params.get("search", ""), limit=page.size, skip=page.skip
    )
    found = call.services.collections.search(call.actor, query)
    return ok([_shown(view) for view in found.items], total=found.total)


def create(call: Call) -> Any:
    """`POST collections` `{namespace?, name, nickname?, description?, private?}`: private unless it says otherwise."""
    given = call.json()
    made = call.services.collections.create(
        call.actor,
        text(given, "nickname") or text(given, "name", None),
        text(given, "namespace") or None,
        description=text(given, "description"),
        visibility=_visibility(given) or Visibility.PRIVATE,
    )
    return ok(_shown(made))


def show(call: Call) -> Any:
    """`GET collections/{id}`: all repos that the caller may see."""
    return ok(_shown(_open(call)))


def change(call: Call) -> Any:
    """`PUT collections/{id}`: name, description and `private`."""
    given, opened = call.json(), _open(call, Permission.REPO_WRITE)
    title = text(given, "nickname") or text(given, "name") or None
    description = text(given, "description") if given.get("description") is not None else None
    changed = call.services.collections.update(call.actor, opened.id, title=title, description=description, visibility=_visibility(given))
    return ok(_shown(changed))


def delete(call: Call) -> Any:
    """`DELETE collections/{id}`."""
    call.services.collections.delete(call.actor, _open(call, Permission.REPO_ADMIN).id)
    return ok()


def add_repos(call: Call) -> Any:
    """`POST collections/{id}/repos` `{repo_ids, remarks?}`: all or none."""
    given, opened = call.json(), _open(call, Permission.REPO_WRITE)
    repos = [call.services.repos.numbered(call.actor, repo_id) for repo_id in _repo_ids(given)]
    remarks = given.get("remarks") or {}
    if not isinstance(remarks, dict):
        raise InvalidInput("'remarks' are texts by the repo's id.")
    notes = {repo.id: text(remarks, str(repo.id)) for repo in repos}
    call.services.collections.add(call.actor, opened.id, repos, notes)
    return ok()


def remove_repos(call: Call) -> Any:
    """`DELETE collections/{id}/repos` `{repo_ids}`."""
    opened = _open(call, Permission.REPO_WRITE)
    call.services.collections.remove(call.actor, opened.id, _repo_ids(call.json()))
    return ok()


def change_repo(call: Call) -> Any:
    """`PUT collections/{id}/repos/{repo}` `{remark}`."""
    opened = _open(call, Permission.REPO_WRITE)
    call.services.collections.change_item(call.actor, opened.id, number_in(call, "repo"), note=text(call.json(), "remark"))
    return ok()


def _open(call: Call, permission: Permission = Permission.REPO_READ) -> CollectionView:
    return call.services.collections.open_collection(call.actor, number_in(call, "id"), permission)


def _repo_ids(given: dict[str, Any]) -> list[int]:
    found = given.get("repo_ids")
    if not isinstance(found, list) or len(found) > _MAX_REPOS or not all(isinstance(item, int) for item in found):
        raise InvalidInput(f"'repo_ids' is not a list of at most {_MAX_REPOS} numbers.")
    return list(dict.fromkeys(found))


def _visibility(given: dict[str, Any]) -> Visibility | None:
    private = given.get("private")
    if private is None:
        return None
    if not isinstance(private, bool):
        raise InvalidInput("'private' is true or false.")
    return Visibility.PRIVATE if private else Visibility.PUBLIC


def _shown(view: CollectionView) -> dict[str, Any]:
    name = view.slug.partition("/")[2].rpartition("-")[0]
    return {
        "id": view.id, "namespace": view.namespace, "username": view.namespace, "name": name, "nickname": view.title, "theme": view.theme,
        "description": view.description, "private": view.visibility != Visibility.PUBLIC, "likes": 0, "user_likes": False,
        "can_read": True, "can_write": view.role in ("write", "admin"), "can_admin": view.role == "admin",
        "created_at": moment(view.created_at), "updated_at": moment(view.updated_at), "repositories": [_repo(item) for item in view.items],
    }  # fmt: skip


def _repo(item: ItemView) -> dict[str, Any]:
    repo = item.repo
    name = repo.id.partition("/")[2]
    return {
        "id": repo.repo_id, "path": repo.id, "name": name, "nickname": name, "description": repo.description, "repository_type": repo.kind,
        "private": repo.visibility != Visibility.PUBLIC, "likes": repo.likes, "download_count": repo.downloads, "remark": item.note,
        "tags": [{"name": tag, "show_name": tag} for tag in repo.tags], "created_at": moment(repo.created_at), "updated_at": moment(repo.updated_at),
    }  # fmt: skip
