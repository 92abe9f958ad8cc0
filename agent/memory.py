"""Where graphs are checkpointed: a SQLite file beside the hub's, or the hub's PostgreSQL. Only known types are revived."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from hub_core.settings import Settings

SETUP_ATTEMPTS = 10


class PruningSqliteSaver(SqliteSaver):
    """A SQLite saver that can drop all but the newest checkpoint of a thread."""

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See `BaseCheckpointSaver.prune`; this graph has no delta channels."""
        for thread_id in thread_ids:
            if strategy == "delete":
                self.delete_thread(thread_id)
                continue
            with self.cursor() as cursor:
                for table in ("checkpoints", "writes"):
                    cursor.execute(
                        f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id <"  # noqa: S608 - two fixed names
                        " (SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = ?)",
                        (thread_id, thread_id),
                    )


def open_checkpointer(settings: Settings) -> tuple[BaseCheckpointSaver[Any], Any]:
    """The saver, and what has to be closed at the end."""
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    url = sa.make_url(settings.database)
    if url.get_backend_name() == "sqlite":
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(settings.data_dir / "checkpoints.db", check_same_thread=False, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        saver = PruningSqliteSaver(connection, serde=serde)
        saver.setup()
        return saver, connection
    return _open_postgres(url, serde)


def _open_postgres(url: sa.URL, serde: JsonPlusSerializer) -> tuple[BaseCheckpointSaver[Any], Any]:
    from langgraph.checkpoint.postgres import PostgresSaver
    from psycopg import IntegrityError, ProgrammingError
    from psycopg.rows import dict_row
    from psycopg_pool import ConnectionPool

    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    # Checked when taken: the database may have been restarted since the last turn.
    pool: Any = ConnectionPool[Any](conninfo, min_size=1, max_size=8, open=True, kwargs=options, check=ConnectionPool.check_connection)
    saver = PostgresSaver(pool, serde=serde)
    for attempt in range(SETUP_ATTEMPTS):
        try:
            saver.setup()
            break
        except (IntegrityError, ProgrammingError):
            # Another node makes the same tables at this moment.
            if attempt == SETUP_ATTEMPTS - 1:
                raise
    return saver, pool
