"""The port to whatever runs programs: this machine, or a Kubernetes cluster.

A `Workload` is one revision of one deployment with its number of copies. Its name follows from what it is, so applying it twice is
the same as once, and a hub that died between making it and writing that down finds it again by name.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol, runtime_checkable

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Resources:
    """What one copy may use. `gpu` is a name of the hardware catalogue, empty for none; sizes are in bytes.

    For clusters of several machines: `gpu_model` is how a driver names the GPU, `selector` the labels of the machines to take.
    """

    cpus: float
    memory: int
    gpu: str = ""
    gpus: int = 0
    gpu_model: str = ""
    selector: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """How to tell that a copy answers: `path` gives a 2xx, at the latest `startup_s` seconds after its start.

    Without a path it is enough that it takes connections; a program on this machine always has one.
    """

    path: str = "/health"
    startup_s: float = 600.0


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a repo that a container gets, for clusters that have no disk of the hub. `deployment` says who asks for them."""

    deployment: int
    repo: str
    commit: str
    paths: tuple[str, ...]
    folder: str


@dataclass(frozen=True, slots=True)
class Scaling:
    """Between how many copies a cluster that scales by itself may choose, to keep the processors so busy (per cent)."""

    least: int
    most: int
    cpu_percent: int = 80


@dataclass(frozen=True, slots=True)
class Confined:
    """A program that nobody vouches for: on this machine it is shut into a box (see `hub_core.clusters.local.box`), elsewhere into its pod.

    Attributes:
        source: on this machine: the folder whose files it gets, as a copy of its own that it may change.
        show: on this machine: folders that it may read.
        disk: bytes that its own files may take, all together.
        requirements: elsewhere: what is installed before it starts; `{python}` in its command then has these packages.
        packages: elsewhere: bytes that these may take.
    """

    source: str
    show: tuple[str, ...]
    disk: int
    requirements: tuple[str, ...] = ()
    packages: int = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """What shall run.

    Attributes:
        name: lower-case letters, digits and `-`, at most 53 characters: a DNS label with room for what a cluster adds.
        labels: say whose it is; `observe` gives them back.
        command: with `{host}` and `{port}` where the cluster fills in the address to listen on.
        image, port: for clusters that run containers; a confined program listens on `port` as well, in a network of its own.
        confined: on this machine, how little it gets; None for programs that an operator trusts.
        secrets: more of the environment, which is never written down.
        replicas: how many copies; 0 keeps the workload and runs nothing.
        owner, files: for clusters elsewhere: whose it is, and what is downloaded before it starts; a confined program starts in their folder,
            or without files as its image says.
        kserve: a cluster with KServe runs it as an InferenceService.
        scaling: leaves the number of copies to the cluster; `replicas` is where it begins.
    """

    name: str
    labels: Mapping[str, str]
    command: tuple[str, ...]
    resources: Resources
    replicas: int
    environment: Mapping[str, str] = field(default_factory=dict)
    probe: Probe = field(default_factory=Probe)
    image: str = ""
    port: int = 8080
    confined: Confined | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    owner: str = ""
    files: ModelFiles | None = None
    kserve: bool = False
    scaling: Scaling | None = None

    @property
    def digest(self) -> str:
        """Tells one way to run from another; the number of copies does not count."""
        sealed = hashlib.sha256(json.dumps(dict(self.secrets), sort_keys=True).encode()).hexdigest() if self.secrets else ""
        facts = asdict(self) | {"replicas": 0, "labels": dict(self.labels), "environment": dict(self.environment), "secrets": sealed}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


class InstanceState(enum.StrEnum):
    """How one copy is."""

    QUEUED = "queued"  # there is no room for it now
    STARTING = "starting"
    READY = "ready"
    SILENT = "silent"  # it runs and does not answer
    WAITING = "waiting"  # it ended; it is started again after a while
    CRASHING = "crashing"  # it ended several times in a row
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Instance:
    """One copy. `address` is a base address, empty where there is none; `reason` says in plain words why it does not run."""

    name: str
    state: InstanceState
    address: str = ""
    restarts: int = 0
    reason: str = ""
    started_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    """What a cluster has under a name. `replicas` is what it was last told."""

    name: str
    labels: Mapping[str, str]
    digest: str
    replicas: int
    instances: tuple[Instance, ...] = ()

    @property
    def ready(self) -> tuple[Instance, ...]:
        """The copies that answer."""
        return tuple(one for one in self.instances if one.state is InstanceState.READY)


@dataclass(frozen=True, slots=True)
class Gpu:
    """GPUs of one kind: the name their maker gives, how many, how many are free, bytes of memory of each."""

    name: str
    count: int
    free: int
    memory: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a cluster has, and what of it no workload was given.

    A copy runs on one machine: `cpus` and `machine_memory` are those of the largest (0: there is one machine, with all of `memory`).
    """

    cpus: int
    memory: int
    free_memory: int
    gpus: tuple[Gpu, ...] = ()
    machine_memory: int = 0


@dataclass(frozen=True, slots=True)
class CopyUse:
    """What a copy takes: bytes of memory now, and of processors either the seconds since it began, or how many now (`cpus`)."""

    memory: int
    cpu_s: float = 0.0
    cpus: float | None = None


class Cluster(Protocol):
    """Runs workloads. Every call may be repeated, and is safe from several threads.

    Raises (all calls):
        ClusterUnavailable: it does not answer; what runs there goes on.
    """

    @property
    def name(self) -> str:
        """`local`, or the name of a cluster elsewhere."""

    def start(self) -> None:
        """Take up the work: from now on what was applied is kept running."""

    def close(self) -> None:
        """Lay the work down; what runs goes on until somebody takes it up again, if anybody does in time."""

    def apply(self, workload: Workload) -> None:
        """Make it so. What runs in another way under this name is replaced."""

    def observe(self) -> Mapping[str, WorkloadStatus]:
        """Everything that this hub ever applied here and that is not gone, by name."""

    def delete(self, name: str) -> None:
        """Stop it and forget it; nothing happens where there is none."""

    def logs(self, name: str, lines: int = 100) -> dict[str, str]:
        """The last lines that each copy wrote, by instance; empty where there is none."""

    def inventory(self) -> Inventory:
        """What is there to run on."""


@dataclass(frozen=True, slots=True)
class Task:
    """A program that runs once, to its end, in a container of a cluster.

    Attributes:
        name, owner: as those of a workload. hub_job: the job of the hub that it belongs to.
        texts: files that it finds under `folder`, by their paths there; they may hold secrets, and can be exchanged while it runs.
        models: files of repos that are put there before it starts. For each the `texts` have, under its name here, a `token` to get them with.
        seconds: how long it may take, all waiting included.
    """

    name: str
    owner: str
    hub_job: int
    image: str
    command: tuple[str, ...]
    resources: Resources
    texts: Mapping[str, str] = field(repr=False)
    folder: str = "/hubtalk"
    environment: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, ModelFiles] = field(default_factory=dict)
    seconds: int = 7 * 24 * 3600


class TaskState(enum.StrEnum):
    """How a task is."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """What became of a task: `reason` says in plain words why it waits or failed."""

    state: TaskState
    reason: str = ""
    started_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a task wrote, and when (RFC 3339, to the nanosecond: texts of one task sort as they were written)."""

    at: str
    text: str


class Tasks(Protocol):
    """Runs tasks, from any process of the hub. They are known by name and owner, so whoever asks again finds what is there already.

    Raises (all calls):
        ClusterUnavailable: the cluster does not answer; what runs there goes on.
        ClusterRefused: it does not want this.
    """

    def start(self, task: Task) -> None:
        """Have it run; one of that name that is there already goes on, with these texts."""

    def status(self, name: str, owner: str) -> TaskStatus | None:
        """How it is; None where there is none."""

    def log(self, name: str, owner: str, after: str = "") -> list[LogLine]:
        """What it wrote after that time; not all of it where that is much, so ask again."""

    def end(self, name: str, owner: str) -> None:
        """End it, and forget it with all that belongs to it."""


@runtime_checkable
class Gauged(Protocol):
    """A cluster that can tell what its copies take; others just do not have it."""

    def use(self) -> Mapping[str, Mapping[str, CopyUse]]:
        """What each copy takes now, by workload and instance; those of which nothing is known are left out."""
