"""A live hub for real clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub_core.accounts.tables import User
from hub_core.authz import Scope, Visibility
from hub_core.http.dialects import add_hub_routes
from hub_core.http.middleware import BodyLimitMiddleware, usual_limit
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.databases import PostgresServer
from tests.common.factories import actor_for, make_user
from tests.common.hf_hub import on_swift
from tests.common.live import serve
from tests.common.swift import SwiftServer

LOCAL = pytest.param("local")
PRODUCTION = pytest.param("production", marks=pytest.mark.xdist_group("production"))
BOTH = pytest.mark.parametrize("git_app_settings", [LOCAL, PRODUCTION], indirect=True)
"""For tests of Git that run on SQLite and files, and again on PostgreSQL and S3; the others run on the first only."""

# What these test is in the database alone, and their units run on PostgreSQL too: driving the client once more is for `make test-slow`.
ONCE_MORE = frozenset(
    f"test_{name}"
    for name in ("discussions", "community", "listing", "info", "gated", "repos", "tree", "webhooks", "collections", "spaces", "checks")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the second storage of some modules to the slow tests."""
    for item in items:
        module = item.path.stem
        if item.path.is_relative_to(Path(__file__).parent) and module in ONCE_MORE and "production" in item.name:
            item.add_marker(pytest.mark.slow)


@dataclass(frozen=True)
class LiveHub:
    """A served hub with two people: `ann` owns things, `ben` has no rights on them."""

    url: str
    services: Services
    ann: User
    ben: User
    ann_token: str
    ben_token: str

    def repo(self, name: str, kind: RepoKind = RepoKind.MODEL, visibility: Visibility = Visibility.PUBLIC) -> Repo:
        """A new repo of Ann's."""
        actor = actor_for(self.ann)
        self.services.repos.create(actor, f"ann/{name}", kind, visibility)
        return self.services.repos.find(actor, f"{kind}:ann/{name}")

    def address(self, path: str, token: str = "") -> str:
        """A URL, with the token as password where given."""
        return self.url.replace("://", f"://user:{token}@") + path if token else self.url + path


@pytest.fixture
def git_app_settings(request: pytest.FixtureRequest, settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of the live hub; see `BOTH`."""
    local = Settings(data_dir=settings.data_dir, database_url=sqlite_url, demo=False, max_body_mb=64)
    if getattr(request, "param", "local") == "local":
        yield local
        return
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    swift: SwiftServer = request.getfixturevalue("swift_server")
    with postgres.database() as url:
        shared = replace(local, database_url=url, secret_key="of-all-nodes-" * 3)
        yield on_swift(shared, swift.endpoint, swift.access_key, swift.secret_key, tmp_path.name)


@pytest.fixture
def live_git_hub(git_app_settings: Settings) -> Iterator[LiveHub]:
    """A hub with the routes of all clients on a real server."""
    with open_services(git_app_settings) as services:
        ann, ben = make_user(services.db, "ann"), make_user(services.db, "ben")
        tokens = [services.tokens.create(actor_for(user), "git", Scope.WRITE).token for user in (ann, ben)]
        app = FastAPI()
        app.add_middleware(BodyLimitMiddleware, limit_of=usual_limit)
        add_hub_routes(app, services)
        with serve(app) as url:
            yield LiveHub(url, services, ann, ben, *tokens)
