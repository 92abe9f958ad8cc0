"""Which revision answers a request while a new one is rolled out bit by bit: shares in per cent, by turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hub_core.deployments.tables import Deployment

ALL = 100


@dataclass(frozen=True, slots=True)
class Share:
    """What a revision takes: so many per cent of the requests, at these base addresses, under this `model` in a request."""

    revision: int
    percent: int
    endpoints: tuple[str, ...]
    model_field: str

    def stored(self) -> dict[str, Any]:
        """As a row keeps it."""
        return asdict(self) | {"endpoints": list(self.endpoints)}


def shares(row: Deployment) -> tuple[Share, ...]:
    """Who takes requests now: both revisions, the older one first, or the one that takes them all; none where nothing answers."""
    if row.routes:
        return tuple(Share(**one | {"endpoints": tuple(map(str, one["endpoints"]))}) for one in row.routes)
    if not row.endpoints:
        return ()
    return (Share(row.serving or row.revision, 100, tuple(map(str, row.endpoints)), row.model_field),)


def in_turn(found: Sequence[Share], turn: int) -> tuple[Share, ...]:
    """Whose turn the request of that number is, then who takes it instead where nobody answers there.

    Of any hundred requests in a row a revision takes exactly its per cent, and they are spread evenly.
    """
    if len(found) < 2:
        return tuple(found)
    older, newer = found
    is_newer = (turn + 1) * newer.percent // 100 > turn * newer.percent // 100
    return (newer, older) if is_newer else (older, newer)


def copies_of_new(replicas: int, percent: int) -> int:
    """How many copies a new revision gets beside an older one with `replicas`: its share of them, at least one."""
    return min(replicas, max(1, math.ceil(replicas * percent / 100)))


def copies_in_all(row: Deployment) -> tuple[int, int]:
    """How many copies shall run now: of the revision that is rolled out, and of the older one beside it."""
    if row.stopped or row.replicas == 0:
        return 0, 0
    if row.base is None:
        return row.replicas, 0
    return copies_of_new(row.replicas, row.traffic), row.replicas
