"""All routes of the CSGHub dialect; `resolve` and the repo info under `/csg` are the Hugging Face dialect's."""

from __future__ import annotations

from fastapi import APIRouter

from hub_core.http.csghub.collections import add_collection_routes
from hub_core.http.csghub.community import add_community_routes
from hub_core.http.csghub.discussions import add_discussion_routes
from hub_core.http.csghub.files import add_file_routes
from hub_core.http.csghub.repos import add_repo_routes
from hub_core.http.csghub.runs import add_run_routes
from hub_core.http.huggingface.edge import EncodedRoute
from hub_core.http.openapi import CSGHUB
from hub_core.services import Services


def csghub_router(services: Services) -> APIRouter:
    """Routes below `/api/v1/{models|datasets|...}`."""
    router = APIRouter(route_class=EncodedRoute, tags=[CSGHUB])
    add_file_routes(router, services)
    add_repo_routes(router, services)
    add_discussion_routes(router, services)
    add_collection_routes(router, services)
    add_community_routes(router, services)
    add_run_routes(router, services)
    return router
