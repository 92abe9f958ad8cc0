from __future__ import annotations

import dataclasses

import pytest

from hub_core.accounts.passwords import Passwords
from hub_core.accounts.users import UserService
from hub_core.authz import CredentialKind, Scope
from hub_core.errors import Unauthenticated
from hub_core.settings import Settings
from tests.unit.accounts.conftest import Accounts


@pytest.fixture
def start(hub: Accounts, passwords: Passwords):
    def start_with(**values: str) -> str | None:
        return UserService(hub.db, dataclasses.replace(hub.settings, **values), passwords).bootstrap()

    return start_with


def test_the_first_start_makes_an_administrator_with_a_password_shown_once(hub: Accounts, start) -> None:
    password = start()
    assert hub.sessions.check_password("admin", password).is_admin
    assert start() is None
    assert hub.sessions.check_password("admin", password)


def test_a_given_password_is_used_at_first_start_only(hub: Accounts, start) -> None:
    assert start(admin_password="correct horse") is None
    start(admin_password="battery staple")
    assert hub.sessions.check_password("admin", "correct horse")
    with pytest.raises(Unauthenticated):
        hub.sessions.check_password("admin", "battery staple")


def test_the_preset_token_follows_the_setting(hub: Accounts, start) -> None:
    start(admin_token="hub_first")
    actor = hub.tokens.authenticate_token("hub_first", "api")
    assert (actor.username, actor.scope, actor.credential, actor.is_admin) == ("admin", Scope.ADMIN, CredentialKind.TOKEN, True)
    start(admin_token="hub_first")
    start(admin_token="second secret")
    assert hub.tokens.authenticate_token("second secret", "api").token_name == "preset"
    with pytest.raises(Unauthenticated):
        hub.tokens.authenticate_token("hub_first", "api")
    start()
    with pytest.raises(Unauthenticated):
        hub.tokens.authenticate_token("second secret", "api")


def test_secrets_are_not_in_the_settings_text() -> None:
    assert "hush" not in repr(Settings(admin_password="hush", admin_token="hush"))
