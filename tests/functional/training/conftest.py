"""A hub whose training programs are fake; on SQLite, where the database plays no part."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from hub_core.authz import Actor
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_user
from tests.common.training import training


@pytest.fixture
def hub(settings: Settings, sqlite_url: str) -> Iterator[Services]:
    """Opened, with no worker."""
    with open_services(dataclasses.replace(settings, database_url=sqlite_url)) as opened:
        yield training(opened)


@pytest.fixture
def alice(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "alice"))
