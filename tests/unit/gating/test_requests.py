"""Asking for access, and saying yes or no."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from hub_core.accounts.tables import User
from hub_core.audit import AuditEvent
from hub_core.authz import ANONYMOUS, Actor, Permission, Role, Scope, Visibility
from hub_core.db import Database
from hub_core.errors import (
    Conflict,
    GatedRepo,
    InvalidInput,
    PermissionDenied,
    RepoNotFound,
    RequestNotFound,
    Unauthenticated,
    UserNotFound,
)
from hub_core.gating.service import MAX_REASON, GateService
from hub_core.gating.tables import AccessRequest, Gating, RequestStatus
from hub_core.repos.access import require_repo
from hub_core.repos.people import AccessService
from hub_core.repos.tables import Collaborator, Repo
from tests.common.factories import actor_for, make_repo, make_user

ACCEPTED, REJECTED, PENDING = RequestStatus.ACCEPTED, RequestStatus.REJECTED, RequestStatus.PENDING


@pytest.fixture
def gating(db: Database) -> GateService:
    return GateService(db)


@pytest.fixture
def ann(db: Database) -> Actor:
    return actor_for(make_user(db, "ann"))


@pytest.fixture
def ben(db: Database) -> Actor:
    return actor_for(make_user(db, "ben"))


@pytest.fixture
def repo(db: Database, gating: GateService, ann: Actor) -> Repo:
    """A public repo of Ann's whose gate a person keeps."""
    with db.read() as session:
        owner = session.get_one(User, ann.user_id)
    made = make_repo(db, owner, "llama", visibility=Visibility.PUBLIC)
    gating.set_gating(ann, made, Gating.MANUAL)
    with db.read() as session:
        return session.get_one(Repo, made.id)


def reads(db: Database, actor: Actor, repo: Repo) -> bool:
    with db.read() as session:
        try:
            require_repo(session, actor, Permission.REPO_FILES, session.get_one(Repo, repo.id))
        except GatedRepo:
            return False
    return True


def trail(db: Database) -> list[tuple[str, str]]:
    with db.read() as session:
        return [(event.actor, event.action) for event in session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id))]


def test_a_request_waits_until_a_person_lets_in(db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    asked = gating.ask(ben, repo, "For the tests", {"affiliation": "acme"})
    assert (asked.username, asked.role, asked.status, asked.reason, asked.fields) == (
        "ben", Role.READ, PENDING, "For the tests", {"affiliation": "acme"},
    )  # fmt: skip
    assert not reads(db, ben, repo)
    assert [item.username for item in gating.requests(ann, repo)] == ["ben"]
    assert gating.decide(ann, repo, "ben", ACCEPTED).status is ACCEPTED
    assert reads(db, ben, repo)
    assert gating.requests(ann, repo) == []
    assert [item.status for item in gating.requests(ben, repo)] == [ACCEPTED]
    assert trail(db) == [("ann", "access.gate"), ("ben", "access.request"), ("ann", "access.accept")]


def test_a_gate_that_lets_in_who_asks_accepts_at_once(db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    gating.set_gating(ann, repo, Gating.AUTO)
    assert not reads(db, ben, repo)
    assert gating.plan_ask(ben, repo).after is ACCEPTED
    assert gating.ask(ben, repo).status is ACCEPTED
    assert reads(db, ben, repo)
    assert trail(db)[-2:] == [("ben", "access.request"), ("system", "access.accept")]


def test_who_waits_is_let_in_when_asking_again_after_the_gate_became_automatic(
    db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo
) -> None:
    gating.ask(ben, repo)
    gating.set_gating(ann, repo, Gating.AUTO)
    assert not reads(db, ben, repo)
    assert gating.ask(ben, repo).status is ACCEPTED


def test_who_was_rejected_or_shut_out_does_not_read_and_cannot_ask_again(
    db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo
) -> None:
    gating.ask(ben, repo)
    gating.decide(ann, repo, "ben", ACCEPTED)
    done = gating.decide(ann, repo, "ben", REJECTED, "The project is over.")
    assert (done.status, done.answer) == (REJECTED, "The project is over.")
    assert not reads(db, ben, repo)
    with pytest.raises(PermissionDenied, match="was rejected"):
        gating.ask(ben, repo)
    with pytest.raises(RequestNotFound):
        gating.withdraw(ben, repo)
    gating.decide(ann, repo, "ben", PENDING)
    assert [item.username for item in gating.requests(ann, repo)] == ["ben"]
    assert not reads(db, ben, repo)


def test_one_s_own_request_can_be_taken_back_and_sent_again(db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    gating.ask(ben, repo)
    gating.decide(ann, repo, "ben", ACCEPTED)
    assert gating.withdraw(ben, repo).status is RequestStatus.WITHDRAWN
    assert not reads(db, ben, repo)
    with pytest.raises(RequestNotFound):
        gating.decide(ann, repo, "ben", ACCEPTED)
    assert gating.ask(ben, repo).status is PENDING


def test_asking_twice_changes_only_the_reason(db: Database, gating: GateService, ben: Actor, repo: Repo) -> None:
    first = gating.ask(ben, repo, "one")
    again = gating.ask(ben, repo, "two")
    assert (again.id, again.reason, again.requested_at) == (first.id, "two", first.requested_at)
    assert [action for _, action in trail(db)] == ["access.gate", "access.request"]


def test_the_same_person_asking_from_many_places_has_one_request(db: Database, gating: GateService, ben: Actor, repo: Repo) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = {asked.id for asked in pool.map(lambda _: gating.ask(ben, repo), range(8))}
    with db.read() as session:
        assert len(ids) == session.scalar(sa.select(sa.func.count()).select_from(AccessRequest)) == 1


def test_where_the_files_are_open_one_asks_for_the_role_write(
    db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo
) -> None:
    gating.set_gating(ann, repo, Gating.OFF)
    assert gating.ask(ben, repo).role is Role.WRITE
    gating.decide(ann, repo, "ben", ACCEPTED)
    access = AccessService(db)
    assert access.direct_role(repo, "ben") is Role.WRITE
    with pytest.raises(Conflict, match="the role write on ann/llama already"):
        gating.ask(ben, repo)
    gating.set_gating(ann, repo, Gating.MANUAL)
    assert reads(db, ben, repo)
    access.revoke(ann, repo, "ben")
    assert not reads(db, ben, repo)


@pytest.mark.parametrize("before", [None, Role.READ])
def test_taking_the_role_write_back_leaves_what_one_had_before(
    db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo, before: Role | None
) -> None:
    access = AccessService(db)
    gating.set_gating(ann, repo, Gating.OFF)
    if before:
        access.grant(ann, repo, "ben", before)
    gating.ask(ben, repo)
    for status in (PENDING, REJECTED):
        gating.decide(ann, repo, "ben", ACCEPTED)
        assert access.direct_role(repo, "ben") is Role.WRITE
        gating.decide(ann, repo, "ben", status)
        assert access.direct_role(repo, "ben") is before
    gating.decide(ann, repo, "ben", ACCEPTED)
    access.grant(ann, repo, "ben", Role.ADMIN)
    with pytest.raises(Conflict) as error:
        gating.decide(ann, repo, "ben", REJECTED)
    assert error.value.hint == "revoke_access takes a role away."


def test_accepting_takes_no_larger_role_away(db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    gating.set_gating(ann, repo, Gating.OFF)
    gating.ask(ben, repo)
    AccessService(db).grant(ann, repo, "ben", Role.ADMIN)
    gating.decide(ann, repo, "ben", ACCEPTED)
    assert AccessService(db).direct_role(repo, "ben") is Role.ADMIN


def test_what_one_has_cannot_be_asked_for(gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    with pytest.raises(Conflict, match="the role admin on"):
        gating.ask(ann, repo)
    gating.ask(ben, repo)
    gating.decide(ann, repo, "ben", ACCEPTED)
    with pytest.raises(Conflict, match="access to the files of"):
        gating.ask(ben, repo)


def test_only_administrators_of_the_repo_decide_and_keep_the_gate(
    db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo
) -> None:
    gating.ask(ben, repo)
    writer = make_user(db, "walt")
    AccessService(db).grant(ann, repo, "walt", Role.WRITE)
    for actor in (ben, actor_for(writer), dataclasses.replace(ann, scope=Scope.WRITE)):
        for act in (
            lambda actor=actor: gating.decide(actor, repo, "ben", ACCEPTED),
            lambda actor=actor: gating.let_in(actor, repo, "ben"),
            lambda actor=actor: gating.set_gating(actor, repo, Gating.OFF),
            lambda actor=actor: gating.page(actor, repo, PENDING),
            lambda actor=actor: gating.username_of(actor, repo, 1),
        ):
            with pytest.raises(PermissionDenied):
                act()
    assert gating.requests(actor_for(writer), repo) == []
    assert not reads(db, ben, repo)


def test_asking_needs_somebody_who_sees_the_repo(db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    with pytest.raises(Unauthenticated):
        gating.ask(ANONYMOUS, repo)
    for weak in (dataclasses.replace(ben, scope=Scope.READ), dataclasses.replace(ben, repo_id=repo.id + 1)):
        with pytest.raises(PermissionDenied):
            gating.ask(weak, repo)
    with db.write() as session:
        session.get_one(Repo, repo.id).visibility = "private"
    with pytest.raises(RepoNotFound):
        gating.ask(ben, repo)
    with pytest.raises(InvalidInput):
        gating.ask(ben, repo, "x" * (MAX_REASON + 1))


def test_being_let_in_shows_no_repo_that_became_private(db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    gating.let_in(ann, repo, "ben")
    assert reads(db, ben, repo)
    with pytest.raises(Conflict):
        gating.let_in(ann, repo, "ben")
    with db.write() as session:
        session.get_one(Repo, repo.id).visibility = "private"
    with pytest.raises(RepoNotFound):
        reads(db, ben, repo)


def test_who_was_let_in_is_listed_with_the_reason(db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    gating.let_in(ann, repo, "ben")
    access = AccessService(db)
    assert [(entry.username, entry.role, entry.reason) for entry in access.entries(ann, repo)] == [
        ("everyone", "read", "public"), ("ann", "admin", "owner"), ("ben", "read", "accepted request"),
    ]  # fmt: skip
    assert [entry.username for entry in access.entries(ben, repo)] == ["everyone"]
    with pytest.raises(Conflict) as error:
        access.check_revocable(repo, "ben")
    assert "accepted request" in error.value.hint


def test_pages_of_requests_follow_one_another(db: Database, gating: GateService, ann: Actor, repo: Repo) -> None:
    for number in range(5):
        gating.ask(actor_for(make_user(db, f"p{number}")), repo)
    names, cursor = [], 0
    for _ in range(3):
        page = gating.page(ann, repo, PENDING, cursor=cursor, limit=2)
        names += [item.username for item in page.items]
        cursor = page.next or 0
    assert (names, cursor) == ([f"p{number}" for number in range(5)], 0)


def test_unknown_people_and_requests_are_said_to_be_so(gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    with pytest.raises(UserNotFound):
        gating.decide(ann, repo, "nobody", ACCEPTED)
    with pytest.raises(RequestNotFound):
        gating.decide(ann, repo, "ben", ACCEPTED)
    with pytest.raises(RequestNotFound):
        gating.username_of(ann, repo, 4711)


def test_requests_go_with_their_repo_and_their_person(db: Database, gating: GateService, ann: Actor, ben: Actor, repo: Repo) -> None:
    gating.let_in(ann, repo, "ben")
    with db.write() as session:
        session.delete(session.get_one(Repo, repo.id))
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AccessRequest)) == 0
        assert session.scalar(sa.select(sa.func.count()).select_from(Collaborator)) == 0
