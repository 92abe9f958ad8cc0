"""What real clients speak: Git, LFS and the Hugging Face dialect, under `/` and once more under `/hf`."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import Router

from hub_core.http.git_smart import git_router
from hub_core.http.huggingface.router import huggingface_router
from hub_core.http.lfs import lfs_router
from hub_core.services import Services


def add_hub_routes(app: FastAPI, services: Services) -> None:
    """Serve every dialect. Their paths are the widest (`/{namespace}/{name}/...`): call this last."""
    routers = [huggingface_router(services), lfs_router(services), git_router(services)]
    for router in routers:
        app.include_router(router)
    app.mount("/hf", Router(routes=[route for router in routers for route in router.routes]))
