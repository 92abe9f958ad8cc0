"""Branches and tags, and squashing the history of a branch."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hub_core.authz import Permission
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text
from hub_core.services import Services

_REPO = "/api/{kind:repokind}/{namespace}/{name}"


def add_revision_routes(router: APIRouter, services: Services) -> None:
    """Routes that write branches and tags."""
    add_route(router, services, "POST", f"{_REPO}/branch/{{revision:path}}", create_branch)
    add_route(router, services, "DELETE", f"{_REPO}/branch/{{revision:path}}", delete_branch)
    add_route(router, services, "POST", f"{_REPO}/tag/{{revision:path}}", create_tag)
    add_route(router, services, "DELETE", f"{_REPO}/tag/{{revision:path}}", delete_tag)
    add_route(router, services, "POST", f"{_REPO}/super-squash/{{revision:path}}", squash)


def create_branch(call: Call) -> Any:
    """`POST branch/{branch}`, from `startingPoint` or the head of the default branch."""
    repo = call.repo(Permission.REPO_WRITE)
    call.services.history.create_branch(call.actor, repo, call.revision, text(call.json(), "startingPoint"))
    return {}


def delete_branch(call: Call) -> Any:
    """`DELETE branch/{branch}`."""
    call.services.history.delete_branch(call.actor, call.repo(Permission.REPO_WRITE), call.revision)
    return {}


def create_tag(call: Call) -> Any:
    """`POST tag/{revision}`: `tag` is its name; with a `message` it is annotated."""
    repo = call.repo(Permission.REPO_WRITE)
    given = call.json()
    call.services.history.create_tag(call.actor, repo, text(given, "tag"), call.revision, message=text(given, "message"))
    return {}


def delete_tag(call: Call) -> Any:
    """`DELETE tag/{tag}`."""
    call.services.history.delete_tag(call.actor, call.repo(Permission.REPO_WRITE), call.revision)
    return {}


def squash(call: Call) -> Any:
    """`POST super-squash/{branch}`."""
    repo = call.repo(Permission.REPO_WRITE)
    made = call.services.history.squash(call.actor, repo, call.revision, text(call.json(), "message"))
    return {"commitOid": made.commit}
