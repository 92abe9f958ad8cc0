"""Several hubs start at once on an empty database and an empty store, as the replicas of a new installation do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub_core.accounts.tables import Token, User
from hub_core.accounts.users import UserService
from hub_core.db import Database
from hub_core.settings import Settings
from tests.common.databases import PostgresServer, free_port
from tests.common.forked_hub import ForkedHub
from tests.common.hub_process import PASSWORD, TOKEN
from tests.common.swift import SwiftServer

pytestmark = pytest.mark.xdist_group("production")
NAME = "first_start"


@pytest.fixture
def settings(postgres_server: PostgresServer, swift_server: SwiftServer, tmp_path: Path) -> Iterator[Settings]:
    postgres_server.execute(f"CREATE DATABASE {NAME}")
    yield Settings(
        data_dir=tmp_path,
        database_url=postgres_server.url(NAME),
        storage_url="s3://first-start/hub",
        s3_endpoint_url=swift_server.endpoint,
        s3_access_key=swift_server.access_key,
        s3_secret_key=swift_server.secret_key,
        admin_password=PASSWORD,
        admin_token=TOKEN,
    )
    postgres_server.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def test_the_administrator_and_the_token_are_made_once(db: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, admin_password=PASSWORD, admin_token=TOKEN)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: UserService(db, settings).bootstrap(), range(8)))
    assert told == [None] * 8
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(User)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(Token)) == 1


@pytest.mark.slow
def test_all_of_them_start_and_are_one_hub(settings: Settings) -> None:
    hubs = [ForkedHub(replace(settings, data_dir=settings.data_dir / str(number)), free_port()) for number in range(4)]
    try:
        with ThreadPoolExecutor(len(hubs)) as pool:
            list(pool.map(ForkedHub.start, hubs))
        seen = [hub.tool("search_repos")["items"] for hub in hubs]
        assert seen[0] and all(one == seen[0] for one in seen)
        assert hubs[0].problems() == []
    finally:
        for hub in hubs:
            hub.kill()
