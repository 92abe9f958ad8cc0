"""Conversations, approvals and leases in the database, on both kinds."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from hub_core.approvals.service import EXECUTION_LEASE, ApprovalService
from hub_core.approvals.tables import Execution
from hub_core.authz import Actor
from hub_core.conversations.leases import Leases
from hub_core.conversations.service import ConversationService
from hub_core.conversations.tables import ThreadLease
from hub_core.db import Database, utcnow
from hub_core.errors import (
    ApprovalExpired,
    ApprovalNotFound,
    ApprovalSettled,
    AttachmentNotFound,
    Conflict,
    InvalidInput,
    NothingToUndo,
    ThreadBusy,
    ThreadNotFound,
    TooLarge,
)
from hub_core.secrecy import HIDDEN
from hub_core.storage.memory import MemoryBlobStore
from tests.common.factories import actor_for, make_user
from tests.functional.agent.conftest import both


@pytest.fixture
def ann(db: Database) -> Actor:
    return actor_for(make_user(db, "ann"))


@pytest.fixture
def ben(db: Database) -> Actor:
    return actor_for(make_user(db, "ben"))


@pytest.fixture
def talks(db: Database) -> ConversationService:
    return ConversationService(db, MemoryBlobStore(), 1024)


def approvals(db: Database, ttl_s: int = 60) -> ApprovalService:
    return ApprovalService(db, ttl_s)


def ask(service: ApprovalService, actor: Actor, thread: str | None = "t", **args: object) -> str:
    return service.request(actor, thread, "delete_repo", args or {"repo": "a/b"}, "destructive", {"changes": []}).id


def test_an_approval_is_settled_once(db: Database, ann: Actor, ben: Actor) -> None:
    service = approvals(db)
    first = ask(service, ann)
    with pytest.raises(ApprovalNotFound):
        service.decide(ben, first, "approve")
    results = both(*[lambda: service.decide(ann, first, "approve") for _ in range(6)])
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert sum(isinstance(result, ApprovalSettled) for result in results) == 5
    service.finish(ann, first, "executed")
    service.finish(ann, first, "failed")
    assert service.get(ann, first).status == "executed"


def test_an_expired_approval_is_closed(db: Database, ann: Actor) -> None:
    service = approvals(db, ttl_s=-1)
    old = ask(service, ann)
    assert service.pending(ann) == []
    for _ in range(2):
        with pytest.raises(ApprovalExpired):
            service.decide(ann, old, "approve")
    other = ask(service, ann, "u")
    assert service.expire_due() == 1
    assert service.get(ann, other).status == "expired"


def test_the_same_request_waits_once_and_a_changed_one_replaces_it(db: Database, ann: Actor) -> None:
    service = approvals(db)
    first = ask(service, ann)
    assert ask(service, ann) == first
    changed = service.request(ann, "t", "delete_repo", {"repo": "a/b"}, "destructive", {"changes": [1]}).id
    assert changed != first
    assert service.get(ann, first).status == "withdrawn"
    assert [item.id for item in service.pending(ann, "t")] == [changed]
    assert not service.withdraw(ann, first)


def test_an_idempotency_key_runs_once(db: Database, ann: Actor, ben: Actor) -> None:
    service = approvals(db)
    assert service.begin_execution(ann, "k", "create_token", "d") is None
    with pytest.raises(Conflict):
        service.begin_execution(ann, "k", "create_token", "d")
    service.fail_execution("k")
    assert service.begin_execution(ann, "k", "create_token", "d") is None
    service.finish_execution("k", {"name": "ci", "token": "hub_secret"})
    assert service.begin_execution(ann, "k", "create_token", "d") == {"name": "ci", "token": HIDDEN}
    for actor, tool, digest in ((ben, "create_token", "d"), (ann, "other", "d"), (ann, "create_token", "e")):
        with pytest.raises(Conflict):
            service.begin_execution(actor, "k", tool, digest)
    claims = both(*[lambda: service.begin_execution(ann, "k2", "x", "d") for _ in range(6)])
    assert claims.count(None) == 1


def test_the_key_of_a_dead_process_is_free_again_after_a_while(db: Database, ann: Actor) -> None:
    service = approvals(db)
    assert service.begin_execution(ann, "k", "create_token", "d") is None

    def began(ago: dt.timedelta) -> None:
        with db.write() as session:
            session.execute(sa.update(Execution).values(started_at=utcnow() - ago))

    began(EXECUTION_LEASE - dt.timedelta(minutes=1))
    with pytest.raises(Conflict):
        service.begin_execution(ann, "k", "create_token", "d")
    began(EXECUTION_LEASE)
    with pytest.raises(Conflict):
        service.begin_execution(ann, "k", "create_token", "other")
    assert both(*[lambda: service.begin_execution(ann, "k", "create_token", "d") for _ in range(4)]).count(None) == 1
    service.finish_execution("k", {"name": "ci"})
    service.fail_execution("k")  # the first process was only slow
    assert service.begin_execution(ann, "k", "create_token", "d") == {"name": "ci"}


def test_threads_are_own_and_paged(talks: ConversationService, ann: Actor, ben: Actor) -> None:
    ids = [talks.create_thread(ann, title=f"t{number}").id for number in range(5)]
    page = talks.list_threads(ann, limit=3)
    rest = talks.list_threads(ann, limit=3, cursor=page.next)
    assert [item.id for item in (*page.items, *rest.items)] == ids[::-1]
    assert rest.next is None
    assert [item.title for item in talks.list_threads(ann, query="T3").items] == ["t3"]
    assert talks.list_threads(ben).items == ()
    for act in (talks.get_thread, talks.delete_thread, talks.list_messages):
        with pytest.raises(ThreadNotFound):
            act(ben, ids[0])
    with pytest.raises(InvalidInput):
        talks.list_threads(ann, cursor="bm9wZQ==")
    with pytest.raises(InvalidInput):
        talks.create_thread(ann, thread_id="not-a-uuid")
    with pytest.raises(InvalidInput):
        talks.create_thread(ben, thread_id=ids[0])


def test_messages_keep_their_order_when_written_at_once(talks: ConversationService, ann: Actor) -> None:
    thread = talks.create_thread(ann).id
    results = both(*[lambda number=number: talks.append_message(ann, thread, "user", f"m{number}") for number in range(8)])
    assert sorted(item.seq for item in results) == list(range(1, 9))
    messages = talks.list_messages(ann, thread)
    assert [item.seq for item in messages] == list(range(1, 9))
    assert talks.get_thread(ann, thread).title == messages[0].text
    assert [item.seq for item in talks.list_messages(ann, thread, after=6)] == [7, 8]


def test_attachments_are_own_limited_and_swept(talks: ConversationService, ann: Actor, ben: Actor) -> None:
    kept = talks.store_attachment(ann, "C:\\data\\a\u202e.csv", [b"x" * 1000, b"y" * 24])
    assert (kept.filename, kept.size) == ("a.csv", 1024)
    assert b"".join(talks.open_attachment(ann, "a.csv")) == b"x" * 1000 + b"y" * 24
    with pytest.raises(AttachmentNotFound):
        talks.get_attachment(ben, kept.id)
    with pytest.raises(TooLarge):
        talks.store_attachment(ann, "big", [b"x" * 1025])
    with pytest.raises(InvalidInput):
        talks.store_attachment(ann, "..", [b"x"])
    assert talks.sweep_attachments(dt.timedelta(0)) == 1
    with pytest.raises(AttachmentNotFound):
        talks.get_attachment(ann, kept.id)


def test_undo_entries_are_a_stack_claimed_once(talks: ConversationService, ann: Actor, ben: Actor) -> None:
    thread = talks.create_thread(ann).id
    for number in range(2):
        talks.push_undo(ann, thread, "like_repo", {"n": number, "password": "secret"}, "unlike_repo", {"n": number})
    last = talks.last_undo(ann, thread)
    assert (last.inverse_args, last.args["password"]) == ({"n": 1}, HIDDEN)
    claims = both(*[lambda: talks.claim_undo(ann, last.id) for _ in range(4)])
    assert claims.count(None) == 1
    assert talks.last_undo(ann, thread).inverse_args == {"n": 0}
    talks.release_undo(ann, last.id)
    assert talks.last_undo(ann, thread).id == last.id
    for actor, where in ((ben, thread), (ann, None)):
        with pytest.raises(NothingToUndo):
            talks.last_undo(actor, where)


def test_a_lease_is_held_by_one_and_given_back(db: Database) -> None:
    one, two = Leases(db), Leases(db)
    try:
        with one.hold("t"):
            for other in (one, two):
                with pytest.raises(ThreadBusy), other.hold("t"):
                    pass
            with two.hold("u"):
                pass
        with two.hold("t"):
            pass
    finally:
        one.close()
        two.close()


def test_a_dead_process_loses_its_lease(db: Database) -> None:
    with db.write() as session:
        session.add(ThreadLease(thread_id="t", holder="dead", expires_at=utcnow() - dt.timedelta(seconds=1)))
    leases = Leases(db)
    try:
        with leases.hold("t"), db.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(ThreadLease)) == 1
    finally:
        leases.close()


def test_many_want_one_lease_and_wait_for_it(db: Database) -> None:
    leases = Leases(db)
    inside: list[int] = []

    def work() -> None:
        with leases.hold("t", wait_s=30):
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    try:
        assert both(*[work] * 6) == [None] * 6
    finally:
        leases.close()
