"""A live hub for real clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI

from hub_core.accounts.tables import User
from hub_core.authz import Scope, Visibility
from hub_core.http.dialects import add_hub_routes
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_user
from tests.common.live import serve


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
def git_app_settings(settings: Settings, sqlite_url: str) -> Settings:
    """Settings of the live hub."""
    return Settings(data_dir=settings.data_dir, database_url=sqlite_url, demo=False, max_body_mb=64)


@pytest.fixture
def live_git_hub(git_app_settings: Settings) -> Iterator[LiveHub]:
    """A hub with the routes of all clients on a real server."""
    with open_services(git_app_settings) as services:
        ann, ben = make_user(services.db, "ann"), make_user(services.db, "ben")
        tokens = [services.tokens.create(actor_for(user), "git", Scope.WRITE).token for user in (ann, ben)]
        app = FastAPI()
        add_hub_routes(app, services)
        with serve(app) as url:
            yield LiveHub(url, services, ann, ben, *tokens)
