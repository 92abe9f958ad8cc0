"""What real clients speak: Git, LFS, the Hugging Face dialect and CSGHub's, under `/` and, as csghub-sdk has it, `/hf` and `/csg`."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.routing import Router

from hub_core.http.csghub.router import csghub_router
from hub_core.http.git_smart import git_router
from hub_core.http.huggingface.router import huggingface_router
from hub_core.http.lfs import lfs_router
from hub_core.http.routes import RouteTable
from hub_core.http.training_files import training_files_router
from hub_core.services import Services

# Of what is not a dialect, these begin like a repo's address (`/{namespace}/{name}/...`); no owner may have such a name.
_OTHERS = ("/chat/", "/mcp/", "/run/", "/v1/")


def add_hub_routes(app: FastAPI, services: Services) -> list[APIRouter]:
    """Serve every dialect; returns their routers."""
    routers = [
        csghub_router(services),
        huggingface_router(services),
        lfs_router(services),
        git_router(services),
        training_files_router(services),
    ]
    # As they are, and first: an included router looks through its routes twice for each request that it lets pass.
    table = RouteTable([route for router in routers for route in router.routes], _OTHERS)
    app.router.routes.insert(0, table)
    again = Router(routes=[table])
    for prefix in ("/hf", "/csg"):
        app.mount(prefix, again)
    return routers
