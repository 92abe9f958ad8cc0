"""A hub that deploys: with a tiny runtime that needs nothing installed, and the threads that `hubtalk serve` has."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from hub_core.authz import Actor
from hub_core.clusters.port import GIB, Instance, InstanceState, Inventory, Workload, WorkloadStatus
from hub_core.deployments.preparing import Prepared, Preparing
from hub_core.deployments.reconciler import Reconciler
from hub_core.deployments.service import Found
from hub_core.git import FileChange
from hub_core.jobs.worker import Worker
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.running_errors import ClusterUnavailable
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common import fake_runtime
from tests.common.model_files import gguf

RUNTIME = """
name: fake
title: Fake
about: For tests.
rank: 1
formats: [gguf]
weights: file
tasks: [chat, completions, embeddings]
memory: {{factor: 1.0, fixed_mb: 64}}
context: 0
probe: {{path: /health, startup_s: 30}}
local:
  hardware: [cpu]
  command: ["{{python}}", "{script}", "--host", "{{host}}", "--port", "{{port}}", "--model", "{{model}}"]
  settable: [FAKE_FAIL, FAKE_FAIL_UNTIL]
"""
HARDWARE = """
currency: EUR
items:
  - {name: cpu-small, title: "CPU, small", cpus: 1, memory_gb: 0.25, price_per_hour: 0.5}
  - {name: cpu-medium, title: "CPU, medium", cpus: 1, memory_gb: 0.5, price_per_hour: 1.5}
  - {name: a10, title: "NVIDIA A10", gpu: A10, gpu_memory_gb: 24, cpus: 8, memory_gb: 46, price_per_hour: 2.0}
"""


def catalog(folder: Path) -> Path:
    """A catalogue of an operator: the fake runtime, and hardware that any machine has."""
    (folder / "runtimes").mkdir(parents=True)
    (folder / "runtimes" / "fake.yaml").write_text(RUNTIME.format(script=fake_runtime.__file__))
    (folder / "hardware.yaml").write_text(HARDWARE)
    return folder


@contextmanager
def deploying(settings: Settings) -> Iterator[Services]:
    """An opened hub whose reconciler and worker run. What it started is gone when the block ends."""
    with open_services(settings) as services:
        worker, reconciler = Worker(services, poll_s=0.05), Reconciler(services)
        worker.start()
        reconciler.start()
        try:
            yield services
        finally:
            reconciler.close()
            worker.close()


def end_all(data_dir: Path) -> None:
    """End what a hub left running."""
    from hub_core.clusters.local.cluster import LocalCluster

    if not (data_dir / "local").exists():
        return
    cluster = LocalCluster(data_dir / "local")
    cluster.start()
    for name in cluster.observe():
        cluster.delete(name)
    deadline = time.monotonic() + 20
    while any(path.is_dir() for path in (data_dir / "local").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    cluster.close()


def add_model(services: Services, actor: Actor, name: str = "chat", content: bytes | None = None) -> Repo:
    """A model with one small GGUF file."""
    view = services.repos.create(actor, name, RepoKind.MODEL)
    repo = services.repos.find(actor, view.id, RepoKind.MODEL)
    reader = gguf()
    services.files.commit(actor, repo, [FileChange("model.gguf", content or reader.read(0, reader.size))], "Add weights")
    return repo


def pid(address: str) -> int:
    """The process behind an address of a copy."""
    return int(httpx.get(address + "/health").json()["pid"])


def pid_of_copies(data_dir: Path) -> list[int]:
    """The programs that run on this machine for a hub: the children of their keepers."""
    found = []
    for path in sorted((data_dir / "local").glob("*/*/pid.json")):
        keeper = json.loads(path.read_text())["pid"]
        try:
            children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text()
        except OSError:
            continue
        found += [int(child) for child in children.split()]
    return found


class MemoryCluster:
    """The port, with nothing behind it: what is applied is ready at the next look, unless told otherwise. It counts the calls."""

    name = "local"

    def __init__(self) -> None:
        self.workloads: dict[str, Workload] = {}
        self.states: dict[str, InstanceState] = {}
        self.reasons: dict[str, str] = {}
        self.restarts: dict[str, int] = {}
        self.calls: list[str] = []
        self.down = False
        self.after_apply: Callable[[], None] = lambda: None

    def start(self) -> None:
        self.calls.append("start")

    def close(self) -> None:
        self.calls.append("close")

    def apply(self, workload: Workload) -> None:
        self._call("apply")
        self.workloads[workload.name] = workload
        self.after_apply()

    def observe(self) -> Mapping[str, WorkloadStatus]:
        self._call("observe")
        return {name: self._status(workload) for name, workload in self.workloads.items()}

    def delete(self, name: str) -> None:
        self._call("delete")
        self.workloads.pop(name, None)

    def logs(self, name: str, lines: int = 100) -> dict[str, str]:
        return {"0": f"log of {name}"} if name in self.workloads else {}

    def inventory(self) -> Inventory:
        return Inventory(8, 16 * GIB, 16 * GIB)

    def _call(self, what: str) -> None:
        if self.down:
            raise ClusterUnavailable("The cluster does not answer.")
        self.calls.append(what)

    def _status(self, workload: Workload) -> WorkloadStatus:
        state = self.states.get(workload.name, InstanceState.READY)
        instances = tuple(
            Instance(str(n), state, f"http://{workload.name}-{n}" if state is InstanceState.READY else "",
                     self.restarts.get(workload.name, 0), self.reasons.get(workload.name, ""))
            for n in range(workload.replicas)
        )  # fmt: skip
        return WorkloadStatus(workload.name, dict(workload.labels), workload.digest, workload.replicas, instances)


class Ready(Preparing):
    """Preparing where everything is there already."""

    def check(self, *_: Any) -> Prepared:
        return Prepared(True)

    def sweep(self, needed: set[str]) -> None:
        return None


def on_memory(services: Services) -> tuple[Services, MemoryCluster]:
    """The same hub over a cluster in memory."""
    from hub_core.deployments.service import DeploymentService

    cluster = MemoryCluster()
    platform = dataclasses.replace(services.platform, clusters={"local": cluster})
    deployments = DeploymentService(services.db, services.git, services.files, platform)
    return dataclasses.replace(services, platform=platform, deployments=deployments), cluster


def status_of(services: Services, actor: Actor, name: str) -> Found:
    """A deployment as it is now."""
    return services.deployments.find(actor, name)
