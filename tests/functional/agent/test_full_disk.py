"""A disk that is full in the middle of a conversation: an answer that says so, and a conversation that goes on later."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from agent.agent import Agent
from hub_core.errors import StorageFull
from tests.functional.agent.conftest import Hub, call

LONG = "show vision " + "please " * 4000
FULL = """
CREATE FUNCTION disk_full() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql;
CREATE TRIGGER disk_full BEFORE INSERT ON checkpoints FOR EACH ROW EXECUTE FUNCTION disk_full();
"""


def fill(hub: Hub, agent: Agent) -> Callable[[], None]:
    """Let the store of the agent's memory take nothing more; returns what makes room again."""
    if hub.services.db.is_sqlite:
        connection = agent._saver.conn  # type: ignore[attr-defined]
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")
        return lambda: connection.execute("PRAGMA max_page_count=1000000")
    statement(hub, FULL)
    return lambda: statement(hub, "DROP FUNCTION disk_full CASCADE")


def statement(hub: Hub, text: str) -> None:
    with hub.services.db.engine.begin() as connection:
        connection.execute(sa.text(text))


@contextmanager
def no_room(hub: Hub, table: str) -> Iterator[None]:
    """Let the hub's database refuse new rows of a table as it does on a full disk."""

    def refuse(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if text.startswith(f"INSERT INTO {table}"):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise sa.exc.OperationalError(text, {}, error)

    sa.event.listen(hub.services.db.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa.event.remove(hub.services.db.engine, "before_cursor_execute", refuse)


def said(hub: Hub, thread: str | None) -> list[str]:
    assert thread is not None
    return [message.role for message in hub.services.conversations.list_messages(hub.alice, thread)]


def test_a_turn_that_cannot_be_remembered_ends_with_the_error_and_the_thread_goes_on(any_hub: Hub) -> None:
    with any_hub.talk(*[call("get_repo", repo="vision")] * 3) as talk:
        talk.say("show vision")
        make_room = fill(any_hub, talk.agent)
        answer = talk.say(LONG)
        assert (answer.outcome, answer.error and answer.error["code"]) == ("error", "storage_full")
        assert "full" in answer.reply
        make_room()
        assert talk.say("show vision").outcome == "done"
    assert said(any_hub, talk.thread) == ["user", "assistant"] * 3


def test_what_was_done_before_is_told(any_hub: Hub) -> None:
    room: list[Any] = []

    def fills(_messages: Any) -> Any:
        room.append(fill(any_hub, talk.agent))
        return [call("unlike_repo", repo="vision"), *[call("get_repo", repo="vision")] * 15]

    with any_hub.talk(call("like_repo", repo="vision"), fills, "Fine.", speaks=True) as talk:
        talk.thread = any_hub.services.conversations.create_thread(any_hub.alice).id
        answer = talk.say("like vision, then more")
        assert (answer.outcome, answer.error and answer.error["code"]) == ("error", "storage_full")
        assert (answer.steps[0].tool, answer.steps[0].status) == ("like_repo", "ok")
        assert "stopped here" in answer.reply
        assert "nothing was changed" not in answer.reply
        room[0]()
        assert talk.say("and now?").outcome == "done"


def test_an_approval_asked_before_the_disk_was_full_still_waits(any_hub: Hub) -> None:
    with any_hub.talk(call("delete_repo", repo="vision"), call("get_repo", repo="vision")) as talk:
        pending = talk.say("delete vision").pending
        assert pending is not None
        make_room = fill(any_hub, talk.agent)
        assert talk.say(LONG).outcome == "error"
        make_room()
        assert talk.decide("approve", pending.approval_id).outcome == "done"
    assert not any_hub.exists("acme/vision")


def test_an_answer_that_cannot_be_stored_still_reaches_the_person(any_hub: Hub) -> None:
    with any_hub.talk(lambda _: refusing.__enter__() or call("like_repo", repo="vision"), call("get_repo", repo="vision")) as talk:
        refusing = no_room(any_hub, "messages")
        assert talk.say("like vision").outcome == "done"
        with pytest.raises(StorageFull):
            talk.say("show vision")
        refusing.__exit__(None, None, None)
        assert talk.say("show vision").outcome == "done"
    assert any_hub.audit("repo.like") == 1
