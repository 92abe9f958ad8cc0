"""Names without an owner, like `gpt2`: elsewhere they exist, here every repo has one. Clients hear that there is no such repo."""

from __future__ import annotations

from typing import NoReturn

from fastapi import APIRouter

from hub_core.errors import RepoNotFound
from hub_core.http.huggingface.edge import Call, add_route
from hub_core.services import Services


def add_no_owner_routes(router: APIRouter, services: Services) -> None:
    """The addresses at which clients look for such a repo; serve them after all others."""
    api = "/api/{kind:repokind}/{name}"
    add_route(router, services, "GET", api, _absent)
    for word in ("revision", "tree", "paths-info", "commits"):
        add_route(router, services, "GET POST", f"{api}/{word}/{{revision}}", _absent)
    add_route(router, services, "GET HEAD", "/{name}/resolve/{revision}/{path:path}", _absent)


def _absent(call: Call) -> NoReturn:
    said = call.param("name")
    raise RepoNotFound(f"There is no repo '{said}' that you can see.", hint="Repos here are named 'namespace/name'.", repo=said)
