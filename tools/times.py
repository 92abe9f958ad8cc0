"""Times as people give them to tools: ISO dates and times, or spans back from now."""

from __future__ import annotations

import datetime as dt
import re

from hub_core.db import utcnow
from hub_core.errors import InvalidInput

_SPAN = re.compile(r"(\d{1,5})\s*([hdwm])")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7, "m": 24 * 30}


def parse_when(text: str | None) -> dt.datetime | None:
    """`2026-11-01`, `2026-11-01T10:00`, `7d` (days ago), `24h`, `2w`, `today`, `yesterday` as an aware UTC time.

    Raises:
        InvalidInput: none of these.
    """
    if not text:
        return None
    said = text.strip().lower()
    midnight = utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
    if said in ("today", "yesterday"):
        return midnight - dt.timedelta(days=said == "yesterday")
    span = _SPAN.fullmatch(said)
    try:
        if span:
            return utcnow() - dt.timedelta(hours=int(span[1]) * _HOURS[span[2]])
        moment = dt.datetime.fromisoformat(said)
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"'{text}' is not a time.", hint="Give a date like 2026-11-01, or a span like 7d.") from error
