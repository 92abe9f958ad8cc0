from __future__ import annotations

import base64
import datetime as dt
import re

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from hub_core.accounts.credentials import digest, looks_mistyped, make_token
from hub_core.accounts.expiry import parse_expiry
from hub_core.accounts.passwords import Passwords, generate_password
from hub_core.accounts.tables import Token, WebSession
from hub_core.accounts.throttle import Throttle
from hub_core.authz import Actor, CredentialKind, Role, Scope
from hub_core.db import utcnow
from hub_core.errors import (
    AlreadyExists,
    Conflict,
    HubError,
    InvalidInput,
    InvalidKey,
    InvalidName,
    PermissionDenied,
    RepoNotFound,
    SshKeyNotFound,
    TokenNotFound,
    TooManyAttempts,
    Unauthenticated,
)
from tests.common.factories import actor_for, make_repo, make_user
from tests.unit.accounts.conftest import Accounts, Clock

NOW = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)


# --- passwords -------------------------------------------------------------------------------------


def test_a_password_is_verified_against_its_hash_only(passwords: Passwords) -> None:
    stored = passwords.hash("correct horse")
    assert passwords.verify(stored, "correct horse")
    assert not passwords.verify(stored, "correct hors")
    assert not passwords.verify(None, "correct horse")
    assert not passwords.verify("", "correct horse")
    assert not passwords.verify("not a hash", "correct horse")


def test_hashes_are_argon2id_and_old_parameters_are_noticed(passwords: Passwords) -> None:
    stored = passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert not passwords.outdated(stored)
    assert Passwords(time_cost=2, memory_kib=16).outdated(stored)


def test_generated_passwords_are_long_and_differ() -> None:
    made = {generate_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(password) == 20 for password in made)


# --- tokens ----------------------------------------------------------------------------------------


def test_a_token_has_prefix_entropy_and_a_checksum() -> None:
    token = make_token()
    assert re.fullmatch(r"hub_[\w-]{43}[0-9a-f]{6}", token)
    assert not looks_mistyped(token)
    assert looks_mistyped(token[:-1])
    assert not looks_mistyped("some preset secret")


@given(st.text(max_size=60))
def test_any_text_has_a_digest_and_a_verdict(text: str) -> None:
    assert len(digest(text)) == 64
    assert looks_mistyped(text) in (True, False)


def test_a_token_stands_for_its_owner_with_its_scope(hub: Accounts, alice: Actor) -> None:
    made = hub.tokens.create(alice, "ci", Scope.WRITE)
    assert made.token not in repr(made)
    actor = hub.tokens.authenticate_token(made.token, "git")
    assert (actor.username, actor.scope, actor.credential) == ("alice", Scope.WRITE, CredentialKind.TOKEN)
    assert (actor.token_name, actor.channel, actor.is_admin, actor.repo_id) == ("ci", "git", False, None)


def test_only_the_digest_is_stored(hub: Accounts, alice: Actor) -> None:
    secret = hub.tokens.create(alice, "ci", Scope.WRITE).token
    with hub.db.read() as session:
        row = session.scalars(sa.select(Token)).one()
        assert row.digest == digest(secret)
        assert secret not in [str(value) for value in vars(row).values()]


@pytest.mark.parametrize("bad", ["", "hub_", "hub_x", "\x00", "ключ", "\ud800", "x" * 10_000])
def test_unknown_tokens_are_refused(hub: Accounts, bad: str) -> None:
    with pytest.raises(Unauthenticated):
        hub.tokens.authenticate_token(bad, "api")


def test_a_cut_off_token_gets_a_helpful_hint(hub: Accounts, alice: Actor) -> None:
    secret = hub.tokens.create(alice, "ci", Scope.WRITE).token
    with pytest.raises(Unauthenticated) as caught:
        hub.tokens.authenticate_token(secret[:-3], "api")
    assert "cut off" in caught.value.hint


def test_an_expired_token_is_refused(hub: Accounts, alice: Actor) -> None:
    secret = hub.tokens.create(alice, "ci", Scope.WRITE, expires="30d").token
    hub.tokens.authenticate_token(secret, "api")
    with hub.db.write() as session:
        session.execute(sa.update(Token).values(expires_at=utcnow() - dt.timedelta(seconds=1)))
    with pytest.raises(Unauthenticated, match="ended"):
        hub.tokens.authenticate_token(secret, "api")


def test_the_last_use_is_noted_at_most_once_a_minute(hub: Accounts, alice: Actor) -> None:
    secret = hub.tokens.create(alice, "ci", Scope.READ).token
    assert hub.tokens.list_tokens(alice)[0].last_used_at is None
    hub.tokens.authenticate_token(secret, "api")
    first = hub.tokens.list_tokens(alice)[0].last_used_at
    hub.tokens.authenticate_token(secret, "api")
    assert first is not None and hub.tokens.list_tokens(alice)[0].last_used_at == first
    with hub.db.write() as session:
        session.execute(sa.update(Token).values(last_used_at=first - dt.timedelta(minutes=2)))
    hub.tokens.authenticate_token(secret, "api")
    again = hub.tokens.list_tokens(alice)[0].last_used_at
    assert again is not None and again >= first


def test_a_token_cannot_make_a_stronger_one_or_manage_credentials_without_the_scope(hub: Accounts, alice: Actor) -> None:
    secret = hub.tokens.create(alice, "ci", Scope.WRITE).token
    weak = hub.tokens.authenticate_token(secret, "api")
    for scope in Scope:
        with pytest.raises(PermissionDenied):
            hub.tokens.create(weak, "more", scope)
    with pytest.raises(PermissionDenied):
        hub.tokens.list_tokens(weak)


def test_others_tokens_are_for_site_administrators(hub: Accounts, admin: Actor, alice: Actor, bob: Actor) -> None:
    for act in (
        lambda: hub.tokens.create(bob, "x", Scope.READ, username="alice"),
        lambda: hub.tokens.list_tokens(bob, "alice"),
        lambda: hub.tokens.revoke(bob, "x", "alice"),
    ):
        with pytest.raises(PermissionDenied):
            act()
    secret = hub.tokens.create(admin, "x", Scope.READ, username="alice").token
    assert hub.tokens.authenticate_token(secret, "api").username == "alice"
    assert [token.name for token in hub.tokens.list_tokens(admin, "alice")] == ["x"]
    hub.tokens.revoke(admin, "x", "alice")
    with pytest.raises(Unauthenticated):
        hub.tokens.authenticate_token(secret, "api")


def test_a_token_can_be_limited_to_a_visible_repo(hub: Accounts, alice: Actor, bob: Actor) -> None:
    with hub.db.read() as session:
        repo = make_repo(hub.db, hub.users.by_name(session, "alice"), "model")
    made = hub.tokens.create(alice, "one", Scope.ADMIN, repo="alice/model")
    assert made.view.repo == "alice/model"
    limited = hub.tokens.authenticate_token(made.token, "api")
    assert limited.repo_id == repo.id
    with pytest.raises(PermissionDenied, match="limited"):
        hub.tokens.create(limited, "wider", Scope.READ)
    with pytest.raises(RepoNotFound):
        hub.tokens.create(bob, "one", Scope.READ, repo="alice/model")


def test_token_names_are_unique_per_person_and_checked(hub: Accounts, alice: Actor, bob: Actor) -> None:
    hub.tokens.create(alice, " ci ", Scope.READ)
    hub.tokens.create(bob, "ci", Scope.READ)
    with pytest.raises(AlreadyExists):
        hub.tokens.create(alice, "ci", Scope.READ)
    for name in ("", "  ", "x" * 97, "a\nb", "preset"):
        with pytest.raises(InvalidName):
            hub.tokens.create(alice, name, Scope.READ)
    with pytest.raises(TokenNotFound):
        hub.tokens.revoke(alice, "nothing")


def test_a_disabled_account_gets_no_token(hub: Accounts, admin: Actor) -> None:
    make_user(hub.db, "carol", status="disabled")
    with pytest.raises(Conflict):
        hub.tokens.create(admin, "x", Scope.READ, username="carol")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("never", None),
        ("30d", NOW + dt.timedelta(days=30)),
        ("12 hours", NOW + dt.timedelta(hours=12)),
        ("2w", NOW + dt.timedelta(weeks=2)),
        ("1 Year", NOW + dt.timedelta(days=365)),
        ("2030-01-31", dt.datetime(2030, 2, 1, tzinfo=dt.UTC)),
        ("2030-01-02T03:04:05", dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        ("2030-01-02T03:04:05+09:00", dt.datetime(2030, 1, 1, 18, 4, 5, tzinfo=dt.UTC)),
    ],
)
def test_expiry_is_understood(text: str | None, expected: dt.datetime | None) -> None:
    assert parse_expiry(text, NOW) == expected


@pytest.mark.parametrize("text", ["soon", "0d", "-1d", "2029-12-30", "99999y", "2030-13-01", "9999-12-31", "30"])
def test_bad_expiry_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_expiry(text, NOW)


# --- sessions --------------------------------------------------------------------------------------


@pytest.fixture
def carol(hub: Accounts, passwords: Passwords) -> Actor:
    return actor_for(make_user(hub.db, "carol", password_hash=passwords.hash("correct horse")))


def test_a_session_stands_for_the_person_until_logout(hub: Accounts, carol: Actor) -> None:
    secret = hub.sessions.login("carol", "correct horse")
    actor = hub.sessions.authenticate_session(secret)
    assert (actor.username, actor.credential, actor.scope, actor.channel) == ("carol", CredentialKind.SESSION, Scope.ADMIN, "web")
    hub.sessions.logout(secret)
    hub.sessions.logout(secret)
    with pytest.raises(Unauthenticated):
        hub.sessions.authenticate_session(secret)


def test_a_session_ends_after_15_days(hub: Accounts, carol: Actor) -> None:
    secret = hub.sessions.login("carol", "correct horse")
    with hub.db.write() as session:
        row = session.scalars(sa.select(WebSession)).one()
        assert row.expires_at - row.created_at == dt.timedelta(days=15)
        row.expires_at = utcnow() - dt.timedelta(seconds=1)
    with pytest.raises(Unauthenticated):
        hub.sessions.authenticate_session(secret)
    hub.sessions.login("carol", "correct horse")
    with hub.db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(WebSession)) == 1


def test_wrong_names_and_wrong_passwords_get_the_same_answer(hub: Accounts, carol: Actor) -> None:
    answers = []
    for name, password in (("carol", "wrong horse"), ("nobody", "correct horse"), ("", ""), ("ca\x00rol", "x")):
        with pytest.raises(Unauthenticated) as caught:
            hub.sessions.login(name, password)
        answers.append((caught.value.message, caught.value.hint))
    assert len(set(answers)) == 1


def test_ten_failures_in_five_minutes_lock_the_name_from_that_address(hub: Accounts, carol: Actor) -> None:
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            hub.sessions.login("carol", "wrong horse", address="10.0.0.1")
    with pytest.raises(TooManyAttempts):
        hub.sessions.login("CAROL", "correct horse", address="10.0.0.1")
    assert hub.sessions.login("carol", "correct horse", address="10.0.0.2")
    hub.clock.now += 301
    assert hub.sessions.login("carol", "correct horse", address="10.0.0.1")


def test_a_right_password_forgets_the_failures() -> None:
    throttle = Throttle(failures=2, clock=Clock(), max_keys=3)
    throttle.fail("a")
    throttle.clear("a")
    throttle.fail("a")
    throttle.check("a")
    throttle.fail("a")
    with pytest.raises(TooManyAttempts):
        throttle.check("a")
    for key in range(10):
        throttle.fail(key)
    throttle.check("a")


def test_an_outdated_hash_is_replaced_at_login(hub: Accounts, passwords: Passwords) -> None:
    old = Passwords(time_cost=2, memory_kib=16).hash("correct horse")
    user = make_user(hub.db, "dave", password_hash=old)
    hub.sessions.login("dave", "correct horse")
    with hub.db.read() as session:
        stored = hub.users.by_name(session, user.username).password_hash
    assert stored != old and not passwords.outdated(stored)
    assert hub.sessions.login("dave", "correct horse")


# --- SSH keys --------------------------------------------------------------------------------------


def openssh(key) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_keys_are_added_listed_and_deleted(hub: Accounts, alice: Actor) -> None:
    text = openssh(ed25519.Ed25519PrivateKey.generate())
    added = hub.ssh_keys.add(alice, "laptop", f"  {text} alice@laptop\n")
    assert added.type == "ssh-ed25519"
    assert re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", added.fingerprint)
    assert [key.title for key in hub.ssh_keys.list_keys(alice)] == ["laptop"]
    hub.ssh_keys.delete(alice, "laptop")
    assert hub.ssh_keys.list_keys(alice) == []
    with pytest.raises(SshKeyNotFound):
        hub.ssh_keys.delete(alice, "laptop")


def test_the_fingerprint_is_the_one_that_ssh_keygen_prints(hub: Accounts, alice: Actor) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvbSqusEnhJKY2cmVOse2X1Prlzk1ge3dSjHSVJEhBe alice@macbook"
    assert hub.ssh_keys.check_add(alice, "macbook", key).fingerprint == "SHA256:VoFzFVDkm9hi4fBB5yZCCO9HpN8Sc2oe581nM2GhH78"


def test_a_key_belongs_to_one_account_and_titles_are_unique(hub: Accounts, alice: Actor, bob: Actor) -> None:
    first, second = (openssh(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    hub.ssh_keys.add(alice, "laptop", first)
    with pytest.raises(AlreadyExists, match="in use"):
        hub.ssh_keys.add(bob, "mine", first)
    with pytest.raises(AlreadyExists, match="laptop"):
        hub.ssh_keys.add(alice, "laptop", second)


@pytest.mark.parametrize(
    "bad", ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa not-base64!", "x" * 20_000, "ssh-ed25519 A\nssh-rsa B", "ssh-ed25519 ключ"]
)
def test_what_is_no_key_is_refused(hub: Accounts, alice: Actor, bad: str) -> None:
    with pytest.raises(InvalidKey):
        hub.ssh_keys.add(alice, "laptop", bad)


def test_weak_keys_are_refused(hub: Accounts, alice: Actor) -> None:
    small = openssh(rsa.generate_private_key(65537, 1024))
    with pytest.raises(InvalidKey, match="2048"):
        hub.ssh_keys.add(alice, "old", small)
    numbers = dsa.generate_private_key(1024).public_key().public_numbers()

    def mpint(value: int) -> bytes:
        raw = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return len(raw).to_bytes(4, "big") + raw

    parameters = numbers.parameter_numbers
    blob = (7).to_bytes(4, "big") + b"ssh-dss" + b"".join(map(mpint, (parameters.p, parameters.q, parameters.g, numbers.y)))
    with pytest.raises(InvalidKey):
        hub.ssh_keys.add(alice, "older", f"ssh-dss {base64.b64encode(blob).decode()}")


def test_a_private_key_is_refused_with_a_warning(hub: Accounts, alice: Actor) -> None:
    text = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    with pytest.raises(InvalidKey, match="private"):
        hub.ssh_keys.add(alice, "laptop", text)


def test_a_write_token_does_not_manage_keys(hub: Accounts, alice: Actor) -> None:
    with hub.db.read() as session:
        weak = actor_for(hub.users.by_name(session, "alice"), Scope.WRITE)
    text = openssh(ed25519.Ed25519PrivateKey.generate())
    for act in (lambda: hub.ssh_keys.list_keys(weak), lambda: hub.ssh_keys.add(weak, "x", text), lambda: hub.ssh_keys.delete(weak, "x")):
        with pytest.raises(HubError):
            act()


def test_roles_and_scopes_are_ordered() -> None:
    assert [role.rank for role in (Role.READ, Role.WRITE, Role.ADMIN)] == [1, 2, 3]
