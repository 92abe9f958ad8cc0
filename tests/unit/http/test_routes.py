"""The table of the dialects' routes finds what a look through all of them finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from hub_core.http import dialects
from hub_core.http.routes import PlainRoute, RouteTable
from hub_core.names import RESERVED_NAMES


async def nothing(_request: Request) -> Response:
    return Response()


PATHS = (
    "/api/whoami-v2",
    "/api/models",
    "/api/models/{namespace}/{name}",
    "/api/models/{namespace}/{name}/tree/{revision}/{path:path}",
    "/api/v1/{kind}/{namespace}/{name}",
    "/api/v1/models/{namespace}/{name}",
    "/api/{kind}s/{namespace}/{name}/refs",
    "/datasets/{namespace}/{name}/resolve/{revision}/{path:path}",
    "/{namespace}/{name}/resolve/{revision}/{path:path}",
    "/{namespace}/{name}/info/refs",
    "/xet/{instance}/v1/xorbs/{prefix}/{hash}",
)
ROUTES = [PlainRoute(path, nothing, [method], path, None) for path in PATHS for method in ("GET", "POST")]
SEGMENTS = ("api", "models", "v1", "datasets", "acme", "x", "resolve", "main", "info", "refs", "xet", "tree", "whoami-v2", "xorbs", "")


@given(st.lists(st.sampled_from(SEGMENTS), max_size=8), st.sampled_from(("GET", "POST", "PUT")))
def test_the_table_finds_what_a_look_through_all_finds(segments: list[str], method: str) -> None:
    scope = {"type": "http", "path": "/" + "/".join(segments), "method": method, "root_path": ""}
    full = next((route for route in ROUTES if route.matches(scope)[0] is Match.FULL), None)
    partial = next((route for route in ROUTES if route.matches(scope)[0] is Match.PARTIAL), None)
    match, found = RouteTable(ROUTES).matches(scope)
    assert found.get("route") is (full or partial)
    assert match is (Match.FULL if full else Match.PARTIAL if partial else Match.NONE)


@pytest.mark.parametrize("begin", dialects._OTHERS)
def test_other_parts_of_the_hub_keep_their_addresses(begin: str) -> None:
    scope = {"type": "http", "path": f"{begin}name/resolve/main/a.txt", "method": "GET", "root_path": ""}
    assert RouteTable(ROUTES).matches(scope)[0] is Match.FULL
    assert RouteTable(ROUTES, dialects._OTHERS).matches(scope)[0] is Match.NONE
    assert begin.strip("/") in RESERVED_NAMES
