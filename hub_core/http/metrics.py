"""Numbers for Prometheus: requests and latencies by route, bytes of Git and LFS.

Labels are templates of routes, never paths: names of repos would make a new time series each, and tell who works on what.
"""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMATCHED = "(none)"


class Metrics:
    """The numbers of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        names = ("route", "method", "status")
        self.requests = Counter("hubtalk_requests", "HTTP requests.", names, registry=self.registry)
        self.seconds = Histogram(
            "hubtalk_request_seconds", "Time to the last byte of the answer.", ("route",), buckets=BUCKETS, registry=self.registry
        )
        self.running = Gauge("hubtalk_requests_running", "HTTP requests that are being served.", registry=self.registry)
        self.bytes = Counter(
            "hubtalk_transfer_bytes",
            "Bytes of bodies, by protocol (git, lfs) and direction.",
            ("protocol", "direction"),
            registry=self.registry,
        )
        self.ready = Gauge("hubtalk_ready", "1 when the hub can serve.", registry=self.registry)
        self._of: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # looking a label up takes a lock, twice

    def served(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that is over."""
        found = self._of.get((route, method, status))
        if found is None:
            found = self.requests.labels(route, method, str(status)), self.seconds.labels(route)
            self._of[route, method, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def render(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self.registry)


class MetricsMiddleware:
    """Counts requests and, for Git and LFS, bytes. Bodies pass through untouched, chunk by chunk."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics, protocol = self._metrics, protocol_of(scope["path"])
        status, began = 500, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif protocol:
                metrics.bytes.labels(protocol, "out").inc(len(message.get("body", b"")))
            await send(message)

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                metrics.bytes.labels(protocol, "in").inc(len(message.get("body", b"")))
            return message

        metrics.running.inc()
        try:
            await self._app(scope, receiving if protocol else receive, sending)
        finally:
            metrics.running.dec()
            route = template_of(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.served(route, method, status, time.perf_counter() - began)


def protocol_of(path: str) -> str:
    """`git`, `lfs` or nothing, by the shape of the path."""
    if "/info/lfs/" in path:
        return "lfs"
    return "git" if path.endswith(("/info/refs", "/git-upload-pack", "/git-receive-pack")) else ""


def template_of(scope: Scope) -> str:
    """The template of the route that served the request; a mounted application counts as one route."""
    if scope.get("root_path"):
        return str(scope["root_path"])
    return str(getattr(scope.get("route"), "path", "") or _UNMATCHED)
