from __future__ import annotations

from dataclasses import dataclass

import pytest

from hub_core.accounts.orgs import OrgService
from hub_core.accounts.passwords import Passwords
from hub_core.accounts.sessions import SessionService
from hub_core.accounts.sshkeys import SshKeyService
from hub_core.accounts.throttle import Throttle
from hub_core.accounts.tokens import TokenService
from hub_core.accounts.users import UserService
from hub_core.authz import Actor
from hub_core.db import Database
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_user


@dataclass
class Clock:
    """A clock that a test moves by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Accounts:
    db: Database
    settings: Settings
    users: UserService
    orgs: OrgService
    tokens: TokenService
    sessions: SessionService
    ssh_keys: SshKeyService
    clock: Clock


@pytest.fixture(scope="session")
def passwords() -> Passwords:
    """Cheap parameters: the rules are under test, not argon2."""
    return Passwords(time_cost=1, memory_kib=8)


@pytest.fixture
def hub(db: Database, settings: Settings, passwords: Passwords) -> Accounts:
    clock = Clock()
    return Accounts(
        db,
        settings,
        UserService(db, settings, passwords),
        OrgService(db),
        TokenService(db),
        SessionService(db, passwords, Throttle(clock=clock)),
        SshKeyService(db),
        clock,
    )


@pytest.fixture
def admin(db: Database) -> Actor:
    return actor_for(make_user(db, "admin", is_admin=True))


@pytest.fixture
def alice(db: Database) -> Actor:
    return actor_for(make_user(db, "alice"))


@pytest.fixture
def bob(db: Database) -> Actor:
    return actor_for(make_user(db, "bob"))
