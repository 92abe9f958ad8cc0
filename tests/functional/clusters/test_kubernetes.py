"""The adapter for Kubernetes when things go wrong: watches that end, servers that fail, hubs that die or are two."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_core.clusters.kubernetes import writer
from hub_core.clusters.kubernetes.cluster import KubernetesCluster
from hub_core.clusters.kubernetes.connect import connect
from hub_core.clusters.port import GIB, InstanceState, ModelFiles, Resources, Scaling, Workload
from hub_core.errors import InvalidInput
from hub_core.running_errors import ClusterRefused, ClusterUnavailable
from tests.common.fake_api_server import KSERVE, FakeCluster, decoded, fake_cluster, open_cluster
from tests.common.fake_kubelet import FakeKubelet, kubelet, node
from tests.common.manifests import check
from tests.common.working import wait_until
from tests.functional.clusters.conftest import Opener

FILES = ModelFiles(7, "acme/chat", "c" * 40, ("model.gguf",), "/model")
MERGE = {"content-type": "application/merge-patch+json"}


def workload(name: str = "d7-r1", **changes: Any) -> Workload:
    base = Workload(name, {"deployment": name[1:].split("-")[0]}, ("serve",), Resources(1, GIB), 1, image="acme/server:1", owner="acme")
    return dataclasses.replace(base, **changes)


def names(cluster: KubernetesCluster) -> list[str]:
    return sorted(cluster.observe())


def kinds(fake: FakeCluster) -> dict[str, int]:
    found = {kind: len(fake.objects(kind)) for kind in ("apps/v1/deployments", "v1/services", "v1/secrets")}
    return {kind.rpartition("/")[2]: number for kind, number in found.items()}


def add_pod(fake: FakeCluster, of: str = "d7-r1", name: str = "p-1", **status: Any) -> None:
    """A pod of a workload, as a controller makes it; the tests here play the kubelet themselves."""
    (deployment,) = [one for one in fake.objects("apps/v1/deployments") if one["metadata"]["name"] == of]
    template = deployment["spec"]["template"]
    body = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "hubtalk-acme", **template["metadata"]},
        "spec": template["spec"], "status": {"phase": "Pending", **status},
    }  # fmt: skip
    httpx.post(f"{fake.url}/api/v1/namespaces/hubtalk-acme/pods", json=body).raise_for_status()


def set_status(fake: FakeCluster, name: str = "p-1", **status: Any) -> None:
    path = f"{fake.url}/api/v1/namespaces/hubtalk-acme/pods/{name}/status"
    httpx.patch(path, content=json.dumps({"status": status}), headers=MERGE).raise_for_status()


RUNNING = {
    "phase": "Running", "podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "server", "state": {"running": {}}, "ready": True}],
}  # fmt: skip


def test_all_that_is_sent_is_what_kubernetes_takes(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload(files=FILES))
    made = [body for method, _, body in fake.calls() if method.upper() == "POST"]
    assert [body["kind"] for body in made] == ["Namespace", "NetworkPolicy", "ResourceQuota", "Service", "Secret", "Deployment"]
    for body in made:
        check({**body, "metadata": {key: value for key, value in body["metadata"].items() if key not in ("uid", "resourceVersion")}})
        assert body["kind"] == "Namespace" or body["metadata"]["namespace"] == "hubtalk-acme"


def test_what_is_so_already_costs_no_call(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload())
    before = cluster.calls
    for _ in range(50):
        cluster.apply(workload())
        assert cluster.observe()["d7-r1"].replicas == 1
    assert cluster.calls == before
    cluster.apply(workload(replicas=3))
    assert cluster.calls == before + 1
    cluster.apply(workload("d8-r1"))
    assert cluster.calls == before + 3  # the namespace is there


def test_watches_that_end_are_taken_up_where_they_were(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload())
    wait_until(lambda: fake.server.open_watches >= 5)
    lists = len(fake.calls("GET", "/pods"))
    fake.end_watches()
    add_pod(fake)
    wait_until(lambda: cluster.observe()["d7-r1"].instances)
    set_status(fake, **RUNNING)
    wait_until(lambda: [one.address for one in cluster.observe()["d7-r1"].ready] == ["http://10.0.0.9:8080"])
    taken_up = fake.calls("GET", "/pods")[lists:]
    assert taken_up  # a watch, and no list: what was known is known
    assert fake.server.forgotten == 0


def test_a_version_that_the_server_forgot_makes_it_list_anew(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload())
    cluster.apply(workload("d8-r1"))
    add_pod(fake)
    wait_until(lambda: cluster.observe()["d7-r1"].instances)
    fake.run(drop_quietly(fake, "p-1"))
    fake.forget()
    wait_until(lambda: not cluster.observe()["d7-r1"].instances)
    assert names(cluster) == ["d7-r1", "d8-r1"]
    add_pod(fake, name="p-2", **RUNNING)
    wait_until(lambda: cluster.observe()["d7-r1"].ready)


async def drop_quietly(fake: FakeCluster, name: str) -> None:
    """Lose a pod without a word to those who watch."""
    for (kind, _, own), found in fake.server.objects.items():
        if kind.plural == "pods" and own == name:
            found.delete()


def test_a_server_that_fails_changes_nothing_that_is_known(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload())
    for status in (500, 503, 429, 401):
        fake.server.fault = lambda method, _path, status=status: status if method == "POST" else None
        with pytest.raises(ClusterUnavailable, match="does not answer"):
            cluster.apply(workload("d8-r1"))
    assert names(cluster) == ["d7-r1"]
    fake.server.fault = lambda _method, _path: 503
    fake.end_watches()
    wait_until(lambda: away(cluster))
    fake.server.fault = lambda _method, _path: None
    wait_until(lambda: not away(cluster))
    cluster.apply(workload("d8-r1"))
    assert names(cluster) == ["d7-r1", "d8-r1"]
    assert kinds(fake)["deployments"] == 2


def test_a_server_that_does_not_answer_in_time_is_away(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload())
    fake.server.fault = lambda method, _path: 0 if method == "PATCH" else None
    with pytest.raises(ClusterUnavailable):
        cluster.apply(workload(replicas=2))
    fake.server.fault = lambda _method, _path: None
    cluster.apply(workload(replicas=2))
    assert fake.objects("apps/v1/deployments")[0]["spec"]["replicas"] == 2


def test_a_cluster_that_went_away_and_came_back_has_no_twins(tmp_path: Path) -> None:
    first = FakeCluster(tmp_path)
    first.start()
    port = int(first.url.rpartition(":")[2])
    cluster = open_cluster(first)
    cluster.start()
    cluster.apply(workload())
    kept = {kind: first.objects(kind) for kind in ("v1/services", "apps/v1/deployments", "v1/spaces")}
    first.close()
    wait_until(lambda: away(cluster))
    with pytest.raises(ClusterUnavailable):
        cluster.inventory()
    second = FakeCluster(tmp_path)
    for kind, bodies in kept.items():
        for body in bodies:
            second.server.objects[kind, body["metadata"].get("namespace"), body["metadata"]["name"]] = body
    second.server.version = first.server.version + 5
    second.server.forgotten = second.server.version
    second.start(port)
    wait_until(lambda: not away(cluster))
    cluster.apply(workload())
    assert names(cluster) == ["d7-r1"]
    assert second.calls("POST") == []
    cluster.close()
    second.close()


def away(cluster: KubernetesCluster) -> bool:
    try:
        cluster.observe()
    except ClusterUnavailable:
        return True
    return False


def test_what_a_cluster_refuses_is_told_and_not_tried_at_every_round(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    wait_until(lambda: not away(cluster))
    fake.server.fault = lambda method, path: 403 if method == "POST" and path.endswith("/deployments") else None
    for _ in range(5):
        with pytest.raises(ClusterRefused, match="a fault of the test"):
            cluster.apply(workload())
    assert len(fake.calls("POST", "/services")) == 1
    fake.server.fault = lambda _method, _path: None
    cluster.apply(workload(replicas=2, image="acme/server:2"))  # another way to run is tried at once
    assert cluster.observe()["d7-r1"].replicas == 2


@pytest.mark.parametrize("where", ["/services", "/secrets", "/deployments"])
def test_a_hub_that_dies_while_it_makes_something_leaves_nothing_that_nobody_finds(fake: FakeCluster, opener: Opener, where: str) -> None:
    dying = opener()
    wait_until(lambda: not away(dying))
    fake.server.fault = lambda method, path: 500 if method == "POST" and path.endswith(where) else None
    with pytest.raises(ClusterUnavailable):
        dying.apply(workload(files=FILES))
    dying.close()
    fake.server.fault = lambda _method, _path: None
    second = opener()
    wait_until(lambda: not away(second))
    assert names(second) == ([] if where == "/services" else ["d7-r1"])
    assert [one.digest for one in second.observe().values()] == ([] if where == "/services" else [""])  # so it is applied again
    second.apply(workload(files=FILES))
    assert kinds(fake) == {"deployments": 1, "services": 1, "secrets": 1}
    assert second.observe()["d7-r1"].digest == workload(files=FILES).digest


def test_a_hub_that_dies_while_it_deletes_something_leaves_a_mark(fake: FakeCluster, opener: Opener) -> None:
    dying = opener()
    dying.apply(workload(files=FILES))
    fake.server.fault = lambda method, path: 500 if method == "DELETE" and "/secrets/" in path else None
    with pytest.raises(ClusterUnavailable):
        dying.delete("d7-r1")
    dying.close()
    fake.server.fault = lambda _method, _path: None
    second = opener()
    wait_until(lambda: not away(second))
    assert names(second) == ["d7-r1"]
    second.delete("d7-r1")
    assert kinds(fake) == {"deployments": 0, "services": 0, "secrets": 0}
    assert names(second) == []


def test_two_hubs_that_both_believe_to_lead_make_one_of_each(fake: FakeCluster, opener: Opener) -> None:
    one, two = opener(), opener()
    wait_until(lambda: not away(one) and not away(two))
    one.apply(workload(files=FILES))
    two.apply(workload(files=FILES))  # whether or not it has heard of the first
    assert kinds(fake) == {"deployments": 1, "services": 1, "secrets": 1}
    one.apply(workload(files=FILES, replicas=2))
    wait_until(lambda: two.observe()["d7-r1"].replicas == 2)
    two.delete("d7-r1")
    one.delete("d7-r1")
    assert kinds(fake) == {"deployments": 0, "services": 0, "secrets": 0}
    wait_until(lambda: names(one) == [] == names(two))


def test_what_belongs_to_others_is_never_seen_or_touched(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload())
    (own,) = fake.objects("apps/v1/deployments")
    for name, labels in (("foreign", {}), ("d9-r1", {"hubtalk/hub": "another", "hubtalk/workload": "d9-r1"})):
        body = {**own, "metadata": {"name": name, "namespace": "hubtalk-acme", "labels": labels}}
        httpx.post(f"{fake.url}/apis/apps/v1/namespaces/hubtalk-acme/deployments", json=body).raise_for_status()
    cluster.apply(workload("d8-r1"))
    assert names(cluster) == ["d7-r1", "d8-r1"]
    cluster.delete("foreign")
    assert len(fake.objects("apps/v1/deployments")) == 4


def test_an_owner_who_changed_takes_the_workload_along(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload(files=FILES))
    cluster.apply(workload(files=FILES, owner="bobs_lab"))
    found = [one["metadata"]["namespace"] for one in fake.objects("apps/v1/deployments")]
    assert found == [one["metadata"]["namespace"] for one in fake.objects("v1/secrets")]
    assert len(found) == 1
    assert found[0].startswith("hubtalk-bobs-lab-")
    assert names(cluster) == ["d7-r1"]


def test_a_namespace_that_somebody_deleted_is_made_again(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload())
    for kind in ("apis/apps/v1/namespaces/hubtalk-acme/deployments/d7-r1", "api/v1/namespaces/hubtalk-acme/services/d7-r1"):
        httpx.delete(f"{fake.url}/{kind}").raise_for_status()
    httpx.delete(f"{fake.url}/api/v1/namespaces/hubtalk-acme").raise_for_status()
    wait_until(lambda: names(cluster) == [])
    cluster.apply(workload())
    assert fake.server.has("v1/spaces", None, "hubtalk-acme")
    assert kinds(fake)["deployments"] == 1


def test_the_pass_is_exchanged_and_a_lost_secret_is_made_again(fake: FakeCluster, opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = opener()
    cluster.apply(workload(files=FILES))
    (secret,) = fake.objects("v1/secrets")
    assert decoded(secret)["token"] == "hubpass-7-0"
    cluster._writer.rotate(lambda _: False)
    assert not fake.calls("PATCH", "/secrets/")  # it is new
    monkeypatch.setattr(writer, "ROTATE_S", 0)
    cluster._writer.rotate(lambda _: False)
    assert len(fake.calls("PATCH", "/secrets/d7-r1-files")) == 1
    httpx.delete(f"{fake.url}/api/v1/namespaces/hubtalk-acme/secrets/d7-r1-files").raise_for_status()
    cluster._writer.rotate(lambda _: False)
    assert cluster.observe()["d7-r1"].digest == ""
    cluster.apply(workload(files=FILES))
    assert kinds(fake) == {"deployments": 1, "services": 1, "secrets": 1}
    assert cluster.observe()["d7-r1"].digest == workload(files=FILES).digest


def test_an_image_that_cannot_be_pulled_is_told(fake: FakeCluster, opener: Opener) -> None:
    with kubelet(fake) as machine:
        machine.missing.add("acme/server:1")
        cluster = opener()
        cluster.apply(workload(resources=Resources(1, GIB // 4)))
        wait_until(lambda: [one.state for one in cluster.observe()["d7-r1"].instances] == [InstanceState.CRASHING])
        (one,) = cluster.observe()["d7-r1"].instances
        assert one.reason.startswith("Its image acme/server:1 cannot be pulled: failed to pull image")


def test_a_gpu_that_nobody_has_free_is_told_with_numbers(fake: FakeCluster, opener: Opener) -> None:
    for number in (1, 2):
        body = node(f"n{number}", "64Gi", labels={"nvidia.com/gpu.product": "NVIDIA-A10"}, gpus=1)
        httpx.post(f"{fake.url}/api/v1/nodes", json=body).raise_for_status()
    cluster = opener()
    wait_until(lambda: not away(cluster))
    assert [(gpu.name, gpu.count, gpu.free) for gpu in cluster.inventory().gpus] == [("NVIDIA-A10", 2, 2)]
    cluster.apply(workload(resources=Resources(1, GIB, "a10", 1, "A10"), replicas=3))
    for number in (1, 2):
        add_pod(fake, name=f"p-{number}", **RUNNING)
        path = f"{fake.url}/api/v1/namespaces/hubtalk-acme/pods/p-{number}"
        httpx.patch(path, content=json.dumps({"spec": {"nodeName": f"n{number}"}}), headers=MERGE).raise_for_status()
    message = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
    waits = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]
    add_pod(fake, name="p-3", conditions=waits)
    wait_until(lambda: len(cluster.observe()["d7-r1"].ready) == 2 and len(cluster.observe()["d7-r1"].instances) == 3)
    assert cluster.observe()["d7-r1"].instances[2].reason == "No node has a free A10: 3 are asked for, 2 exist."
    assert [(gpu.count, gpu.free) for gpu in cluster.inventory().gpus] == [(2, 0)]
    (deployment,) = fake.objects("apps/v1/deployments")
    assert "NVIDIA-A10" in json.dumps(deployment["spec"]["template"]["spec"]["affinity"])


def test_a_quota_that_is_used_up_is_told(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload())
    message = 'pods "d7-r1-x" is forbidden: exceeded quota: hubtalk, requested: pods=1, used: pods=100, limited: pods=100'
    status = {"status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": message}]}}
    path = f"{fake.url}/apis/apps/v1/namespaces/hubtalk-acme/deployments/d7-r1/status"
    httpx.patch(path, content=json.dumps(status), headers=MERGE).raise_for_status()
    wait_until(lambda: cluster.observe()["d7-r1"].instances)
    (one,) = cluster.observe()["d7-r1"].instances
    assert (one.state, "exceeded quota" in one.reason) == (InstanceState.QUEUED, True)
    assert one.reason.startswith("What its owner may take of the cluster is used up")


def test_another_process_that_does_not_follow_the_cluster_reads_logs_and_the_inventory(fake: FakeCluster, opener: Opener) -> None:
    with kubelet(fake) as machine:
        leader = opener()
        leader.apply(workload(resources=Resources(1, GIB // 4), command=("echo", "hello")))
        wait_until(lambda: any("hello" in text for text in leader.logs("d7-r1").values()))
        other = opener()
        other.close()
        assert other.logs("d7-r1") == leader.logs("d7-r1")
        assert other.inventory().memory == GIB
        assert isinstance(machine, FakeKubelet)


def test_a_cluster_without_the_rights_is_told(fake: FakeCluster, opener: Opener) -> None:
    fake.server.fault = lambda _method, path: 403 if path == "/api/v1/nodes" else None
    cluster = opener()
    wait_until(lambda: away(cluster))
    with pytest.raises(ClusterUnavailable, match="cannot be read"):
        cluster.observe()


def test_kserve_runs_it_where_it_is_there(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, kserve=True, kueue=True) as fake:
        cluster = open_cluster(fake)
        cluster.start()
        wait_until(lambda: not away(cluster))
        cluster.apply(workload(kserve=True))
        (made,) = fake.objects(KSERVE)
        assert made["spec"]["predictor"]["minReplicas"] == 1
        cluster.apply(workload(kserve=True, replicas=2))
        assert fake.objects(KSERVE)[0]["spec"]["predictor"]["maxReplicas"] == 2
        assert (len(fake.objects(KSERVE)), len(fake.objects("v1/services"))) == (1, 1)
        assert fake.objects("apps/v1/deployments") == []
        queue = {"apiVersion": "kueue.x-k8s.io/v1beta1", "kind": "LocalQueue", "metadata": {"name": "gpus", "namespace": "hubtalk-acme"}}
        httpx.post(f"{fake.url}/apis/kueue.x-k8s.io/v1beta1/namespaces/hubtalk-acme/localqueues", json=queue).raise_for_status()
        wait_until(lambda: cluster._state.queues.all())
        cluster.apply(workload("d8-r1"))
        (plain,) = fake.objects("apps/v1/deployments")
        assert plain["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
        cluster.apply(workload(kserve=True, replicas=0))
        assert fake.objects(KSERVE) == []
        assert cluster.observe()["d7-r1"].replicas == 0
        cluster.apply(workload(kserve=True))
        assert len(fake.objects(KSERVE)) == 1
        cluster.delete("d7-r1")
        assert (fake.objects(KSERVE), names(cluster)) == ([], ["d8-r1"])
        cluster.close()


def test_without_kserve_the_same_is_a_deployment(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    cluster.apply(workload(kserve=True, scaling=Scaling(1, 3)))
    assert kinds(fake)["deployments"] == 1
    (scaler,) = fake.objects("autoscaling/v2/horizontalpodautoscalers")
    assert scaler["spec"]["maxReplicas"] == 3
    assert scaler["metadata"]["ownerReferences"][0]["uid"] == fake.objects("apps/v1/deployments")[0]["metadata"]["uid"]


def test_a_context_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n")
    with pytest.raises(InvalidInput, match="HUB_CLUSTERS: 'prod'"):
        connect("prod", str(tmp_path / "kubeconfig"))
    with pytest.raises(InvalidInput, match="HUB_CLUSTERS: 'prod'"):
        connect("prod", str(tmp_path / "nothing"))
    with pytest.raises(InvalidInput, match="HUB_CLUSTERS: 'in-cluster'"):
        connect("in-cluster")


def test_what_is_made_while_a_list_is_on_its_way_stays_known(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    wait_until(lambda: not away(cluster))
    mirror = cluster._state.deployments
    listed = mirror._pages
    made: list[str] = []

    def slow(more: Any = None) -> Any:
        found = listed(more)
        if not made:
            made.append("d7-r1")
            cluster.apply(workload())  # after the server has answered, and before the answer is read
        return found

    mirror._pages = slow  # type: ignore[method-assign]
    fake.forget()
    wait_until(lambda: made and names(cluster) == ["d7-r1"])
    cluster.apply(workload(replicas=2))
    wait_until(lambda: cluster.observe()["d7-r1"].replicas == 2)
    before = cluster.calls
    cluster.apply(workload(replicas=2))
    assert cluster.calls == before


def test_an_object_of_somebody_that_cannot_be_read_is_passed_over(fake: FakeCluster, opener: Opener) -> None:
    cluster = opener()
    wait_until(lambda: not away(cluster))
    cluster.apply(workload())
    odd = {
        "metadata": {"name": "odd", "namespace": "hubtalk-acme"},
        "spec": {"containers": ["not a container"]},
        "status": {"conditions": 5},
    }
    httpx.post(f"{fake.url}/api/v1/namespaces/hubtalk-acme/pods", json=odd).raise_for_status()
    add_pod(fake, **RUNNING)
    wait_until(lambda: cluster.observe()["d7-r1"].ready)
