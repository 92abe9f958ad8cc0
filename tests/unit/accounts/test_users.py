from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from hub_core.accounts.tables import Membership, SshKey, Token, User, WebSession
from hub_core.accounts.views import UserStatus
from hub_core.audit import AuditEvent
from hub_core.authz import ANONYMOUS, SYSTEM, Actor, Scope
from hub_core.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    InvalidName,
    LastAdmin,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    UserNotFound,
)
from tests.common.factories import actor_for, make_org, make_repo, make_token_row, make_user
from tests.unit.accounts.conftest import Accounts


def test_a_new_user_can_sign_in_with_the_generated_password_shown_once(hub: Accounts, admin: Actor) -> None:
    made = hub.users.create(admin, "@Carol", email="carol@acme.test")
    assert made.password and made.password not in repr(made)
    assert made.user.username == "carol"
    assert hub.sessions.check_password("carol", made.password).username == "carol"


def test_a_given_password_is_used_and_not_returned(hub: Accounts, admin: Actor) -> None:
    assert hub.users.create(admin, "carol", password="correct horse").password is None
    assert hub.sessions.login("Carol", "correct horse")


@pytest.mark.parametrize("name", ["", "a", "Ünal", "a b", "../x", "-x", "api", "datasets", "x" * 40, "a\x00b"])
def test_bad_names_are_refused(hub: Accounts, admin: Actor, name: str) -> None:
    with pytest.raises(InvalidName):
        hub.users.create(admin, name)


def test_a_name_is_taken_by_users_organisations_and_deleted_users(hub: Accounts, admin: Actor, alice: Actor) -> None:
    hub.orgs.create(alice, "acme")
    hub.users.create(admin, "carol")
    hub.users.delete(admin, "carol")
    for name in ("alice", "acme", "carol"):
        with pytest.raises(AlreadyExists):
            hub.users.create(admin, name)


@pytest.mark.parametrize("values", [{"password": "short"}, {"email": "nobody"}, {"email": "a b@c"}, {"password": "x" * 257}])
def test_bad_passwords_and_addresses_are_refused(hub: Accounts, admin: Actor, values: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        hub.users.create(admin, "carol", **values)  # type: ignore[arg-type]


def test_only_site_administrators_make_disable_and_delete_users(hub: Accounts, alice: Actor, bob: Actor) -> None:
    for act in (
        lambda: hub.users.create(alice, "carol"),
        lambda: hub.users.set_status(alice, "bob", UserStatus.DISABLED),
        lambda: hub.users.delete(alice, "bob"),
        lambda: hub.users.reset_password(alice, "bob"),
        lambda: hub.users.restore_user(alice, "bob"),
    ):
        with pytest.raises(PermissionDenied):
            act()
    with pytest.raises(Unauthenticated):
        hub.users.create(ANONYMOUS, "carol")


def test_an_administrators_small_token_cannot_administer(hub: Accounts, admin: Actor) -> None:
    small = dataclasses.replace(admin, scope=Scope.WRITE)
    with pytest.raises(PermissionDenied, match="scope"):
        hub.users.create(small, "carol")


def test_addresses_are_shown_to_oneself_and_administrators_only(hub: Accounts, admin: Actor, alice: Actor) -> None:
    make_user(hub.db, "carol", email="carol@acme.test")
    assert hub.users.get(admin, "carol").email == "carol@acme.test"
    assert hub.users.get(alice, "carol").email == ""
    assert {user.email for user in hub.users.list_users(alice).items} == {""}


def test_get_shows_organisations_and_unknown_users_are_not_found(hub: Accounts, alice: Actor, bob: Actor) -> None:
    hub.orgs.create(alice, "acme")
    assert [(org.name, org.role) for org in hub.users.get(bob, "alice").orgs] == [("acme", "admin")]
    assert hub.users.get(alice).username == "alice"
    with pytest.raises(UserNotFound):
        hub.users.get(alice, "nobody")
    with pytest.raises(Unauthenticated):
        hub.users.get(ANONYMOUS, "alice")


def test_lists_page_by_name_and_filter(hub: Accounts, admin: Actor) -> None:
    for number in range(5):
        make_user(hub.db, f"u_{number}")
    first = hub.users.list_users(admin, query="u_", limit=2)
    second = hub.users.list_users(admin, query="u_", limit=2, cursor=first.next)
    third = hub.users.list_users(admin, query="u_", limit=2, cursor=second.next)
    assert [user.username for page in (first, second, third) for user in page.items] == [f"u_{n}" for n in range(5)]
    assert third.next is None
    hub.users.set_status(admin, "u_1", UserStatus.DISABLED)
    hub.users.delete(admin, "u_2")
    assert [user.username for user in hub.users.list_users(admin, status=UserStatus.DISABLED).items] == ["u_1"]
    assert "u_2" not in {user.username for user in hub.users.list_users(admin).items}


def test_a_disabled_user_loses_tokens_sessions_and_passwords_at_once(hub: Accounts, admin: Actor) -> None:
    hub.users.create(admin, "carol", password="correct horse")
    cookie = hub.sessions.login("carol", "correct horse")
    carol = hub.sessions.authenticate_session(cookie)
    token = hub.tokens.create(carol, "ci", Scope.WRITE).token
    hub.users.set_status(admin, "carol", UserStatus.DISABLED)
    for act in (
        lambda: hub.tokens.authenticate_token(token, "api"),
        lambda: hub.sessions.authenticate_session(cookie),
        lambda: hub.sessions.login("carol", "correct horse"),
    ):
        with pytest.raises(Unauthenticated):
            act()
    hub.users.set_status(admin, "carol", UserStatus.ACTIVE)
    assert hub.tokens.authenticate_token(token, "api").username == "carol"
    with pytest.raises(Unauthenticated):
        hub.sessions.authenticate_session(cookie)


def test_nobody_disables_or_deletes_themselves(hub: Accounts, admin: Actor) -> None:
    make_user(hub.db, "root2", is_admin=True)
    with pytest.raises(Conflict):
        hub.users.set_status(admin, "admin", UserStatus.DISABLED)
    with pytest.raises(Conflict):
        hub.users.delete(admin, "admin")


def test_the_last_active_administrator_stays(hub: Accounts, admin: Actor) -> None:
    with pytest.raises(LastAdmin):
        hub.users.set_status(SYSTEM, "admin", UserStatus.DISABLED)
    make_user(hub.db, "root2", is_admin=True, status="disabled")
    with pytest.raises(LastAdmin):
        hub.users.delete(SYSTEM, "admin")
    make_user(hub.db, "root3", is_admin=True)
    assert hub.users.set_status(SYSTEM, "admin", UserStatus.DISABLED).status == "disabled"


def test_a_deleted_user_leaves_no_credentials_and_memberships(hub: Accounts, admin: Actor, alice: Actor) -> None:
    hub.users.create(admin, "carol", password="correct horse")
    hub.sessions.login("carol", "correct horse")
    carol = hub.sessions.check_password("carol", "correct horse")
    hub.tokens.create(carol, "ci", Scope.READ)
    hub.orgs.create(alice, "acme")
    hub.orgs.set_member(alice, "acme", "carol", hub.orgs.get(alice, "acme").members[0].role)
    removal = hub.users.check_delete(admin, "carol")
    assert (removal.tokens, removal.ssh_keys, [org.name for org in removal.orgs]) == (1, 0, ["acme"])
    hub.users.delete(admin, "carol")
    with hub.db.read() as session:
        for table in (Token, SshKey, WebSession, Membership):
            assert session.scalar(sa.select(sa.func.count()).where(table.user_id == carol.user_id)) == 0
    with pytest.raises(UserNotFound):
        hub.users.get(admin, "carol")
    with pytest.raises(Unauthenticated):
        hub.sessions.login("carol", "correct horse")


def test_a_restored_user_comes_back_with_a_new_password(hub: Accounts, admin: Actor) -> None:
    hub.users.create(admin, "carol", password="correct horse")
    hub.users.delete(admin, "carol")
    password = hub.users.restore_user(admin, "carol")
    assert hub.sessions.login("carol", password)
    with pytest.raises(UserNotFound):
        hub.users.restore_user(admin, "carol")


def test_deleting_is_refused_while_the_person_owns_live_repos(hub: Accounts, admin: Actor) -> None:
    carol = make_user(hub.db, "carol")
    repo = make_repo(hub.db, carol)
    with pytest.raises(Conflict, match="1 repo"):
        hub.users.delete(admin, "carol")
    with hub.db.write() as session:
        session.merge(repo).deleted_at = repo.created_at
    hub.users.delete(admin, "carol")


def test_deleting_is_refused_for_the_last_admin_of_an_organisation(hub: Accounts, admin: Actor) -> None:
    carol, dave = make_user(hub.db, "carol"), make_user(hub.db, "dave")
    make_org(hub.db, "acme", {carol: "admin", dave: "write"})
    with pytest.raises(LastAdmin):
        hub.users.delete(admin, "carol")
    hub.orgs.set_member(admin, "acme", "dave", hub.orgs.get(admin, "acme").members[0].role)
    hub.users.delete(admin, "carol")


def test_resetting_a_password_ends_sessions_and_replaces_it(hub: Accounts, admin: Actor) -> None:
    hub.users.create(admin, "carol", password="correct horse")
    cookie = hub.sessions.login("carol", "correct horse")
    carol = hub.sessions.authenticate_session(cookie)
    new = hub.users.reset_password(carol)
    assert new and hub.sessions.login("carol", new)
    with pytest.raises(Unauthenticated):
        hub.sessions.authenticate_session(cookie)
    newer = hub.users.reset_password(admin, "carol")
    with pytest.raises(Unauthenticated):
        hub.sessions.login("carol", new)
    assert newer and hub.sessions.login("carol", newer)


def test_checks_change_nothing(hub: Accounts, admin: Actor) -> None:
    carol = make_user(hub.db, "carol")
    make_token_row(hub.db, carol)
    hub.users.check_create(admin, "dave")
    hub.users.check_status(admin, "carol", UserStatus.DISABLED)
    hub.users.check_delete(admin, "carol")
    hub.users.check_reset_password(admin, "carol")
    assert hub.users.get(admin, "carol").status == "active"
    with hub.db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == 0
        assert session.scalar(sa.select(User.password_hash).where(User.username == "carol")) == ""


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [("language", "zh", "zh"), ("Language", "日本語", "ja"), ("hardware", "gpu-small", "gpu-small"), ("alias.运营", "acme/a", "acme/a")],
)
def test_preferences_are_kept_and_removed(hub: Accounts, alice: Actor, key: str, value: str, stored: str) -> None:
    assert hub.users.set_preference(alice, key, value) == {key.lower(): stored}
    assert hub.users.preferences(alice) == {key.lower(): stored}
    assert hub.users.set_preference(alice, key, None) == {}
    assert hub.users.preferences(alice) == {}


@pytest.mark.parametrize(
    ("key", "value"), [("language", "fr"), ("theme", "dark"), ("alias.", "x"), ("alias.a", "x\x00"), ("hardware", "x" * 65)]
)
def test_unknown_preferences_are_refused(hub: Accounts, alice: Actor, key: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        hub.users.set_preference(alice, key, value)


def test_a_token_limited_to_one_repo_may_look_but_change_nothing(hub: Accounts, admin: Actor, alice: Actor) -> None:
    limited = dataclasses.replace(admin, repo_id=1)
    assert hub.users.get(limited, "alice").username == "alice"
    with pytest.raises(PermissionDenied, match="limited"):
        hub.users.set_status(limited, "alice", UserStatus.DISABLED)
    with pytest.raises(PermissionDenied, match="limited"):
        hub.orgs.create(limited, "acme")


def test_every_change_is_audited_without_secrets(hub: Accounts, admin: Actor) -> None:
    password = hub.users.create(admin, "carol").password
    hub.users.set_status(admin, "carol", UserStatus.DISABLED)
    hub.users.set_status(admin, "carol", UserStatus.ACTIVE)
    hub.users.reset_password(admin, "carol")
    hub.users.delete(admin, "carol")
    with hub.db.read() as session:
        events = list(session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)))
    assert [event.action for event in events] == ["user.create", "user.status", "user.status", "user.password", "user.delete"]
    assert {(event.actor, event.target) for event in events} == {("admin", "carol")}
    assert password and all(password not in str(event.details) for event in events)


def test_an_actor_whose_account_is_gone_is_told_so(hub: Accounts, admin: Actor) -> None:
    carol = actor_for(make_user(hub.db, "carol"))
    hub.users.delete(admin, "carol")
    with pytest.raises(UserNotFound):
        hub.users.set_preference(carol, "language", "ko")


@pytest.mark.parametrize("hostile", ["a\x00b", "\ud800", "x" * 100_000, "' OR 1=1 --", "%", "\u202ealice"])
def test_hostile_text_is_not_found_anywhere(hub: Accounts, admin: Actor, hostile: str) -> None:
    for act in (
        lambda: hub.users.get(admin, hostile),
        lambda: hub.orgs.get(admin, hostile),
        lambda: hub.tokens.revoke(admin, hostile),
        lambda: hub.ssh_keys.delete(admin, hostile),
    ):
        with pytest.raises(NotFound):
            act()
    assert hub.users.list_users(admin, query=hostile, cursor=hostile).items == []
    assert hub.orgs.list_orgs(admin, cursor=hostile).items == []
