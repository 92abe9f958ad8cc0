"""Conversations that clients keep themselves: a place is found again by its digest, by nobody else, and only where nothing came after it."""

from __future__ import annotations

import pytest

from hub_core.authz import Actor
from hub_core.conversations.service import ConversationService
from hub_core.db import Database
from hub_core.storage import MemoryBlobStore
from tests.common.factories import actor_for, make_user


@pytest.fixture
def ann(db: Database) -> Actor:
    return actor_for(make_user(db, "ann"))


@pytest.fixture
def conversations(db: Database) -> ConversationService:
    return ConversationService(db, MemoryBlobStore(), 2**20)


def tell(conversations: ConversationService, who: Actor, thread: str, asked: str, after: str) -> str:
    number = conversations.begin_told(who, thread, asked)
    message = conversations.append_message(who, thread, "assistant", after)
    conversations.end_told(number, message.id, after)
    return message.id


def test_a_conversation_goes_on_at_its_newest_turn_only(conversations: ConversationService, ann: Actor) -> None:
    thread = conversations.create_thread(ann).id
    tell(conversations, ann, thread, "q1", "a1")
    assert conversations.thread_after(ann, "a1") == thread
    tell(conversations, ann, thread, "q2", "a2")
    assert conversations.thread_after(ann, "a1") is None
    assert conversations.thread_after(ann, "a2") == thread


def test_of_several_alike_the_newest_goes_on(conversations: ConversationService, ann: Actor) -> None:
    first, second = (conversations.create_thread(ann).id for _ in range(2))
    for thread in (first, second):
        tell(conversations, ann, thread, "q1", "a1")
    assert conversations.thread_after(ann, "a1") == second
    tell(conversations, ann, second, "q2", "a2")
    assert conversations.thread_after(ann, "a1") == first


def test_a_turn_is_known_again_by_its_own_person(conversations: ConversationService, ann: Actor, db: Database) -> None:
    bob = actor_for(make_user(db, "bob"))
    thread = conversations.create_thread(ann).id
    message = tell(conversations, ann, thread, "q1", "a1")
    told = conversations.told_before(ann, "q1")
    assert told is not None
    assert (told.thread_id, told.message_id, told.last) == (thread, message, True)
    assert conversations.told_before(bob, "q1") is None
    assert conversations.thread_after(bob, "a1") is None
    tell(conversations, ann, thread, "q2", "a2")
    again = conversations.told_before(ann, "q1")
    assert again is not None and not again.last


def test_a_turn_on_its_way_has_no_answer_and_one_that_was_refused_never_was(conversations: ConversationService, ann: Actor) -> None:
    thread = conversations.create_thread(ann).id
    number = conversations.begin_told(ann, thread, "q1")
    told = conversations.told_before(ann, "q1")
    assert told is not None and told.message_id is None
    conversations.drop_told(number)
    assert conversations.told_before(ann, "q1") is None


def test_a_deleted_conversation_is_no_place(conversations: ConversationService, ann: Actor) -> None:
    thread = conversations.create_thread(ann).id
    tell(conversations, ann, thread, "q1", "a1")
    conversations.delete_thread(ann, thread)
    assert conversations.thread_after(ann, "a1") is None
    assert conversations.told_before(ann, "q1") is None
