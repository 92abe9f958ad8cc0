"""Repos and branches: made, shown, changed, deleted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hub_core.authz import Permission, Visibility
from hub_core.errors import InvalidInput
from hub_core.http.csghub.answers import csghub_error, ok
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text, word
from hub_core.http.huggingface.shapes import moment
from hub_core.repos.kinds import KINDS, RepoKind
from hub_core.repos.view import RepoView
from hub_core.services import Services

KIND = "/api/v1/{kind:repokind}"
REPO = KIND + "/{namespace}/{name}"


def add_repo_routes(router: APIRouter, services: Services) -> None:
    """Routes of repos as things."""
    for methods, path, act in (
        ("POST", KIND, create),
        ("GET", REPO, show),
        ("PUT", REPO, change),
        ("DELETE", REPO, delete),
        ("GET", REPO + "/branches", branches),
    ):
        add_route(router, services, methods, path, act, show_error=csghub_error)


def create(call: Call) -> Any:
    """`POST /api/v1/{kind}`: private unless said otherwise. The repo has a branch `main` at once."""
    given = call.json()
    if text(given, "default_branch", "main") not in {"", "main"}:
        raise InvalidInput("A new repo begins on the branch 'main'.", hint="Change the default branch afterwards.")
    said = f"{text(given, 'namespace') or call.actor.username}/{text(given, 'name', None)}"
    made = call.services.repos.create(
        call.actor,
        said,
        call.kind,
        _visibility(given) or Visibility.PRIVATE,
        text(given, "description"),
        word(given, "license"),
        sdk=word(given, "sdk") if call.kind is RepoKind.SPACE else "",
    )
    return ok(shown_repo(call, made))


def show(call: Call) -> Any:
    """`GET /api/v1/{kind}/{id}`."""
    repo = call.repo()
    return ok(shown_repo(call, call.services.repos.get(call.actor, f"{repo.kind}:{repo.full_name}")))


def change(call: Call) -> Any:
    """`PUT /api/v1/{kind}/{id}`: description and visibility."""
    given = call.json()
    visibility = _visibility(given)
    repo = call.repo(Permission.REPO_ADMIN if visibility else Permission.REPO_WRITE)
    if given.get("description") is not None:
        call.services.repos.update(call.actor, repo, description=text(given, "description"))
    if visibility:
        call.services.repos.set_visibility(call.actor, repo, visibility)
    return show(call)


def delete(call: Call) -> Any:
    """`DELETE /api/v1/{kind}/{id}`: into the trash."""
    call.services.repos.delete(call.actor, call.repo(Permission.REPO_ADMIN))
    return ok()


def branches(call: Call) -> Any:
    """`GET branches`."""
    return ok([{"name": name, "commit": {"id": sha}} for name, sha in call.services.history.branches(call.actor, call.repo()).items()])


def shown_repo(call: Call, view: RepoView) -> dict[str, Any]:
    """A repo in this dialect."""
    namespace, _, name = view.id.partition("/")
    kind = RepoKind(view.kind)
    clone = call.url(f"/{KINDS[kind].plural}/{view.id}.git")
    return {
        "id": view.repo_id, "repository_id": view.repo_id, "path": view.id, "name": name, "nickname": name, "namespace": {"path": namespace},
        "description": view.description, "license": view.license, "private": view.visibility != Visibility.PUBLIC,
        "default_branch": view.default_branch, "likes": view.likes, "downloads": view.downloads, "user_likes": view.liked,
        "tags": [{"name": tag, "show_name": tag} for tag in view.tags], "repository": {"http_clone_url": clone, "ssh_clone_url": ""},
        "created_at": moment(view.created_at), "updated_at": moment(view.updated_at),
    }  # fmt: skip


def _visibility(given: dict[str, Any]) -> Visibility | None:
    private = given.get("private")
    if private is None:
        return None
    if not isinstance(private, bool):
        raise InvalidInput("'private' is true or false.")
    return Visibility.PRIVATE if private else Visibility.PUBLIC
