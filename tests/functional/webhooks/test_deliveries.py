"""A delivery is tried until it is taken or given up, and what an act set going is not lost with the process."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from hub_core.authz import Actor, Role
from hub_core.db import utcnow
from hub_core.errors import AlreadyExists, NoSecretKey, PermissionDenied, RepoNotFound, WebhookNotFound
from hub_core.git import FileChange
from hub_core.jobs.relay import relay_one
from hub_core.jobs.tables import Job
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from hub_core.webhooks.deliver import DELIVER, DISABLE_AFTER
from tests.common.factories import actor_for, make_user
from tests.common.receiver import SECRET, Receiver, run_receiver
from tests.common.working import wait_until, work, worker_process
from tools import invoke
from tools.contract import Effect, ToolContext


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


@pytest.fixture
def hub(settings: Settings, db_url: str) -> Iterator[Services]:
    ready = dataclasses.replace(settings, database_url=db_url, webhook_hosts="127.0.0.1", secret_key="k" * 40)
    with open_services(ready) as services:
        yield services


@pytest.fixture
def ann(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "ann"))


@pytest.fixture
def repo(hub: Services, ann: Actor) -> Repo:
    hub.repos.create(ann, "ann/one", RepoKind.MODEL)
    work(hub)
    return hub.repos.find(ann, "ann/one")


def commit(hub: Services, actor: Actor, repo: Repo, text: str = "x") -> None:
    hub.files.commit(actor, repo, [FileChange("a.txt", text.encode())], "Change a file")


def make_due(hub: Services) -> None:
    """As if all waiting attempts had waited long enough."""
    with hub.db.write() as session:
        session.execute(sa.update(Job).where(Job.status == "queued").values(due_at=utcnow()))


def deliveries(hub: Services) -> list[Job]:
    with hub.db.read() as session:
        return list(session.scalars(sa.select(Job).where(Job.kind == DELIVER.name).order_by(Job.id)))


def call(hub: Services, actor: Actor, tool: str, **arguments: Any) -> dict[str, Any]:
    done = invoke.call(ToolContext(actor, hub), tool, arguments, gate=False)
    assert isinstance(done, invoke.Done)
    return done.output.model_dump(mode="json")


def test_a_delivery_is_tried_again_and_is_the_same_one(hub: Services, ann: Actor, repo: Repo, receiver: Receiver) -> None:
    hub.webhooks.create_for_repo(ann, repo, f"{receiver.url}/hook", secret=SECRET)
    receiver.answer = 503
    commit(hub, ann, repo)
    work(hub)
    assert work(hub) == 0, "the next attempt waits"
    shown = call(hub, ann, "list_webhooks", repo="ann/one")["items"][0]
    assert (shown["failures"], shown["last_status"]) == (1, 503)
    receiver.answer = 200
    make_due(hub)
    work(hub)
    assert [job.status for job in deliveries(hub)] == ["succeeded"]
    assert len({headers["x-webhook-delivery"] for headers in receiver.headers}) == 1
    assert receiver.bodies[0] == receiver.bodies[1]
    assert call(hub, ann, "list_webhooks", repo="ann/one")["items"][0]["failures"] == 0


def test_a_delivery_that_nobody_takes_is_given_up_with_a_record(hub: Services, ann: Actor, repo: Repo, receiver: Receiver) -> None:
    hub.webhooks.create_for_repo(ann, repo, f"{receiver.url}/hook")
    receiver.answer = 500
    commit(hub, ann, repo)
    for _ in range(DELIVER.attempts + 1):
        work(hub)
        make_due(hub)
    assert len(receiver.payloads) == DELIVER.attempts
    given_up = deliveries(hub)[0]
    assert given_up.status == "failed"
    assert "answered 500" in (given_up.error or {})["message"]


def test_a_webhook_that_never_works_is_disabled(hub: Services, ann: Actor, repo: Repo, receiver: Receiver) -> None:
    made = hub.webhooks.create_for_repo(ann, repo, f"{receiver.url}/hook")
    receiver.answer = 500
    with hub.db.write() as session:
        session.execute(sa.text(f"UPDATE webhooks SET failures = {DISABLE_AFTER - 1}"))
    commit(hub, ann, repo)
    work(hub)
    found = hub.webhooks.get(ann, made.id)
    assert found.disabled
    assert "failed" in found.reason
    make_due(hub)
    commit(hub, ann, repo, "more")
    work(hub)
    assert len(receiver.payloads) == 1
    hub.webhooks.set_enabled(ann, made.id, enabled=True)
    receiver.answer = 200
    commit(hub, ann, repo, "again")
    work(hub)
    assert len(receiver.payloads) == 2


def test_what_was_committed_before_a_crash_is_told_after_it(hub: Services, ann: Actor, repo: Repo, receiver: Receiver) -> None:
    """The event, its delivery, and an attempt that died in the middle: each is taken up by the next process."""
    hub.webhooks.create_for_repo(ann, repo, f"{receiver.url}/hook")
    commit(hub, ann, repo, "one")
    commit(hub, ann, repo, "two")
    commit(hub, ann, repo, "three")
    while len(deliveries(hub)) < 2:
        assert relay_one(hub)
    assert hub.jobs.queue.claim("light", dt.timedelta(seconds=-1)) is not None
    with worker_process(hub.settings):
        wait_until(lambda: len(receiver.payloads) == 3)
        wait_until(lambda: [job.status for job in deliveries(hub)] == ["succeeded"] * 3)


def test_making_a_webhook_waits_for_approval_and_can_be_undone(hub: Services, ann: Actor, repo: Repo, receiver: Receiver) -> None:
    ctx = ToolContext(ann, hub)
    arguments = {"repo": "one", "url": f"{receiver.url}/hook?key=abc", "secret": "a secret word"}
    plan = invoke.plan(ctx, "create_webhook", arguments)
    assert plan.effect is Effect.DESTRUCTIVE
    assert plan.args["repo"] == "ann/one"
    assert "a secret word" not in json.dumps(invoke.describe_plan(plan))
    assert isinstance(invoke.call(ctx, "create_webhook", arguments, gate=True), invoke.Waiting)
    assert call(hub, ann, "list_webhooks", repo="one")["items"] == []
    done = invoke.call(ctx, "create_webhook", arguments, gate=False)
    assert isinstance(done, invoke.Done)
    assert "secret word" not in done.output.model_dump_json()
    inverse = done.plan.inverse
    assert inverse is not None
    assert call(hub, ann, inverse.tool, **inverse.args)["url"] == arguments["url"]
    assert call(hub, ann, "list_webhooks", repo="one")["items"] == []


def test_a_webhook_is_deleted_by_its_address_and_made_again_by_undo(hub: Services, ann: Actor, repo: Repo) -> None:
    call(hub, ann, "create_webhook", repo="ann/one", url="https://ci.example.com/hook", domains=["discussion"])
    with pytest.raises(AlreadyExists):
        call(hub, ann, "create_webhook", repo="ann/one", url="https://ci.example.com/hook")
    done = invoke.call(ToolContext(ann, hub), "delete_webhook", {"repo": "ann/one", "webhook": "https://ci.example.com/hook"}, gate=False)
    assert isinstance(done, invoke.Done)
    assert done.plan.inverse is not None
    call(hub, ann, done.plan.inverse.tool, **done.plan.inverse.args)
    assert call(hub, ann, "list_webhooks", repo="ann/one")["items"][0]["domains"] == ["discussion"]
    with pytest.raises(WebhookNotFound):
        call(hub, ann, "delete_webhook", repo="ann/one", webhook="https://other.example.com/")


def test_webhooks_of_a_repo_are_for_its_administrators(hub: Services, ann: Actor, repo: Repo) -> None:
    ben, eve = make_user(hub.db, "ben"), make_user(hub.db, "eve")
    hub.access.grant(ann, repo, "ben", Role.WRITE)
    for tool, arguments in (("create_webhook", {"url": "https://e.com/"}), ("list_webhooks", {}), ("delete_webhook", {"webhook": "x"})):
        with pytest.raises(PermissionDenied):
            call(hub, actor_for(ben), tool, repo="ann/one", **arguments)
        with pytest.raises(RepoNotFound):
            call(hub, actor_for(eve), tool, repo="ann/one", **arguments)


def test_the_trail_has_the_host_and_not_the_address(hub: Services, ann: Actor, repo: Repo) -> None:
    hub.webhooks.create_for_repo(ann, repo, "https://hooks.example.com/T000/secret-path?token=abc")
    with hub.db.read() as session:
        trail = repr(session.execute(sa.text("SELECT * FROM audit_events")).all())
    assert "hooks.example.com" in trail
    assert "secret-path" not in trail


def test_without_a_key_no_secret_is_taken(settings: Settings, db_url: str) -> None:
    if db_url.startswith("sqlite"):
        pytest.skip("a hub on SQLite makes a key")
    with open_services(dataclasses.replace(settings, database_url=db_url)) as hub:
        ann = actor_for(make_user(hub.db, "ann"))
        hub.repos.create(ann, "ann/one", RepoKind.MODEL)
        repo = hub.repos.find(ann, "ann/one")
        with pytest.raises(NoSecretKey):
            hub.webhooks.create_for_repo(ann, repo, "https://ci.example.com/", secret="a secret word")
        assert hub.webhooks.create_for_repo(ann, repo, "https://ci.example.com/").url
