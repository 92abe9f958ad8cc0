"""Use, budgets and idle deployments as tools and as CSV: what callers see, what waits for approval, what is stopped."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from hub_core.authz import Actor, Scope
from hub_core.db import utcnow
from hub_core.deployments.tables import Deployment
from hub_core.errors import InvalidArguments, InvalidInput
from hub_core.http.errors import add_error_handlers
from hub_core.metering.compute import Ran
from hub_core.metering.meter import Used
from hub_core.running_errors import BudgetSpent, DeploymentNotFound
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.deploying import add_model, catalog, on_memory, status_of
from tests.common.factories import actor_for, make_org, make_user
from tests.unit.deployments.test_service import deploy
from tools import invoke
from tools.contract import Effect, ToolContext
from tools.rest.usage import COLUMNS, inert, usage_router


@pytest.fixture
def hub(settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[Services]:
    own = str(catalog(tmp_path / "catalog"))
    with open_services(dataclasses.replace(settings, database_url=sqlite_url, catalog_dir=own)) as services:
        yield on_memory(services)[0]


@pytest.fixture
def ann(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "ann"))


@pytest.fixture
def bob(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "bob"))


@pytest.fixture
def root(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "root", is_admin=True))


def run(hub: Services, actor: Actor, tool: str, **args: object) -> dict[str, object]:
    done = invoke.call(ToolContext(actor, hub), tool, args, gate=False)
    assert isinstance(done, invoke.Done)
    return done.output.model_dump(mode="json")


def use(hub: Services, actor: Actor, name: str = "ann/chat", amount: float = 1.0, requests: int = 2) -> None:
    """A deployment cost so much, and was asked."""
    found = status_of(hub, actor, name)
    now = utcnow()
    ran = Ran(
        "deployment", found.deployment.id, name, found.repo.namespace_id, found.repo.namespace, actor.user_id or 0, found.repo.id, "cpu-small",
        amount * 3600, f"{now.timestamp()}",
    )  # fmt: skip
    hub.compute.ran(ran, now - dt.timedelta(seconds=1), now)
    for _ in range(requests):
        hub.usage.count(Used(actor.user_id, found.deployment.id, name, found.repo.id, 10, 5, seconds=0.2))


def test_use_is_added_up_by_thing_and_person_with_what_runs_and_what_is_left(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    deploy(hub, ann)
    use(hub, ann, amount=3)
    run(hub, ann, "set_budget", owner="ann", amount="10 EUR", period="month")
    found = run(hub, ann, "get_usage", period="this month")
    assert found["period"] == "month"
    assert found["currency"] == "EUR"
    assert found["total"] == {"requests": 2, "failed": 0, "prompt_tokens": 20, "completion_tokens": 10, "hours": 0.0, "cost": 3.0}
    assert [(one["name"], one["requests"]) for one in found["targets"]] == [("ann/chat", 2)]  # type: ignore[attr-defined]
    assert [one["username"] for one in found["people"]] == ["ann"]  # type: ignore[attr-defined]
    assert [(one["name"], one["copies"], one["price_per_hour"]) for one in found["work"]] == [("ann/chat", 1, 0.5)]  # type: ignore[attr-defined]
    assert [(one["owner"], one["used"], one["left"]) for one in found["budgets"]] == [("ann", 3.0, 7.0)]  # type: ignore[attr-defined]


def test_others_see_nothing_of_it(hub: Services, ann: Actor, bob: Actor) -> None:
    add_model(hub, ann)
    deploy(hub, ann)
    use(hub, ann)
    run(hub, ann, "set_budget", owner="ann", amount=10)
    found = run(hub, bob, "get_usage", owner="ann")
    assert (found["targets"], found["people"], found["budgets"], found["work"]) == ([], [], [], [])
    with pytest.raises(DeploymentNotFound):
        run(hub, bob, "get_usage", target="ann/chat")
    with pytest.raises(DeploymentNotFound):
        run(hub, bob, "get_metrics", target="ann/chat")


@pytest.mark.parametrize("period", ["soon", "2026-13", "7x", "2026-11-05..2026-11-01", "99999d"])
def test_a_period_that_is_none_is_refused(hub: Services, ann: Actor, period: str) -> None:
    with pytest.raises(InvalidArguments):
        run(hub, ann, "get_usage", period=period)


def test_metrics_have_latency_and_a_series(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    deploy(hub, ann)
    use(hub, ann, requests=20)
    found = run(hub, ann, "get_metrics", target="chat", period="6h")
    assert (found["target"], found["step"], found["replicas"]) == ("ann/chat", "5 minutes", 1)
    total = found["total"]
    assert isinstance(total, dict)
    assert (total["requests"], total["failed"], total["completion_tokens"]) == (20, 0, 100)
    assert 140 <= total["p50_ms"] <= 260
    assert 140 <= total["p95_ms"] <= 300
    points = found["points"]
    assert isinstance(points, list)
    assert sum(point["requests"] for point in points) == 20


def test_effects_of_budgets(hub: Services, ann: Actor, root: Actor) -> None:
    def plan(actor: Actor, amount: object, **more: object) -> invoke.Plan:
        return invoke.plan(ToolContext(actor, hub), "set_budget", {"owner": "ann", "amount": amount, **more})

    assert plan(ann, 10).effect is Effect.WRITE
    run(hub, ann, "set_budget", owner="ann", amount=10)
    dearer = plan(ann, "20 EUR")
    assert dearer.effect is Effect.SPEND
    assert dearer.args == {"owner": "ann", "amount": 20.0, "period": "month"}
    assert dearer.inverse is not None
    assert dearer.inverse.args == {"owner": "ann", "amount": 10.0, "period": "month"}
    assert plan(ann, 0).effect is Effect.SPEND
    assert plan(ann, 10).changes == ()
    assert plan(ann, 5).effect is Effect.WRITE
    add_model(hub, ann)
    deploy(hub, ann)
    use(hub, ann, amount=6)
    stops = plan(ann, 5)
    assert (stops.effect, stops.facts["stops"]) == (Effect.DESTRUCTIVE, True)
    for wrong in ("10 USD", "ten", -1):
        with pytest.raises((InvalidInput, InvalidArguments)):
            plan(ann, wrong)
    with pytest.raises(InvalidArguments):
        plan(ann, 10, period="year")
    assert plan(root, 3, period="weekly").args["period"] == "week"


def test_a_plan_tells_what_is_left_and_is_refused_when_nothing_is(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    ctx = ToolContext(ann, hub)
    assert "budget" not in invoke.plan(ctx, "deploy_model", {"repo": "chat"}).facts
    run(hub, ann, "set_budget", owner="ann", amount=10)
    told = invoke.plan(ctx, "deploy_model", {"repo": "chat"}).facts["budget"]
    assert (told["owner"], told["left"], told["period"]) == ("ann", 10.0, "month")
    deploy(hub, ann)
    use(hub, ann, amount=9.9)
    told = invoke.plan(ctx, "scale_deployment", {"deployment": "chat", "replicas": 2}).facts["budget"]
    assert 300 <= told["lasts_s"] <= 400
    use(hub, ann, amount=1)
    for tool, args in (("scale_deployment", {"deployment": "chat", "replicas": 2}), ("deploy_model", {"repo": "chat", "name": "second"})):
        with pytest.raises(BudgetSpent):
            invoke.plan(ctx, tool, args)


def test_what_is_idle_waits_for_approval_and_exactly_that_is_stopped(hub: Services, ann: Actor) -> None:
    for name in ("one", "two", "busy"):
        add_model(hub, ann, name)
        deploy(hub, ann, name)
    use(hub, ann, "ann/busy")
    old = utcnow() - dt.timedelta(days=2)
    with hub.db.write() as session:
        session.execute(sa.update(Deployment).values(updated_at=old, requested_at=old))
    ctx = ToolContext(ann, hub)
    waiting = invoke.call(ctx, "stop_idle_deployments", {"period": "1h"}, gate=True)
    assert isinstance(waiting, invoke.Waiting)
    assert waiting.plan.args["deployments"] == ["ann/one", "ann/two"]
    assert [change.before for change in waiting.plan.changes] == ["ann/one", "ann/two"]
    with hub.db.write() as session:  # what has become idle meanwhile was not agreed to
        session.execute(sa.text("delete from usage_hours"))
        session.execute(sa.text("delete from traffic_slots"))
    approved = hub.approvals.decide(ann, waiting.approval.id, "approve")
    done = invoke.run_approved(ctx, approved)
    assert done.output.model_dump() == {"stopped": ["ann/one", "ann/two"], "already": []}
    assert status_of(hub, ann, "ann/busy").view.status != "stopped"
    assert invoke.plan(ctx, "stop_idle_deployments", {"deployments": ["ann/one"]}).args["deployments"] == ["ann/one"]


def test_nothing_idle_changes_nothing_and_others_cannot_be_named(hub: Services, ann: Actor, bob: Actor) -> None:
    add_model(hub, ann)
    deploy(hub, ann)
    plan = invoke.plan(ToolContext(bob, hub), "stop_idle_deployments", {})
    assert (plan.effect, plan.changes) == (Effect.WRITE, ())
    with pytest.raises(DeploymentNotFound):
        invoke.plan(ToolContext(bob, hub), "stop_idle_deployments", {"deployments": ["ann/chat"]})
    make_org(hub.db, "acme", {})
    assert invoke.plan(ToolContext(bob, hub), "stop_idle_deployments", {"owner": "acme"}).changes == ()


@pytest.fixture
def web(hub: Services) -> TestClient:
    app = FastAPI()
    app.include_router(usage_router(hub))
    add_error_handlers(app)
    return TestClient(app)


def get(hub: Services, web: TestClient, actor: Actor | None, **query: str) -> httpx.Response:
    headers = {}
    if actor is not None:
        headers["authorization"] = f"Bearer {hub.tokens.create(actor, f'csv{utcnow().timestamp()}', Scope.READ).token}"
    return web.get("/api/v1/usage.csv", params=query, headers=headers)


def test_the_export_has_what_the_tool_shows(hub: Services, web: TestClient, ann: Actor, bob: Actor) -> None:
    add_model(hub, ann)
    deploy(hub, ann)
    use(hub, ann, amount=3)
    answer = get(hub, web, ann, period="month")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="usage-month.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["kind"], row["name"], row["person"], row["requests"], row["cost"]) for row in rows] == [
        ("requests", "ann/chat", "ann", "2", "0.000000"),
        ("deployment", "ann/chat", "ann", "0", "3.000000"),
    ]
    assert list(csv.reader(io.StringIO(get(hub, web, bob).text))) == [list(COLUMNS)]
    assert get(hub, web, None).status_code == 401
    assert get(hub, web, bob, target="ann/chat").status_code == 404
    assert get(hub, web, ann, period="soon").status_code == 422
    assert get(hub, web, ann, owner="nobody").status_code == 404


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert inert(text) == f"'{text}"
    assert inert("ann/chat") == "ann/chat"
