"""The database: engine, sessions, one unit of work, the declarative base. SQLite (WAL) or PostgreSQL."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from hub_core.errors import StorageFull, Unavailable

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


LOCK_S = 30
"""The longest wait for what somebody else is changing, in seconds."""
_IDLE_S = 600  # a node that froze in the middle of a transaction lets go of its locks after this
# A server that is gone without a word, as after a failover, is noticed in half a minute instead of a quarter of an hour.
_TO_POSTGRES = {
    "connect_timeout": 5, "tcp_user_timeout": 30_000, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3,
}  # fmt: skip


class UtcDateTime(sa.types.TypeDecorator[dt.datetime]):
    """An aware UTC time; SQLite keeps it without a zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Give back an aware UTC time."""
        return None if value is None else value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Base(DeclarativeBase):
    """Base of all tables. `Mapped[dt.datetime]` is `UtcDateTime`, `Mapped[dict]`/`Mapped[list]` are JSON."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {dt.datetime: UtcDateTime, dict[str, Any]: sa.JSON, list[Any]: sa.JSON, str: sa.String}


def utcnow() -> dt.datetime:
    """The current time, aware, UTC."""
    return dt.datetime.now(dt.UTC)


class Database:
    """Opens sessions on one engine.

    `read()` is for queries; `write()` is one transaction that commits at the end or rolls everything back.
    On SQLite a write transaction takes the write lock at its start (BEGIN IMMEDIATE), so that a read-then-write
    inside it cannot fail half way with "database is locked".
    """

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = sa.create_engine(
            self.url,
            hide_parameters=True,  # an error that is logged must not tell what people said or the digest of a credential
            pool_pre_ping=not self.is_sqlite,
            # As many as there are threads for requests: a SQLite connection beyond this is opened anew, pragmas and all, for each use.
            pool_size=40 if self.is_sqlite else 20,
            max_overflow=40,
            connect_args={"timeout": LOCK_S, "check_same_thread": False} if self.is_sqlite else _TO_POSTGRES,
        )
        if self.is_sqlite:
            _configure_sqlite(self.engine)
        else:
            _configure_postgres(self.engine)
        self._writing = threading.Lock()
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        # Same pool, without a transaction around a statement, which on PostgreSQL takes two round trips.
        self._single = self.engine.execution_options(**({"sqlite_begin": ""} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}))
        self._reads = sessionmaker(self._single, expire_on_commit=False, autoflush=False)
        sa.event.listen(self._reads, "before_flush", _refuse_change)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for queries, each of which may see another state; objects that are changed in it stay so, and the database does not.

        Raises like `write`.
        """
        with database_errors(), self._reads() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StorageFull: the disk of the database is full; nothing was changed.
            Unavailable: the database does not answer.
        """
        with database_errors(), self._turn(), self._sessions.begin() as session:
            if self.is_sqlite:
                session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
            yield session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite takes one writer at a time, and lets others ask again after sleeps that get longer; in here they wake one another."""
        taken = self.is_sqlite and self._writing.acquire(timeout=LOCK_S)
        try:
            yield
        finally:
            if taken:
                self._writing.release()

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A bare connection for queries that are asked all the time; each may see another state. Raises like `write`."""
        with database_errors(), self._single.connect() as connection:
            yield connection

    def upgrade(self) -> None:
        """Bring the schema to the newest version."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.connect() as connection:
            config.attributes["connection"] = connection
            if not self.is_sqlite:
                # Several nodes may start at once; the lock ends with the transaction, however long that of another takes.
                connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(4710)"))
            command.upgrade(config, "head")
            connection.commit()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what is wrong with the database itself, and not with a statement, into the hub's errors."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        raise hub_error_of(error.orig) from error
    except sa.exc.DBAPIError as error:
        # A connection that broke may show as any error, and a server that has just become a replica takes no writes.
        if error.connection_invalidated or getattr(error.orig, "sqlstate", None) == _POSTGRES_READ_ONLY:
            raise hub_error_of(error.orig) from error
        raise
    except sa.exc.TimeoutError as error:
        raise Unavailable("The hub is busy.", hint="Try again in a moment.") from error


def hub_error_of(error: BaseException | None) -> Unavailable:
    """An operational error of a database driver as one of the hub's."""
    if getattr(error, "sqlite_errorcode", None) in _SQLITE_FULL or getattr(error, "sqlstate", None) in _POSTGRES_FULL:
        return StorageFull("The disk of the hub's database is full; nothing was changed.", hint="Ask an administrator.")
    if getattr(error, "sqlite_errorcode", None) in _SQLITE_BUSY or getattr(error, "sqlstate", None) in _POSTGRES_BUSY:
        return Unavailable("The hub is busy.", hint="Try again in a moment.")
    return Unavailable("The database of the hub does not answer.", hint="Try again; then ask an administrator.")


_SQLITE_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_BUSY_SNAPSHOT}
_POSTGRES_FULL = {"53100"}
_POSTGRES_BUSY = {"55P03", "40P01", "40001", "53300"}  # a lock that was not let go of, a deadlock, a race, too many connections
_POSTGRES_READ_ONLY = "25006"


def _refuse_change(_session: Session, _context: object, _objects: object) -> None:
    raise RuntimeError("a session for queries must not change the database")


def _configure_postgres(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        connection.execute(f"SET lock_timeout = '{LOCK_S}s'; SET idle_in_transaction_session_timeout = '{_IDLE_S}s'")
        connection.commit()


def _configure_sqlite(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={LOCK_S * 1000}"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        if mode == "DEFERRED":
            # Takes no lock, so it cannot fail; SQLAlchemy's own way to run a statement costs more than the statement.
            driver: Any = connection.connection.driver_connection
            driver.execute("BEGIN DEFERRED")
        elif mode:
            connection.exec_driver_sql(f"BEGIN {mode}")
