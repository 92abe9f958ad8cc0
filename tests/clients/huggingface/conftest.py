"""A hub per module, once on SQLite and local files and once on PostgreSQL and S3, for the real clients of the Hugging Face Hub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest

from hub_core.settings import Settings
from tests.clients.conftest import LOCAL, PRODUCTION
from tests.common.databases import PostgresServer
from tests.common.hf_hub import HfHub, hf_hub, on_swift
from tests.common.quick_tls import one_certificate as one_certificate
from tests.common.swift import SwiftServer


@pytest.fixture(scope="module", params=[LOCAL, PRODUCTION])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[HfHub]:
    """One hub for the tests of a module: they share it, so each makes repos of its own."""
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "local":
        shutil.copyfile(sqlite_template, folder / "hub.db")
        with hf_hub(Settings(data_dir=folder, database_url=f"sqlite:///{folder / 'hub.db'}", demo=False)) as served:
            yield served
        return
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    swift: SwiftServer = request.getfixturevalue("swift_server")
    with postgres.database() as url:
        settings = Settings(data_dir=folder, database_url=url, secret_key="of-all-nodes-" * 3, demo=False)
        with hf_hub(on_swift(settings, swift.endpoint, swift.access_key, swift.secret_key, folder.name)) as served:
            yield served


@pytest.fixture(autouse=True)
def no_identity_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Clients use the token that a test gives them, and their own empty folders."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
