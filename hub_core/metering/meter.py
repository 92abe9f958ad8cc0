"""Counts use in memory and writes it down in batches, so that a request costs no write."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from hub_core.db import Database, utcnow
from hub_core.errors import Unavailable
from hub_core.metering.tables import UsageHour

FLUSH_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Used:
    """One request: whose, of what, and how many tokens it took."""

    user_id: int | None
    deployment_id: int
    deployment: str
    repo_id: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    failed: bool = False


class UsageMeter:
    """Counts requests. A crash loses the counts of two seconds at most."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._counts: dict[tuple[dt.datetime, int, int], list[int]] = {}
        self._names: dict[int, tuple[str, int]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, used: Used) -> None:
        """Count a request that is over."""
        hour = utcnow().replace(minute=0, second=0, microsecond=0)
        with self._lock:
            row = self._counts.setdefault((hour, used.user_id or 0, used.deployment_id), [0, 0, 0, 0])
            for at, amount in enumerate((1, int(used.failed), used.prompt_tokens, used.completion_tokens)):
                row[at] += amount
            self._names[used.deployment_id] = (used.deployment, used.repo_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="usage-meter", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write down what was counted."""
        with self._lock:
            counts, self._counts = self._counts, {}
            names = dict(self._names)
        if not counts:
            return
        columns = ("requests", "failed", "prompt_tokens", "completion_tokens")
        rows = [
            {
                "hour": hour,
                "user_id": user,
                "deployment_id": deployment,
                "deployment": names[deployment][0],
                "repo_id": names[deployment][1],
            }
            | dict(zip(columns, numbers, strict=True))
            for (hour, user, deployment), numbers in counts.items()
        ]
        insert = sqlite.insert(UsageHour) if self._db.is_sqlite else postgresql.insert(UsageHour)
        more = {name: getattr(UsageHour, name) + getattr(insert.excluded, name) for name in columns}
        statement = insert.on_conflict_do_update(index_elements=["hour", "user_id", "deployment_id"], set_=more)
        try:
            with self._db.write() as session:
                session.execute(statement, rows)
        except (Unavailable, sa.exc.SQLAlchemyError):
            log.warning("use was not written down; the next try has it", rows=len(rows))
            self._put_back(counts)

    def close(self) -> None:
        """Write the rest."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _put_back(self, counts: dict[tuple[dt.datetime, int, int], list[int]]) -> None:
        with self._lock:
            for key, numbers in counts.items():
                row = self._counts.setdefault(key, [0, 0, 0, 0])
                for at, amount in enumerate(numbers):
                    row[at] += amount

    def _loop(self) -> None:
        while not self._stop.wait(FLUSH_S):
            self.flush()
