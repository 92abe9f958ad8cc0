"""What people are told of pods, nodes and settings."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hub_core.clusters.kubernetes import facts
from hub_core.clusters.kubernetes.facts import quantity, read_node, read_pod, read_warning
from hub_core.clusters.kubernetes.instances import instance
from hub_core.clusters.kubernetes.inventory import inventory, products, taken
from hub_core.clusters.kubernetes.options import read_clusters, read_options, without_metadata
from hub_core.clusters.kubernetes.placing import no_place
from hub_core.clusters.port import GIB, InstanceState
from hub_core.errors import InvalidInput
from hub_core.settings import Settings
from tests.common.fake_kubelet import node

A10, A100 = {"nvidia.com/gpu.product": "NVIDIA-A10"}, {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB", "nvidia.com/gpu.memory": "81920"}


def pod(name: str = "p-1", gpus: int = 0, on: str = "", memory: str = "4Gi", **status: Any) -> facts.Pod:
    limits = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    body = {
        "metadata": {
            "name": name, "namespace": "hubtalk-acme", "uid": name, "resourceVersion": "1",
            "labels": {"hubtalk/hub": "hubtalk", "hubtalk/workload": "d7-r1"}, "annotations": {"hubtalk/digest": "x", "hubtalk/gpu": "A10"},
        },
        "spec": {
            "nodeName": on,
            "containers": [{"ports": [{"containerPort": 8000}], "resources": {"requests": {"cpu": "2", "memory": memory}, "limits": limits}}],
        },
        "status": {"phase": "Pending", "podIP": "10.1.2.3", **status},
    }  # fmt: skip
    found = read_pod(body, "hubtalk")
    assert found is not None
    return found


def told(one: facts.Pod, warning: str = "") -> tuple[str, str]:
    found = instance(one, "x", "http://10.1.2.3:8000", warning, lambda _: "no place")
    return found.state, found.reason


def waiting(reason: str, message: str = "", restarts: int = 0, last: dict[str, Any] | None = None, name: str = "server") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "name": name,
        "image": "acme/server:1",
        "state": state,
        "restartCount": restarts,
        "lastState": {"terminated": last} if last else {},
    }


def unscheduled(message: str, reason: str = "Unschedulable") -> list[dict[str, str]]:
    return [{"type": "PodScheduled", "status": "False", "reason": reason, "message": message}]


NODES = [
    read_node(node("n1", "64Gi", labels=A10, gpus=1)),
    read_node(node("n2", "64Gi", labels=A10, gpus=1)),
    read_node(node("n3", "64Gi", labels=A100, gpus=8)),
]


def placed(pods: list[facts.Pod], one: facts.Pod, asked: float = 3) -> str:
    return no_place(one, NODES, taken(pods), asked)


def test_a_missing_gpu_is_told_with_how_many_there_are() -> None:
    others = [pod("o-1", 1, "n1"), pod("o-2", 1, "n2")]
    waits = pod("w", 1, conditions=unscheduled("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."))
    assert placed(others, waits) == "No node has a free A10: 3 are asked for, 2 exist."
    two = pod("w", 2, conditions=unscheduled("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."))
    assert placed([], two, 2) == "No node has 2 free A10 at once: 2 are asked for, 2 exist."
    t4 = dataclasses.replace(waits, gpu="T4")
    assert placed([], t4) == "No node of the cluster has a T4."


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("0/3 nodes are available: 3 Insufficient memory.", "No node has 4.0 GB of memory free."),
        ("0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available", "No node has 2 processors free."),
        ("0/3 nodes are available: 3 node(s) had untolerated taint {a: b}.", "The nodes that could take it are kept for other work."),
        ("0/3 nodes are available: 3 node(s) were unhappy. preemption: none", "The cluster finds no place for it: 3 node(s) were unhappy"),
    ],
)
def test_what_the_scheduler_says_is_told_in_plain_words(message: str, expected: str) -> None:
    assert placed([], pod(conditions=unscheduled(message))) == expected


def test_a_pod_in_a_queue_waits_for_its_turn() -> None:
    one = dataclasses.replace(pod(conditions=unscheduled("", "SchedulingGated")), queue="gpu-queue")
    assert placed([], one) == "It waits for its turn in the queue gpu-queue of the cluster."


def test_an_image_that_cannot_be_pulled_is_a_failure_with_its_name() -> None:
    first = pod(containerStatuses=[waiting("ErrImagePull", "not found")])
    later = pod(containerStatuses=[waiting("ImagePullBackOff", "Back-off pulling image")])
    assert told(first) == (InstanceState.WAITING, "Its image acme/server:1 cannot be pulled: not found")
    assert told(later)[0] == InstanceState.CRASHING


def test_a_crash_is_explained_from_the_end_of_its_log() -> None:
    end = {"exitCode": 1, "reason": "Error", "message": "loading\nRuntimeError: CUDA error: no CUDA-capable device is detected\n"}
    state, reason = told(pod(containerStatuses=[waiting("CrashLoopBackOff", "back-off", 3, end)]))
    assert state == InstanceState.CRASHING
    assert reason.startswith("There is no GPU that it can use.")
    assert "3 times in a row" in reason
    assert "no CUDA-capable device" in reason
    assert told(pod(containerStatuses=[waiting("CrashLoopBackOff", "", 1, end)]))[0] == InstanceState.WAITING


def test_a_program_that_the_kernel_killed_needs_more_memory() -> None:
    _, reason = told(pod(containerStatuses=[waiting("CrashLoopBackOff", "", 2, {"exitCode": 137, "reason": "OOMKilled"})]))
    assert reason.startswith("It needs more memory than it was given.")
    _, killed = told(pod(containerStatuses=[waiting("CrashLoopBackOff", "", 1, {"exitCode": 137, "reason": "Error"})]))
    assert "SIGKILL" in killed


def test_a_model_that_cannot_be_downloaded_is_told_with_the_last_line() -> None:
    fetch = waiting(
        "CrashLoopBackOff", "", 3, {"exitCode": 1, "message": "1/2 a\nmodel.gguf cannot be downloaded: HTTP Error 401"}, "fetch"
    )
    state, reason = told(pod(initContainerStatuses=[fetch]))
    assert (state, reason) == (
        InstanceState.CRASHING, "The model's files cannot be downloaded: model.gguf cannot be downloaded: HTTP Error 401",
    )  # fmt: skip
    assert told(pod(initContainerStatuses=[{"name": "fetch", "state": {"running": {}}}]))[1] == "It downloads the model's files."
    done = {"name": "fetch", "state": {"terminated": {"exitCode": 0}}}
    assert told(pod(initContainerStatuses=[done], containerStatuses=[waiting("PodInitializing")])) == (InstanceState.STARTING, "")


def test_a_copy_is_ready_starting_or_silent() -> None:
    def running(ready: bool, started: bool) -> facts.Pod:
        state = {"running": {"startedAt": "2026-11-23T10:00:00Z"}}
        return pod(
            phase="Running", conditions=[{"type": "Ready", "status": str(ready)}],
            containerStatuses=[{"name": "server", "state": state, "ready": ready, "started": started}],
        )  # fmt: skip

    found = instance(running(True, True), "x", "http://10.1.2.3:8000", "", lambda _: "")
    assert (found.state, found.address) == (InstanceState.READY, "http://10.1.2.3:8000")
    assert found.started_at is not None
    assert told(running(False, False))[0] == InstanceState.STARTING
    assert told(running(False, True))[0] == InstanceState.SILENT
    other = instance(running(True, True), "another", "http://10.1.2.3:8000", "", lambda _: "")
    assert other.state == InstanceState.STOPPING


def test_a_warning_is_told_where_nothing_better_is_known() -> None:
    assert told(pod(), "MountVolume.SetUp failed") == (InstanceState.STARTING, "The cluster says: MountVolume.SetUp failed")
    event = {"type": "Warning", "message": "x", "reason": "y", "metadata": {"name": "e", "namespace": "hubtalk-acme"}}
    own = event | {"involvedObject": {"kind": "Pod", "namespace": "hubtalk-acme", "uid": "u"}}
    assert read_warning(own, "hubtalk-") is not None
    assert read_warning(event | {"involvedObject": {"kind": "Pod", "namespace": "default"}}, "hubtalk-") is None


def test_the_inventory_is_what_nodes_have_less_what_pods_asked_for() -> None:
    closed = [
        read_node(node("n4", "1Ti", ready=False)),
        read_node(node("n5", "1Ti", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])),
    ]
    found = inventory([*NODES, *closed], taken([pod("o-1", 1, "n1"), pod("o-2", 0, "n3", "10Gi"), pod("o-3")]))
    assert (found.cpus, found.memory, found.machine_memory) == (8, 192 * GIB, 64 * GIB)
    assert found.free_memory == 178 * GIB
    assert [(gpu.name, gpu.count, gpu.free) for gpu in found.gpus] == [("NVIDIA-A10", 2, 1), ("NVIDIA-A100-SXM4-80GB", 8, 8)]
    assert found.gpus[1].memory == 80 * GIB
    reserved = read_node(node("n6", "1Gi", gpus=1, labels=A10, taints=[{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]))
    assert reserved.usable  # for pods that ask for a GPU, and those of ours say so
    assert products("A10", NODES) == ["NVIDIA-A10"]


def test_a_pod_that_has_ended_gives_its_room_back() -> None:
    body = {"metadata": {"name": "p"}, "spec": {"nodeName": "n1"}, "status": {"phase": "Succeeded"}}
    assert read_pod(body, "hubtalk") is None


def test_an_init_container_that_takes_more_counts() -> None:
    body = {
        "metadata": {"name": "p"}, "status": {"phase": "Running"},
        "spec": {
            "containers": [{"resources": {"requests": {"memory": "1Gi"}}}, {"resources": {"limits": {"memory": "1Gi"}}}],
            "initContainers": [{"resources": {"requests": {"memory": "5Gi"}}}],
        },
    }  # fmt: skip
    found = read_pod(body, "hubtalk")
    assert found is not None
    assert found.requests.memory == 5 * GIB


@pytest.mark.parametrize(
    ("said", "number"), [("500m", 0.5), ("2", 2), ("16Gi", 16 * GIB), ("1e3", 1000), ("1.5Ki", 1536), ("nonsense", 0), ("", 0), (None, 0)]
)
def test_quantities_are_read_as_kubernetes_means_them(said: object, number: float) -> None:
    assert quantity(said) == number


BUILDS = {"cluster_space_registry": "r.example:5000/x/y", "cluster_build_namespace": "builds"}


def settings(**changes: Any) -> Settings:
    return Settings(clusters="prod", public_url="https://hub.example.com", **changes)


def test_settings_of_clusters_are_read_once_and_checked() -> None:
    options = read_options(settings(cluster_peers="hubtalk, 10.20.0.0/16", cluster_quota="pods=50, gpu=8,memory=512Gi"))
    assert options.namespaces == ("hubtalk",)
    assert [str(network) for network in options.networks] == ["10.20.0.0/16"]
    assert options.quota == {"pods": "50", "requests.nvidia.com/gpu": "8", "requests.memory": "512Gi"}
    assert (options.hub_url, options.address) == ("https://hub.example.com", "pods")
    assert options.building is None
    building = read_options(settings(**BUILDS, cluster_build_peers="mirrors,10.30.0.0/16", cluster_registry_secret="a.b")).building
    assert building is not None
    assert (building.registry, building.namespaces, building.seconds) == ("r.example:5000/x/y", ("mirrors",), 1800)
    long = "arn:aws:eks:eu-west-1:123456789012:cluster/prod"
    assert read_clusters(f"lab, prod={long}, in-cluster") == {"lab": "lab", "prod": long, "in-cluster": "in-cluster"}
    assert read_clusters("") == {}
    assert [without_metadata(network) for network in read_options(settings(cluster_peers="0.0.0.0/0,::/0,10.0.0.0/8")).networks] == [
        ["169.254.0.0/16"], [], [],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cluster_namespace_prefix": "Hub_"}, "HUB_CLUSTER_NAMESPACE_PREFIX"),
        ({"cluster_namespace_prefix": "a-very-long-prefix-"}, "HUB_CLUSTER_NAMESPACE_PREFIX"),
        ({"public_url": "", "cluster_hub_url": ""}, "HUB_CLUSTER_HUB_URL"),
        ({"cluster_hub_url": "hub.example.com"}, "HUB_CLUSTER_HUB_URL"),
        ({"cluster_peers": "10.20.0.1/16"}, "HUB_CLUSTER_PEERS"),
        ({"cluster_peers": "Hub Talk"}, "HUB_CLUSTER_PEERS"),
        ({"cluster_quota": "disks=4"}, "HUB_CLUSTER_QUOTA"),
        ({"cluster_space_registry": "acme/spaces"}, "HUB_CLUSTER_SPACE_REGISTRY"),
        ({"cluster_space_registry": "registry.example.com"}, "HUB_CLUSTER_SPACE_REGISTRY"),
        ({"cluster_space_registry": "Registry.example.com/x"}, "HUB_CLUSTER_SPACE_REGISTRY"),
        ({"cluster_space_registry": "https://registry.example.com/x"}, "HUB_CLUSTER_SPACE_REGISTRY"),
        ({"cluster_space_registry": "r.example/x"}, "HUB_CLUSTER_BUILD_NAMESPACE"),
        ({"cluster_space_registry": "r.example/x", "cluster_build_namespace": "hubtalk-builds"}, "HUB_CLUSTER_BUILD_NAMESPACE"),
        ({**BUILDS, "cluster_registry_secret": "a/b"}, "HUB_CLUSTER_REGISTRY_SECRET"),
        ({**BUILDS, "cluster_build_peers": "everywhere/0"}, "HUB_CLUSTER_BUILD_PEERS"),
        ({**BUILDS, "cluster_build_minutes": 0}, "HUB_CLUSTER_BUILD_MINUTES"),
        ({**BUILDS, "cluster_build_gb": 0.0}, "HUB_CLUSTER_BUILD_GB"),
        ({"cluster_quota": "gpu=many"}, "HUB_CLUSTER_QUOTA"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        read_options(dataclasses.replace(settings(), **change))


@pytest.mark.parametrize("said", ["local", "prod,prod", "a/b", "x=1,x=2"])
def test_wrong_names_of_clusters_are_refused(said: str) -> None:
    with pytest.raises(InvalidInput, match="HUB_CLUSTERS"):
        read_clusters(said)
