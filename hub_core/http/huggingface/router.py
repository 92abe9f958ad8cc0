"""All routes of the Hugging Face dialect."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from hub_core.http.huggingface.accounts import add_account_routes
from hub_core.http.huggingface.collections import add_collection_routes
from hub_core.http.huggingface.commit import add_commit_routes
from hub_core.http.huggingface.device_login import add_device_login_routes
from hub_core.http.huggingface.discussions import add_discussion_routes
from hub_core.http.huggingface.edge import EncodedRoute
from hub_core.http.huggingface.elsewhere import add_elsewhere_routes
from hub_core.http.huggingface.gating import add_gating_routes
from hub_core.http.huggingface.info import add_info_routes
from hub_core.http.huggingface.lfs_files import add_lfs_file_routes
from hub_core.http.huggingface.listing import add_listing_routes
from hub_core.http.huggingface.no_owner import add_no_owner_routes
from hub_core.http.huggingface.refs import add_ref_routes
from hub_core.http.huggingface.repos import add_repo_routes
from hub_core.http.huggingface.resolve import add_resolve_routes
from hub_core.http.huggingface.revisions import add_revision_routes
from hub_core.http.huggingface.safetensors import add_safetensors_routes
from hub_core.http.huggingface.space_runs import add_space_run_routes
from hub_core.http.huggingface.spaces import add_space_routes
from hub_core.http.huggingface.tree import add_tree_routes
from hub_core.http.huggingface.upload import add_upload_routes
from hub_core.http.huggingface.webhooks import add_webhook_routes
from hub_core.http.huggingface.xet import add_xet_routes
from hub_core.http.openapi import HUGGING_FACE
from hub_core.services import Services

_PARTS: list[Callable[[APIRouter, Services], None]] = [
    add_account_routes,
    add_device_login_routes,
    add_info_routes,
    add_safetensors_routes,
    add_tree_routes,
    add_resolve_routes,
    add_ref_routes,
    add_listing_routes,
    add_repo_routes,
    add_revision_routes,
    add_upload_routes,
    add_commit_routes,
    add_discussion_routes,
    add_gating_routes,
    add_xet_routes,
    add_webhook_routes,
    add_collection_routes,
    add_space_run_routes,
    add_space_routes,
    add_lfs_file_routes,
    add_elsewhere_routes,
    add_no_owner_routes,
]


def huggingface_router(services: Services) -> APIRouter:
    """Routes below `/api`, and `resolve` addresses. Serve it under `/` and `/hf`."""
    router = APIRouter(route_class=EncodedRoute, tags=[HUGGING_FACE])
    for add_routes in _PARTS:
        add_routes(router, services)
    return router
