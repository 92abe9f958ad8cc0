"""Routes of the clients' dialects: plain ones, as FastAPI's own take several times as long to match and to serve, and there are hundreds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope


class PlainRoute(Route):
    """A route that the metrics and the OpenAPI document know; `summary` is what it is for, None for one that is not told of."""

    def __init__(
        self, path: str, endpoint: Callable[[Request], Awaitable[Response]], methods: list[str], name: str, summary: str | None
    ) -> None:
        super().__init__(path, endpoint, methods=methods, name=name, include_in_schema=False)
        self.methods = set(methods)
        self.summary = summary

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as usual; the metrics ask for the route that served."""
        match, found = super().matches(scope)
        return match, {**found, "route": self} if found else found
