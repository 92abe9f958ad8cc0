"""Routes of the clients' dialects, of which there are hundreds: plain ones, looked through fast.

FastAPI's own take several times as long to match and to serve.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette._utils import get_route_path
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send


class PlainRoute(Route):
    """A route that the OpenAPI document tells of.

    Args:
        summary: what it is for; None for one that the document leaves out.
        operation: what else the document says of it, such as its body.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        methods: list[str],
        name: str,
        summary: str | None,
        operation: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=methods, name=name, include_in_schema=False)
        self.methods = set(methods)
        self.summary = summary
        self.operation = operation or {}


class RouteTable(BaseRoute):
    """Many routes as one. It asks only those that begin and end as the path does, in their order, and tells the metrics which it was.

    Args:
        others: beginnings of paths that belong to other parts of the application, whatever a wide template would make of them.
    """

    def __init__(self, routes: Sequence[BaseRoute], others: tuple[str, ...] = ()) -> None:
        self.routes = routes
        self._others = others
        rows = [(*_fixed_ends(str(getattr(route, "path", ""))), route) for route in routes]
        places = {_place(head) for head, _, _ in rows}
        # For paths that begin in one way: all routes that may serve them, in their order.
        self._rows = {place: [row for row in rows if place.startswith(_place(row[0]))] for place in {"/", *places}}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The first route that serves the request; else the first that serves the path with another method."""
        partial: tuple[Match, Scope] = Match.NONE, {}
        if scope["type"] != "http":
            return partial
        path = get_route_path(scope)
        if path.startswith(self._others):
            return partial
        for head, tail, route in self._candidates(path):
            if not path.startswith(head) or not path.endswith(tail):
                continue
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {**found, "route": route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**found, "route": route}
        return partial

    def _candidates(self, path: str) -> Sequence[tuple[str, str, BaseRoute]]:
        first = path.find("/", 1)
        second = path.find("/", first + 1) if first > 0 else -1
        found = self._rows.get(path[: second + 1]) if second > 0 else None
        return found or (self._rows.get(path[: first + 1]) if first > 0 else None) or self._rows["/"]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve by the route that was found."""
        await scope["route"].handle(scope, receive, send)


def _fixed_ends(path: str) -> tuple[str, str]:
    """What every path of a template begins and ends with."""
    return path.partition("{")[0], path.rpartition("}")[2] if "{" in path else ""


def _place(head: str) -> str:
    """The first two whole segments of what all paths of a template begin with: `/api/models/` of `/api/models/{namespace}`."""
    segments = head.split("/")[1:-1][:2]
    return "/" + "".join(f"{segment}/" for segment in segments)
