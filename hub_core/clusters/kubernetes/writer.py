"""What the hub writes into a cluster, in an order that may break off anywhere.

The Service of a workload is made first and deleted last: whatever is left of one is so found again. The Deployment comes last: when it
is there with the right digest, all that it needs is there too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from hub_core.clusters.kubernetes import objects, tenancy
from hub_core.clusters.kubernetes.api import Api, Exists, Missing
from hub_core.clusters.kubernetes.apps import environment_name, environment_secret, shut_in
from hub_core.clusters.kubernetes.facts import GPU_RESOURCES, Controller, Node
from hub_core.clusters.kubernetes.inventory import is_model
from hub_core.clusters.kubernetes.names import PARTS, controller_name, namespace_of, secret_name
from hub_core.clusters.kubernetes.objects import in_namespace
from hub_core.clusters.kubernetes.options import Options
from hub_core.clusters.kubernetes.podspec import Gpus
from hub_core.clusters.kubernetes.state import State
from hub_core.clusters.port import Resources, Workload
from hub_core.running_errors import ClusterRefused

REFUSED_S = 30.0  # what a cluster refused is not tried again at every round
ROTATE_S = 1800.0
NOBODY = "shared"  # the namespace of workloads without an owner

PassFor = Callable[[int], str]
"""A short-lived pass that downloads the model's files of a deployment, by its id."""


class Writer:
    """Applies and deletes workloads."""

    def __init__(self, api: Api, options: Options, state: State, pass_for: PassFor) -> None:
        self._api = api
        self._options = options
        self._state = state
        self._pass_for = pass_for
        self._lock = threading.Lock()
        self._ready: set[str] = set()
        self._refused: dict[str, tuple[str, float, ClusterRefused]] = {}
        self._passed: dict[str, float] = {}

    def apply(self, workload: Workload) -> None:
        """Make it so; no call where it is so.

        Raises:
            ClusterUnavailable, ClusterRefused.
        """
        if workload.confined is not None and not workload.image:
            raise ClusterRefused("This app runs on the hub's own machine only.")
        namespace = namespace_of(self._options.prefix, workload.owner or NOBODY)
        for elsewhere in self._state.namespaces(workload.name) - {namespace}:
            self._remove(elsewhere, workload.name)  # its owner changed
        status = self._state.status(workload.name)
        same = status is not None and status.digest == workload.digest
        if same and status is not None and status.replicas == workload.replicas:
            return
        self._check_refused(workload)
        try:
            try:
                self._write(workload, namespace, same)
            except Missing:
                # The namespace, or what was to be changed, went away meanwhile.
                with self._lock:
                    self._ready.discard(namespace)
                self._write(workload, namespace, False)
        except ClusterRefused as error:
            with self._lock:
                self._refused[workload.name] = (workload.digest, time.monotonic() + REFUSED_S, error)
            raise
        except (Missing, Exists) as error:
            raise ClusterRefused(f"The cluster '{self._api.name}' refuses it: {error}", hint="It is tried again.") from error
        self._state.trust(workload.name)
        with self._lock:
            self._refused.pop(workload.name, None)

    def delete(self, name: str, namespaces: set[str]) -> None:
        """Delete all that a workload has; what is not there is passed over."""
        for namespace in namespaces:
            self._remove(namespace, name)
        with self._lock:
            self._refused.pop(name, None)
            self._passed.pop(name, None)

    def rotate(self, wait: Callable[[float], bool]) -> None:
        """Exchange the passes of what runs, some time before they end.

        Args:
            wait: waits so many seconds; true when there is no time left.
        """
        for one in self._state.all_controllers():
            due = self._passed.get(one.workload, 0.0) + ROTATE_S < time.monotonic() or one.workload not in self._passed
            if not one.files or not one.replicas or not due:
                continue
            body = {"data": {"token": objects.encoded(self._pass_for(one.files))}}
            try:
                self._api.merge(in_namespace(objects.SECRETS, one.key[0], "secrets", secret_name(one.workload)), body)
                self._passed[one.workload] = time.monotonic()
            except (Missing, Exists):
                self._state.distrust(one.workload)
            if wait(0.02):
                return

    # -- below -----------------------------------------------------------------------------------------------------

    def _check_refused(self, workload: Workload) -> None:
        with self._lock:
            digest, until, error = self._refused.get(workload.name, ("", 0.0, None))
        if error is not None and digest == workload.digest and time.monotonic() < until:
            raise error

    def _write(self, workload: Workload, namespace: str, same: bool) -> None:
        kserve = workload.kserve and self._state.serving.there
        mirror = self._state.serving if kserve else self._state.deployments
        path = self._path(kserve, namespace, workload.name)
        known = mirror.get((namespace, controller_name(workload.name, kserve)))
        if kserve and not workload.replicas:
            # KServe keeps at least one copy of what it has; the Service stays as the mark.
            self._drop(kserve, namespace, workload.name)
        elif same and known is not None:
            mirror.put(self._api.merge(path, objects.scaled(workload, self._options, namespace, kserve)))
        else:
            self._make(workload, namespace, kserve, known)

    def _make(self, workload: Workload, namespace: str, kserve: bool, known: Controller | None) -> None:
        """Everything, from the namespace on."""
        options, gpus = self._options, gpus_of(workload.resources, self._state.nodes.all())
        self.open(namespace, workload.owner or NOBODY)
        service = objects.service(workload, options, namespace)
        mark = create_or_merge(self._api, in_namespace(objects.SERVICES, namespace, "services"), service)
        self._state.services.put(mark)
        if workload.files is not None:
            content = objects.secret(workload, options, namespace, self._pass_for(workload.files.deployment))
            create_or_merge(self._api, in_namespace(objects.SECRETS, namespace, "secrets"), content)
            self._passed[workload.name] = time.monotonic()
        build = objects.inference_service if kserve else objects.deployment
        body = build(workload, options, namespace, gpus, self._queue(namespace))
        if workload.confined is not None:
            body["spec"]["template"] = shut_in(body["spec"]["template"], workload, options)
            self._give(workload, namespace, str(mark.get("metadata", {}).get("uid", "")))
        mirror, other = (self._state.serving, self._state.deployments) if kserve else (self._state.deployments, self._state.serving)
        if other.get((namespace, controller_name(workload.name, not kserve))) is not None:
            self._drop(not kserve, namespace, workload.name)
        root = self._path(kserve, namespace)
        made = self._merge_or_create(root, body) if known is not None else create_or_merge(self._api, root, body)
        mirror.put(made)
        if workload.scaling is not None and not kserve:
            uid = str(made.get("metadata", {}).get("uid", ""))
            scaler = objects.autoscaler(workload, options, namespace, uid)
            create_or_merge(self._api, in_namespace(objects.AUTOSCALING, namespace, "horizontalpodautoscalers"), scaler)

    def _give(self, workload: Workload, namespace: str, service_uid: str) -> None:
        """The environment of an app, made anew: what it has no more stays in no Secret."""
        secrets = in_namespace(objects.SECRETS, namespace, "secrets")
        self._api.delete(f"{secrets}/{environment_name(workload.name)}")
        if workload.secrets:
            create_or_merge(self._api, secrets, environment_secret(workload, self._options, namespace, service_uid))

    def _remove(self, namespace: str, name: str) -> None:
        serving = self._state.serving
        self._drop(False, namespace, name)
        if serving.get((namespace, controller_name(name, kserve=True))) is not None or not serving.running:
            self._drop(True, namespace, name)
        self._api.delete(in_namespace(objects.SECRETS, namespace, "secrets", secret_name(name)))
        self._api.delete(in_namespace(objects.SERVICES, namespace, "services", name))
        self._state.services.drop((namespace, name))

    def _drop(self, kserve: bool, namespace: str, name: str) -> None:
        self._api.delete(self._path(kserve, namespace, name))
        mirror = self._state.serving if kserve else self._state.deployments
        mirror.drop((namespace, controller_name(name, kserve)))

    def open(self, namespace: str, owner: str, *, anew: bool = False) -> None:
        """Make the namespace with its walls, once in the life of this process (or `anew`): settings may have changed since the last."""
        with self._lock:
            if namespace in self._ready and not anew:
                return
        options = self._options
        create_or_merge(self._api, "/api/v1/namespaces", tenancy.namespace(options, namespace, owner))
        walls = in_namespace("/apis/networking.k8s.io/v1", namespace, "networkpolicies")
        create_or_merge(self._api, walls, tenancy.walls(options, namespace))
        quotas = in_namespace("/api/v1", namespace, "resourcequotas")
        if options.quota:
            create_or_merge(self._api, quotas, tenancy.quota(options, namespace))
        else:
            self._api.delete(f"{quotas}/{PARTS}")
        with self._lock:
            self._ready.add(namespace)

    def _merge_or_create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._api.merge(f"{path}/{body['metadata']['name']}", objects.changed(body))
        except Missing:
            return self._api.create(path, body)

    def _path(self, kserve: bool, namespace: str, name: str = "") -> str:
        kind = "inferenceservices" if kserve else "deployments"
        root = objects.KSERVE if kserve else objects.DEPLOYMENTS
        return in_namespace(root, namespace, kind, controller_name(name, kserve) if name else "")

    def _queue(self, namespace: str) -> str:
        """The Kueue queue of a namespace; empty where it has none."""
        return min((queue.key[1] for queue in self._state.queues.all() if queue.key[0] == namespace), default="")


def gpus_of(wanted: Resources, nodes: Iterable[Node]) -> Gpus:
    """How the nodes of a cluster call the GPUs that are asked for."""
    own = [node for node in nodes if node.gpus and is_model(wanted.gpu_model, node.gpu)] if wanted.gpus else []
    if not own:
        return Gpus()
    labels = GPU_RESOURCES[own[0].resource]
    label = next((name for name in labels if own[0].labels.get(name)), labels[0])
    same = {node.gpu for node in own if node.resource == own[0].resource and node.labels.get(label)}
    return Gpus(own[0].resource, label, tuple(sorted(same)))


def create_or_merge(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Have an object be so, whether or not there is one of its name. Raises like `Api.create`, but for Exists."""
    try:
        return api.create(path, body)
    except Exists:
        return api.merge(f"{path}/{body['metadata']['name']}", objects.changed(body))
