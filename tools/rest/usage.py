"""`GET /api/v1/usage.csv`: what `get_usage` adds up, row by row, for a spreadsheet. Whose: exactly what the tool shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from hub_core.errors import InvalidArguments, Unauthenticated
from hub_core.http.auth import authenticate_request
from hub_core.http.threads import in_thread
from hub_core.metering.reports import Record
from hub_core.metering.scope import Span
from hub_core.services import Services
from tools.periods import Period, parse_period

COLUMNS = (
    "hour", "kind", "name", "owner", "person", "hardware", "requests", "failed", "prompt_tokens", "completion_tokens", "hours", "cost",
    "currency",
)  # fmt: skip
ROWS_AT_ONCE = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def usage_router(services: Services) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["usage"])

    @router.get("/api/v1/usage.csv", summary="Use and cost as CSV", response_class=StreamingResponse)
    async def usage_csv(
        request: Request,
        owner: str | None = Query(None, max_length=64, description="Only of this user or organisation."),
        period: str = Query("month", max_length=40, description="As in `get_usage`: `month`, `7d`, `2026-11` ..."),
        target: str | None = Query(None, max_length=200, description="Only this deployment, or `job 12`."),
    ) -> StreamingResponse:
        """What you asked for or started, and all of what you answer for; one row for each hour, thing and person (UTC)."""
        span, records = await in_thread(_begin, services, request, owner, period, target)
        name = f"usage-{span.said.replace('..', '_')}.csv"
        headers = {
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(
            _lines(records, services.platform.hardware.currency), media_type="text/csv; charset=utf-8", headers=headers
        )

    return router


def _begin(services: Services, request: Request, owner: str | None, period: str, target: str | None) -> tuple[Period, Iterator[Record]]:
    for said in (owner, target):
        if said is not None and ("\0" in said or not said.strip()):
            raise InvalidArguments("owner and target are names.", hint="Leave them out for everything that you may see.")
    actor = authenticate_request(services, request.headers, request.cookies, channel="api", method=request.method)
    if actor.is_anonymous:
        raise Unauthenticated("Sign in first.", hint="Send a token as 'Authorization: Bearer ...'.")
    span = parse_period(period)
    return span, services.reports.records(actor, Span(span.begin, span.end), owner, target)


def _lines(records: Iterator[Record], currency: str) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for number, one in enumerate(records, 1):
        total = one.total
        names = (one.kind, one.name, one.owner, one.person, one.hardware)
        counts = (total.requests, total.failed, total.prompt_tokens, total.completion_tokens)
        row = (f"{one.hour:%Y-%m-%dT%H:%MZ}", *map(inert, names), *counts, f"{total.hours:.6f}", f"{total.cost:.6f}", currency)
        writer.writerow(row)
        if number % ROWS_AT_ONCE == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def inert(text: str) -> str:
    """A text that no spreadsheet takes for a formula: names are anybody's."""
    return f"'{text}" if text.startswith(_FORMULA) else text
