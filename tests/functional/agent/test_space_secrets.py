"""The secret of a Space that is said in a conversation does its work, and is stored nowhere in clear."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hub_core.authz import SYSTEM, Actor
from hub_core.repos.kinds import RepoKind
from hub_core.secrecy import HIDDEN
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_user
from tests.functional.agent.conftest import Hub, call
from tests.functional.agent.test_secrets import traces

SECRET, NEW = "hunter2hunter2", "correct-horse-9"
APP = "ann/app"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With a key, which a hub on PostgreSQL is given."""
    return dataclasses.replace(settings, secret_key="of-all-nodes-" * 3)


@pytest.fixture
def ann(any_hub: Hub) -> Actor:
    actor = actor_for(make_user(any_hub.services.db, "ann"), channel="chat")
    any_hub.services.repos.create(actor, APP, RepoKind.SPACE)
    return actor


def environment(hub: Hub) -> dict[str, str]:
    return hub.services.spaces.environment(SYSTEM, hub.services.repos.find(SYSTEM, APP))


def stored(hub: Hub, secret: str) -> list[str]:
    """Where it stands in clear; a page that SQLite has not written over yet is no table."""
    return [name for name in traces(hub, secret) if not name.endswith("-wal")]


def secret(value: str) -> Any:
    return call("set_secret", target=APP, name="API_KEY", value=value)


def test_a_secret_said_in_chat_is_set_and_taken_back(any_hub: Hub, ann: Actor) -> None:
    with any_hub.talk(secret(SECRET), "Set.", call("undo"), actor=ann) as talk:
        answer = talk.say(f"set the secret API_KEY of {APP} to {SECRET}")
        assert answer.outcome == "done"
        assert answer.steps[0].args == {"target": APP, "name": "API_KEY", "value": HIDDEN} or "value" not in answer.steps[0].args
        assert environment(any_hub) == {"API_KEY": SECRET}
        assert stored(any_hub, SECRET) == []


def test_replacing_one_waits_for_approval(any_hub: Hub, ann: Actor) -> None:
    with any_hub.talk(secret(SECRET), "Set.", actor=ann) as talk:
        talk.say("set it")
    with any_hub.talk(secret(NEW), actor=ann) as talk:
        pending = talk.say(f"rotate API_KEY of {APP}: {NEW}").pending
        assert pending is not None
        assert environment(any_hub) == {"API_KEY": SECRET}
        assert any_hub.services.approvals.get(ann, pending.approval_id).args == {"target": APP, "name": "API_KEY", "value": HIDDEN}
        assert stored(any_hub, NEW) == []
        assert talk.decide("approve", pending.approval_id).outcome == "done"
    assert environment(any_hub) == {"API_KEY": NEW}
    assert stored(any_hub, NEW) == []
    assert stored(any_hub, SECRET) == []


def test_a_secret_waits_for_the_answer_to_a_question(any_hub: Hub, ann: Actor) -> None:
    asks = call("ask_user", tool="set_secret", args={"name": "API_KEY", "value": SECRET}, missing=["target"])
    with any_hub.talk(asks, secret(SECRET), "Set.", actor=ann) as talk:
        assert talk.say(f"the key is {SECRET}").outcome == "needs_input"
        assert stored(any_hub, SECRET) == []
        assert talk.say(APP).outcome == "done"
    assert environment(any_hub) == {"API_KEY": SECRET}
    assert stored(any_hub, SECRET) == []


def test_one_that_a_conversation_could_not_hide_is_refused(any_hub: Hub, ann: Actor) -> None:
    with any_hub.talk(secret("tiny1"), "No.", actor=ann) as talk:
        answer = talk.say("set it")
    assert answer.steps[0].status == "error"
    assert environment(any_hub) == {}
