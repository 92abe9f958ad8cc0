"""A cluster of Kubernetes: the port, over what is known of it and what is written into it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from hub_core.clusters.kubernetes.api import Api, Exists, Missing
from hub_core.clusters.kubernetes.builds import KubernetesBuilds
from hub_core.clusters.kubernetes.facts import Pod
from hub_core.clusters.kubernetes.inventory import inventory, taken
from hub_core.clusters.kubernetes.names import HUB, WORKLOAD, hub_label
from hub_core.clusters.kubernetes.options import Options
from hub_core.clusters.kubernetes.state import Observed, State
from hub_core.clusters.kubernetes.tasks import KubernetesTasks
from hub_core.clusters.kubernetes.usage import Gauge
from hub_core.clusters.kubernetes.writer import PassFor, Writer
from hub_core.clusters.port import CopyUse, Inventory, Tasks, Workload, WorkloadStatus
from hub_core.errors import HubError
from hub_core.running_errors import ClusterRefused, ClusterUnavailable

TELL_S = 0.2  # changes within this time are told together
CARE_S = 30.0
LOOK_S = 10.0  # how long an inventory of a cluster that is not followed stays true
LOG_BYTES = str(256 * 1024)

log = structlog.get_logger(__name__)


class KubernetesCluster:
    """One cluster.

    Args:
        pass_for: makes the passes with which pods download models.
        on_change: called after something has changed, from the cluster's own thread.
    """

    def __init__(self, api: Api, options: Options, pass_for: PassFor, on_change: Callable[[], None] = lambda: None) -> None:
        self._api = api
        self._options = options
        self._on_change = on_change
        self._dirty = threading.Event()
        self._stop = threading.Event()
        self._state = State(api, options, self._dirty.set)
        self._writer = Writer(api, options, self._state, pass_for)
        self.tasks: Tasks = KubernetesTasks(api, options, self._state, self._writer)
        building = options.building
        self.builds: Tasks | None = KubernetesBuilds(api, options, self._state, self._writer, building) if building else None
        self._gauge = Gauge(api, f"{HUB}={hub_label(options.prefix)}")
        self._thread: threading.Thread | None = None
        self._looked: tuple[float, Inventory] | None = None

    @property
    def name(self) -> str:
        """As `HUB_CLUSTERS` calls it."""
        return self._api.name

    @property
    def calls(self) -> int:
        """Calls of the API server so far."""
        return self._api.calls

    @property
    def heard(self) -> int:
        """The newest version of pods that was heard of; 0 before the first."""
        return self._state.pods.version

    def start(self) -> None:
        """Follow the cluster; nothing is waited for."""
        self._stop.clear()
        self._state.start()
        self._thread = threading.Thread(target=self._care, name=f"cluster-{self.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go; what runs there goes on, and is known again by its names."""
        self._stop.set()
        self._dirty.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._state.close()

    def apply(self, workload: Workload) -> None:
        """Make it so. Raises ClusterRefused for what the cluster does not want."""
        self._state.check()
        self._writer.apply(workload)

    def observe(self) -> Mapping[str, WorkloadStatus]:
        """What this hub has here, from what is known: no call."""
        self._state.check()
        return Observed(self._state)

    def delete(self, name: str) -> None:
        """Delete it with all that belongs to it."""
        try:
            self._writer.delete(name, self._state.namespaces(name) if self._state.running else self._found(name))
        except (ClusterRefused, Exists, Missing) as error:
            raise ClusterUnavailable(f"The cluster '{self.name}' does not delete it: {error}", hint="It is tried again.") from error

    def logs(self, name: str, lines: int = 100) -> dict[str, str]:
        """The last lines of each copy; of one that still downloads its files, how far it is."""
        if self._state.running:
            pods = self._state.pods_of(name)
        else:
            selector = f"{HUB}={hub_label(self._options.prefix)},{WORKLOAD}={name}"
            pods = [pod for pod in self._state.pods.read(labelSelector=selector) if pod.workload == name]
        found = {pod.key[1]: self._log(pod, lines) for pod in pods}
        return {instance: text for instance, text in found.items() if text}

    def inventory(self) -> Inventory:
        """What is there to run on. A process that does not follow the cluster looks, and remembers that for some seconds."""
        if self._state.running:
            self._state.check()
            return self._state.inventory()
        known = self._looked
        if known is not None and time.monotonic() - known[0] < LOOK_S:
            return known[1]
        try:
            found = inventory(self._state.nodes.read(), taken(self._state.pods.read()))
        except (Missing, ClusterRefused) as error:
            raise ClusterUnavailable(f"The cluster '{self.name}' cannot be read: {error}", hint="See docs/kubernetes.md.") from error
        self._looked = (time.monotonic(), found)
        return found

    def use(self) -> Mapping[str, Mapping[str, CopyUse]]:
        """What each copy takes, where the cluster has a metrics server. Only a process that follows the cluster knows whose a pod is."""
        found: dict[str, dict[str, CopyUse]] = {}
        for key, use in self._gauge.read().items() if self._state.running else ():
            pod = self._state.pods.get(key)
            if pod is not None and pod.workload:
                found.setdefault(pod.workload, {})[key[1]] = use
        return found

    # -- below -----------------------------------------------------------------------------------------------------

    def _found(self, name: str) -> set[str]:
        """Where a workload is, asked of the server."""
        selector = f"{HUB}={hub_label(self._options.prefix)},{WORKLOAD}={name}"
        services = self._state.services.read(labelSelector=selector)
        return {service.key[0] for service in services if service.workload == name}

    def _log(self, pod: Pod, lines: int) -> str:
        before = (one.name for one in pod.init if one.state != "terminated" or (one.ended or (0,))[0] != 0)
        container = next(before, next((one.name for one in pod.containers), ""))
        if not container:
            return ""
        path = f"/api/v1/namespaces/{pod.key[0]}/pods/{pod.key[1]}/log"
        try:
            return self._api.text(path, container=container, tailLines=str(lines), limitBytes=LOG_BYTES).rstrip("\n")
        except (Missing, ClusterRefused):
            return ""  # it is gone, or has not begun to write

    def _care(self) -> None:
        """Tell of changes, and exchange passes."""
        cared = time.monotonic()
        while not self._stop.is_set():
            if self._dirty.wait(CARE_S / 10):
                self._dirty.clear()
                self._on_change()
                self._stop.wait(TELL_S)
            if time.monotonic() - cared > CARE_S:
                cared = time.monotonic()
                try:
                    self._state.check()
                    self._writer.rotate(self._stop.wait)
                except HubError as error:
                    log.warning("passes cannot be exchanged", cluster=self.name, error=error.message)
