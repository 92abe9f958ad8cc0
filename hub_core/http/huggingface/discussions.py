"""Discussions and pull requests: opened, listed, commented, closed, merged."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hub_core.discussions.reading import DiscussionQuery
from hub_core.discussions.views import DiscussionView, Status, ThreadKind
from hub_core.errors import InvalidInput
from hub_core.http.huggingface.discussion_shapes import (
    changes_shape,
    details_shape,
    discussion_shape,
    event_shape,
    read_comment_id,
    read_number,
)
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text
from hub_core.http.huggingface.shapes import REPO
from hub_core.repos.tables import Repo
from hub_core.services import Services

_ALL = REPO + "/discussions"
_ONE = _ALL + "/{number}"
_PAGE = 50
_MAX_PAGE = 10**7


def add_discussion_routes(router: APIRouter, services: Services) -> None:
    """Routes of discussions and pull requests."""
    for method, path, act in (
        ("GET", _ALL, list_),
        ("POST", _ALL, create),
        ("GET", _ONE, show),
        ("POST", _ONE + "/comment", comment),
        ("POST", _ONE + "/comment/{comment}/edit", edit),
        ("POST", _ONE + "/comment/{comment}/hide", hide),
        ("POST", _ONE + "/title", rename),
        ("POST", _ONE + "/status", change_status),
        ("POST", _ONE + "/merge", merge),
    ):
        add_route(router, services, method, path, act)


def list_(call: Call) -> Any:
    """`GET discussions?p=&type=&status=&author=`: a page, the newest first; `count` tells how many there are in all."""
    params, repo = call.request.query_params, call.repo()
    said = params.get("p", "") or "0"
    if not said.isascii() or not said.isdecimal() or int(said[:12]) > _MAX_PAGE:
        raise InvalidInput("'p' is not the number of a page.", hint="Pages begin with 0.")
    kind, status = _choice(call, "type", ThreadKind), _choice(call, "status", Status)
    wanted = DiscussionQuery(
        kind=None if kind is None else ThreadKind(kind), status=None if status is None else Status(status),
        author=params.get("author", ""), skip=int(said) * _PAGE, limit=_PAGE,
    )  # fmt: skip
    page = call.services.discussions.page(call.actor, repo, wanted)
    found = [discussion_shape(repo, view) for view in page.items]
    return {"discussions": found, "count": page.count, "start": wanted.skip}


def create(call: Call) -> Any:
    """`POST discussions` `{title, description, pullRequest}`: a pull request begins as a draft, with its ref at the default branch's head."""
    repo, given = call.repo(), call.json()
    title, body = text(given, "title"), text(given, "description")
    if given.get("pullRequest"):
        made = call.services.pulls.open(call.actor, repo, title, body)
    else:
        made = call.services.discussions.open(call.actor, repo, title, body)
    return discussion_shape(repo, made) | {"url": discussion_url(call, repo, made)}


def show(call: Call) -> Any:
    """`GET discussions/{number}?diff=`: one with everything that happened in it, and what a pull request changes."""
    repo, number = call.repo(), read_number(call.param("number"))
    thread = call.services.discussions.thread(call.actor, repo, number)
    found = details_shape(repo, thread.discussion, thread.events)
    if thread.discussion.is_pull_request:
        with call.services.heavy_reads.place():
            changes = call.services.merges.changes_to_show(call.actor, repo, number)
        if changes is not None:
            found |= changes_shape(changes, call.flag("diff"))
    return found


def comment(call: Call) -> Any:
    """`POST comment` `{comment}`."""
    said = text(call.json(), "comment")
    return {"newMessage": event_shape(call.services.discussions.comment(call.actor, *_one(call), said))}


def edit(call: Call) -> Any:
    """`POST comment/{id}/edit` `{content}`: one's own."""
    said = text(call.json(), "content")
    return {"updatedComment": event_shape(call.services.discussions.edit(call.actor, *_one(call), _comment_id(call), said))}


def hide(call: Call) -> Any:
    """`POST comment/{id}/hide`: its text is gone for good."""
    return {"updatedComment": event_shape(call.services.discussions.hide(call.actor, *_one(call), _comment_id(call)))}


def rename(call: Call) -> Any:
    """`POST title` `{title}`."""
    return {"newTitle": event_shape(call.services.discussions.rename(call.actor, *_one(call), text(call.json(), "title")))}


def change_status(call: Call) -> Any:
    """`POST status` `{status: open|closed, comment?}`: closes or reopens; `open` also ends a draft."""
    given = call.json()
    status, last = text(given, "status"), text(given, "comment")
    if status not in (Status.OPEN, Status.CLOSED):
        raise InvalidInput(f"The status '{status[:20]}' cannot be set.", hint="open or closed")
    return {"newStatus": event_shape(call.services.discussions.set_status(call.actor, *_one(call), Status(status), last))}


def merge(call: Call) -> Any:
    """`POST merge` `{comment?}`: 409 with the files when both sides changed the same lines."""
    repo, number = _one(call)
    merged = call.services.merges.merge(call.actor, repo, number, text(call.json(), "comment"))
    return discussion_shape(repo, merged) | {"mergeCommitId": merged.merge_commit}


def discussion_url(call: Call, repo: Repo, view: DiscussionView) -> str:
    """The address of a discussion; the client reads the number off its end."""
    return f"{call.repo_url(call.kind, repo.full_name)}/discussions/{view.number}"


def _one(call: Call) -> tuple[Repo, int]:
    return call.repo(), read_number(call.param("number"))


def _comment_id(call: Call) -> int:
    return read_comment_id(call.param("comment"))


def _choice(call: Call, name: str, known: type[ThreadKind] | type[Status]) -> str | None:
    said = call.request.query_params.get(name, "") or "all"
    if said != "all" and said not in list(known):
        raise InvalidInput(f"'{name}' is not known.", hint=f"One of all, {', '.join(known)}.")
    return None if said == "all" else said
