"""A hub with something to hide: Alice's private repo, Carol who is a stranger, and every HTTP dialect on one application."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from hub_core.accounts.tables import User
from hub_core.authz import Actor, Scope, Visibility
from hub_core.http.errors import add_error_handlers
from hub_core.http.git_smart import git_router
from hub_core.http.lfs import lfs_router
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services
from tests.common.factories import actor_for, make_user
from tools.rest.router import tool_router


@dataclass(frozen=True)
class Guarded:
    """The hub, its people and a client without a credential."""

    services: Services
    alice_row: User
    carol_row: User
    root_row: User
    client: TestClient

    @property
    def alice(self) -> Actor:
        return actor_for(self.alice_row)

    @property
    def carol(self) -> Actor:
        return actor_for(self.carol_row)

    @property
    def root(self) -> Actor:
        return actor_for(self.root_row)

    def token(self, who: Actor, name: str, scope: Scope = Scope.ADMIN, repo: str | None = None) -> dict[str, str]:
        """Headers with a new token."""
        return {"Authorization": f"Bearer {self.services.tokens.create(who, name, scope, repo=repo).token}"}


@pytest.fixture
def hub(services: Services) -> Iterator[Guarded]:
    """Alice has `alice/secret` (private) and `alice/open` (public)."""
    alice, carol = make_user(services.db, "alice"), make_user(services.db, "carol")
    root = make_user(services.db, "root", is_admin=True)
    services.repos.create(actor_for(alice), "secret", RepoKind.MODEL)
    services.repos.create(actor_for(alice), "open", RepoKind.MODEL, Visibility.PUBLIC)
    app = FastAPI()
    for router in (tool_router(services), git_router(services), lfs_router(services)):
        app.include_router(router)
    add_error_handlers(app)
    yield Guarded(services, alice, carol, root, TestClient(app))
