"""Programs that run once in a cluster: a Job of Kubernetes each, with a Secret that goes with it. Every call asks the server anew.

Nothing of it is in the mirrors of deployments, so any process of the hub can start, follow and end a task, whether or not it leads.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from typing import Any

from hub_core.clusters.kubernetes import facts, objects
from hub_core.clusters.kubernetes.api import Api, Exists, Missing
from hub_core.clusters.kubernetes.facts import Pod
from hub_core.clusters.kubernetes.instances import instance
from hub_core.clusters.kubernetes.names import HUB_JOB, QUEUE, TASK, hub_label, labels_of, namespace_of, secret_name, selector_of
from hub_core.clusters.kubernetes.objects import encoded, in_namespace
from hub_core.clusters.kubernetes.options import Options
from hub_core.clusters.kubernetes.placing import no_place
from hub_core.clusters.kubernetes.podspec import Gpus, keys_of, task_template
from hub_core.clusters.kubernetes.state import State
from hub_core.clusters.kubernetes.writer import Writer, create_or_merge, gpus_of
from hub_core.clusters.port import InstanceState, LogLine, Task, TaskState, TaskStatus
from hub_core.clusters.reasons import because
from hub_core.running_errors import ClusterRefused

BATCH = "/apis/batch/v1"
LOG_BYTES = str(4 * 1024 * 1024)
KEPT_S = 7 * 24 * 3600  # how long a Job that has ended stays, if nobody deletes it
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


class KubernetesTasks:
    """The port `Tasks` over Jobs."""

    def __init__(self, api: Api, options: Options, state: State, writer: Writer) -> None:
        self._api = api
        self._options = options
        self._state = state
        self._writer = writer

    def start(self, task: Task) -> None:
        """Make the Job, then the Secret that its pod waits for; it belongs to the Job, and is deleted with it."""
        namespace = self._namespace(task.owner)
        if task.model is not None:
            script = objects.SCRIPT.read_text(encoding="utf-8")
            task = replace(task, texts={**task.texts, "files.json": json.dumps(list(task.model.paths)), "fetch.py": script})
        if sum(map(len, task.texts.values())) > objects.MAX_SECRET:
            raise ClusterRefused("The model has more files than can be downloaded into a cluster.")
        try:
            try:
                self._write(task, namespace)
            except Missing:  # the namespace was deleted meanwhile
                self._writer.open(namespace, task.owner, anew=True)
                self._write(task, namespace)
        except (Missing, Exists) as error:
            raise ClusterRefused(f"The cluster '{self._api.name}' refuses it: {error}", hint="It is tried again.") from error

    def status(self, name: str, owner: str) -> TaskStatus | None:
        """From the Job and its pod: two calls."""
        namespace = self._namespace(owner)
        try:
            job = self._api.get(in_namespace(BATCH, namespace, "jobs", name))
        except Missing:
            return None
        ended = {one.get("type"): one for one in (job.get("status") or {}).get("conditions") or [] if one.get("status") == "True"}
        if "Complete" in ended:
            return TaskStatus(TaskState.SUCCEEDED)
        pod = self._pod(namespace, name, str((job.get("metadata") or {}).get("uid", "")))
        if "Failed" in ended:
            why = instance(pod, "", "", "", self._no_place).reason if pod is not None else ""
            return TaskStatus(TaskState.FAILED, why or because("cluster_says", text=str(ended["Failed"].get("message", ""))[:300]))
        if pod is None:
            queue = str(((job.get("metadata") or {}).get("labels") or {}).get(QUEUE, ""))
            waits = bool((job.get("spec") or {}).get("suspend")) and queue
            return TaskStatus(TaskState.WAITING, because("waits_in_queue", queue=queue) if waits else "")
        own = instance(pod, "", "", "", self._no_place)
        ran = any(one.state == "terminated" for one in pod.containers)  # the Job hears of it in a moment
        if ran or own.started_at is not None or own.state in (InstanceState.SILENT, InstanceState.READY):
            return TaskStatus(TaskState.RUNNING, started_at=own.started_at)
        return TaskStatus(TaskState.WAITING, own.reason)

    def log(self, name: str, owner: str, after: str = "") -> list[LogLine]:
        """From the newest pod. The server knows times to the second only, so what came before within it is left out here."""
        namespace = self._namespace(owner)
        pod = self._pod(namespace, name, "")
        if pod is None:
            return []
        since = {"sinceTime": f"{after[:19]}Z"} if after else {}
        path = in_namespace("/api/v1", namespace, "pods", f"{pod.key[1]}/log")
        try:
            text = self._api.text(path, container=TASK, timestamps="true", limitBytes=LOG_BYTES, **since)
        except (Missing, ClusterRefused):
            return []  # it has not begun to write, or is gone
        whole = text[: text.rfind("\n") + 1]
        found = [LogLine(_time(stamp), said) for stamp, _, said in (line.partition(" ") for line in whole.splitlines())]
        return [line for line in found if line.at > after]

    def end(self, name: str, owner: str) -> None:
        """Delete the Job, and its pod and Secret with it."""
        namespace = self._namespace(owner)
        self._api.delete(in_namespace(BATCH, namespace, "jobs", name))
        self._api.delete(in_namespace(objects.SECRETS, namespace, "secrets", secret_name(name)))

    # -- below -----------------------------------------------------------------------------------------------------

    def _namespace(self, owner: str) -> str:
        return namespace_of(self._options.prefix, owner)

    def _write(self, task: Task, namespace: str) -> None:
        self._writer.open(namespace, task.owner)
        path = in_namespace(BATCH, namespace, "jobs")
        try:
            made = self._api.get(f"{path}/{task.name}")
        except Missing:
            nodes = self._state.nodes.all() if self._state.running else self._state.nodes.read() if task.resources.gpus else []
            made = self._api.create(path, job(task, self._options, namespace, gpus_of(task.resources, nodes), self._queue(namespace)))
        content = secret(task, self._options, namespace, str((made.get("metadata") or {}).get("uid", "")))
        create_or_merge(self._api, in_namespace(objects.SECRETS, namespace, "secrets"), content)

    def _queue(self, namespace: str) -> str:
        try:
            queues = self._state.queues.all() if self._state.running else self._state.queues.read()
        except (Missing, ClusterRefused):
            return ""  # no Kueue here
        return min((queue.key[1] for queue in queues if queue.key[0] == namespace), default="")

    def _pod(self, namespace: str, name: str, uid: str) -> Pod | None:
        """The newest pod of a task, whether or not it has ended; with `uid` only of that very Job."""
        selector = ",".join(f"{key}={value}" for key, value in selector_of(self._options.prefix, name).items())
        bodies = self._api.get(in_namespace("/api/v1", namespace, "pods"), labelSelector=selector).get("items") or []
        own = [
            body for body in bodies
            if not uid or any(str(one.get("uid")) == uid for one in (body.get("metadata") or {}).get("ownerReferences") or [{"uid": uid}])
        ]  # fmt: skip
        newest = max(own, key=lambda body: str((body.get("metadata") or {}).get("creationTimestamp", "")), default=None)
        return facts.read_pod(newest, hub_label(self._options.prefix), ended=True) if newest is not None else None

    def _no_place(self, pod: Pod) -> str:
        if self._state.running:
            return no_place(pod, self._state.nodes.all(), self._state.used(), pod.requests.gpus)
        return because("no_place", text=(pod.unscheduled or ("", ""))[1][:300])


def job(task: Task, options: Options, namespace: str, gpus: Gpus, queue: str = "") -> dict[str, Any]:
    """The Job: one pod, which is never started again by the cluster. The hub does that, from the last checkpoint."""
    labels = labels_of(options.prefix, task.name) | ({QUEUE: queue} if queue else {})
    about = {"name": task.name, "namespace": namespace, "labels": labels, "annotations": {HUB_JOB: str(task.hub_job)}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": about,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": task.seconds,
            "ttlSecondsAfterFinished": KEPT_S,
            "template": task_template(task, options, gpus),
        },
    }


def secret(task: Task, options: Options, namespace: str, uid: str) -> dict[str, Any]:
    """The files of a task; it belongs to its Job."""
    keys = keys_of(task)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(task.name), "namespace": namespace, "labels": labels_of(options.prefix, task.name),
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": task.name, "uid": uid}],
        },
        "type": "Opaque",
        "data": {keys[path]: encoded(text) for path, text in task.texts.items()},
    }  # fmt: skip


def _time(stamp: str) -> str:
    """A time as text of one length, in UTC, so that texts sort as times do; what is none sorts first."""
    found = _STAMP.fullmatch(stamp)
    if found is None:
        return ""
    moment = dt.datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).astimezone(dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{(found[2] or '').ljust(9, '0')}Z"
