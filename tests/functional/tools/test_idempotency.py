"""An idempotency key makes a call run once, however often and however close together it is sent."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import sqlalchemy as sa
from starlette.testclient import TestClient

from hub_core.approvals.service import EXECUTION_LEASE
from hub_core.approvals.tables import Execution
from hub_core.db import utcnow
from tests.functional.tools.conftest import client_of
from tests.functional.tools.world import World

NEW = {"name": "acme/once", "kind": "code"}


def call(client: TestClient, world: World, key: str, name: str, body: dict[str, Any], who: str = "alice") -> Any:
    return client.post(f"/api/v1/tools/{name}", json=body, headers={"authorization": f"Bearer {world.tokens[who]}", "idempotency-key": key})


def events(world: World, action: str) -> int:
    return sum(f"'{action}'" in row for row in world.dump()["audit_events"])


def test_a_second_call_with_the_key_gets_the_first_answer(world: World, client: TestClient) -> None:
    first = call(client, world, "k1", "create_repo", NEW)
    assert first.status_code == 200
    before = world.dump()
    assert call(client, world, "k1", "create_repo", NEW).json() == first.json()
    assert world.dump() == before
    assert call(client, world, "k2", "create_repo", NEW).json()["error"]["code"] == "already_exists"


def test_a_key_belongs_to_one_call_of_one_person(world: World, client: TestClient) -> None:
    assert call(client, world, "k", "create_repo", NEW).status_code == 200
    other = call(client, world, "k", "create_repo", {**NEW, "name": "acme/other"})
    assert other.json()["error"]["code"] == "conflict"
    assert call(client, world, "k", "create_repo", {"name": "carol/once", "kind": "code"}, "carol").status_code == 200
    long = "x" * 3000
    assert call(client, world, long + "1", "create_repo", {**NEW, "name": "acme/one"}).status_code == 200
    assert call(client, world, long + "2", "create_repo", {**NEW, "name": "acme/two"}).status_code == 200


def test_a_call_that_failed_may_be_tried_again_under_its_key(world: World, client: TestClient) -> None:
    body = {"repo": "acme/support-7b", "username": "erin", "role": "read"}
    assert call(client, world, "k", "grant_access", body).status_code == 404
    world.call("root", "create_user", username="erin")
    assert call(client, world, "k", "grant_access", body).status_code == 200
    before = world.dump()
    assert call(client, world, "k", "grant_access", body).status_code == 200
    assert world.dump() == before


def test_a_secret_is_shown_once_and_not_kept_for_the_second_answer(world: World, client: TestClient) -> None:
    body = {"name": "nightly", "scope": "read"}
    first = call(client, world, "k", "create_token", body).json()["result"]["token"]
    assert first.startswith("hub_")
    assert not call(client, world, "k", "create_token", body).json()["result"]["token"].startswith("hub_")
    assert first not in str(world.dump())


def test_a_call_whose_process_died_may_be_sent_again(world: World, client: TestClient) -> None:
    assert call(client, world, "k", "create_repo", NEW).status_code == 200
    call(client, world, "gone", "like_repo", {"repo": "acme/once"})
    world.call("alice", "unlike_repo", repo="acme/once")

    def died(ago: dt.timedelta) -> None:
        with world.services.db.write() as session:
            session.execute(sa.update(Execution).where(Execution.tool == "like_repo").values(status="running", started_at=utcnow() - ago))

    died(dt.timedelta(0))
    assert call(client, world, "gone", "like_repo", {"repo": "acme/once"}).status_code == 409
    died(EXECUTION_LEASE)
    assert call(client, world, "gone", "like_repo", {"repo": "acme/once"}).status_code == 200
    assert world.call("alice", "get_repo", repo="acme/once")["likes"] == 1


def test_two_at_the_same_moment_run_once(world: World) -> None:
    barrier, answers, before = threading.Barrier(6), [], events(world, "repo.create")

    def send() -> None:
        client = client_of(world)
        barrier.wait()
        answers.append(call(client, world, "k", "create_repo", NEW))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert all(answer.json()["error"]["code"] == "conflict" for answer in answers if answer.status_code == 409)
    assert len({answer.text for answer in answers if answer.status_code == 200}) == 1
    assert events(world, "repo.create") - before == 1
