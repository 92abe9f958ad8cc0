"""Deployments and money: what runs is counted, what is used up refuses and stops, what is idle is found."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from hub_core.authz import Actor, Visibility
from hub_core.budgets.states import BudgetPeriod
from hub_core.clusters.port import CopyUse, InstanceState
from hub_core.db import utcnow
from hub_core.deployments import accounting
from hub_core.deployments.accounting import Accounting, budget_cap, stop_spent
from hub_core.deployments.idle import idle_deployments
from hub_core.deployments.reconciler import Rounds
from hub_core.deployments.tables import Deployment
from hub_core.metering.compute import Ran
from hub_core.metering.meter import Used
from hub_core.metering.tables import ComputeHour, TrafficSlot
from hub_core.running_errors import BudgetSpent
from hub_core.services import Services
from tests.common.deploying import MemoryCluster, add_model, status_of
from tests.unit.deployments.test_service import deploy

MONTH = BudgetPeriod.MONTH


@pytest.fixture
def books(hub: Services) -> Accounting:
    return Accounting(hub.db, hub.platform, hub.compute, hub.usage, hub.budgets)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[dt.datetime]:
    """The time that the meter of hours sees; tests put it forward."""
    at = [dt.datetime(2026, 11, 3, 12, 0, tzinfo=dt.UTC)]
    monkeypatch.setattr("hub_core.metering.compute.utcnow", lambda: at[0])
    return at


def spend(hub: Services, owner: Actor, amount: float) -> None:
    """Something of theirs cost so much just now."""
    now = utcnow()
    ran = Ran("job", 1, "job 1", owner.user_id or 0, owner.username, 0, None, "a10", amount * 3600, f"{now.timestamp()}")
    hub.compute.ran(ran, now - dt.timedelta(seconds=1), now)


def rows(hub: Services) -> list[tuple[str, str, float, float]]:
    with hub.db.read() as session:
        found = session.scalars(sa.select(ComputeHour).order_by(ComputeHour.hardware))
        return [(row.name, row.hardware, round(row.seconds, 3), round(row.cost, 6)) for row in found]


def test_copies_that_hold_hardware_are_counted_with_its_price(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, books: Accounting, ann: Actor, clock: list[dt.datetime]
) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    hub.deployments.scale(ann, found, 2)
    rounds.run()
    books.count()
    clock[0] += dt.timedelta(seconds=20)
    books.count()
    assert rows(hub) == [("ann/chat", "cpu-small", 40.0, round(40 / 3600 * 0.5, 6))]
    cluster.states[f"d{found.deployment.id}-r1"] = InstanceState.QUEUED
    clock[0] += dt.timedelta(seconds=20)
    books.count()
    assert rows(hub)[0][2] == 40.0
    cluster.down = True
    books.count()
    assert rows(hub)[0][2] == 40.0


def test_what_copies_take_is_noted_where_the_cluster_tells(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, books: Accounting, ann: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    rounds.run()
    books.count()
    taken = {f"d{found.deployment.id}-r1": {"0": CopyUse(300, 1.0)}}
    monkeypatch.setattr(MemoryCluster, "use", lambda _self: taken, raising=False)
    books.count()
    taken = {f"d{found.deployment.id}-r1": {"0": CopyUse(200, cpus=1.5)}}  # a cluster that tells how many it takes now
    books.count()
    with hub.db.read() as session:
        slots = session.scalars(sa.select(TrafficSlot)).all()
    assert max(slot.copies for slot in slots) == 1
    assert max(slot.memory for slot in slots) == 300
    assert max(slot.cpus for slot in slots) == 1.5


def test_nothing_begins_when_the_budget_is_used_up(hub: Services, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    add_model(hub, ann, "other")
    found = deploy(hub, ann)
    hub.deployments.stop(ann, found)
    hub.budgets.set_amount(ann, "ann", 10, MONTH)
    spend(hub, ann, 11)
    with pytest.raises(BudgetSpent):
        deploy(hub, ann, "other")
    with pytest.raises(BudgetSpent):
        hub.deployments.start(ann, found)
    with pytest.raises(BudgetSpent):
        hub.deployments.restart(ann, found)
    with pytest.raises(BudgetSpent):
        hub.deployments.scale(ann, found, 3)
    assert status_of(hub, ann, "chat").view.status == "stopped"
    hub.deployments.set_visibility(ann, found, Visibility.INTERNAL)  # costs nothing
    hub.budgets.set_amount(ann, "ann", 0, MONTH)
    assert hub.deployments.start(ann, found).status == "queued"


def test_less_may_always_run(hub: Services, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    hub.deployments.scale(ann, found, 4)
    hub.budgets.set_amount(ann, "ann", 10, MONTH)
    spend(hub, ann, 11)
    with pytest.raises(BudgetSpent):
        hub.deployments.scale(ann, status_of(hub, ann, "chat"), 5)
    assert hub.deployments.scale(ann, status_of(hub, ann, "chat"), 2).replicas == 2
    assert hub.deployments.scale(ann, status_of(hub, ann, "chat"), 0).replicas == 0


def test_a_request_does_not_wake_it_and_is_told_no_amounts(hub: Services, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    hub.deployments.scale(ann, found, 0)
    rounds.run()
    hub.budgets.set_amount(ann, "ann", 10, MONTH)
    spend(hub, ann, 11)
    with pytest.raises(BudgetSpent) as told:
        hub.deployments.wake(found.deployment.id)
    assert not any(char.isdigit() for char in told.value.message)
    assert status_of(hub, ann, "chat").view.replicas == 0


def test_what_runs_is_stopped_with_a_reason_after_a_warning(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor, bob: Actor
) -> None:
    add_model(hub, ann)
    add_model(hub, bob)
    deploy(hub, ann)
    deploy(hub, bob, "bob/chat")
    hub.budgets.set_amount(ann, "ann", 10, MONTH)
    rounds.run()
    spend(hub, ann, 9)
    assert stop_spent(hub.db, hub.platform, hub.budgets) == []
    spend(hub, ann, 2)
    assert stop_spent(hub.db, hub.platform, hub.budgets) == ["ann/chat"]
    assert stop_spent(hub.db, hub.platform, hub.budgets) == []
    rounds.run()
    rounds.run()
    view = status_of(hub, ann, "chat").view
    assert (view.status, view.reason) == ("stopped", "The budget of ann is used up (10.00 EUR per month).")
    assert [workload.replicas for name, workload in sorted(cluster.workloads.items())] == [0, 1]
    assert status_of(hub, bob, "bob/chat").view.status == "running"
    hub.budgets.set_amount(ann, "ann", 0, MONTH)
    hub.deployments.start(ann, status_of(hub, ann, "chat"))
    rounds.run()
    assert status_of(hub, ann, "chat").view.reason == ""


def test_the_autoscaler_stays_where_it_is(hub: Services, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    cap = budget_cap(hub.budgets)
    hub.budgets.set_amount(ann, "ann", 10, MONTH)
    assert cap(found.deployment, 5) == 5
    spend(hub, ann, 11)
    assert cap(found.deployment, 5) == 1


def test_idle_is_what_runs_and_nobody_asked(hub: Services, rounds: Rounds, ann: Actor, bob: Actor) -> None:
    for name in ("busy", "lazy", "fresh", "asleep", "off"):
        add_model(hub, ann, name)
        deploy(hub, ann, name)
    add_model(hub, bob, "lazy")
    deploy(hub, bob, "bob/lazy")
    hub.deployments.scale(ann, status_of(hub, ann, "ann/asleep"), 0)
    hub.deployments.stop(ann, status_of(hub, ann, "ann/off"))
    rounds.run()
    busy = status_of(hub, ann, "ann/busy")
    hub.usage.count(Used(bob.user_id, busy.deployment.id, "ann/busy", busy.repo.id))
    old = utcnow() - dt.timedelta(hours=3)
    with hub.db.write() as session:
        session.execute(sa.update(Deployment).where(Deployment.key != "fresh").values(updated_at=old, requested_at=old))
    since = utcnow() - dt.timedelta(hours=1)
    assert [one.name for one in idle_deployments(hub.db, hub.usage, ann, since)] == ["ann/lazy"]
    assert [one.name for one in idle_deployments(hub.db, hub.usage, ann, since, "bob")] == []
    assert [one.name for one in idle_deployments(hub.db, hub.usage, bob, since)] == ["bob/lazy"]
    hub.deployments.touch(status_of(hub, ann, "ann/lazy").deployment.id, utcnow())
    assert idle_deployments(hub.db, hub.usage, ann, since) == []


def test_a_sample_is_taken_now_and_then(books: Accounting, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(accounting.time, "monotonic", lambda: now[0])
    assert books.step()
    assert not books.step()
    now[0] += accounting.SAMPLE_S
    assert books.step()
