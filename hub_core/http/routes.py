"""Routes of the clients' dialects, of which there are hundreds: plain ones, looked through fast.

FastAPI's own take several times as long to match and to serve.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette._utils import get_route_path
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send


class PlainRoute(Route):
    """A route that the OpenAPI document tells of; `summary` is what it is for, None for one that it leaves out."""

    def __init__(
        self, path: str, endpoint: Callable[[Request], Awaitable[Response]], methods: list[str], name: str, summary: str | None
    ) -> None:
        super().__init__(path, endpoint, methods=methods, name=name, include_in_schema=False)
        self.methods = set(methods)
        self.summary = summary


class RouteTable(BaseRoute):
    """Many routes as one. It asks only those that begin and end as the path does, in their order, and tells the metrics which it was."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.routes = routes
        self._table = [(*_fixed_ends(str(getattr(route, "path", ""))), route) for route in routes]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The first route that serves the request; else the first that serves the path with another method."""
        partial: tuple[Match, Scope] = Match.NONE, {}
        if scope["type"] != "http":
            return partial
        path = get_route_path(scope)
        for head, tail, route in self._table:
            if not path.startswith(head) or not path.endswith(tail):
                continue
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {**found, "route": route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**found, "route": route}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve by the route that was found."""
        await scope["route"].handle(scope, receive, send)


def _fixed_ends(path: str) -> tuple[str, str]:
    """What every path of a template begins and ends with."""
    return path.partition("{")[0], path.rpartition("}")[2] if "{" in path else ""
