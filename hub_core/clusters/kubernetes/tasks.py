"""Programs that run once in a cluster: a Job of Kubernetes (or a TrainJob) each, with a Secret that goes with it. Every call asks anew.

Nothing of it is in the mirrors of deployments, so any process of the hub can start, follow and end a task, whether or not it leads.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from secrets import token_hex
from typing import Any

from hub_core.clusters.kubernetes import facts, objects, taskobjects
from hub_core.clusters.kubernetes.api import Api, Exists, Missing
from hub_core.clusters.kubernetes.facts import Pod
from hub_core.clusters.kubernetes.instances import instance
from hub_core.clusters.kubernetes.names import QUEUE, RUN, TASK, hub_label, namespace_of, secret_name, selector_of
from hub_core.clusters.kubernetes.objects import in_namespace
from hub_core.clusters.kubernetes.options import Options
from hub_core.clusters.kubernetes.placing import no_place
from hub_core.clusters.kubernetes.podspec import Gpus
from hub_core.clusters.kubernetes.state import State
from hub_core.clusters.kubernetes.taskobjects import BATCH, KUBEFLOW
from hub_core.clusters.kubernetes.writer import Writer, create_or_merge, gpus_of
from hub_core.clusters.port import InstanceState, LogLine, Task, TaskState, TaskStatus
from hub_core.clusters.reasons import because
from hub_core.running_errors import ClusterRefused

LOG_BYTES = str(4 * 1024 * 1024)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


class KubernetesTasks:
    """The port `Tasks` over Jobs."""

    def __init__(self, api: Api, options: Options, state: State, writer: Writer) -> None:
        self._api = api
        self._options = options
        self._state = state
        self._writer = writer
        self._runs: dict[tuple[str, str], str] = {}  # what tells the pods of a task, by namespace and name

    def start(self, task: Task) -> None:
        """Make the Job, then the Secret that its pod waits for; it belongs to the Job, and is deleted with it."""
        namespace = self._namespace(task.owner)
        if task.models:
            lists = {f"{name}/files.json": json.dumps(list(files.paths)) for name, files in task.models.items()}
            task = replace(task, texts={**task.texts, **lists, "fetch.py": objects.SCRIPT.read_text(encoding="utf-8")})
        if sum(map(len, task.texts.values())) > objects.MAX_SECRET:
            raise ClusterRefused("The model has more files than can be downloaded into a cluster.")
        try:
            try:
                self._write(task, namespace)
            except Missing:  # the namespace was deleted meanwhile
                self._open(namespace, task.owner, anew=True)
                self._write(task, namespace)
        except (Missing, Exists) as error:
            raise ClusterRefused(f"The cluster '{self._api.name}' refuses it: {error}", hint="It is tried again.") from error

    def status(self, name: str, owner: str) -> TaskStatus | None:
        """From the Job and its pod: two calls."""
        namespace = self._namespace(owner)
        job = self._found(namespace, name)
        if job is None:
            return None
        ended = {one.get("type"): one for one in (job.get("status") or {}).get("conditions") or [] if one.get("status") == "True"}
        if "Complete" in ended:
            return TaskStatus(TaskState.SUCCEEDED)
        if "Failed" in ended and ended["Failed"].get("reason") == "DeadlineExceeded":
            return TaskStatus(TaskState.FAILED, because("too_long"))
        pod = self._pod(namespace, name)
        if "Failed" in ended and pod is not None and pod.evicted:
            return TaskStatus(TaskState.FAILED, because("cluster_says", text=pod.evicted[:300]))
        if "Failed" in ended:
            why = instance(pod, "", "", "", self._no_place).reason if pod is not None else ""
            return TaskStatus(TaskState.FAILED, why or because("cluster_says", text=str(ended["Failed"].get("message", ""))[:300]))
        if pod is None:
            queue = str(((job.get("metadata") or {}).get("labels") or {}).get(QUEUE, ""))
            waits = bool((job.get("spec") or {}).get("suspend")) and queue
            return TaskStatus(TaskState.WAITING, because("waits_in_queue", queue=queue) if waits else self._why_no_pod(namespace, job))
        own = instance(pod, "", "", "", self._no_place)
        ran = any(one.state == "terminated" for one in pod.containers)  # the Job hears of it in a moment
        if ran or own.started_at is not None or own.state in (InstanceState.SILENT, InstanceState.READY):
            return TaskStatus(TaskState.RUNNING, started_at=own.started_at)
        return TaskStatus(TaskState.WAITING, own.reason)

    def log(self, name: str, owner: str, after: str = "") -> list[LogLine]:
        """From the newest pod. The server knows times to the second only, so what came before within it is left out here."""
        namespace = self._namespace(owner)
        pod = self._pod(namespace, name)
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
        for root, kind in self._kinds:
            self._api.delete(in_namespace(root, namespace, kind, name))
        if self._options.train_jobs:
            self._api.delete(in_namespace(KUBEFLOW, namespace, "trainingruntimes", name))
        self._runs.pop((namespace, name), None)
        self._api.delete(in_namespace(objects.SECRETS, namespace, "secrets", secret_name(name)))

    # -- below -----------------------------------------------------------------------------------------------------

    def _namespace(self, owner: str) -> str:
        return namespace_of(self._options.prefix, owner)

    def _open(self, namespace: str, owner: str, *, anew: bool = False) -> None:
        self._writer.open(namespace, owner, anew=anew)

    def _job(self, task: Task, namespace: str, gpus: Gpus, queue: str, run: str) -> dict[str, Any]:
        return taskobjects.job(task, self._options, namespace, gpus, queue, run)

    def _write(self, task: Task, namespace: str) -> None:
        self._open(namespace, task.owner)
        made = self._found(namespace, task.name) or self._made(task, namespace)
        content = taskobjects.secret(task, self._options, namespace, made)
        create_or_merge(self._api, in_namespace(objects.SECRETS, namespace, "secrets"), content)

    @property
    def _kinds(self) -> tuple[tuple[str, str], ...]:
        """Where tasks may be."""
        return ((KUBEFLOW, "trainjobs"), (BATCH, "jobs")) if self._options.train_jobs else ((BATCH, "jobs"),)

    def _found(self, namespace: str, name: str) -> dict[str, Any] | None:
        for root, kind in self._kinds:
            try:
                found = self._api.get(in_namespace(root, namespace, kind, name))
            except Missing:
                continue
            self._runs[namespace, name] = str((found["metadata"].get("labels") or {}).get(RUN, ""))
            return found
        return None

    def _made(self, task: Task, namespace: str) -> dict[str, Any]:
        """A TrainJob where the operator wants that and the cluster has Kubeflow's trainer, else a Job."""
        nodes = self._state.nodes.all() if self._state.running else self._state.nodes.read() if task.resources.gpus else []
        options, gpus, queue, run = self._options, gpus_of(task.resources, nodes), self._queue(namespace), token_hex(4)
        self._runs[namespace, task.name] = run
        if options.train_jobs:
            try:
                runtimes = in_namespace(KUBEFLOW, namespace, "trainingruntimes")
                create_or_merge(self._api, runtimes, taskobjects.runtime(task, options, namespace, gpus, run))
                path = in_namespace(KUBEFLOW, namespace, "trainjobs")
                return self._api.create(path, taskobjects.train_job(task, options, namespace, queue, run))
            except Missing:
                pass
        path = in_namespace(BATCH, namespace, "jobs")
        return self._api.create(path, self._job(task, namespace, gpus, queue, run))

    def _queue(self, namespace: str) -> str:
        try:
            queues = self._state.queues.all() if self._state.running else self._state.queues.read()
        except (Missing, ClusterRefused):
            return ""  # no Kueue here
        return min((queue.key[1] for queue in queues if queue.key[0] == namespace), default="")

    def _pod(self, namespace: str, name: str) -> Pod | None:
        """The newest pod of a task, whether or not it has ended."""
        labels = selector_of(self._options.prefix, name)
        if run := self._runs.get((namespace, name), ""):
            labels = labels | {RUN: run}
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        bodies = self._api.get(in_namespace("/api/v1", namespace, "pods"), labelSelector=selector).get("items") or []
        newest = max(bodies, key=lambda body: str((body.get("metadata") or {}).get("creationTimestamp", "")), default=None)
        return facts.read_pod(newest, hub_label(self._options.prefix), ended=True) if newest is not None else None

    def _why_no_pod(self, namespace: str, job: dict[str, Any]) -> str:
        """What the cluster said last about a Job that it makes no pod for: admission or a quota is against it. Empty where it said nothing."""
        uid = job["metadata"].get("uid")
        path = in_namespace("/api/v1", namespace, "events")
        try:
            found = self._api.get(path, fieldSelector=f"type=Warning,involvedObject.uid={uid}").get("items") or []
        except (Missing, ClusterRefused):
            return ""
        own = [one for one in found if (one.get("involvedObject") or {}).get("uid") == uid]
        newest = max(own, key=lambda one: str(one.get("lastTimestamp") or one["metadata"].get("creationTimestamp")), default=None)
        return because("not_made", text=str(newest.get("message", ""))[:300]) if newest is not None else ""

    def _no_place(self, pod: Pod) -> str:
        if self._state.running:
            return no_place(pod, self._state.nodes.all(), self._state.used(), pod.requests.gpus)
        return because("no_place", text=(pod.unscheduled or ("", ""))[1][:300])


def _time(stamp: str) -> str:
    """A time as text of one length, in UTC, so that texts sort as times do; what is none sorts first."""
    found = _STAMP.fullmatch(stamp)
    if found is None:
        return ""
    moment = dt.datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).astimezone(dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{(found[2] or '').ljust(9, '0')}Z"
