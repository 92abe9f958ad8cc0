"""A clock that runs while a database's driver works: from the statement to the last row that is fetched."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa

from hub_core.db import Database

_WORK = ("execute", "executemany", "fetchone", "fetchmany", "fetchall")


@dataclass
class Clock:
    """How long the driver worked so far, in seconds."""

    seconds: float = 0.0


def timed(database: Database) -> Clock:
    """Put a clock on all connections that the database makes from now on."""
    clock = Clock()
    timed_cursor: Any = _with_clock(sqlite3.Cursor if database.is_sqlite else psycopg.Cursor, clock)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = timed_cursor) -> Any:
            return super().cursor(factory)

    @sa.event.listens_for(database.engine, "do_connect")
    def on_connect(_dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
        options |= {"factory": Connection} if database.is_sqlite else {"cursor_factory": timed_cursor}

    database.engine.dispose()
    return clock


def _with_clock(base: type, clock: Clock) -> type:
    return type(f"Timed{base.__name__}", (base,), {name: _counted(getattr(base, name), clock) for name in _WORK})


def _counted(method: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(*arguments, **options)
        finally:
            clock.seconds += time.perf_counter() - began

    return run
