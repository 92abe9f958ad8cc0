"""The objects of a task, as JSON: a Job, or a TrainJob of Kubeflow with a runtime of its own; and the Secret with its files."""

from __future__ import annotations

from typing import Any

from hub_core.clusters.kubernetes.names import HUB_JOB, QUEUE, RUN, labels_of, secret_name
from hub_core.clusters.kubernetes.objects import encoded
from hub_core.clusters.kubernetes.options import Options
from hub_core.clusters.kubernetes.podspec import Gpus, keys_of, task_template
from hub_core.clusters.port import Task

KEPT_S = 7 * 24 * 3600  # how long a Job that has ended stays, if nobody deletes it
BATCH, KUBEFLOW = "/apis/batch/v1", "/apis/trainer.kubeflow.org/v1alpha1"
_GROUP = "trainer.kubeflow.org"


def job(task: Task, options: Options, namespace: str, gpus: Gpus, queue: str, run: str) -> dict[str, Any]:
    """The Job: one pod, which is never started again by the cluster. The hub does that, from the last checkpoint."""
    spec = _job_spec(task, options, gpus, run) | {"ttlSecondsAfterFinished": KEPT_S}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _about(task, options, namespace, queue, run), "spec": spec}


def runtime(task: Task, options: Options, namespace: str, gpus: Gpus, run: str) -> dict[str, Any]:
    """The TrainingRuntime that a TrainJob refers to: one for each task, as its pods keep to the hub's rules, and not to those of somebody else."""
    node = {
        "name": "node",
        "template": {"metadata": {"labels": {f"{_GROUP}/trainjob-ancestor-step": "trainer"}}, "spec": _job_spec(task, options, gpus, run)},
    }
    return {
        "apiVersion": f"{_GROUP}/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": _about(task, options, namespace, "", run),
        "spec": {"mlPolicy": {"numNodes": 1}, "template": {"spec": {"replicatedJobs": [node]}}},
    }


def train_job(task: Task, options: Options, namespace: str, queue: str, run: str) -> dict[str, Any]:
    """The TrainJob."""
    return {
        "apiVersion": f"{_GROUP}/v1alpha1",
        "kind": "TrainJob",
        "metadata": _about(task, options, namespace, queue, run),
        "spec": {"runtimeRef": {"apiGroup": _GROUP, "kind": "TrainingRuntime", "name": task.name}},
    }


def _about(task: Task, options: Options, namespace: str, queue: str, run: str) -> dict[str, Any]:
    labels = labels_of(options.prefix, task.name) | {RUN: run} | ({QUEUE: queue} if queue else {})
    return {"name": task.name, "namespace": namespace, "labels": labels, "annotations": {HUB_JOB: str(task.hub_job)}}


def _job_spec(task: Task, options: Options, gpus: Gpus, run: str) -> dict[str, Any]:
    return {"backoffLimit": 0, "activeDeadlineSeconds": task.seconds, "template": task_template(task, options, gpus, run)}


def secret(task: Task, options: Options, namespace: str, made: dict[str, Any]) -> dict[str, Any]:
    """The files of a task; it belongs to its Job or TrainJob, as the server answered it."""
    keys = keys_of(task)
    owner = {"apiVersion": made["apiVersion"], "kind": made["kind"], "name": task.name, "uid": str(made["metadata"]["uid"])}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(task.name), "namespace": namespace, "labels": labels_of(options.prefix, task.name),
            "ownerReferences": [owner],
        },
        "type": "Opaque",
        "data": {keys[path]: encoded(text) for path, text in task.texts.items()},
    }  # fmt: skip
