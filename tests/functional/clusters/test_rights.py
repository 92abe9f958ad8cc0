"""The rights in docs/kubernetes.md are valid, enough for all that the hub does, and no more."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from hub_core.clusters.kubernetes.cluster import KubernetesCluster
from hub_core.clusters.kubernetes.taskobjects import KUBEFLOW
from hub_core.clusters.kubernetes.tasks import KubernetesTasks
from hub_core.clusters.port import GIB, Resources, Scaling, Task, TaskState
from tests.common.fake_api_server import OPTIONS, FakeCluster, fake_cluster, open_cluster
from tests.common.fake_kubelet import kubelet
from tests.common.manifests import check
from tests.common.working import wait_until
from tests.functional.clusters.test_kubernetes import FILES, away, workload

PAGE = Path(__file__).parents[3] / "docs" / "kubernetes.md"
VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}
SMALL = Resources(1, GIB // 8)
Right = tuple[str, str, str]
"""Group, resource and verb."""


def documented() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(PAGE.read_text(encoding="utf-8").split("```yaml")[1].split("```")[0]))


def granted() -> set[Right]:
    return {
        (group, resource, verb)
        for rule in documented()[0]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def needed(method: str, path: str, watches: bool) -> Right:
    """The right that a call needs, as an API server works it out."""
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    rest = rest[2:] if rest[0] == "namespaces" and len(rest) > 2 else rest
    read = "watch" if watches else "get" if len(rest) > 1 else "list"
    return group, "/".join([rest[0], *rest[2:]]), VERBS.get(method, read)


def test_the_rights_are_objects_that_kubernetes_takes() -> None:
    for body in documented():
        check(body)


def test_the_rights_are_those_that_are_used(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, kserve=True, kueue=True, metrics=True, kubeflow=True) as fake, kubelet(fake):
        hub = followed(fake)
        everything(hub)
        again, without_quota = followed(fake), followed(fake, quota={})
        for number, one in enumerate((again, without_quota)):
            one.apply(workload(f"d{20 + number}-r1", resources=SMALL))
        for one in (hub, again, without_quota):
            one.close()
        used = {needed(method, path, watches) for method, path, watches, who in fake.server.asked if who == "hubtalk"}
    assert used == granted()


def followed(fake: FakeCluster, **changes: Any) -> KubernetesCluster:
    """A hub that has begun to follow the cluster."""
    cluster = open_cluster(fake, options=dataclasses.replace(OPTIONS, **changes))
    cluster.start()
    wait_until(lambda: not away(cluster))
    return cluster


def everything(hub: KubernetesCluster) -> None:
    """All that a hub does in a cluster."""
    logging = workload("d6-r1", resources=SMALL, command=("echo", "hello"), scaling=Scaling(1, 2))
    hub.apply(logging)
    wait_until(lambda: any("hello" in text for text in hub.logs("d6-r1").values()))
    hub.apply(dataclasses.replace(logging, image="acme/server:2"))
    for name, kserve in (("d7-r1", True), ("d8-r1", False)):
        one = workload(name, files=FILES, kserve=kserve, resources=SMALL)
        hub.apply(one)
        hub.apply(dataclasses.replace(one, replicas=2))
    hub.use()
    hub._writer._passed.clear()
    hub._writer.rotate(lambda _: False)
    for name in ("d6-r1", "d7-r1", "d8-r1"):
        hub.delete(name)
    task = Task("j1", "acme", 1, "acme/trainer:1", ("echo", "hello"), SMALL, {"token": "pass"})
    tasks = KubernetesTasks(hub._api, dataclasses.replace(OPTIONS, train_jobs=True), hub._state, hub._writer)
    for one in (hub.tasks, tasks):
        one.start(task)
        one.start(task)
        wait_until(lambda one=one: one.status("j1", "acme").state is TaskState.SUCCEEDED)  # type: ignore[misc]
        assert [line.text for line in one.log("j1", "acme")] == ["hello"]
        one.end("j1", "acme")
    tasks.start(task)
    hub._api.delete(f"{KUBEFLOW}/namespaces/hubtalk-acme/trainjobs/j1")  # as if a hub had died before it made it
    tasks.start(task)
    tasks.end("j1", "acme")
