"""Shapes that several answers of this dialect share: times, ids, pages."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from hub_core.errors import InvalidInput
from hub_core.http.errors import json_response
from hub_core.http.huggingface.edge import Call
from hub_core.http.paths import base_url
from hub_core.lfs.pointer import LfsPointer, format_pointer

REPO = "/api/{kind:repokind}/{namespace}/{name}"


def moment(value: dt.datetime) -> str:
    """A time as `YYYY-MM-DDTHH:MM:SS.mmmZ`, the one form that every client reads."""
    return value.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def object_id(number: int) -> str:
    """A row's number as the 24 hex digits that clients take for an id."""
    return f"{number:024x}"


def pointer_size(pointer: LfsPointer) -> int:
    """Bytes of the pointer that Git has in place of a large file."""
    return len(format_pointer(pointer))


def page_limit(call: Call, default: int, most: int) -> int:
    """The size of a page: what `limit` asks for, at most `most`; clients cut by themselves.

    Raises:
        InvalidInput: it is not a positive number.
    """
    asked = call.request.query_params.get("limit", "")
    if not asked:
        return default
    if not asked.isascii() or not asked.isdecimal() or not asked.strip("0"):
        raise InvalidInput("'limit' is not a positive number.", hint="For example: limit=20")
    return min(int(asked[:9]), most)


def cursor_of(call: Call) -> str:
    """Where the asked page begins; empty for the first one."""
    return call.request.query_params.get("cursor", "")


def page_response(call: Call, items: list[dict[str, Any]], following: str | None) -> Response:
    """A page as a bare array; `following` is the cursor of the next one, told in `Link` under the address that the client uses."""
    return json_response(items, headers={"Link": f'<{_next_url(call, following)}>; rel="next"'} if following else None)


def _next_url(call: Call, cursor: str) -> str:
    raw = call.request.scope.get("raw_path") or call.request.url.path.encode()
    kept = [(name, value) for name, value in call.request.query_params.multi_items() if name != "cursor"]
    address = base_url(call.request, call.services.settings) + raw.partition(b"?")[0].decode("ascii", "replace")
    return f"{address}?{urlencode([*kept, ('cursor', cursor)])}"
