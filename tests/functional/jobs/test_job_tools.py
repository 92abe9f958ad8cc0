"""Jobs as people handle them: by tools."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hub_core.authz import Actor
from hub_core.jobs.kinds import JobKind
from hub_core.services import Services
from tests.common.factories import actor_for, make_user
from tests.common.working import add, with_kinds, work
from tools import invoke
from tools.contract import Effect, ToolContext


@pytest.fixture
def hub(services: Services) -> Services:
    return with_kinds(services, JobKind("test.do", lambda ctx: {"n": ctx.args["n"]}))


@pytest.fixture
def ann(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "ann"))


def call(hub: Services, actor: Actor, tool: str, **arguments: Any) -> dict[str, Any]:
    done = invoke.call(ToolContext(actor, hub), tool, arguments, gate=False)
    assert isinstance(done, invoke.Done)
    return done.output.model_dump(mode="json")


def test_a_job_is_listed_looked_at_stopped_and_tried_again(hub: Services, ann: Actor) -> None:
    job = add(hub, "test.do", {"n": 7}, actor=ann)
    assert [item["id"] for item in call(hub, ann, "list_jobs", status="queued")["items"]] == [job]
    assert call(hub, ann, "cancel_job", job=job)["status"] == "cancelled"
    assert call(hub, ann, "retry_job", job=job)["status"] == "queued"
    work(hub)
    shown = call(hub, ann, "get_job", job=job)
    assert (shown["status"], shown["result"], shown["progress"], shown["owner"]) == ("succeeded", {"n": 7}, 1.0, "ann")
    assert call(hub, ann, "list_jobs", kind="other")["items"] == []


def test_stopping_what_runs_needs_approval_and_stopping_what_waits_does_not(hub: Services, ann: Actor) -> None:
    job = add(hub, "test.do", {"n": 1}, actor=ann)
    plan = invoke.plan(ToolContext(ann, hub), "cancel_job", {"job": job})
    assert plan.effect is Effect.WRITE
    assert plan.inverse is not None
    assert plan.inverse.tool == "retry_job"
    with hub.db.write() as session:
        other = hub.jobs.queue.enqueue(session, "test.do", {"n": 2}, actor=ann)
    while hub.jobs.queue.claim("light", dt.timedelta(minutes=1)):
        pass
    assert invoke.plan(ToolContext(ann, hub), "cancel_job", {"job": other}).effect is Effect.DESTRUCTIVE
