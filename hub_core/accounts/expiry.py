"""When a token ends, as people write it: `30d`, `12 hours`, `2 weeks`, `2030-01-31`, `never`."""

from __future__ import annotations

import datetime as dt
import re

from hub_core.errors import InvalidInput

_SPAN = re.compile(r"(\d{1,5})\s*(h|hours?|d|days?|w|weeks?|m|months?|y|years?)")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7, "m": 24 * 30, "y": 24 * 365}
_NEVER = frozenset({"", "never", "none", "no"})


def parse_expiry(text: str | None, now: dt.datetime) -> dt.datetime | None:
    """The moment the text means, or None for never. A date without a time lasts until the end of that day (UTC).

    Raises:
        InvalidInput: not understood, or in the past.
    """
    said = (text or "").strip().lower()
    if said in _NEVER:
        return None
    span = _SPAN.fullmatch(said)
    try:
        ends = now + dt.timedelta(hours=int(span[1]) * _HOURS[span[2][0]]) if span else _moment(said)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"'{said[:40]}' is not a time I understand.", hint="Write 30d, 12h, 2w, 1y, a date like 2030-01-31, or never."
        ) from error
    if ends <= now:
        raise InvalidInput("The token would have ended already.", hint="Give a time in the future.")
    return ends


def _moment(said: str) -> dt.datetime:
    if len(said) == len("2030-01-31"):
        return dt.datetime.combine(dt.date.fromisoformat(said), dt.time.min, dt.UTC) + dt.timedelta(days=1)
    moment = dt.datetime.fromisoformat(said)
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
