"""The number of copies follows the requests: up at once, down slowly, between the bounds that a person set."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from hub_core.authz import Actor
from hub_core.db import utcnow
from hub_core.deployments.load import LoadMeter, demand, sweep
from hub_core.deployments.reconciler import Rounds
from hub_core.deployments.service import Found
from hub_core.deployments.tables import Deployment, DeploymentLoad
from hub_core.errors import InvalidInput
from hub_core.services import Services
from tests.common.deploying import MemoryCluster, add_model, status_of
from tests.unit.deployments.test_service import deploy

PER_COPY = 8  # of the fake runtime


@pytest.fixture
def found(hub: Services, rounds: Rounds, ann: Actor) -> Found:
    """A deployment of one to four copies."""
    add_model(hub, ann)
    found = deploy(hub, ann)
    hub.deployments.scale(ann, found, 1, 4)
    rounds.run()
    return found


def load(hub: Services, found: Found, under_way: float, process: str = "one", ago_s: float = 0) -> None:
    """What a process of the hub wrote down."""
    with hub.db.write() as session:
        session.execute(sa.delete(DeploymentLoad).where(DeploymentLoad.process == process))
        at = utcnow() - dt.timedelta(seconds=ago_s)
        session.add(DeploymentLoad(deployment_id=found.deployment.id, process=process, under_way=under_way, at=at))


def pass_time(hub: Services, found: Found, seconds: float) -> None:
    """As if so many copies were last needed so long ago."""
    with hub.db.write() as session:
        row = session.get_one(Deployment, found.deployment.id)
        assert row.needed_at is not None
        row.needed_at -= dt.timedelta(seconds=seconds)


def replicas(hub: Services, ann: Actor) -> int:
    return status_of(hub, ann, "chat").view.replicas


def test_more_requests_bring_more_copies_at_once_up_to_the_most(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor, found: Found
) -> None:
    load(hub, found, PER_COPY + 1)
    rounds.run()
    assert replicas(hub, ann) == 2
    assert [workload.replicas for workload in cluster.workloads.values()] == [2]
    load(hub, found, 100 * PER_COPY)
    rounds.run()
    assert replicas(hub, ann) == 4


def test_the_processes_of_the_hub_add_up_and_dead_ones_do_not_count(hub: Services, rounds: Rounds, ann: Actor, found: Found) -> None:
    load(hub, found, PER_COPY)
    load(hub, found, PER_COPY, "two")
    load(hub, found, 50 * PER_COPY, "dead", ago_s=60)
    rounds.run()
    assert replicas(hub, ann) == 2
    load(hub, found, 1, "dead", ago_s=600)
    sweep(hub.db)
    with hub.db.read() as session:
        assert set(session.scalars(sa.select(DeploymentLoad.process))) == {"one", "two"}


def test_fewer_requests_let_copies_go_slowly_and_never_below_the_least(hub: Services, rounds: Rounds, ann: Actor, found: Found) -> None:
    load(hub, found, 4 * PER_COPY)
    rounds.run()
    load(hub, found, 0)
    rounds.run()
    assert replicas(hub, ann) == 4  # a lull may be short
    counts = []
    for _ in range(4):
        pass_time(hub, found, 61)
        rounds.run()
        counts.append(replicas(hub, ann))
    assert counts == [2, 1, 1, 1]


def test_a_peak_in_between_begins_the_wait_anew(hub: Services, rounds: Rounds, ann: Actor, found: Found) -> None:
    load(hub, found, 2 * PER_COPY)
    rounds.run()
    pass_time(hub, found, 61)
    rounds.run()  # still needed
    load(hub, found, 0)
    rounds.run()
    assert replicas(hub, ann) == 2


def test_a_cap_holds_it_below_what_the_requests_want(hub: Services, rounds: Rounds, ann: Actor, found: Found) -> None:
    rounds.scaler = type(rounds.scaler)(hub.db, cap=lambda _row, wanted: min(wanted, 2))
    load(hub, found, 100 * PER_COPY)
    rounds.run()
    assert replicas(hub, ann) == 2


def test_from_zero_it_sleeps_when_nobody_asks_and_follows_the_requests_when_awake(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor, found: Found
) -> None:
    view = hub.deployments.scale(ann, found, 0, 3)
    assert (view.replicas, view.on_demand, view.min_replicas, view.max_replicas) == (1, True, 0, 3)
    rounds.run()
    load(hub, found, 3 * PER_COPY)
    rounds.run()
    assert replicas(hub, ann) == 3
    hub.deployments.touch(found.deployment.id, utcnow() - dt.timedelta(hours=1))
    rounds.run()
    assert status_of(hub, ann, "chat").view.status == "sleeping"
    load(hub, found, 0)
    hub.deployments.wake(found.deployment.id)
    rounds.run()
    assert replicas(hub, ann) == 1


def test_a_fixed_number_ends_it_and_a_person_wins(hub: Services, rounds: Rounds, ann: Actor, found: Found) -> None:
    load(hub, found, 100 * PER_COPY)
    rounds.run()
    view = hub.deployments.scale(ann, found, 2)
    assert (view.replicas, view.max_replicas) == (2, None)
    rounds.run()
    assert replicas(hub, ann) == 2
    for least, most in ((3, 2), (0, 0), (1, 33)):
        with pytest.raises(InvalidInput):
            hub.deployments.scale(ann, found, least, most)


def test_the_meter_writes_down_the_average_and_then_nothing(hub: Services, ann: Actor, found: Found) -> None:
    now = 0.0
    meter = LoadMeter(hub.db, clock=lambda: now)
    number = found.deployment.id
    meter.begin(number)
    now = 1.0
    meter.begin(number)
    now = 2.0
    meter.flush()
    assert demand(hub.db, [number]) == {number: 1.5}
    meter.end(number)
    meter.end(number)
    now = 3.0
    meter.flush()
    assert demand(hub.db, [number]) == {number: 0.0}
    hub.deployments.delete(ann, found)
    meter.flush()  # idle: not written again, so it cannot fail either
    meter.close()
    assert demand(hub.db, [number]) == {}
