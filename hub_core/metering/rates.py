"""What several processes of a hub count of the same callers, told to one another by the database every second."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from hub_core.db import Database
from hub_core.errors import Unavailable
from hub_core.metering.tables import GatewayCount

SYNC_S = 1.0
STALE_S = 10.0  # requests under way of a process that has told nothing for so long are not there any more
KEEP_MINUTES = 3

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Counts:
    """Requests and tokens of a minute, and requests under way."""

    requests: int = 0
    tokens: int = 0
    parallel: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(self.requests + other.requests, self.tokens + other.tokens, self.parallel + other.parallel)


class Shared:
    """The counts of the other processes. It runs a thread from the first key on, and asks nothing while nobody asks the hub."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._clock = clock
        self._node = str(uuid.uuid4())
        self._lock = threading.Lock()
        self._active: dict[str, float] = {}
        self._others: dict[tuple[str, int], Counts] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.counted: Callable[[Iterable[str]], dict[tuple[str, int], Counts]] = lambda _keys: {}

    def touch(self, key: str) -> None:
        """A key did something here."""
        with self._lock:
            self._active[key] = self._clock()
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="gateway-rates", daemon=True)
                self._thread.start()

    def others(self, key: str, minute: int) -> Counts:
        """What the other processes told of a key."""
        return self._others.get((key, minute), Counts())

    def sync(self) -> None:
        """Tell and read once."""
        now = self._clock()
        minute = int(now // 60)
        with self._lock:
            self._active = {key: at for key, at in self._active.items() if now - at < 60 * KEEP_MINUTES}
            keys = sorted(self._active)
        if not keys:
            self._others = {}
            return
        rows = [
            {
                "minute": of,
                "key": key,
                "node": self._node,
                "requests": one.requests,
                "tokens": one.tokens,
                "parallel": one.parallel,
                "at": now,
            }
            for (key, of), one in sorted(self.counted(keys).items())
        ]
        insert = (sqlite if self._db.is_sqlite else postgresql).insert(GatewayCount)
        values = {name: getattr(insert.excluded, name) for name in ("requests", "tokens", "parallel", "at")}
        query = sa.select(GatewayCount).where(
            GatewayCount.minute.in_([minute, minute - 1]), GatewayCount.node != self._node, GatewayCount.key.in_(keys)
        )
        found: dict[tuple[str, int], Counts] = {}
        with self._db.write() as session:
            if rows:
                session.execute(insert.on_conflict_do_update(index_elements=["minute", "key", "node"], set_=values), rows)
            for row in session.scalars(query):
                parallel = row.parallel if now - row.at < STALE_S else 0
                found[row.key, row.minute] = found.get((row.key, row.minute), Counts()).plus(Counts(row.requests, row.tokens, parallel))
            session.execute(sa.delete(GatewayCount).where(GatewayCount.minute < minute - KEEP_MINUTES))
        self._others = found

    def close(self) -> None:
        """Stop telling."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while not self._stop.wait(SYNC_S):
            try:
                self.sync()
            except (Unavailable, sa.exc.SQLAlchemyError):
                log.warning("the rates of the gateway were not told; each process counts for itself")
