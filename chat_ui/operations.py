"""What operators ask: is the process alive, can it serve, and its numbers for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_core.services import Services

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
FIRST_FOLDERS = frozenset({"api", "chat", "mcp", "v1", "login", "bridges", "hf", "csg", "docs", "healthz", "readyz", "metrics"})


class Metrics:
    """The numbers of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("hubtalk_requests", "HTTP requests.", ("area", "method", "status"), registry=self.registry)
        self.seconds = Histogram("hubtalk_request_seconds", "Time to the last byte.", ("area",), buckets=BUCKETS, registry=self.registry)
        self.ready = Gauge("hubtalk_ready", "1 when the hub can serve.", registry=self.registry)


class MetricsMiddleware:
    """Counts requests by area (the first folder of the path, `git` for repos), so that names of repos never become labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        first = scope["path"].split("/", 2)[1]
        area = first if first in FIRST_FOLDERS else "git" if ".git/" in scope["path"] else "other"
        status, began = 500, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._metrics.requests.labels(area, scope["method"], str(status)).inc()
            self._metrics.seconds.labels(area).observe(time.perf_counter() - began)


def operations_router(services: Services, metrics: Metrics, parts: Callable[[], dict[str, bool]]) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`. `parts` tells which parts that load in the background are there."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def alive() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    async def ready() -> JSONResponse:
        database = await run_in_threadpool(_database_answers, services)
        metrics.ready.set(1 if database else 0)
        body = {"status": "ok" if database else "unavailable", "database": database, **parts()}
        return JSONResponse(body, 200 if database else 503)

    @router.get("/metrics")
    async def numbers() -> Response:
        return Response(generate_latest(metrics.registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _database_answers(services: Services) -> bool:
    try:
        with services.db.read() as session:
            session.execute(sa.text("select 1"))
    except sa.exc.SQLAlchemyError:
        return False
    return True
