"""Hubs that are about to be mistreated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_core.settings import Settings
from tests.common.databases import PostgresServer
from tests.common.forked_hub import ForkedHub, forked_hub
from tests.common.git_client import git
from tests.common.hub_process import TOKEN
from tests.common.nodes import Nodes, shared_parts
from tests.common.swift import SwiftServer


@pytest.fixture
def fault_settings(tmp_path: Path) -> Settings:
    """A hub on SQLite and local files."""
    return Settings(data_dir=tmp_path / "hub", demo=False, admin_token=TOKEN, admin_password="a-password-for-tests", max_body_mb=64)


@pytest.fixture
def hub(fault_settings: Settings) -> Iterator[ForkedHub]:
    """A running hub."""
    with forked_hub(fault_settings) as running:
        yield running


def clone(hub: ForkedHub, work: Path, name: str, path: str = "/admin/thing.git") -> Path:
    """A clone with LFS switched on."""
    git(work, "clone", "-q", hub.address(path), name)
    git(work / name, "lfs", "install", "--local")
    git(work / name, "lfs", "pull")
    return work / name


def peak_memory(hub: ForkedHub) -> int:
    """The most memory that the hub's process has had so far, in bytes."""
    assert hub.process is not None
    status = Path(f"/proc/{hub.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


@pytest.fixture
def nodes(tmp_path: Path, postgres_server: PostgresServer, swift_server: SwiftServer) -> Iterator[Nodes]:
    """PostgreSQL and an S3 store for any number of hubs."""
    with shared_parts(tmp_path, postgres_server, swift_server) as shared:
        yield shared
