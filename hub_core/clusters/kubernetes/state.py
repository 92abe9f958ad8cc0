"""All that is known of a cluster, from watches: what the hub has there, the pods, the nodes. Asking costs no call."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from hub_core.clusters.kubernetes import facts
from hub_core.clusters.kubernetes.api import Api
from hub_core.clusters.kubernetes.facts import Controller, Node, Pod, Queue, Requests, Service, Warning_
from hub_core.clusters.kubernetes.instances import instance
from hub_core.clusters.kubernetes.inventory import inventory, taken
from hub_core.clusters.kubernetes.mirror import Key, Mirror
from hub_core.clusters.kubernetes.names import HUB, hub_label
from hub_core.clusters.kubernetes.options import PODS, Options
from hub_core.clusters.kubernetes.placing import no_place
from hub_core.clusters.port import Instance, InstanceState, Inventory, WorkloadStatus
from hub_core.clusters.reasons import because

SYNC_S = 5.0
Own = TypeVar("Own", Controller, Service)


class State:
    """The mirrors of a cluster, and what follows from them.

    Args:
        changed: called when something that people see has changed, from any thread.
    """

    def __init__(self, api: Api, options: Options, changed: Callable[[], None]) -> None:
        self._name = api.name
        self._options = options
        self._changed = changed
        self._lock = threading.Lock()
        self._controllers: dict[str, dict[Key, Controller]] = defaultdict(dict)
        self._services: dict[str, dict[Key, Service]] = defaultdict(dict)
        self._pods: dict[str, dict[Key, Pod]] = defaultdict(dict)
        self._warned: dict[str, Warning_] = {}
        self._memo: dict[str, WorkloadStatus] = {}
        self._taken: dict[str, Requests] | None = None
        self._distrusted: set[str] = set()
        self._news = 0
        hub = hub_label(options.prefix)
        own = {"labelSelector": f"{HUB}={hub}"}
        controller, on_controller = partial(facts.read_controller, hub=hub), partial(self._own, self._controllers)
        self.deployments: Mirror[Controller] = Mirror(api, "/apis/apps/v1/deployments", own, controller, on_controller)
        self.serving: Mirror[Controller] = Mirror(
            api, "/apis/serving.kserve.io/v1beta1/inferenceservices", own, controller, on_controller, optional=True
        )
        self.services: Mirror[Service] = Mirror(
            api, "/api/v1/services", own, partial(facts.read_service, hub=hub), partial(self._own, self._services)
        )
        self.pods: Mirror[Pod] = Mirror(api, "/api/v1/pods", {}, partial(facts.read_pod, hub=hub), self._on_pod)
        self.nodes: Mirror[Node] = Mirror(api, "/api/v1/nodes", {}, facts.read_node, self._on_node)
        self.queues: Mirror[Queue] = Mirror(api, "/apis/kueue.x-k8s.io/v1beta1/localqueues", {}, facts.read_queue, optional=True)
        self.warnings: Mirror[Warning_] = Mirror(
            api, "/api/v1/events", {"fieldSelector": "type=Warning"}, partial(facts.read_warning, prefix=options.prefix), self._on_warning
        )

    # -- life ------------------------------------------------------------------------------------------------------

    @property
    def _mirrors(self) -> tuple[Mirror[Controller] | Mirror[Service] | Mirror[Pod] | Mirror[Node] | Mirror[Queue] | Mirror[Warning_], ...]:
        return self.deployments, self.serving, self.services, self.pods, self.nodes, self.queues, self.warnings

    def start(self) -> None:
        """Begin to follow the cluster."""
        for mirror in self._mirrors:
            mirror.start()

    def close(self) -> None:
        """Stop following, and forget."""
        for mirror in self._mirrors:
            mirror.stop()
        for mirror in self._mirrors:
            mirror.close()
        with self._lock:
            for known in (self._controllers, self._services, self._pods, self._warned, self._memo):
                known.clear()
            self._distrusted.clear()
            self._taken = None

    @property
    def running(self) -> bool:
        """Whether the cluster is followed by this process."""
        return self.deployments.running

    def check(self) -> None:
        """Make sure that what is known is true.

        Raises:
            ClusterUnavailable: it cannot be known now.
        """
        for mirror in (self.deployments, self.services, self.pods, self.nodes, self.serving, self.queues):
            mirror.check(SYNC_S)

    # -- asking ----------------------------------------------------------------------------------------------------

    def names(self) -> set[str]:
        """The workloads of this hub; one that is made or deleted by halves counts."""
        with self._lock:
            return {name for known in (self._controllers, self._services) for name, found in known.items() if found}

    def controllers(self, name: str) -> dict[Key, Controller]:
        """The Deployments and InferenceServices of a workload; several where its owner has changed."""
        with self._lock:
            return dict(self._controllers.get(name, {}))

    def all_controllers(self) -> list[Controller]:
        """Those of all workloads."""
        with self._lock:
            return [one for found in self._controllers.values() for one in found.values()]

    def namespaces(self, name: str) -> set[str]:
        """Where there is something of a workload."""
        with self._lock:
            return {key[0] for known in (self._controllers, self._services) for key in known.get(name, {})}

    def pods_of(self, name: str) -> list[Pod]:
        """The pods of a workload, in the order of their names."""
        with self._lock:
            return sorted(self._pods.get(name, {}).values(), key=lambda pod: pod.key)

    def distrust(self, name: str) -> None:
        """Something of a workload is missing: it counts as changed until it is applied again."""
        with self._lock:
            self._distrusted.add(name)
            self._memo.pop(name, None)
            self._news += 1
        self._changed()

    def trust(self, name: str) -> None:
        """A workload was applied whole."""
        with self._lock:
            self._distrusted.discard(name)
            self._memo.pop(name, None)
            self._news += 1

    def inventory(self) -> Inventory:
        """What there is to run on."""
        return inventory(self.nodes.all(), self.used())

    def status(self, name: str) -> WorkloadStatus | None:
        """A workload as it is; None where there is none."""
        with self._lock:
            known = self._memo.get(name)
            controllers, services = self._controllers.get(name, {}), self._services.get(name, {})
            controller = max(controllers.values(), key=lambda one: (len(one.version), one.version), default=None)
            service = next(iter(services.values()), None)
            pods = list(self._pods.get(name, {}).values())
            distrusted, news = name in self._distrusted, self._news
        if known is not None:
            return known
        if controller is None and service is None:
            return None
        digest = controller.digest if controller is not None and not distrusted else ""
        instances = tuple(self._instance(pod, controller, name) for pod in sorted(pods, key=lambda pod: pod.key))
        if controller is not None and controller.trouble and len(instances) < controller.replicas:
            instances += (Instance("-", InstanceState.QUEUED, reason=_trouble(controller.trouble)),)
        labels = controller.labels if controller is not None else service.labels if service is not None else {}
        status = WorkloadStatus(name, dict(labels), digest, controller.replicas if controller else 0, instances)
        if not any(one.state is InstanceState.QUEUED for one in instances):  # that one hangs on the pods of others
            with self._lock:
                if news == self._news:
                    self._memo[name] = status
        return status

    def _instance(self, pod: Pod, controller: Controller | None, name: str) -> Instance:
        asked = (controller.replicas if controller else 1) * pod.requests.gpus
        with self._lock:
            warned = self._warned.get(pod.uid)
        return instance(
            pod, controller.digest if controller else "", self._address(pod, name), warned.message if warned else "",
            lambda one: no_place(one, self.nodes.all(), self.used(), asked),
        )  # fmt: skip

    def _address(self, pod: Pod, name: str) -> str:
        if self._options.address == PODS:
            host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
            return f"http://{host}:{pod.port}" if pod.ip else ""
        words = {"cluster": self._name, "namespace": pod.key[0], "service": name, "port": str(pod.port)}
        found = self._options.address
        for key, value in words.items():
            found = found.replace("{" + key + "}", value)
        return found.rstrip("/")

    def used(self) -> dict[str, Requests]:
        """What pods have taken of each node."""
        with self._lock:
            known = self._taken
        if known is None:
            known = taken(self.pods.all())
            with self._lock:
                self._taken = known
        return known

    # -- news ------------------------------------------------------------------------------------------------------

    def _own(self, known: dict[str, dict[Key, Own]], before: Own | None, after: Own | None) -> None:
        with self._lock:
            self._news += 1
            for one in (before, after):
                if one is not None:
                    self._memo.pop(one.workload, None)
            if before is not None and (after is None or after.workload != before.workload):
                known[before.workload].pop(before.key, None)
                if not known[before.workload]:
                    del known[before.workload]
            if after is not None:
                known[after.workload][after.key] = after
        self._tell(before, after)

    def _on_pod(self, before: Pod | None, after: Pod | None) -> None:
        with self._lock:
            self._news += 1
            if before is None or after is None or (before.node, before.requests) != (after.node, after.requests):
                self._taken = None
            for one in (before, after):
                if one is not None:
                    self._memo.pop(one.workload, None)
            if before is not None and before.workload:
                self._pods[before.workload].pop(before.key, None)
                if not self._pods[before.workload]:
                    del self._pods[before.workload]
                if after is None:
                    self._warned.pop(before.uid, None)
            if after is not None and after.workload:
                self._pods[after.workload][after.key] = after
        if (before is not None and before.workload) or (after is not None and after.workload):
            self._tell(before, after)

    def _on_node(self, before: Node | None, after: Node | None) -> None:
        if before is None or after is None or replace(before, version="") != replace(after, version=""):
            with self._lock:
                self._taken = None

    def _on_warning(self, before: Warning_ | None, after: Warning_ | None) -> None:
        with self._lock:
            self._news += 1
            if before is not None and self._warned.get(before.pod) is before:
                del self._warned[before.pod]
            if after is not None:
                self._warned[after.pod] = after
            self._memo.clear()

    def _tell(self, before: Own | Pod | None, after: Own | Pod | None) -> None:
        if before is None or after is None or replace(before, version="") != replace(after, version=""):
            self._changed()


class Observed(Mapping[str, WorkloadStatus]):
    """The workloads as they are; each is worked out when it is asked for."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._told: frozenset[str] | None = None

    def __getitem__(self, name: str) -> WorkloadStatus:
        found = self._state.status(name)
        if found is not None:
            return found
        if self._told is not None and name in self._told:  # it went away after it was named
            return WorkloadStatus(name, {}, "", 0)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> frozenset[str]:
        self._told = self._told if self._told is not None else frozenset(self._state.names())
        return self._told


def _trouble(message: str) -> str:
    return because("quota_reached" if "exceeded quota" in message else "not_made", text=message[:300])
