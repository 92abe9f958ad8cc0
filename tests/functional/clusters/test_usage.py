"""What copies in a cluster take, as its metrics server tells it; and that nothing breaks where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from hub_core.clusters.kubernetes import usage
from hub_core.clusters.kubernetes.usage import Gauge
from hub_core.clusters.port import CopyUse, Gauged
from tests.common.fake_api_server import FakeCluster, fake_cluster, open_cluster
from tests.common.working import wait_until
from tests.functional.clusters.conftest import Opener
from tests.functional.clusters.test_kubernetes import RUNNING, add_pod, away, workload

OURS = {"hubtalk/hub": "hubtalk", "hubtalk/workload": "d7-r1"}
MIB = 1024**2


def measured(fake: FakeCluster, name: str, *used: tuple[str, str], labels: dict[str, str] = OURS) -> None:
    """What a metrics server says of a pod: processors and memory of each container."""
    containers = [{"name": f"c{number}", "usage": {"cpu": cpu, "memory": memory}} for number, (cpu, memory) in enumerate(used)]
    body: dict[str, Any] = {"kind": "PodMetrics", "metadata": {"name": name, "namespace": "hubtalk-acme", "labels": labels}}
    path = f"{fake.url}/apis/metrics.k8s.io/v1beta1/namespaces/hubtalk-acme/pods"
    httpx.post(path, json=body | {"timestamp": "2026-01-01T00:00:00Z", "window": "15s", "containers": containers}).raise_for_status()


def test_what_copies_take_is_told_in_one_call_for_all_of_them(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, metrics=True) as fake:
        cluster = open_cluster(fake)
        assert isinstance(cluster, Gauged)
        assert cluster.use() == {}  # it does not follow the cluster, so it cannot tell whose a pod is
        cluster.start()
        wait_until(lambda: not away(cluster))
        cluster.apply(workload(replicas=2))
        cluster.apply(workload("d8-r1"))
        for name, of in (("p-1", "d7-r1"), ("p-2", "d7-r1"), ("p-3", "d8-r1")):
            add_pod(fake, of, name, **RUNNING)
        measured(fake, "p-1", ("1500m", "300Mi"), ("250000000n", "20480Ki"))
        measured(fake, "p-3", ("0", "1Gi"))
        measured(fake, "gone", ("1", "1Gi"))  # a metrics server is some seconds late
        measured(fake, "others", ("1", "1Gi"), labels={})
        wait_until(lambda: len(cluster.observe()["d8-r1"].instances) == 1 and len(cluster.observe()["d7-r1"].instances) == 2)
        expected = {"d7-r1": {"p-1": CopyUse(320 * MIB, cpus=1.75)}, "d8-r1": {"p-3": CopyUse(1024 * MIB, cpus=0.0)}}
        assert [cluster.use() for _ in range(5)] == [expected] * 5
        (asked,) = fake.calls("GET", "metrics.k8s.io")
        assert asked[1] == usage.PATH
        cluster.close()


def test_without_a_metrics_server_nothing_is_known_and_it_is_not_asked_again_and_again(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload())
    add_pod(fake, **RUNNING)
    wait_until(lambda: cluster.observe()["d7-r1"].ready)
    before = cluster.calls
    assert [cluster.use() for _ in range(5)] == [{}] * 5
    assert cluster.calls == before + 1


def test_a_metrics_server_that_is_away_or_closed_takes_nothing_else_along(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, metrics=True) as fake:
        cluster = open_cluster(fake)
        cluster.start()
        wait_until(lambda: not away(cluster))
        cluster.apply(workload())
        for status in (403, 503):
            fake.server.fault = lambda _method, path, status=status: status if "metrics.k8s.io" in path else None
            assert Gauge(cluster._api, "hubtalk/hub=hubtalk").read() == {}
        assert cluster.use() == {}
        assert cluster.observe()["d7-r1"].replicas == 1
        cluster.close()
