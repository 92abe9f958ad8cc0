"""A hub with one of everything: built once, copied for each test that changes something."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from hub_core.http.errors import add_error_handlers
from hub_core.services import open_services
from hub_core.settings import Settings
from tests.common.databases import migrate
from tests.functional.tools.world import World, build
from tools.rest.router import tool_router


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """The folder of the built world, closed, and what is known of it."""
    folder = tmp_path_factory.mktemp("world")
    migrate(f"sqlite:///{folder / 'hub.db'}")
    with open_services(Settings(data_dir=folder, demo=False)) as services:
        world = build(services)
    return folder, world


@contextmanager
def copy_of(template: tuple[Path, World], folder: Path) -> Iterator[World]:
    """The world once more, in its own folder."""
    source, known = template
    shutil.copytree(source, folder, dirs_exist_ok=True)
    with open_services(Settings(data_dir=folder, demo=False, deployment_wake_s=0)) as services:
        yield dataclasses.replace(known, services=services)


@pytest.fixture
def world(template: tuple[Path, World], tmp_path: Path) -> Iterator[World]:
    """A world to change."""
    with copy_of(template, tmp_path / "world") as world:
        yield world


@pytest.fixture(scope="session")
def shared(template: tuple[Path, World], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world for tests that change nothing."""
    with copy_of(template, tmp_path_factory.mktemp("shared")) as world:
        yield world


def client_of(world: World) -> TestClient:
    """The tool API of a world, in this process. What the application does not catch is raised here."""
    app = FastAPI()
    app.include_router(tool_router(world.services))
    add_error_handlers(app)
    return TestClient(app)


@pytest.fixture
def client(world: World) -> TestClient:
    """The tool API of `world`."""
    return client_of(world)


@pytest.fixture(scope="session")
def shared_client(shared: World) -> TestClient:
    """The tool API of `shared`."""
    return client_of(shared)
