"""Making, changing and removing repos, and liking them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hub_core.authz import Permission, Visibility, require_scope
from hub_core.errors import AlreadyExists, HubError, InvalidInput
from hub_core.gating.tables import Gating
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import text, word
from hub_core.http.huggingface.gating import gating_of, shown_gating
from hub_core.http.huggingface.spaces import given_settings
from hub_core.names import parse_repo_id
from hub_core.repos.access import repo_not_found
from hub_core.repos.kinds import RepoKind
from hub_core.repos.service import Also
from hub_core.services import Services

_REPO = "/api/{kind:repokind}/{namespace}/{name}"
# What the Hugging Face Hub takes here and this hub does not; silence would look like consent.
_NOT_TAKEN = ("template", "hardware", "volumes", "sleepTimeSeconds", "resourceGroupId", "region")


def add_repo_routes(router: APIRouter, services: Services) -> None:
    """Routes that write to the repo as a thing."""
    add_route(router, services, "POST", "/api/repos/create", create)
    add_route(router, services, "DELETE", "/api/repos/delete", delete)
    add_route(router, services, "POST", "/api/repos/move", move)
    add_route(router, services, "PUT", f"{_REPO}/settings", change_settings)
    add_route(router, services, "POST", f"{_REPO}/duplicate", duplicate)
    add_route(router, services, "GET", f"{_REPO}/auth-check", may_read)
    add_route(router, services, "GET", f"{_REPO}/auth-check/write", may_write)
    add_route(router, services, "POST", f"{_REPO}/like", like)
    add_route(router, services, "DELETE", f"{_REPO}/like", unlike)


def create(call: Call) -> Any:
    """`POST repos/create`: private unless said otherwise; 409 carries the address of what is there, which clients read with `exist_ok`."""
    given = call.json()
    kind, said = _kind(given), _said(call, given)
    _refuse_unknown(given)
    sdk = word(given, "sdk") if kind is RepoKind.SPACE else ""
    also = _settings(call, given, kind)
    try:
        made = call.services.repos.create(
            call.actor, said, kind, _visibility(given) or Visibility.PRIVATE, license=word(given, "license"), sdk=sdk, also=also
        )
    except AlreadyExists as error:
        raise _with_address(call, error, kind, said) from error
    return {"url": call.repo_url(kind, made.id), "name": made.id, "id": str(made.repo_id)}


def delete(call: Call) -> Any:
    """`DELETE repos/delete`: into the trash. Only the name that the repo has now counts, so that an old one removes nothing else."""
    given = call.json()
    kind, said = _kind(given), _said(call, given)
    wanted = parse_repo_id(said)
    repo = call.services.repos.open_repo(call.actor, kind, wanted.namespace, wanted.name, Permission.REPO_ADMIN)
    if (repo.namespace, repo.key) != (wanted.namespace, wanted.name.lower()):
        raise repo_not_found(said)
    call.services.repos.delete(call.actor, repo)
    return {}


def move(call: Call) -> Any:
    """`POST repos/move`; the old name leads to the new one."""
    given = call.json()
    kind, source, target = _kind(given), parse_repo_id(text(given, "fromRepo")), str(parse_repo_id(text(given, "toRepo")))
    repo = call.services.repos.open_repo(call.actor, kind, source.namespace, source.name, Permission.REPO_ADMIN)
    try:
        moved = call.services.repos.move(call.actor, repo, target)
    except AlreadyExists as error:
        raise _with_address(call, error, kind, target) from error
    return {"url": call.repo_url(kind, moved.id), "name": moved.id}


def change_settings(call: Call) -> Any:
    """`PUT settings`: visibility, description and gate."""
    given = call.json()
    repo = call.repo(Permission.REPO_ADMIN)
    visibility, description, gating = _visibility(given), given.get("description"), gating_of(given)
    if visibility is None and description is None and gating is None:
        raise InvalidInput("Say what to change: 'visibility', 'private', 'gated' or 'description'.")
    if description is not None:
        call.services.repos.update(call.actor, repo, description=text(given, "description"))
    opens = gating is not None and gating.rank < Gating(repo.gated).rank
    if gating is not None and not opens:
        call.services.gating.set_gating(call.actor, repo, gating)
    if visibility is not None:
        call.services.repos.set_visibility(call.actor, repo, visibility)
    if gating is not None and opens:
        # Last, so that nothing is open to people who in the end shall not see it.
        call.services.gating.set_gating(call.actor, repo, gating)
    now = str(visibility or repo.visibility)
    return {"visibility": now, "private": now != Visibility.PUBLIC, "gated": shown_gating(gating or repo.gated)}


def duplicate(call: Call) -> Any:
    """`POST duplicate`: a copy with all branches, tags and large files, of a Space with its variables and without its secrets."""
    given = call.json()
    _refuse_unknown(given)
    also = _settings(call, given, call.kind)
    source, target = call.repo(), str(parse_repo_id(text(given, "repository")))
    try:
        made = call.services.repos.fork(call.actor, f"{call.kind}:{source.full_name}", target, _visibility(given), also=also)
    except AlreadyExists as error:
        raise _with_address(call, error, call.kind, target) from error
    return {"url": call.repo_url(call.kind, made.id), "filesCopyPending": False}


def may_read(call: Call) -> Any:
    """`GET auth-check`: whether the files can be read."""
    call.repo(Permission.REPO_FILES)
    return {}


def may_write(call: Call) -> Any:
    """`GET auth-check/write`."""
    call.repo(Permission.REPO_WRITE)
    return {}


def like(call: Call) -> Any:
    """`POST like`."""
    return {"likes": call.services.social.set_like(call.actor, call.repo(), True)}


def unlike(call: Call) -> Any:
    """`DELETE like`."""
    return {"likes": call.services.social.set_like(call.actor, call.repo(), False)}


def _kind(given: dict[str, Any]) -> RepoKind:
    said = given.get("type") or "model"
    if said not in list(RepoKind):
        raise InvalidInput("'type' is not a kind of repo.", hint=f"One of {', '.join(RepoKind)}.")
    return RepoKind(said)


def _said(call: Call, given: dict[str, Any]) -> str:
    """`namespace/name`: `organization` and `name`, or a name in the caller's own namespace."""
    name, organization = text(given, "name"), text(given, "organization")
    return name if "/" in name else f"{organization or call.actor.username}/{name}"


def _visibility(given: dict[str, Any]) -> Visibility | None:
    """`visibility`, or `private` as older clients say it; None where neither is there."""
    said, private = given.get("visibility"), given.get("private")
    if said is not None:
        if said not in list(Visibility):
            raise InvalidInput(f"The visibility '{said}' is not known here.", hint=f"One of {', '.join(Visibility)}.")
        return Visibility(said)
    if private is None:
        return None
    if not isinstance(private, bool):
        raise InvalidInput("'private' is true or false.")
    return Visibility.PRIVATE if private else Visibility.PUBLIC


def _settings(call: Call, given: dict[str, Any], kind: RepoKind) -> Also:
    """What sets the `secrets` and `variables` of a request together with the repo that it makes; wrong ones are refused before that."""
    settings = given_settings(given, kind)
    if settings:
        require_scope(call.actor, Permission.REPO_CREATE)
        call.services.spaces.check(settings)
    return call.services.spaces.along(call.actor, settings)


def _refuse_unknown(given: dict[str, Any]) -> None:
    found = [field for field in _NOT_TAKEN if given.get(field) is not None]
    if found:
        raise InvalidInput(f"{', '.join(found)} cannot be set here.", hint="Make the repo without, and set it up afterwards.")


def _with_address(call: Call, error: AlreadyExists, kind: RepoKind, said: str) -> HubError:
    return AlreadyExists(error.message, hint=error.hint, body={"url": call.repo_url(kind, str(parse_repo_id(said)))})
