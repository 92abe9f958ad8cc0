"""What the hub keeps of the objects of a cluster: a few fields each, read once when they change."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub_core.clusters.kubernetes.mirror import Key
from hub_core.clusters.kubernetes.names import DIGEST, FILES, GPU, HUB, QUEUE, REPLICAS, WORKLOAD, read_labels

# Resource of a GPU -> the labels of a node that say which one it has.
GPU_RESOURCES: Mapping[str, tuple[str, ...]] = {
    "nvidia.com/gpu": ("nvidia.com/gpu.product", "cloud.google.com/gke-accelerator", "karpenter.k8s.aws/instance-gpu-name", "accelerator"),
    "amd.com/gpu": ("amd.com/gpu.product-name", "beta.amd.com/gpu.product-name"),
}
_UNITS = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")

Body = Mapping[str, Any]


def quantity(said: object) -> float:
    """A Kubernetes quantity (`500m`, `16Gi`) as a number; 0 for what is none."""
    found = _QUANTITY.fullmatch(str(said))
    try:
        return float(found[1]) * _UNITS[found[2]] if found else 0.0
    except (KeyError, ValueError):
        return 0.0


def when(said: object) -> dt.datetime | None:
    """A time of the API server."""
    try:
        return dt.datetime.fromisoformat(str(said)) if said else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Thing:
    """What all objects have."""

    key: Key
    uid: str
    version: str


@dataclass(frozen=True, slots=True)
class Controller(Thing):
    """A Deployment or an InferenceService: how a workload was told to run.

    `trouble` is why no pods can be made; `files` is the deployment whose pass downloads the model, 0 for none.
    """

    workload: str
    digest: str
    replicas: int
    labels: Mapping[str, str]
    trouble: str = ""
    files: int = 0


@dataclass(frozen=True, slots=True)
class Service(Thing):
    """The Service of a workload: it is made first and deleted last, so nothing of a workload is left without it."""

    workload: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Container:
    """How one container of a pod is. `message` is what the kubelet, or the end of the program's log, says."""

    name: str
    image: str
    state: str  # waiting, running, terminated
    reason: str = ""
    message: str = ""
    started: bool = False
    ready: bool = False
    restarts: int = 0
    since: dt.datetime | None = None
    ended: tuple[int | None, str, str] | None = None  # exit code, reason and message of the last end


@dataclass(frozen=True, slots=True)
class Requests:
    """What a pod has taken of its node."""

    cpus: float = 0.0
    memory: float = 0.0
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Pod(Thing):
    """A pod; of those that are not ours only `node`, `phase` and `requests` are filled in."""

    node: str
    phase: str
    requests: Requests
    workload: str = ""
    digest: str = ""
    gpu: str = ""
    queue: str = ""
    ip: str = ""
    port: int = 0
    deleting: bool = False
    ready: bool = False
    unscheduled: tuple[str, str] | None = None  # reason and message of the scheduler
    init: tuple[Container, ...] = ()
    containers: tuple[Container, ...] = ()
    evicted: str = ""  # why its node ended it


@dataclass(frozen=True, slots=True)
class Node(Thing):
    """A machine that takes pods; `gpu` is the product that its labels name."""

    cpus: float
    memory: float
    gpus: float
    gpu: str
    gpu_memory: float
    usable: bool
    resource: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue(Thing):
    """A LocalQueue of Kueue."""


@dataclass(frozen=True, slots=True)
class Warning_(Thing):  # noqa: N801 - `Warning` is Python's own
    """A warning about a pod."""

    pod: str
    reason: str
    message: str
    count: int


def thing(body: Body) -> tuple[Key, str, str]:
    """Name, uid and version of an object."""
    about = body.get("metadata") or {}
    return (str(about.get("namespace", "")), str(about.get("name", ""))), str(about.get("uid", "")), str(about.get("resourceVersion", ""))


def _ours(body: Body, hub: str) -> tuple[str, dict[str, str]] | None:
    """The workload of an object of this hub that is not on its way out, and its annotations."""
    about = body.get("metadata") or {}
    labels = about.get("labels") or {}
    if labels.get(HUB) != hub or not labels.get(WORKLOAD) or about.get("deletionTimestamp"):
        return None
    return str(labels[WORKLOAD]), dict(about.get("annotations") or {})


def read_controller(body: Body, hub: str) -> Controller | None:
    """A Deployment or an InferenceService of ours; None for others."""
    own = _ours(body, hub)
    if own is None:
        return None
    workload, annotations = own
    told = annotations.get(REPLICAS, "")
    trouble = next(
        (str(one.get("message", "")) for one in (body.get("status") or {}).get("conditions") or []
         if one.get("type") == "ReplicaFailure" and one.get("status") == "True"), "",
    )  # fmt: skip
    replicas = int(told) if told.isdecimal() else int((body.get("spec") or {}).get("replicas") or 0)
    files = annotations.get(FILES, "")
    return Controller(
        *thing(body), workload, annotations.get(DIGEST, ""), replicas, read_labels(annotations), trouble,
        int(files) if files.isdecimal() else 0,
    )  # fmt: skip


def read_service(body: Body, hub: str) -> Service | None:
    """A Service of ours; None for others."""
    own = _ours(body, hub)
    return Service(*thing(body), own[0], read_labels(own[1])) if own else None


def read_pod(body: Body, hub: str, *, ended: bool = False) -> Pod | None:
    """Any pod; None once it has ended and gives its room back, unless `ended` ones are of interest."""
    about, spec, status = body.get("metadata") or {}, body.get("spec") or {}, body.get("status") or {}
    labels, annotations = about.get("labels") or {}, about.get("annotations") or {}
    phase, node = str(status.get("phase", "")), str(spec.get("nodeName") or "")
    if phase in ("Succeeded", "Failed") and not ended:
        return None
    requests = _requests(spec)
    workload = str(labels.get(WORKLOAD, "")) if labels.get(HUB) == hub else ""
    if not workload:
        return Pod(*thing(body), node, phase, requests)
    conditions = {str(one.get("type")): one for one in status.get("conditions") or []}
    placed = conditions.get("PodScheduled") or {}
    unscheduled = (str(placed.get("reason", "")), str(placed.get("message", ""))) if placed.get("status") == "False" else None
    containers = spec.get("containers") or [{}]
    ports = containers[0].get("ports") or [{}]
    return Pod(
        *thing(body), node, phase, requests, workload, str(annotations.get(DIGEST, "")), str(annotations.get(GPU, "")),
        str(labels.get(QUEUE, "")), str(status.get("podIP") or ""), int(ports[0].get("containerPort") or 0),
        bool(about.get("deletionTimestamp")), (conditions.get("Ready") or {}).get("status") == "True", unscheduled,
        tuple(map(_container, status.get("initContainerStatuses") or [])), tuple(map(_container, status.get("containerStatuses") or [])),
        str(status.get("message") or "") if status.get("reason") == "Evicted" else "",
    )  # fmt: skip


def _container(body: Body) -> Container:
    kind, state = next(iter((body.get("state") or {"waiting": {}}).items()))
    state = state or {}
    last = (body.get("lastState") or {}).get("terminated") or (state if kind == "terminated" else None)
    ended = (last.get("exitCode"), str(last.get("reason") or ""), str(last.get("message") or "")) if last else None
    return Container(
        str(body.get("name", "")), str(body.get("image", "")), kind, str(state.get("reason") or ""), str(state.get("message") or ""),
        bool(body.get("started")), bool(body.get("ready")), int(body.get("restartCount") or 0), when(state.get("startedAt")), ended,
    )  # fmt: skip


def _requests(spec: Body) -> Requests:
    """What the scheduler counts: the sum of the containers, or an init container that takes more."""
    kinds = (("cpu",), ("memory",), tuple(GPU_RESOURCES))

    def total(names: tuple[str, ...]) -> float:
        sums = [sum(quantity(_asked(one).get(name, 0)) for name in names) for one in spec.get("containers") or []]
        first = [sum(quantity(_asked(one).get(name, 0)) for name in names) for one in spec.get("initContainers") or []]
        return max(sum(sums), max(first, default=0.0)) + sum(quantity((spec.get("overhead") or {}).get(name, 0)) for name in names)

    return Requests(*map(total, kinds))


def _asked(container: Body) -> Mapping[str, Any]:
    resources = container.get("resources") or {}
    return {**(resources.get("limits") or {}), **(resources.get("requests") or {})}


def read_node(body: Body) -> Node:
    """A machine. One that is cordoned, not ready or kept for other work takes nothing of ours."""
    about, spec, status = body.get("metadata") or {}, body.get("spec") or {}, body.get("status") or {}
    labels, has = about.get("labels") or {}, status.get("allocatable") or {}
    resource = next((name for name in GPU_RESOURCES if quantity(has.get(name, 0))), "")
    product = next((str(labels[name]) for name in GPU_RESOURCES.get(resource, ()) if labels.get(name)), "")
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions") or [])
    closed = any(
        one.get("effect") in ("NoSchedule", "NoExecute") and one.get("key") not in GPU_RESOURCES for one in spec.get("taints") or []
    )
    memory = quantity(labels.get("nvidia.com/gpu.memory", 0)) * 2**20
    return Node(
        *thing(body), quantity(has.get("cpu", 0)), quantity(has.get("memory", 0)), quantity(has.get(resource, 0)), product or "GPU", memory,
        ready and not closed and not spec.get("unschedulable"), resource, {str(key): str(value) for key, value in labels.items()},
    )  # fmt: skip


def read_queue(body: Body) -> Queue:
    """A LocalQueue."""
    return Queue(*thing(body))


def read_warning(body: Body, prefix: str) -> Warning_ | None:
    """A warning about a pod in a namespace of this hub; None for others."""
    about = body.get("involvedObject") or {}
    if about.get("kind") != "Pod" or not str(about.get("namespace", "")).startswith(prefix) or body.get("type") != "Warning":
        return None
    count = int(body.get("count") or (body.get("series") or {}).get("count") or 1)
    return Warning_(*thing(body), str(about.get("uid", "")), str(body.get("reason", "")), str(body.get("message", "")), count)
