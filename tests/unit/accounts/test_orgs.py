from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from hub_core.audit import AuditEvent
from hub_core.authz import ANONYMOUS, Actor, Role, Scope
from hub_core.errors import (
    AlreadyExists,
    Conflict,
    HubError,
    InvalidName,
    LastAdmin,
    MemberNotFound,
    OrgNotFound,
    PermissionDenied,
    Unauthenticated,
)
from tests.common.factories import actor_for, make_org, make_repo, make_user
from tests.unit.accounts.conftest import Accounts


@pytest.fixture
def acme(hub: Accounts, alice: Actor, bob: Actor) -> str:
    """Alice is admin, bob is write."""
    hub.orgs.create(alice, "acme")
    hub.orgs.set_member(alice, "acme", "bob", Role.WRITE)
    return "acme"


def members(hub: Accounts, actor: Actor, org: str = "acme") -> dict[str, str]:
    return {member.username: str(member.role) for member in hub.orgs.get(actor, org).members}


def test_who_makes_an_organisation_is_its_admin(hub: Accounts, alice: Actor, bob: Actor) -> None:
    assert hub.orgs.create(alice, "Acme").role is Role.ADMIN
    assert hub.orgs.get(bob, "acme").role is None
    assert members(hub, bob) == {"alice": "admin"}


def test_names_are_checked_and_shared_with_users(hub: Accounts, alice: Actor, bob: Actor) -> None:
    for name, error in (("bob", AlreadyExists), ("api", InvalidName), ("x y", InvalidName)):
        with pytest.raises(error):
            hub.orgs.create(alice, name)


def test_anonymous_callers_see_no_organisations(hub: Accounts, acme: str) -> None:
    for act in (lambda: hub.orgs.get(ANONYMOUS, acme), lambda: hub.orgs.list_orgs(ANONYMOUS), lambda: hub.orgs.get(ANONYMOUS, "nothing")):
        with pytest.raises(Unauthenticated):
            act()


def test_the_list_starts_with_ones_own_and_pages(hub: Accounts, alice: Actor) -> None:
    other = make_user(hub.db, "carol")
    for name in ("aa", "bb", "cc"):
        make_org(hub.db, name, {other: "admin"})
    hub.orgs.create(alice, "zz")
    hub.orgs.create(alice, "yy")
    seen, cursor = [], None
    while True:
        page = hub.orgs.list_orgs(alice, cursor=cursor, limit=2)
        seen += [(org.name, org.role) for org in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [("yy", "admin"), ("zz", "admin"), ("aa", None), ("bb", None), ("cc", None)]


def test_adding_sets_the_role_whether_the_person_was_in_or_not(hub: Accounts, alice: Actor, acme: str) -> None:
    make_user(hub.db, "carol")
    added = hub.orgs.set_member(alice, acme, "@Carol", Role.READ)
    assert (added.before, added.after, added.lowers) == (None, Role.READ, False)
    lowered = hub.orgs.set_member(alice, acme, "bob", Role.READ)
    assert (lowered.before, lowered.after, lowered.lowers) == (Role.WRITE, Role.READ, True)
    assert members(hub, alice) == {"alice": "admin", "bob": "read", "carol": "read"}


def test_updating_and_removing_need_a_member(hub: Accounts, alice: Actor, acme: str) -> None:
    make_user(hub.db, "carol")
    with pytest.raises(MemberNotFound):
        hub.orgs.set_member(alice, acme, "carol", Role.READ, must_be_in=True)
    with pytest.raises(MemberNotFound):
        hub.orgs.remove_member(alice, acme, "carol")
    with pytest.raises(MemberNotFound):
        hub.orgs.leave(actor_for(make_user(hub.db, "dave")), acme)


def test_only_admins_change_members_and_anybody_may_leave(hub: Accounts, alice: Actor, bob: Actor, acme: str) -> None:
    make_user(hub.db, "carol")
    for act in (
        lambda: hub.orgs.set_member(bob, acme, "carol", Role.READ),
        lambda: hub.orgs.set_member(bob, acme, "bob", Role.ADMIN),
        lambda: hub.orgs.remove_member(bob, acme, "alice"),
        lambda: hub.orgs.delete(bob, acme),
    ):
        with pytest.raises(PermissionDenied):
            act()
    hub.orgs.leave(bob, acme)
    assert members(hub, alice) == {"alice": "admin"}


def test_site_administrators_may_change_any_organisation(hub: Accounts, admin: Actor, acme: str) -> None:
    hub.orgs.set_member(admin, acme, "bob", Role.ADMIN)
    assert members(hub, admin)["bob"] == "admin"


def test_a_write_token_cannot_change_members(hub: Accounts, alice: Actor, acme: str) -> None:
    with hub.db.read() as session:
        user = hub.users.by_name(session, "alice")
    with pytest.raises(PermissionDenied, match="scope"):
        hub.orgs.set_member(actor_for(user, Scope.WRITE), acme, "bob", Role.READ)


def test_the_last_admin_can_neither_leave_nor_be_lowered_nor_removed(hub: Accounts, alice: Actor, admin: Actor, acme: str) -> None:
    for act in (
        lambda: hub.orgs.leave(alice, acme),
        lambda: hub.orgs.set_member(alice, acme, "alice", Role.WRITE),
        lambda: hub.orgs.remove_member(admin, acme, "alice"),
        lambda: hub.orgs.check_leave(alice, acme),
        lambda: hub.orgs.check_member(alice, acme, "alice", Role.READ),
    ):
        with pytest.raises(LastAdmin):
            act()
    hub.orgs.set_member(alice, acme, "bob", Role.ADMIN)
    hub.orgs.leave(alice, acme)


def test_a_disabled_admin_does_not_count(hub: Accounts, alice: Actor, acme: str) -> None:
    carol = make_user(hub.db, "carol", status="disabled")
    make_org(hub.db, "labs", {carol: "admin", make_user(hub.db, "dave"): "admin"})
    with hub.db.read() as session:
        dave = actor_for(hub.users.by_name(session, "dave"))
    with pytest.raises(LastAdmin):
        hub.orgs.leave(dave, "labs")
    hub.orgs.remove_member(dave, "labs", "carol")
    with pytest.raises(Conflict, match="disabled"):
        hub.orgs.set_member(alice, acme, "carol", Role.READ)


def test_two_admins_who_leave_at_once_do_not_both_succeed(hub: Accounts, alice: Actor, bob: Actor, acme: str) -> None:
    hub.orgs.set_member(alice, acme, "bob", Role.ADMIN)
    barrier, outcomes = threading.Barrier(2), []

    def leave(actor: Actor) -> None:
        barrier.wait()
        try:
            hub.orgs.leave(actor, acme)
            outcomes.append("left")
        except HubError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=leave, args=(actor,)) for actor in (alice, bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["last_admin", "left"]


def test_two_organisations_made_at_once_with_one_name_leave_one(hub: Accounts, alice: Actor, bob: Actor) -> None:
    barrier, outcomes = threading.Barrier(2), []

    def create(actor: Actor) -> None:
        barrier.wait()
        try:
            hub.orgs.create(actor, "labs")
            outcomes.append("made")
        except HubError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=create, args=(actor,)) for actor in (alice, bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_exists", "made"]
    assert len(hub.orgs.get(alice, "labs").members) == 1


def test_deleting_needs_an_empty_organisation_and_can_be_reverted(hub: Accounts, alice: Actor, bob: Actor, acme: str) -> None:
    with hub.db.read() as session:
        from hub_core.accounts.lookup import find_org

        org = find_org(session, acme)
    repo = make_repo(hub.db, org)
    with pytest.raises(Conflict, match="1 repo"):
        hub.orgs.delete(alice, acme)
    with hub.db.write() as session:
        session.merge(repo).deleted_at = repo.created_at
    hub.orgs.delete(alice, acme)
    with pytest.raises(OrgNotFound):
        hub.orgs.get(alice, acme)
    assert hub.orgs.list_orgs(alice).items == []
    assert hub.users.get(alice).orgs == []
    with hub.db.read() as session:
        assert hub.orgs.role_of(session, org.id, alice.user_id) is None
    with pytest.raises(PermissionDenied):
        hub.orgs.restore(bob, acme)
    assert members(hub, alice) == {"alice": "admin", "bob": "write"} if hub.orgs.restore(alice, acme) else False


def test_member_changes_are_audited_and_unchanged_roles_are_not(hub: Accounts, alice: Actor, acme: str) -> None:
    hub.orgs.set_member(alice, acme, "bob", Role.WRITE)
    hub.orgs.remove_member(alice, acme, "bob")
    with hub.db.read() as session:
        events = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "org.member").order_by(AuditEvent.id))
        details = [event.details for event in events]
    assert details == [
        {"username": "bob", "before": None, "after": "write"},
        {"username": "bob", "before": "write", "after": None},
    ]
