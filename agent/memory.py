"""Where graphs are checkpointed: a SQLite file beside the hub's, or the hub's PostgreSQL. Only known types are revived."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

import sqlalchemy as sa
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from hub_core.db import hub_error_of
from hub_core.secrecy import rewrite
from hub_core.settings import Settings
from hub_core.vault import Change, Vault

SETUP_ATTEMPTS = 10


class Sealing:
    """Put before a saver: what it stores of a thread holds marks instead of the secrets that the vault knows of."""

    vault: Vault

    def put(self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: Any) -> RunnableConfig:
        """See `BaseCheckpointSaver.put`."""
        if change := self.vault.sealing(_thread_of(config)):
            checkpoint = _changed(checkpoint, change)
        return cast(RunnableConfig, super().put(config, checkpoint, metadata, new_versions))  # type: ignore[misc]

    def put_writes(self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        """See `BaseCheckpointSaver.put_writes`."""
        if change := self.vault.sealing(_thread_of(config)):
            writes = [(channel, _rewrite(value, change)) for channel, value in writes]
        super().put_writes(config, writes, task_id, task_path)  # type: ignore[misc]

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `BaseCheckpointSaver.get_tuple`."""
        found: CheckpointTuple | None = super().get_tuple(config)  # type: ignore[misc]
        change = self.vault.opening(_thread_of(config))
        if found is None or change is None:
            return found
        pending = [(task, channel, _rewrite(value, change)) for task, channel, value in found.pending_writes or []]
        return found._replace(checkpoint=_changed(found.checkpoint, change), pending_writes=pending)


class PruningSqliteSaver(Sealing, SqliteSaver):
    """A SQLite saver that can drop all but the newest checkpoint of a thread, and whose errors are the hub's."""

    @contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
        """See `SqliteSaver.cursor`. A full disk or broken file is `StorageFull` or `Unavailable`."""
        try:
            with super().cursor(transaction) as cursor:
                yield cursor
        except sqlite3.OperationalError as error:
            with self.lock, suppress(sqlite3.Error):
                self.conn.rollback()
            raise hub_error_of(error) from error

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


def _thread_of(config: RunnableConfig) -> str:
    return str(config["configurable"]["thread_id"])


def _changed(checkpoint: Checkpoint, change: Change) -> Checkpoint:
    values = {channel: _rewrite(value, change) for channel, value in checkpoint["channel_values"].items()}
    return cast(Checkpoint, {**checkpoint, "channel_values": values})


def _rewrite(value: Any, change: Change) -> Any:
    """A copy with every text changed, also in messages."""
    if isinstance(value, BaseMessage):
        parts = {"content", "additional_kwargs", "tool_calls", "invalid_tool_calls"} & value.__class__.model_fields.keys()
        return value.model_copy(update={part: rewrite(getattr(value, part), change) for part in parts})
    if isinstance(value, dict):
        return {key: _rewrite(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rewrite(item, change) for item in value)
    return rewrite(value, change)


def open_checkpointer(settings: Settings, vault: Vault) -> tuple[BaseCheckpointSaver[Any], Any]:
    """The saver, and what has to be closed at the end."""
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    url = sa.make_url(settings.database)
    if url.get_backend_name() == "sqlite":
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(settings.data_dir / "checkpoints.db", check_same_thread=False, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA secure_delete=ON")  # what a turn said before its secret was known does not stay in free pages
        saver = PruningSqliteSaver(connection, serde=serde)
        saver.vault = vault
        saver.setup()
        return saver, connection
    return _open_postgres(url, serde, vault)


def _open_postgres(url: sa.URL, serde: JsonPlusSerializer, vault: Vault) -> tuple[BaseCheckpointSaver[Any], Any]:
    from langgraph.checkpoint.postgres import PostgresSaver
    from psycopg import IntegrityError, OperationalError, ProgrammingError
    from psycopg.rows import dict_row
    from psycopg_pool import ConnectionPool

    class HubPostgresSaver(Sealing, PostgresSaver):
        @contextmanager
        def _cursor(self, *, pipeline: bool = False) -> Iterator[Any]:
            try:
                with super()._cursor(pipeline=pipeline) as cursor:
                    yield cursor
            except OperationalError as error:
                raise hub_error_of(error) from error

    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    # Checked when taken: the database may have been restarted since the last turn.
    pool: Any = ConnectionPool[Any](conninfo, min_size=1, max_size=8, open=True, kwargs=options, check=ConnectionPool.check_connection)
    saver = HubPostgresSaver(pool, serde=serde)
    saver.vault = vault
    for attempt in range(SETUP_ATTEMPTS):
        try:
            saver.setup()
            break
        except (IntegrityError, ProgrammingError):
            # Another node makes the same tables at this moment.
            if attempt == SETUP_ATTEMPTS - 1:
                raise
    return saver, pool
