"""The reconciler makes what runs agree with what shall run, whatever happened before."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from hub_core.authz import Actor
from hub_core.clusters.port import InstanceState, Resources, Workload
from hub_core.conversations.leases import Leases
from hub_core.deployments.reconciler import Rounds
from hub_core.deployments.specs import Asked
from hub_core.services import Services
from tests.common.deploying import MemoryCluster, add_model, status_of
from tests.unit.deployments.test_service import deploy


def test_what_shall_run_runs_and_takes_requests(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    assert rounds.run()
    now = status_of(hub, ann, "chat")
    assert (now.view.status, now.view.ready, now.view.serving) == ("running", 1, 1)
    name = f"d{found.deployment.id}-r1"
    assert now.deployment.endpoints == [f"http://{name}-0"]
    assert now.deployment.model_field == "ann/chat"
    assert "--model" in cluster.workloads[name].command
    assert cluster.workloads[name].labels["deployment"] == str(found.deployment.id)


def test_a_round_that_finds_all_well_does_nothing(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    deploy(hub, ann)
    rounds.run()
    before = status_of(hub, ann, "chat").deployment.observed_at
    cluster.calls.clear()
    assert rounds.run()
    assert cluster.calls == ["observe"]
    assert status_of(hub, ann, "chat").deployment.observed_at == before


def test_a_hub_that_dies_after_making_and_before_noting_leaves_no_twin(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor
) -> None:
    add_model(hub, ann)
    deploy(hub, ann)

    def die() -> None:
        raise KeyboardInterrupt

    cluster.after_apply = die
    with pytest.raises(KeyboardInterrupt):
        rounds.run()
    cluster.after_apply = lambda: None
    assert rounds.run()
    assert len(cluster.workloads) == 1
    assert cluster.calls.count("apply") == 1
    assert status_of(hub, ann, "chat").view.status == "running"


def test_what_no_row_asks_for_is_deleted(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    rounds.run()
    cluster.apply(Workload("d999-r1", {"app": "hubtalk", "deployment": "999"}, (), Resources(1, 1), 1))
    hub.deployments.delete(ann, found)
    rounds.run()
    assert cluster.workloads == {}


def test_a_cluster_that_is_away_changes_nothing_and_makes_no_twin(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor
) -> None:
    add_model(hub, ann)
    deploy(hub, ann)
    rounds.run()
    cluster.down = True
    assert not rounds.run()
    assert status_of(hub, ann, "chat").view.status == "running"
    assert status_of(hub, ann, "chat").deployment.endpoints
    cluster.down = False
    rounds.run()
    assert len(cluster.workloads) == 1


def test_two_that_both_believe_to_lead_make_no_twin_and_only_one_writes_down(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor
) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    leases, others = Leases(hub.db), Leases(hub.db)
    late = dataclasses.replace(rounds, leads=lambda: others.held("deployments"))
    now = dataclasses.replace(rounds, leads=lambda: leases.held("deployments"))
    with leases.hold("deployments"):
        # The late one was stopped in the middle of a round, and goes on with what it knew.
        cluster.after_apply = lambda: now.run() and None
        late.run()
        cluster.after_apply = lambda: None
        assert list(cluster.workloads) == [f"d{found.deployment.id}-r1"]
        cluster.states[f"d{found.deployment.id}-r1"] = InstanceState.SILENT
        late.run()
        assert status_of(hub, ann, "chat").view.status == "running"
        now.run()
        assert status_of(hub, ann, "chat").view.status == "starting"
    leases.close()
    others.close()


def test_the_old_revision_answers_until_the_new_one_does(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    rounds.run()
    old, new = (f"d{found.deployment.id}-r{number}" for number in (1, 2))
    cluster.states[new] = InstanceState.STARTING
    spec = hub.deployments.plan_update(ann, found, Asked(hardware="cpu-medium"))
    assert spec is not None
    hub.deployments.roll_out(ann, found, spec)
    assert rounds.run()
    view = status_of(hub, ann, "chat").view
    assert (view.status, view.revision, view.serving) == ("running", 2, 1)
    assert set(cluster.workloads) == {old, new}
    cluster.states[new], cluster.reasons[new] = InstanceState.CRASHING, "It ended 3 times in a row."
    rounds.run()
    view = status_of(hub, ann, "chat").view
    assert view.reason.startswith("Revision 2 does not run; revision 1 answers. It ended")
    cluster.states[new] = InstanceState.READY
    rounds.run()
    rounds.run()
    assert status_of(hub, ann, "chat").view.serving == 2
    assert set(cluster.workloads) == {new}


def test_where_there_is_no_room_for_both_the_old_one_goes_first(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    rounds.run()
    new = f"d{found.deployment.id}-r2"
    cluster.states[new], cluster.reasons[new] = InstanceState.QUEUED, "It needs 0.5 GB of memory."
    spec = hub.deployments.plan_update(ann, found, Asked(hardware="cpu-medium"))
    assert spec is not None
    hub.deployments.roll_out(ann, found, spec)
    rounds.run()
    assert set(cluster.workloads) == {new}
    assert status_of(hub, ann, "chat").view.status == "queued"


def test_a_failure_is_told_in_plain_words(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    name = f"d{found.deployment.id}-r1"
    cluster.states[name], cluster.reasons[name] = InstanceState.CRASHING, "A file of the model is damaged."
    assert not rounds.run()
    view = status_of(hub, ann, "chat").view
    assert (view.status, view.reason, view.ready) == ("failed", "A file of the model is damaged.", 0)


def test_stopping_sleeping_and_a_deleted_model_end_what_runs(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    repo = add_model(hub, ann)
    found = deploy(hub, ann)
    rounds.run()
    for end, status in ((lambda: hub.deployments.stop(ann, found), "stopped"), (lambda: hub.deployments.scale(ann, found, 0), "sleeping")):
        end()
        assert status_of(hub, ann, "chat").deployment.endpoints == []  # at once, not at the next round
        rounds.run()
        assert [workload.replicas for workload in cluster.workloads.values()] == [0]
        assert status_of(hub, ann, "chat").view.status == status
        hub.deployments.start(ann, found)
        rounds.run()
        assert status_of(hub, ann, "chat").view.status == "running"
    hub.repos.delete(ann, repo)
    rounds.run()
    assert [workload.replicas for workload in cluster.workloads.values()] == [0]


def test_what_runs_on_demand_goes_back_to_sleep_when_nobody_asks(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    hub.deployments.scale(ann, found, 0)
    hub.deployments.wake(found.deployment.id)
    rounds.run()
    assert status_of(hub, ann, "chat").view.status == "running"
    hub.deployments.touch(found.deployment.id, status_of(hub, ann, "chat").view.updated_at - dt.timedelta(hours=1))
    rounds.run()
    assert status_of(hub, ann, "chat").view.status == "sleeping"
    assert [workload.replicas for workload in cluster.workloads.values()] == [0]


def test_a_restart_replaces_what_runs_in_place(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    rounds.run()
    (before,) = cluster.workloads.values()
    hub.deployments.restart(ann, found)
    rounds.run()
    (after,) = cluster.workloads.values()
    assert after.name == before.name
    assert after.digest != before.digest


def test_what_a_person_changed_meanwhile_is_not_written_over(hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor) -> None:
    add_model(hub, ann)
    found = deploy(hub, ann)
    cluster.after_apply = lambda: hub.deployments.stop(ann, found) and None
    rounds.run()
    cluster.after_apply = lambda: None
    assert status_of(hub, ann, "chat").view.status == "stopped"
    rounds.run()
    assert [workload.replicas for workload in cluster.workloads.values()] == [0]


def test_jobs_that_bring_what_is_missing_are_told_of(hub: Services, cluster: MemoryCluster, ann: Actor) -> None:
    from hub_core.deployments.preparing import Preparing
    from tests.common.working import work

    add_model(hub, ann)
    deploy(hub, ann)
    rounds = Rounds(hub.db, hub.platform, Preparing(hub.db, hub.jobs.queue, hub.platform))
    assert not rounds.run()
    assert status_of(hub, ann, "chat").view.status == "queued"
    assert [job.kind for job in hub.jobs.list_jobs(ann, status="queued").items] == ["model.fetch"]
    rounds.run()
    assert len(hub.jobs.list_jobs(ann).items) == 1
    work(hub)
    assert rounds.run()
    (workload,) = cluster.workloads.values()
    model = workload.command[workload.command.index("--model") + 1]
    with open(model, "rb") as file:
        assert file.read(4) == b"GGUF"


def test_what_was_seen_before_a_cluster_went_away_is_written_down(
    hub: Services, cluster: MemoryCluster, rounds: Rounds, ann: Actor
) -> None:
    for name in ("chat", "other"):
        add_model(hub, ann, name)
        deploy(hub, ann, name)
    cluster.after_apply = lambda: setattr(cluster, "down", len(cluster.workloads) == 2)
    assert not rounds.run()
    assert status_of(hub, ann, "chat").view.status == "running"
    assert status_of(hub, ann, "other").view.status == "queued"
