"""What it costs to keep deployments in a cluster: calls of its API server and processor time, for a thousand of them."""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
import yaml

from benchmarks.hub import ROOT, folder, free_port, process
from benchmarks.report import Row
from hub_core.accounts.tables import Namespace, Org
from hub_core.clusters.kubernetes.cluster import KubernetesCluster
from hub_core.db import utcnow
from hub_core.deployments.reconciler import Reconciler
from hub_core.deployments.tables import Deployment, DeploymentRevision, Status
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings

SUBJECT = "reconciler"
COUNT, OWNERS = 1000, 20
QUIET_S, RATE, CHURN_S = 10.0, 500, 20.0
PATIENCE_S = 240.0


def measure() -> list[Row]:
    """A hub with a thousand deployments on an API server in memory, in a process of its own."""
    with folder() as place:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        kubeconfig = _kubeconfig(place, url)
        settings = Settings(
            data_dir=place / "data", clusters="bench", cluster_kubeconfig=str(kubeconfig), public_url="http://hub.example.com", demo=False
        )
        with process([sys.executable, "-m", "benchmarks.kube_peer", str(port)], f"{url}/bench/about", cwd=ROOT):
            with open_services(settings) as services:
                _fill(services)
                rows = _first(services, url)
            with open_services(settings) as services:
                return rows + _again(services)


def _first(services: Services, url: str) -> list[Row]:
    reconciler, cluster = Reconciler(services), _cluster(services)
    began, busy = time.perf_counter(), time.process_time()
    reconciler.start()
    try:
        _until(lambda: _running(services) == COUNT)
        rows = [
            Row(SUBJECT, f"{COUNT:,} deployments: until all run", time.perf_counter() - began, "s"),
            Row(SUBJECT, f"{COUNT:,} deployments: calls until all run", cluster.calls, "calls"),
            Row(SUBJECT, f"{COUNT:,} deployments: processor time until all run", time.process_time() - busy, "s"),
        ]
        return rows + _quiet(cluster) + _churn(services, cluster, url)
    finally:
        reconciler.close()


def _quiet(cluster: KubernetesCluster) -> list[Row]:
    """When nothing happens."""
    time.sleep(2)
    calls, busy = cluster.calls, time.process_time()
    time.sleep(QUIET_S)
    share = 100 * (time.process_time() - busy) / QUIET_S
    return [
        Row(SUBJECT, f"all well: calls in {QUIET_S:.0f} s", cluster.calls - calls, "calls", goal="0", met=cluster.calls == calls),
        Row(SUBJECT, "all well: of one processor", share, "%"),
    ]


def _churn(services: Services, cluster: KubernetesCluster, url: str) -> list[Row]:
    """Many changes a second: how far the hub is behind, and how soon the database has the end of it."""
    answer: dict[str, int] = {}

    def ask() -> None:
        with urllib.request.urlopen(f"{url}/bench/churn?rate={RATE}&seconds={CHURN_S}", timeout=PATIENCE_S) as said:
            answer.update(json.load(said))

    calls, busy, began = cluster.calls, time.process_time(), time.perf_counter()
    asking = threading.Thread(target=ask)
    asking.start()
    behind: list[float] = []
    while asking.is_alive() and time.perf_counter() - began < CHURN_S - 0.5:
        with urllib.request.urlopen(f"{url}/bench/about", timeout=10) as said:
            newest = int(json.load(said)["version"])
        behind.append(max(0, newest - cluster.heard) / RATE)
        time.sleep(0.1)
    asking.join()
    share = 100 * (time.process_time() - busy) / (time.perf_counter() - began)
    _until(lambda: cluster.heard >= answer["version"] and _running(services) == COUNT)
    settled, worst = time.perf_counter() - began - CHURN_S, max(behind)
    rate = answer["changes"] / CHURN_S
    return [
        Row(SUBJECT, "changes a second that were sent", rate, "1/s", goal=f">= {RATE * 0.95:.0f} /s", met=rate >= RATE * 0.95),
        Row(
            SUBJECT,
            f"{RATE} changes a second: furthest behind",
            worst,
            "s",
            goal="< 1 s",
            met=worst < 1,
            runs=[behind[:: max(1, len(behind) // 20)]],
        ),
        Row(SUBJECT, f"{RATE} changes a second: of one processor", share, "%"),
        Row(SUBJECT, f"{RATE} changes a second: calls", cluster.calls - calls, "calls"),
        Row(SUBJECT, "after the last change: until the database has it", settled, "s"),
    ]


def _again(services: Services) -> list[Row]:
    """A hub that starts again, or takes over the lead, and finds everything as it shall be."""
    cluster = _cluster(services)
    busy, began = time.process_time(), time.perf_counter()
    cluster.start()
    try:
        _until(lambda: cluster.heard > 0 and len(cluster.observe()) == COUNT)
        found = sum(1 for one in dict(cluster.observe()).values() if one.ready)
        if found != COUNT:
            raise RuntimeError(f"{found} of {COUNT} are ready")
        return [
            Row(SUBJECT, "another hub takes over: calls until it knows all", cluster.calls, "calls"),
            Row(SUBJECT, "another hub takes over: until it knows all", time.perf_counter() - began, "s"),
            Row(SUBJECT, "another hub takes over: processor time", time.process_time() - busy, "s"),
        ]
    finally:
        cluster.close()


def _cluster(services: Services) -> KubernetesCluster:
    cluster = services.platform.clusters["bench"]
    assert isinstance(cluster, KubernetesCluster)
    return cluster


def _running(services: Services) -> int:
    with services.db.read() as session:
        return session.scalar(sa.select(sa.func.count()).where(Deployment.status == Status.RUNNING, Deployment.ready == 1)) or 0


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError("it did not happen in time")
        time.sleep(0.05)


def _kubeconfig(place: Path, url: str) -> Path:
    path = place / "kubeconfig"
    body = {
        "apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [{"name": "bench", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    return path


def _fill(services: Services) -> None:
    """Models of some owners, and the deployments, written straight into the tables."""
    now = utcnow()
    with services.db.write() as session:
        for number in range(1, OWNERS + 1):
            session.add(Namespace(id=number, name=f"org-{number}", kind="org"))
            session.flush()
            session.add(Org(id=number, name=f"org-{number}", created_at=now))
            session.add(
                Repo(
                    id=number, namespace_id=number, namespace=f"org-{number}", name="chat", key="chat", kind="model", visibility="private",
                    default_branch="main", created_at=now, updated_at=now,
                )
            )  # fmt: skip
        session.flush()
        for number in range(1, COUNT + 1):
            session.add(
                Deployment(
                    id=number, repo_id=number % OWNERS + 1, name=f"chat-{number}", key=f"chat-{number}", visibility="private", cluster="bench",
                    revision=1, replicas=1, status=Status.QUEUED, serving=None, created_at=now, updated_at=now,
                )
            )  # fmt: skip
            session.add(
                DeploymentRevision(
                    deployment_id=number, number=1, commit="c" * 40, said="main", hardware="cpu-small", runtime="llama.cpp",
                    paths=["model.gguf"], model_path="model.gguf", task="chat", memory=1, environment={}, created_at=now,
                )
            )  # fmt: skip
