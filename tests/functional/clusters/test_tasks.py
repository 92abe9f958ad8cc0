"""Programs that run once: what is told of them, from the objects of a cluster whose controllers the tests play."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_core.clusters.port import GIB, Resources, Task, Tasks, TaskState
from hub_core.running_errors import ClusterUnavailable
from tests.common.fake_api_server import FakeCluster, decoded, fake_cluster, open_cluster
from tests.functional.clusters.test_kubernetes import MERGE

TASK = Task("j1", "acme", 1, "acme/trainer:1", ("python3", "x"), Resources(1, GIB), {"token": "pass", "a/b.py": "pass"})
IN = "namespaces/hubtalk-acme"


def patch(fake: FakeCluster, path: str, **body: Any) -> None:
    httpx.patch(f"{fake.url}{path}", content=json.dumps(body), headers=MERGE).raise_for_status()


def add_pod(fake: FakeCluster, name: str = "p-1", labels: dict[str, str] | None = None, **status: Any) -> None:
    """The pod of the Job, as its controller makes it."""
    template = fake.objects("batch/v1/jobs")[0]["spec"]["template"]
    about = {"name": name, "namespace": "hubtalk-acme", **template["metadata"], "labels": template["metadata"]["labels"] | (labels or {})}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": template["spec"], "status": {"phase": "Pending", **status}}
    httpx.post(f"{fake.url}/api/v1/{IN}/pods", json=body).raise_for_status()


def end_job(fake: FakeCluster, kind: str, message: str = "") -> None:
    conditions = [{"type": kind, "status": "True", "message": message}]
    patch(fake, f"/apis/batch/v1/{IN}/jobs/j1/status", status={"conditions": conditions})


def one(tasks: Tasks) -> tuple[TaskState, str]:
    found = tasks.status("j1", "acme")
    assert found is not None
    return found.state, found.reason


@pytest.fixture
def tasks(fake: FakeCluster) -> Tasks:
    """Of a process that does not follow the cluster, as a worker."""
    return open_cluster(fake).tasks


def test_starting_twice_is_the_same_as_once_but_for_the_pass(fake: FakeCluster, tasks: Tasks) -> None:
    assert tasks.status("j1", "acme") is None
    tasks.start(TASK)
    tasks.start(Task(**{key: getattr(TASK, key) for key in ("name", "owner", "hub_job", "image", "command", "resources")}, texts={"token": "new", "a/b.py": "pass"}))  # fmt: skip
    assert len(fake.objects("batch/v1/jobs")) == 1
    (secret,) = fake.objects("v1/secrets")
    assert decoded(secret) == {"token": "new", "a__b.py": "pass"}
    items = fake.objects("batch/v1/jobs")[0]["spec"]["template"]["spec"]["volumes"][-1]["secret"]["items"]
    assert {"key": "a__b.py", "path": "a/b.py"} in items
    tasks.end("j1", "acme")
    tasks.end("j1", "acme")
    assert fake.objects("batch/v1/jobs") == [] == fake.objects("v1/secrets")


def test_how_it_is_follows_from_its_pod(fake: FakeCluster, tasks: Tasks) -> None:
    tasks.start(TASK)
    assert one(tasks) == (TaskState.WAITING, "")
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: no GPU"}
    add_pod(fake, conditions=[unplaced])
    assert one(tasks) == (TaskState.WAITING, "The cluster finds no place for it: 0/3 nodes: no GPU")
    path = f"/api/v1/{IN}/pods/p-1/status"
    running = {"name": "node", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    patch(fake, path, status={"conditions": [], "containerStatuses": [running]})
    assert one(tasks) == (TaskState.RUNNING, "")
    found = tasks.status("j1", "acme")
    assert found is not None and found.started_at is not None
    killed = {"name": "node", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    patch(fake, path, status={"phase": "Failed", "containerStatuses": [killed]})
    assert one(tasks)[0] is TaskState.RUNNING  # the Job has not heard of it
    end_job(fake, "Failed", "BackoffLimitExceeded")
    assert one(tasks)[0] is TaskState.FAILED
    assert one(tasks)[1].startswith("It needs more memory than it was given.")


def test_an_end_without_a_pod_is_told_in_the_clusters_words(fake: FakeCluster, tasks: Tasks) -> None:
    tasks.start(TASK)
    end_job(fake, "Failed", "Job was active longer than specified deadline")
    assert one(tasks) == (TaskState.FAILED, "The cluster says: Job was active longer than specified deadline")


def test_an_end_at_its_time_or_for_the_disk_of_its_node_is_told(fake: FakeCluster, tasks: Tasks) -> None:
    tasks.start(TASK)
    add_pod(fake, phase="Failed", reason="Evicted", message="Pod ephemeral local storage usage exceeds the total limit of containers 10Gi.")
    end_job(fake, "Failed", "Job has reached the specified backoff limit")
    assert one(tasks) == (
        TaskState.FAILED, "The cluster says: Pod ephemeral local storage usage exceeds the total limit of containers 10Gi.",
    )  # fmt: skip
    ended = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline"}
    patch(fake, f"/apis/batch/v1/{IN}/jobs/j1/status", status={"conditions": [ended]})
    assert one(tasks) == (TaskState.FAILED, "It took longer than it may.")


def test_a_pod_that_the_cluster_does_not_make_is_told_in_its_words(fake: FakeCluster, tasks: Tasks) -> None:
    tasks.start(TASK)
    for number, uid in enumerate((fake.objects("batch/v1/jobs")[0]["metadata"]["uid"], "another")):
        about = {"kind": "Job", "name": "j1", "namespace": "hubtalk-acme", "uid": uid}
        said = {"reason": "FailedCreate", "type": "Warning", "message": f"pods are forbidden: violates PodSecurity {number}"}
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"e-{number}", "namespace": "hubtalk-acme"},
            "involvedObject": about,
            **said,
        }
        httpx.post(f"{fake.url}/api/v1/{IN}/events", json=body).raise_for_status()
    assert one(tasks) == (TaskState.WAITING, "The cluster cannot make it: pods are forbidden: violates PodSecurity 0")


def test_the_pod_of_one_that_had_the_name_before_does_not_count(fake: FakeCluster, tasks: Tasks) -> None:
    tasks.start(TASK)
    add_pod(fake, "old", {"hubtalk/run": "another"}, containerStatuses=[{"name": "node", "state": {"running": {}}}])
    assert one(tasks) == (TaskState.WAITING, "")


def test_a_queue_of_kueue_takes_it(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, kueue=True) as fake:
        tasks = open_cluster(fake).tasks
        tasks.start(TASK)
        assert "kueue.x-k8s.io/queue-name" not in fake.objects("batch/v1/jobs")[0]["metadata"]["labels"]
        tasks.end("j1", "acme")
        queue = {"apiVersion": "kueue.x-k8s.io/v1beta1", "kind": "LocalQueue", "metadata": {"name": "gpus", "namespace": "hubtalk-acme"}}
        httpx.post(f"{fake.url}/apis/kueue.x-k8s.io/v1beta1/{IN}/localqueues", json=queue).raise_for_status()
        tasks.start(TASK)
        assert fake.objects("batch/v1/jobs")[0]["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
        patch(fake, f"/apis/batch/v1/{IN}/jobs/j1", spec={"suspend": True})
        assert one(tasks) == (TaskState.WAITING, "It waits for its turn in the queue gpus of the cluster.")


def test_each_line_of_the_log_is_heard_once_in_its_order(fake: FakeCluster, tasks: Tasks) -> None:
    tasks.start(TASK)
    assert tasks.log("j1", "acme") == []
    add_pod(fake)
    said = ""
    fake.server.log = lambda _namespace, _pod, _container, _lines: said or None
    heard: list[str] = []
    after = ""
    for more in (1, 3, 0, 5):
        said += "".join(f"line {said.count(chr(10)) + number}\n" for number in range(more))
        lines = tasks.log("j1", "acme", after)
        heard += [line.text for line in lines]
        after = lines[-1].at if lines else after
    assert heard == [f"line {number}" for number in range(9)]


def test_a_namespace_that_went_away_is_made_again_and_a_cluster_that_is_away_is_told(fake: FakeCluster, tasks: Tasks) -> None:
    tasks.start(TASK)
    tasks.end("j1", "acme")
    httpx.delete(f"{fake.url}/api/v1/namespaces/hubtalk-acme").raise_for_status()
    tasks.start(TASK)
    assert len(fake.objects("batch/v1/jobs")) == 1
    fake.server.fault = lambda _method, _path: 503
    with pytest.raises(ClusterUnavailable):
        tasks.status("j1", "acme")
