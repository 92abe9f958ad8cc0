"""What operators ask: is the process alive, can it serve, and its numbers for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from hub_core.errors import Unavailable
from hub_core.http.metrics import CONTENT_TYPE, Metrics
from hub_core.http.paths import READ
from hub_core.services import Services


def operations_router(services: Services, metrics: Metrics, parts: Callable[[], dict[str, bool]]) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`. `parts` tells which parts that load in the background are there."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/healthz", methods=READ)
    async def alive() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.api_route("/readyz", methods=READ)
    async def ready() -> JSONResponse:
        database = await run_in_threadpool(_database_answers, services)
        metrics.ready.set(1 if database else 0)
        body = {"status": "ok" if database else "unavailable", "database": database, **parts()}
        return JSONResponse(body, 200 if database else 503)

    @router.api_route("/metrics", methods=READ)
    async def numbers() -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    return router


def _database_answers(services: Services) -> bool:
    try:
        with services.db.read() as session:
            session.execute(sa.text("select 1"))
    except (Unavailable, sa.exc.SQLAlchemyError):
        return False
    return True
