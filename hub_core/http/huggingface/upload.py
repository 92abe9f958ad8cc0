"""What clients ask before they upload: is the card sound, and where does each file go."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hub_core.authz import Permission
from hub_core.errors import InvalidInput
from hub_core.git.refnames import pull_number
from hub_core.http.errors import json_response
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.http.huggingface.fields import number, text
from hub_core.repos.cards import check_card
from hub_core.repos.placing import Planned
from hub_core.services import Services

_MAX_FILES = 10_000


def add_upload_routes(router: APIRouter, services: Services) -> None:
    """Routes before a commit."""
    add_route(router, services, "POST", "/api/validate-yaml", validate)
    add_route(router, services, "POST", "/api/{kind:repokind}/{namespace}/{name}/preupload/{revision:path}", preupload)


def validate(call: Call) -> Any:
    """`POST validate-yaml`: always JSON with both lists, as the client reads it before it looks at the status."""
    errors, warnings = check_card(text(call.json(), "content").encode("utf-8", "replace"))
    body = {"errors": [{"message": item} for item in errors], "warnings": [{"message": item} for item in warnings]}
    return json_response({**body, "error": " ".join(errors)} if errors else body, 400 if errors else 200)


def preupload(call: Call) -> Any:
    """`POST preupload/{revision}`; with `?create_pr=1` for a commit that opens a pull request."""
    proposed = call.flag("create_pr")
    repo = call.repo(needed_for(call.revision, proposed))
    given = call.json()
    ignore = text(given, "gitIgnore") if given.get("gitIgnore") is not None else None
    planned = call.services.files.plan_upload(call.actor, repo, _sizes(given), call.revision, ignore=ignore, proposed=proposed)
    return {"files": [_shown(item) for item in planned]}


def needed_for(revision: str, proposed: bool) -> Permission:
    """What a commit needs of the repo at its door: pull requests come from readers, too; whose they are is checked with the ref."""
    return Permission.REPO_READ if proposed or pull_number(revision) is not None else Permission.REPO_WRITE


def _sizes(given: dict[str, Any]) -> list[tuple[str, int]]:
    files = given.get("files")
    if not isinstance(files, list) or len(files) > _MAX_FILES:
        raise InvalidInput(f"'files' is not a list of at most {_MAX_FILES:,} files.")
    found: list[tuple[str, int]] = []
    for file in files:
        if not isinstance(file, dict):
            raise InvalidInput("Each file has a 'path' and a 'size'.")
        found.append((text(file, "path", None), number(file, "size") or 0))
    return found


def _shown(item: Planned) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": item.path, "uploadMode": "lfs" if item.in_lfs else "regular", "shouldIgnore": item.ignored}
    return {**shown, "oid": item.oid} if item.oid else shown
