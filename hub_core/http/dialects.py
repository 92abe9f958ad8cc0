"""What real clients speak: Git, LFS, the Hugging Face dialect and CSGHub's, under `/` and, as csghub-sdk has it, `/hf` and `/csg`."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.routing import Router

from hub_core.http.csghub.router import csghub_router
from hub_core.http.git_smart import git_router
from hub_core.http.huggingface.router import huggingface_router
from hub_core.http.lfs import lfs_router
from hub_core.http.routes import RouteTable
from hub_core.services import Services


def add_hub_routes(app: FastAPI, services: Services) -> list[APIRouter]:
    """Serve every dialect; returns their routers. Their paths are the widest (`/{namespace}/{name}/...`): call this last."""
    routers = [csghub_router(services), huggingface_router(services), lfs_router(services), git_router(services)]
    # As they are: an included router looks through its routes twice for each request.
    table = RouteTable([route for router in routers for route in router.routes])
    app.router.routes.append(table)
    again = Router(routes=[table])
    for prefix in ("/hf", "/csg"):
        app.mount(prefix, again)
    return routers
