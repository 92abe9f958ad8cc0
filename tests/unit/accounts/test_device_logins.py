"""Programs that sign in by a browser (RFC 8628): a person decides, once and in time, and exactly one token comes of it."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from hub_core.accounts import device_logins
from hub_core.accounts.device_logins import DeviceLogins, Waiting
from hub_core.accounts.tables import DeviceLogin, User
from hub_core.accounts.views import NewToken
from hub_core.authz import Actor, CredentialKind, Scope
from hub_core.db import utcnow
from hub_core.errors import DeviceLoginNotFound, PermissionDenied, RateLimited, Unauthenticated
from tests.common.factories import make_user
from tests.unit.accounts.conftest import Accounts


@pytest.fixture
def logins(hub: Accounts) -> DeviceLogins:
    return DeviceLogins(hub.db, hub.tokens, hub.sessions)


def expire(hub: Accounts) -> None:
    with hub.db.write() as session:
        session.execute(sa.update(DeviceLogin).values(expires_at=utcnow() - dt.timedelta(seconds=1)))


def test_the_token_comes_once_after_the_person_agreed(hub: Accounts, logins: DeviceLogins, alice: Actor) -> None:
    begun = logins.begin("hf/2", "192.0.2.7")
    assert logins.take(begun.device_code) is Waiting.PENDING
    asked = logins.asked(begun.user_code.lower().replace("-", " "))
    assert (asked.user_code, asked.program, asked.address) == (begun.user_code, "hf/2", "192.0.2.7")
    logins.approve(alice, begun.user_code, Scope.WRITE)
    found = logins.take(begun.device_code)
    assert isinstance(found, NewToken)
    assert found.view.name == f"login {begun.user_code}"
    assert found.view.expires_at is not None
    assert dt.timedelta(days=29) < found.view.expires_at - utcnow() <= dt.timedelta(days=30)
    who = hub.tokens.authenticate_token(found.token, "api")
    assert (who.user_id, who.scope, who.credential) == (alice.user_id, Scope.WRITE, CredentialKind.TOKEN)
    assert logins.take(begun.device_code) is Waiting.EXPIRED
    assert begun.device_code not in str(hub.db.url)


def test_a_refusal_holds_and_the_first_decision_counts(logins: DeviceLogins, alice: Actor, bob: Actor) -> None:
    refused, approved = logins.begin("one", ""), logins.begin("two", "")
    logins.refuse(alice, refused.user_code)
    assert logins.take(refused.device_code) is Waiting.DENIED
    with pytest.raises(DeviceLoginNotFound):
        logins.approve(alice, refused.user_code, Scope.READ)
    logins.approve(alice, approved.user_code, Scope.READ)
    for decide in (lambda: logins.approve(bob, approved.user_code, Scope.ADMIN), lambda: logins.refuse(bob, approved.user_code)):
        with pytest.raises(DeviceLoginNotFound):
            decide()
    found = logins.take(approved.device_code)
    assert isinstance(found, NewToken)
    assert (found.view.username, found.view.scope) == ("alice", Scope.READ)


def test_codes_that_are_old_or_made_up_give_nothing(hub: Accounts, logins: DeviceLogins, alice: Actor) -> None:
    begun, late = logins.begin("one", ""), logins.begin("two", "")
    logins.approve(alice, late.user_code, Scope.READ)
    expire(hub)
    for code in (begun.user_code, late.user_code, "BCDF-GHJK", "", "bcdf\x00", begun.user_code + "B"):
        with pytest.raises(DeviceLoginNotFound):
            logins.asked(code)
    for secret in (begun.device_code, late.device_code, begun.user_code, "", "x" * 5000):
        assert logins.take(secret) is Waiting.EXPIRED


def test_nobody_gives_more_than_they_have(logins: DeviceLogins, alice: Actor) -> None:
    begun = logins.begin("one", "")
    weak = Actor(user_id=alice.user_id, username="alice", credential=CredentialKind.TOKEN, scope=Scope.WRITE)
    with pytest.raises(PermissionDenied):
        logins.approve(weak, begun.user_code, Scope.READ)
    with pytest.raises(Unauthenticated):
        logins.approve(Actor(), begun.user_code, Scope.READ)
    assert logins.take(begun.device_code) is Waiting.PENDING


def test_who_was_disabled_meanwhile_signs_nothing_in(hub: Accounts, logins: DeviceLogins) -> None:
    carol = make_user(hub.db, "carol")
    begun = logins.begin("one", "")
    actor = Actor(user_id=carol.id, username="carol", credential=CredentialKind.SESSION, scope=Scope.ADMIN)
    logins.approve(actor, begun.user_code, Scope.WRITE)
    with hub.db.write() as session:
        session.execute(sa.update(User).where(User.id == carol.id).values(status="disabled"))
    assert logins.take(begun.device_code) is Waiting.DENIED


def test_many_who_fetch_at_once_get_one_token(hub: Accounts, logins: DeviceLogins, alice: Actor) -> None:
    begun = logins.begin("one", "")
    logins.approve(alice, begun.user_code, Scope.READ)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: logins.take(begun.device_code), range(8)))
    assert sum(isinstance(one, NewToken) for one in found) == 1
    assert len(hub.tokens.list_tokens(alice)) == 1


def test_no_more_wait_than_is_sane(hub: Accounts, logins: DeviceLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_logins, "MAX_OPEN_OF_ADDRESS", 2)
    monkeypatch.setattr(device_logins, "MAX_OPEN", 3)
    for _ in range(2):
        logins.begin("x" * 5000 + "\n", "192.0.2.7")
    with pytest.raises(RateLimited):
        logins.begin("one", "192.0.2.7")
    logins.begin("one", "192.0.2.8")
    with pytest.raises(RateLimited):
        logins.begin("one", "192.0.2.9")
    expire(hub)
    logins.begin("one", "192.0.2.7")
