"""A hub over a cluster in memory, on both databases."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_core.authz import Actor
from hub_core.deployments.reconciler import Rounds
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.deploying import MemoryCluster, Ready, catalog, on_memory
from tests.common.factories import actor_for, make_user


@pytest.fixture
def opened(settings: Settings, db_url: str, tmp_path: Path) -> Iterator[tuple[Services, MemoryCluster]]:
    own = str(catalog(tmp_path / "catalog"))
    with open_services(dataclasses.replace(settings, database_url=db_url, catalog_dir=own)) as services:
        yield on_memory(services)


@pytest.fixture
def hub(opened: tuple[Services, MemoryCluster]) -> Services:
    return opened[0]


@pytest.fixture
def cluster(opened: tuple[Services, MemoryCluster]) -> MemoryCluster:
    return opened[1]


@pytest.fixture
def rounds(hub: Services) -> Rounds:
    return Rounds(hub.db, hub.platform, Ready(hub.db, hub.jobs.queue, hub.platform))


@pytest.fixture
def ann(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "ann"))


@pytest.fixture
def bob(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "bob"))
