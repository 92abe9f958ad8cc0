"""Fixtures for all tests. `db_url` and `db` run a test once on SQLite and once on PostgreSQL."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_core.db import Database
from hub_core.settings import Settings
from tests.common.databases import PostgresServer, migrate, postgres_bin, run_postgres
from tests.common.swift import SwiftServer, run_swift, swift_missing

if TYPE_CHECKING:
    from hub_core.services import Services


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One real PostgreSQL server per test session (per worker under xdist)."""
    binaries = postgres_bin()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    with run_postgres(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def swift_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftServer]:
    """One real S3 server per test session (per worker under xdist)."""
    if missing := swift_missing():
        pytest.skip(f"{missing} is not installed")
    with run_swift(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a fresh migrated SQLite file."""
    path = tmp_path / "hub.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgres"])
def db_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a fresh migrated database; the test runs on both kinds."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        yield url


@pytest.fixture
def db(db_url: str) -> Iterator[Database]:
    """An open `Database` on `db_url`."""
    database = Database(db_url)
    yield database
    database.close()


@pytest.fixture
def sqlite_db(sqlite_url: str) -> Iterator[Database]:
    """An open `Database` on SQLite only, for tests that are not about the data layer."""
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with everything under the test's own folder; nothing is read from the environment."""
    return Settings(data_dir=tmp_path, demo=False)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """An empty folder for clones."""
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def services(settings: Settings, sqlite_url: str) -> Iterator[Services]:
    """A whole hub on SQLite and local files."""
    from hub_core.services import open_services  # tests of one part need not import the whole hub

    with open_services(dataclasses.replace(settings, database_url=sqlite_url)) as opened:
        yield opened
