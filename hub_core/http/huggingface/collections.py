"""Collections: `/api/collections`, as `huggingface_hub` reads and writes them. Their items are repos."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from hub_core.authz import Permission, Visibility
from hub_core.collections.search import MAX_LIMIT, CollectionQuery
from hub_core.collections.views import CollectionView, ItemView
from hub_core.errors import InvalidInput, InvalidName, NotFound
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import number, text
from hub_core.http.huggingface.gating import shown_gating
from hub_core.http.huggingface.shapes import cursor_of, moment, object_id, page_limit, page_response
from hub_core.names import RepoId, parse_repo_id
from hub_core.repos.kinds import PREFIX_TO_KIND, RepoKind
from hub_core.repos.view import RepoView
from hub_core.services import Services

_ALL = "/api/collections"
_ONE = _ALL + "/{namespace}/{name}"
_ITEM = _ONE + "/items/{item}"
_SORTS = {"", "lastModified", "trending", "upvotes"}  # nothing here is voted on, so all mean the newest first


def add_collection_routes(router: APIRouter, services: Services) -> None:
    """Routes of collections and their items."""
    for method, path, act in (
        ("GET", _ALL, list_),
        ("POST", _ALL, create),
        ("GET", _ONE, show),
        ("PATCH", _ONE, update),
        ("DELETE", _ONE, delete),
        ("POST", _ONE + "/items", add_item),
        ("PATCH", _ITEM, change_item),
        ("DELETE", _ITEM, remove_item),
    ):
        add_route(router, services, method, path, act)


def list_(call: Call) -> Response:
    """`GET collections?owner=&item=&q=&limit=`: each with its first items. Without `position`, which the client counts by itself."""
    params = call.request.query_params
    if params.get("sort", "") not in _SORTS:
        raise InvalidInput(f"'{params['sort'][:40]}' is not an order of collections.", hint="Use lastModified.")
    asked = params.getlist("item")
    items = [item for item in map(_asked, asked) if item is not None]
    if asked and not items:
        return page_response(call, [], None)
    query = CollectionQuery(
        owners=params.getlist("owner"), items=items, words=params.get("q", ""), limit=page_limit(call, 20, MAX_LIMIT), cursor=cursor_of(call) or None
    )  # fmt: skip
    page = call.services.collections.search(call.actor, query)
    return page_response(call, [_shown(view) for view in page.items], page.next)


def create(call: Call) -> Any:
    """`POST collections`: private unless it says otherwise. A 409 carries the slug of the collection that has the title."""
    given = call.json()
    if given.get("resourceGroupId") is not None:
        raise InvalidInput("There are no resource groups here.", hint="Leave resourceGroupId out.")
    namespace, item = text(given, "namespace") or None, given.get("item")
    visibility = _visibility(given) or Visibility.PRIVATE
    made = call.services.collections.create(
        call.actor, text(given, "title", None), namespace, description=text(given, "description"), visibility=visibility
    )
    return _whole(made if item is None else _add(call, made, given))


def show(call: Call) -> Any:
    """`GET collections/{slug}`: all items that the caller may see."""
    return _whole(_open(call))


def update(call: Call) -> Any:
    """`PATCH collections/{slug}`."""
    given, opened = call.json(), _open(call, Permission.REPO_WRITE)
    texts = {field: text(given, field) for field in ("title", "description", "theme") if given.get(field) is not None}
    changed = call.services.collections.update(
        call.actor, opened.id, **texts, visibility=_visibility(given), position=number(given, "position")
    )
    return {"success": True, "data": _whole(changed)}


def delete(call: Call) -> Any:
    """`DELETE collections/{slug}`."""
    call.services.collections.delete(call.actor, _open(call, Permission.REPO_ADMIN).id)
    return {"success": True}


def add_item(call: Call) -> Any:
    """`POST collections/{slug}/items`."""
    return _whole(_add(call, _open(call, Permission.REPO_WRITE), call.json()))


def change_item(call: Call) -> Any:
    """`PATCH collections/{slug}/items/{id}`: note and position."""
    given, opened = call.json(), _open(call, Permission.REPO_WRITE)
    item = _item(call, opened)
    note = text(given, "note") if given.get("note") is not None else None
    changed = call.services.collections.change_item(call.actor, opened.id, item.repo.repo_id, note=note, position=number(given, "position"))
    return {"success": True, "data": _item_shown(_item(call, changed))}


def remove_item(call: Call) -> Any:
    """`DELETE collections/{slug}/items/{id}`."""
    opened = _open(call, Permission.REPO_WRITE)
    call.services.collections.remove(call.actor, opened.id, [_item(call, opened).repo.repo_id])
    return {"success": True}


def _open(call: Call, permission: Permission = Permission.REPO_READ) -> CollectionView:
    return call.services.collections.get(call.actor, f"{call.param('namespace')}/{call.param('name')}", permission)


def _item(call: Call, opened: CollectionView) -> ItemView:
    for item in opened.items:
        if object_id(item.id) == call.param("item"):
            return item
    raise NotFound("This collection has no such item.", hint="Take the id from the collection's items.")


def _add(call: Call, opened: CollectionView, given: dict[str, Any]) -> CollectionView:
    item = given.get("item")
    if not isinstance(item, dict):
        raise InvalidInput("'item' has a 'type' and an 'id'.")
    kind = text(item, "type", None)
    if kind not in list(RepoKind):
        raise InvalidInput(f"A collection here holds repos, and no '{kind[:40]}'.", hint=f"One of {', '.join(RepoKind)}.")
    repo = call.services.repos.find(call.actor, f"{kind}:{parse_repo_id(text(item, 'id', None))}")
    return call.services.collections.add(call.actor, opened.id, [repo], {repo.id: text(given, "note")})


def _asked(said: str) -> tuple[RepoKind, RepoId] | None:
    """`models/acme/support-7b` of a filter; None for what no collection here can hold."""
    plural, _, repo_id = said.partition("/")
    try:
        return (PREFIX_TO_KIND[plural], parse_repo_id(repo_id)) if plural in PREFIX_TO_KIND else None
    except InvalidName:
        return None


def _visibility(given: dict[str, Any]) -> Visibility | None:
    private = given.get("private")
    if private is None:
        return None
    if not isinstance(private, bool):
        raise InvalidInput("'private' is true or false.")
    return Visibility.PRIVATE if private else Visibility.PUBLIC


def _whole(view: CollectionView) -> dict[str, Any]:
    return {**_shown(view), "position": view.position}


def _shown(view: CollectionView) -> dict[str, Any]:
    return {
        "slug": view.slug, "title": view.title, "description": view.description, "gating": False, "lastUpdated": moment(view.updated_at),
        "owner": {"name": view.namespace, "fullname": view.namespace, "avatarUrl": ""}, "theme": view.theme or "orange",
        "private": view.visibility != Visibility.PUBLIC, "upvotes": 0, "isUpvotedByUser": False,
        "items": [_item_shown(item) for item in view.items],
    }  # fmt: skip


def _item_shown(item: ItemView) -> dict[str, Any]:
    shown = {"_id": object_id(item.id), "position": item.position, **_repo_shown(item.repo)}
    return {**shown, "note": {"text": item.note, "html": ""}} if item.note else shown


def _repo_shown(repo: RepoView) -> dict[str, Any]:
    return {
        "id": repo.id, "type": repo.kind, "repoType": repo.kind, "author": repo.owner, "downloads": repo.downloads, "likes": repo.likes,
        "lastModified": moment(repo.updated_at), "private": repo.visibility != Visibility.PUBLIC, "gated": shown_gating(repo.gated),
    }  # fmt: skip
