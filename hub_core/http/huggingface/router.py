"""All routes of the Hugging Face dialect."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from hub_core.http.huggingface.edge import EncodedRoute
from hub_core.services import Services

_PARTS: list[Callable[[APIRouter, Services], None]] = []


def huggingface_router(services: Services) -> APIRouter:
    """Routes below `/api`, and `resolve` addresses. Serve it under `/` and `/hf`."""
    router = APIRouter(route_class=EncodedRoute)
    for add_routes in _PARTS:
        add_routes(router, services)
    return router
