"""A hub that runs Spaces on this machine, behind a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_core.repos.tables import Repo
from hub_core.settings import Settings
from tests.common.spaces import SpacesHub, spaces_hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[SpacesHub]:
    """One hub for the tests of a module: they share it, so each makes Spaces of its own, or leaves `app` as it is."""
    folder = tmp_path_factory.mktemp("spaces")
    (folder / "data").mkdir()
    (folder / "data" / "hub.db").write_bytes(sqlite_template.read_bytes())
    settings = Settings(data_dir=folder / "data", demo=False)
    with spaces_hub(settings, folder) as served:
        yield served


@pytest.fixture(scope="module")
def app(hub: SpacesHub) -> Repo:
    """A private Space of Ann's that runs."""
    repo = hub.space("app")
    hub.run(repo)
    return repo
