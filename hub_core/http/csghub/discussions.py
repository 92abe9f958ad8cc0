"""Discussions as CSGHub's REST API has them (`common/types/discussion.go` of csghub-server): numbered over all repos, without pull requests."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hub_core.discussions.reading import DiscussionQuery
from hub_core.discussions.views import DiscussionView, EventView, Status, ThreadKind
from hub_core.http.csghub.answers import csghub_error, ok
from hub_core.http.csghub.lists import number_in, page_of
from hub_core.http.csghub.repos import REPO
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text
from hub_core.http.huggingface.shapes import moment
from hub_core.repos.tables import Repo
from hub_core.services import Services

_OF_REPO = REPO + "/discussions"
_ONE = "/api/v1/discussions/{id}"
_COMMENTS = _ONE + "/comments"
_COMMENT = "/api/v1/comments/{id}"


def add_discussion_routes(router: APIRouter, services: Services) -> None:
    """Routes of discussions and comments."""
    for method, path, act in (
        ("GET", _OF_REPO, list_),
        ("POST", _OF_REPO, create),
        ("GET", _ONE, show),
        ("PUT", _ONE, rename),
        ("DELETE", _ONE, close),
        ("GET", _COMMENTS, comments),
        ("POST", _COMMENTS, comment),
        ("PUT", _COMMENT, edit),
        ("DELETE", _COMMENT, hide),
    ):
        add_route(router, services, method, path, act, show_error=csghub_error)


def list_(call: Call) -> Any:
    """`GET discussions?per=&page=`: the newest first."""
    page = page_of(call)
    wanted = DiscussionQuery(kind=ThreadKind.DISCUSSION, skip=page.skip, limit=page.size)
    found = call.services.discussions.page(call.actor, call.repo(), wanted)
    return ok({"discussions": [_discussion(view) for view in found.items]}, total=found.count)


def create(call: Call) -> Any:
    """`POST discussions` `{title}`."""
    return ok(_discussion(call.services.discussions.open(call.actor, call.repo(), text(call.json(), "title"))))


def show(call: Call) -> Any:
    """`GET discussions/{id}?per=&page=`: one with a page of its comments."""
    repo, number = _one(call)
    page = page_of(call)
    view = call.services.discussions.get(call.actor, repo, number)
    found, total = call.services.discussions.comments(call.actor, repo, number, skip=page.skip, limit=page.size)
    listed = {"data": [_comment(event) for event in found], "total": total, "page": page.skip // page.size + 1, "per": page.size}
    return ok(_discussion(view) | {"comments": listed})


def rename(call: Call) -> Any:
    """`PUT discussions/{id}` `{title}`."""
    call.services.discussions.rename(call.actor, *_one(call), text(call.json(), "title"))
    return ok()


def close(call: Call) -> Any:
    """`DELETE discussions/{id}`: it is closed; nothing of what people said is lost."""
    call.services.discussions.set_status(call.actor, *_one(call), Status.CLOSED)
    return ok()


def comments(call: Call) -> Any:
    """`GET discussions/{id}/comments?per=&page=`: the oldest first."""
    page = page_of(call)
    found, total = call.services.discussions.comments(call.actor, *_one(call), skip=page.skip, limit=page.size)
    return ok([_comment(event) for event in found], total=total)


def comment(call: Call) -> Any:
    """`POST discussions/{id}/comments` `{content}`."""
    repo, number = _one(call)
    event = call.services.discussions.comment(call.actor, repo, number, text(call.json(), "content"))
    return ok(_comment(event) | {"commentable_id": number_in(call, "id"), "commentable_type": "discussion"})


def edit(call: Call) -> Any:
    """`PUT comments/{id}` `{content}`: one's own."""
    said, (repo, number, comment_id) = text(call.json(), "content"), _of_comment(call)
    call.services.discussions.edit(call.actor, repo, number, comment_id, said)
    return ok()


def hide(call: Call) -> Any:
    """`DELETE comments/{id}`: its text is gone for good."""
    call.services.discussions.hide(call.actor, *_of_comment(call))
    return ok()


def _one(call: Call) -> tuple[Repo, int]:
    return call.services.discussions.locate(call.actor, number_in(call, "id"))


def _of_comment(call: Call) -> tuple[Repo, int, int]:
    comment_id = number_in(call, "id")
    return *call.services.discussions.locate_comment(call.actor, comment_id), comment_id


def _discussion(view: DiscussionView) -> dict[str, Any]:
    return {
        "id": view.id, "title": view.title, "user": _user(view.author), "comment_count": view.comments, "status": str(view.status),
        "created_at": moment(view.created_at),
    }  # fmt: skip


def _comment(event: EventView) -> dict[str, Any]:
    return {"id": event.id, "content": event.text, "user": _user(event.author), "created_at": moment(event.at)}


def _user(name: str) -> dict[str, str]:
    return {"name": name, "avatar": ""}
