"""A password or token that is said in a conversation is stored nowhere, and does its work all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from agent.agent import open_agent
from agent.planner_model import PlannerModel
from chat_ui.api import chat_router
from hub_core.authz import Actor, Scope
from hub_core.errors import HubError
from hub_core.secrecy import HIDDEN
from hub_core.vault import Vault
from tests.common.factories import actor_for, make_user
from tests.common.live import serve
from tests.functional.agent.conftest import Hub, call

SECRET = "hunter2hunter2"
TOKEN = "hub_" + "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"


@pytest.fixture
def root(any_hub: Hub) -> Actor:
    return actor_for(make_user(any_hub.services.db, "root", is_admin=True), channel="chat")


def traces(hub: Hub, secret: str = SECRET) -> list[str]:
    """The tables, and for SQLite the files too, that hold the secret."""
    engine = hub.services.db.engine
    found = []
    with engine.connect() as connection:
        for name in _tables(engine):
            rows = connection.execute(sa.text(f'SELECT * FROM "{name}"')).all()
            if any(secret.encode() in _bytes(value) for row in rows for value in row):
                found.append(name)
    found += [path.name for path in hub.services.settings.data_dir.glob("*.db*") if secret.encode() in path.read_bytes()]
    return found


def _tables(engine: sa.Engine) -> list[str]:
    """All tables that can be read; an index over texts keeps its words in tables beside it."""
    names = sa.inspect(engine).get_table_names()
    if engine.dialect.name != "sqlite":
        return names
    with engine.connect() as connection:
        virtual = set(connection.scalars(sa.text("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL %'")))
    return [name for name in names if name not in virtual]


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def can_sign_in(hub: Hub, name: str, password: str = SECRET) -> bool:
    try:
        hub.services.sessions.login(name, password)
    except HubError:
        return False
    return True


@contextmanager
def served(hub: Hub, root: Actor) -> Iterator[httpx.Client]:
    """The chat API of a hub with the built-in planner."""
    with open_agent(hub.services, PlannerModel()) as agent:
        app = FastAPI()
        app.include_router(chat_router(hub.services, lambda: agent))
        with serve(app) as url, httpx.Client(base_url=url, timeout=120) as client:
            client.headers["Authorization"] = f"Bearer {hub.services.tokens.create(root, 'api', Scope.ADMIN).token}"
            yield client


@pytest.mark.parametrize("text", [f"create user carol with password {SECRET}", f"创建用户 carol，密码是 {SECRET}"])
def test_a_password_said_in_chat_is_set_and_not_stored(any_hub: Hub, root: Actor, text: str) -> None:
    with served(any_hub, root) as client:
        answer = client.post("/api/v1/chat", json={"message": text}).json()
        assert (answer["outcome"], answer["steps"][0]["tool"]) == ("done", "create_user"), answer
        detail = client.get(f"/api/v1/chat/{answer['thread_id']}").json()
        assert HIDDEN in detail["messages"][0]["text"]
        assert HIDDEN in detail["title"]
        assert client.post("/api/v1/chat", json={"message": "who is carol?", "thread_id": answer["thread_id"]}).json()["outcome"] == "done"
    assert can_sign_in(any_hub, "carol")
    assert traces(any_hub) == []


def test_what_nobody_understands_is_not_stored_either(any_hub: Hub, root: Actor) -> None:
    with served(any_hub, root) as client:
        for text in (
            f"my password: {SECRET} blah",
            f"パスワードは {SECRET} です",
            f"carol 사용자를 만들어줘. 비밀번호는 {SECRET}",
            f"is {TOKEN} still good?",
        ):
            assert client.post("/api/v1/chat", json={"message": text}).status_code == 200
    assert traces(any_hub) == []
    assert traces(any_hub, TOKEN) == []


def test_a_password_waits_for_the_answer_to_a_question(any_hub: Hub, root: Actor) -> None:
    asks = call("ask_user", tool="create_user", args={"password": SECRET}, missing=["username"])

    def answers(_messages: Any) -> Any:
        return call(
            "create_user", username="carol", password=talk.agent._graph.get_state(config()).values["focus"]["question"]["args"]["password"]
        )

    def config() -> Any:
        return {"configurable": {"thread_id": talk.thread}}

    with any_hub.talk(asks, answers, actor=root) as talk:
        assert talk.say(f"make an account with {SECRET}").outcome == "needs_input"
        assert [name for name in traces(any_hub) if "wal" not in name] == []
        assert talk.say("carol").outcome == "done"
    assert can_sign_in(any_hub, "carol")


def test_a_password_waits_for_approval(any_hub: Hub, root: Actor) -> None:
    lines = [call("get_repo", repo="acme/vision"), call("create_user", username="carol", password=SECRET), "Made."]
    with any_hub.talk(*lines, speaks=True, actor=root) as talk:
        pending = talk.say("look at vision, then make carol").pending
        assert pending is not None
        assert traces(any_hub) == []
        assert any_hub.services.approvals.get(root, pending.approval_id).args == {"username": "carol", "password": HIDDEN}
        assert talk.decide("approve", pending.approval_id).outcome == "done"
    assert can_sign_in(any_hub, "carol")
    assert traces(any_hub) == []


def test_an_approval_may_be_changed_without_saying_the_password_again(any_hub: Hub, root: Actor) -> None:
    lines = [call("get_repo", repo="acme/vision"), call("create_user", username="carol", password=SECRET), "Made."]
    with any_hub.talk(*lines, speaks=True, actor=root) as talk:
        pending = talk.say("look at vision, then make carol").pending
        assert pending is not None
        talk.decide("approve", pending.approval_id, args={"username": "caroline", "password": HIDDEN})
    assert can_sign_in(any_hub, "caroline")


def test_after_a_restart_the_password_has_to_be_said_again(any_hub: Hub, root: Actor) -> None:
    lines = [call("get_repo", repo="acme/vision"), call("create_user", username="carol", password=SECRET), "Made."]
    with any_hub.talk(*lines, speaks=True, actor=root) as talk:
        pending = talk.say("look at vision, then make carol").pending
    assert pending is not None
    with any_hub.restarted() as again, again.talk(call("create_user", username="carol", password=HIDDEN), actor=root) as later:
        later.thread = talk.thread
        answer = later.decide("approve", pending.approval_id)
        assert (answer.outcome, answer.steps[0].result["error"]["code"]) == ("error", "secret_not_kept")
        answer = later.say("make carol as I said")
        assert (answer.outcome, answer.steps[0].result["error"]["code"]) == ("error", "secret_not_kept")
    assert not can_sign_in(any_hub, "carol", HIDDEN)


def test_a_password_that_only_its_use_gives_away_is_removed_afterwards(any_hub: Hub, root: Actor) -> None:
    lines = ["Which password?", call("create_user", username="carol", password="correcthorse"), "Carol has the password correcthorse."]
    with any_hub.talk(*lines, speaks=True, actor=root) as talk:
        talk.say("make carol")
        assert "correcthorse" in talk.say("correcthorse").reply
    assert can_sign_in(any_hub, "carol", "correcthorse")
    assert [name for name in traces(any_hub, "correcthorse") if not name.endswith("-wal")] == []


def test_a_vault_keeps_conversations_apart_and_forgets() -> None:
    now = [0.0]
    vault = Vault(10, clock=lambda: now[0])
    vault.learn("a", [SECRET, "short"])
    sealed = vault.seal("a", {"text": f"it is {SECRET}!", "short": ["short"]})
    assert SECRET not in str(sealed)
    assert sealed["short"] == ["short"]
    assert vault.open("a", sealed)["text"] == f"it is {SECRET}!"
    assert vault.open("b", sealed) == sealed
    assert vault.seal("b", SECRET) == SECRET
    now[0] = 11.0
    assert vault.open("a", sealed) == sealed
