"""A new revision takes a share of the requests beside the older one, and never one that it cannot answer."""

from __future__ import annotations

from collections import Counter

import pytest

from hub_core.authz import Actor
from hub_core.clusters.port import InstanceState
from hub_core.deployments.reconciler import Rounds
from hub_core.deployments.service import Found
from hub_core.deployments.specs import Asked
from hub_core.deployments.traffic import Share, copies_of_new, in_turn, shares
from hub_core.errors import InvalidInput
from hub_core.running_errors import NothingToRollBack
from hub_core.services import Services
from tests.common.deploying import MemoryCluster, add_model, status_of
from tests.unit.deployments.test_service import deploy


def rolled_out(hub: Services, ann: Actor, traffic: int, hardware: str = "cpu-medium") -> Found:
    found = status_of(hub, ann, "chat")
    spec = hub.deployments.plan_update(ann, found, Asked(hardware=hardware))
    assert spec is not None
    hub.deployments.roll_out(ann, found, spec, traffic)
    return status_of(hub, ann, "chat")


def takes(hub: Services, ann: Actor) -> dict[int, int]:
    return {share.revision: share.percent for share in shares(status_of(hub, ann, "chat").deployment)}


@pytest.fixture
def found(hub: Services, rounds: Rounds, ann: Actor) -> Found:
    """A deployment that runs."""
    add_model(hub, ann)
    found = deploy(hub, ann)
    rounds.run()
    return found


@pytest.mark.parametrize("percent", [1, 10, 33, 50, 99])
def test_of_a_hundred_requests_a_revision_takes_its_per_cent(percent: int) -> None:
    both = (Share(1, 100 - percent, ("a",), "m"), Share(2, percent, ("b",), "m"))
    first = Counter(in_turn(both, turn)[0].revision for turn in range(100, 200))
    assert first == {1: 100 - percent, 2: percent}
    assert all({share.revision for share in in_turn(both, turn)} == {1, 2} for turn in range(10))


def test_a_new_revision_gets_its_share_of_the_copies_and_at_least_one() -> None:
    assert [copies_of_new(4, percent) for percent in (1, 25, 26, 50, 99)] == [1, 1, 2, 2, 4]
    assert copies_of_new(1, 1) == 1


def test_two_revisions_run_and_share_until_the_new_one_has_all(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor, found: Found
) -> None:
    hub.deployments.scale(ann, found, 2)
    view = rolled_out(hub, ann, 10).view
    assert (view.revision, view.traffic, [one.percent for one in view.split]) == (2, 10, [10, 90])
    assert view.price_per_hour == 2 * 0.5 + 1.5  # both cost
    rounds.run()
    old, new = (f"d{found.deployment.id}-r{number}" for number in (1, 2))
    assert {name: workload.replicas for name, workload in cluster.workloads.items()} == {old: 2, new: 1}
    assert takes(hub, ann) == {1: 90, 2: 10}
    view = status_of(hub, ann, "chat").view
    assert [(one.revision, one.takes, one.ready, one.replicas) for one in view.split] == [(2, 10, 1, 1), (1, 90, 2, 2)]
    assert (view.status, view.reason) == ("running", "")
    hub.deployments.shift(ann, found, 60)
    rounds.run()
    assert takes(hub, ann) == {1: 40, 2: 60}
    assert cluster.workloads[new].replicas == 2
    hub.deployments.shift(ann, found, 100)
    rounds.run()
    rounds.run()
    assert set(cluster.workloads) == {new}
    view = status_of(hub, ann, "chat").view
    assert (view.traffic, view.split, view.serving, view.price_per_hour) == (100, (), 2, 3.0)


def test_a_revision_that_fails_takes_nothing_and_the_older_one_all(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor, found: Found
) -> None:
    new = f"d{found.deployment.id}-r2"
    cluster.states[new] = InstanceState.STARTING
    rolled_out(hub, ann, 50)
    rounds.run()
    assert takes(hub, ann) == {1: 100}
    assert status_of(hub, ann, "chat").view.reason_code == "older_starting"
    cluster.states[new], cluster.reasons[new] = InstanceState.CRASHING, "It ended."
    assert not rounds.run()
    assert takes(hub, ann) == {1: 100}
    view = status_of(hub, ann, "chat").view
    assert (view.status, view.reason) == ("running", "Revision 2 does not run; revision 1 answers. It ended.")
    assert [(one.percent, one.takes) for one in view.split] == [(50, 0), (50, 100)]
    # One that ended before answers for a while before it gets requests again.
    cluster.states[new], cluster.restarts[new] = InstanceState.READY, 3
    rounds.run()
    assert takes(hub, ann) == {1: 100}


def test_where_only_the_new_revision_answers_it_takes_all(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor, found: Found
) -> None:
    rolled_out(hub, ann, 10)
    rounds.run()
    cluster.states[f"d{found.deployment.id}-r1"] = InstanceState.SILENT
    rounds.run()
    assert takes(hub, ann) == {2: 100}
    assert status_of(hub, ann, "chat").view.reason_code == "newer_alone"


@pytest.mark.parametrize("way", ["shift", "roll_back"])
def test_all_goes_back_at_once(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor, found: Found, way: str) -> None:
    rolled_out(hub, ann, 10)
    rounds.run()
    now = status_of(hub, ann, "chat")
    view = hub.deployments.shift(ann, now, 0) if way == "shift" else hub.deployments.roll_back(ann, now)
    assert (view.revision, view.traffic, view.split, view.hardware) == (1, 100, (), "cpu-small")
    assert takes(hub, ann) == {1: 100}  # before any round
    rounds.run()
    assert set(cluster.workloads) == {f"d{found.deployment.id}-r1"}
    with pytest.raises(NothingToRollBack):
        hub.deployments.roll_back(ann, status_of(hub, ann, "chat"))
    again = rolled_out(hub, ann, 100)
    assert again.view.revision == 3
    assert hub.deployments.previous(again).number == 1  # not the one that was taken back


def test_an_update_in_the_middle_replaces_the_new_revision_and_keeps_the_older(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor, found: Found
) -> None:
    rolled_out(hub, ann, 10)
    rounds.run()
    now = status_of(hub, ann, "chat")
    spec = hub.deployments.plan_update(ann, now, Asked(environment={"FAKE_FAIL": ""}))
    assert spec is not None
    view = hub.deployments.roll_out(ann, now, spec, 20)
    assert [(one.revision, one.percent) for one in view.split] == [(3, 20), (1, 80)]
    rounds.run()
    assert set(cluster.workloads) == {f"d{found.deployment.id}-r{number}" for number in (1, 3)}


def test_shares_that_cannot_be_had_are_refused(hub: Services, ann: Actor, found: Found) -> None:
    with pytest.raises(InvalidInput):
        hub.deployments.shift(ann, found, 10)
    spec = hub.deployments.plan_update(ann, found, Asked(hardware="cpu-medium"))
    assert spec is not None
    for traffic in (0, 101):
        with pytest.raises(InvalidInput):
            hub.deployments.roll_out(ann, found, spec, traffic)


def test_stopping_ends_both_and_starting_runs_both(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor, found: Found) -> None:
    rolled_out(hub, ann, 10)
    rounds.run()
    stopped = hub.deployments.stop(ann, found)
    assert (stopped.price_per_hour, takes(hub, ann)) == (0, {})
    rounds.run()
    assert sum(workload.replicas for workload in cluster.workloads.values()) == 0
    hub.deployments.start(ann, found)
    rounds.run()
    assert takes(hub, ann) == {1: 90, 2: 10}
