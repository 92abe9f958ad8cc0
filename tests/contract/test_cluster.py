"""What every cluster does, whatever it runs programs on. Add an adapter to `ADAPTERS` to hold it to the same."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_core.clusters.local.cluster import LocalCluster
from hub_core.clusters.port import Cluster, InstanceState, Probe, Resources, Workload, WorkloadStatus
from tests.common import fake_runtime
from tests.common.fake_api_server import fake_cluster, open_cluster
from tests.common.fake_kubelet import kubelet
from tests.common.working import wait_until

MIB = 1024**2
Opener = Callable[[], Cluster]


@contextmanager
def local(folder: Path) -> Iterator[Opener]:
    def make() -> Cluster:
        opened = LocalCluster(folder / "local", memory=1024 * MIB, grace_s=20)
        opened.start()
        return opened

    yield make
    last = make()
    for name in last.observe():
        last.delete(name)
    wait_until(lambda: not [path for path in (folder / "local").iterdir() if path.is_dir()])
    last.close()


@contextmanager
def kubernetes(folder: Path) -> Iterator[Opener]:
    """Against a mock of the API server, with a node that runs real processes."""
    with fake_cluster(folder) as fake, kubelet(fake):

        def make() -> Cluster:
            opened = open_cluster(fake)
            opened.start()
            return opened

        yield make


ADAPTERS = {"kubernetes": kubernetes, "local": local}


@pytest.fixture(params=sorted(ADAPTERS))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the cluster; a second call is a hub that was started again."""
    with ADAPTERS[request.param](tmp_path) as make:
        yield make


@pytest.fixture
def cluster(opener: Opener) -> Iterator[Cluster]:
    opened = opener()
    yield opened
    opened.close()


def workload(replicas: int = 1, version: str = "1", memory: int = 256, **environment: str) -> Workload:
    command = (sys.executable, fake_runtime.__file__, "--host", "{host}", "--port", "{port}", "--version", version)
    return Workload(
        "d1-r1", {"deployment": "1"}, command, Resources(1, memory * MIB), replicas, environment, Probe("/health", 30), image="fake:1"
    )


def status(cluster: Cluster) -> WorkloadStatus:
    return cluster.observe()["d1-r1"]


def ready(cluster: Cluster, count: int = 1) -> WorkloadStatus:
    wait_until(lambda: len(status(cluster).ready) == count)
    return status(cluster)


def pid(address: str) -> int:
    return int(httpx.get(address + "/health").json()["pid"])


def test_what_is_applied_runs_and_answers(cluster: Cluster) -> None:
    cluster.apply(workload(2))
    found = ready(cluster, 2)
    assert found.labels == {"deployment": "1"}
    assert found.digest == workload().digest
    assert len({pid(one.address) for one in found.ready}) == 2
    assert all(one.started_at for one in found.ready)


def test_applying_twice_is_the_same_as_once(cluster: Cluster) -> None:
    cluster.apply(workload())
    before = pid(ready(cluster).ready[0].address)
    cluster.apply(workload())
    assert pid(ready(cluster).ready[0].address) == before


def test_scaling_keeps_what_runs(cluster: Cluster) -> None:
    cluster.apply(workload())
    before = pid(ready(cluster).ready[0].address)
    cluster.apply(workload(2))
    assert before in {pid(one.address) for one in ready(cluster, 2).ready}
    cluster.apply(workload(0))
    wait_until(lambda: not status(cluster).instances)
    assert status(cluster).replicas == 0


def test_another_way_to_run_replaces_what_runs(cluster: Cluster) -> None:
    cluster.apply(workload())
    before = ready(cluster)
    first = pid(before.ready[0].address)
    changed = workload(version="2")
    cluster.apply(changed)
    wait_until(lambda: status(cluster).ready and pid(status(cluster).ready[0].address) != first)
    assert status(cluster).digest == changed.digest != before.digest
    assert "version 2" in cluster.logs("d1-r1")[status(cluster).ready[0].name]


def test_deleting_ends_it_and_may_be_repeated(cluster: Cluster) -> None:
    cluster.apply(workload())
    address = ready(cluster).ready[0].address
    cluster.delete("d1-r1")
    cluster.delete("d1-r1")
    assert "d1-r1" not in cluster.observe()
    wait_until(lambda: not answers(address))
    cluster.delete("never-there")


def test_what_dies_is_started_again(cluster: Cluster) -> None:
    cluster.apply(workload())
    address = ready(cluster).ready[0].address
    before = pid(address)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: status(cluster).ready and status(cluster).instances[0].restarts == 1)
    assert pid(status(cluster).ready[0].address) != before


def test_what_keeps_ending_is_told_with_its_reason(cluster: Cluster) -> None:
    cluster.apply(workload(FAKE_FAIL="ValueError: unknown model architecture: 'mystery'"))
    wait_until(lambda: status(cluster).instances and status(cluster).instances[0].state is InstanceState.CRASHING, 30)
    reason = status(cluster).instances[0].reason
    assert reason.startswith("This runtime does not know the model's architecture")
    assert "3 times in a row" in reason
    assert "mystery" in reason


def test_what_has_no_room_waits_for_it(cluster: Cluster) -> None:
    cluster.apply(workload(2, memory=700))
    wait_until(lambda: sorted(one.state for one in status(cluster).instances) == [InstanceState.QUEUED, InstanceState.READY])
    assert "memory" in next(one.reason for one in status(cluster).instances if one.state is InstanceState.QUEUED)


def test_the_logs_have_what_it_wrote(cluster: Cluster) -> None:
    cluster.apply(workload())
    name = ready(cluster).ready[0].name
    assert "serving" in cluster.logs("d1-r1")[name]
    assert cluster.logs("d1-r1", 1)[name].count("\n") == 0
    assert cluster.logs("never-there") == {}


def test_the_inventory_knows_what_is_free(cluster: Cluster) -> None:
    before = cluster.inventory()
    assert before.cpus >= 1
    cluster.apply(workload())
    ready(cluster)
    assert cluster.inventory().free_memory < before.free_memory <= before.memory


def test_a_hub_that_starts_again_finds_what_runs(opener: Opener) -> None:
    first = opener()
    first.apply(workload())
    before = pid(ready(first).ready[0].address)
    first.close()
    second = opener()
    assert pid(ready(second).ready[0].address) == before
    assert status(second).labels == {"deployment": "1"}
    second.apply(workload())
    assert pid(ready(second).ready[0].address) == before
    second.close()


def test_what_was_deleted_ends_although_the_hub_was_started_again(opener: Opener) -> None:
    first = opener()
    first.apply(workload())
    address = ready(first).ready[0].address
    first.close()
    first.delete("d1-r1")
    second = opener()
    assert "d1-r1" not in second.observe()
    wait_until(lambda: not answers(address))
    second.close()


def answers(address: str) -> Any:
    try:
        return httpx.get(address + "/health", timeout=1).is_success
    except httpx.HTTPError:
        return False
