"""Brings a fake API server to life, over HTTP like any client: it plays the controllers, the scheduler and the kubelet of one node.

Pods of Deployments are made and ended, placed by the memory they ask for, and their containers are real processes on loopback addresses of
their own: the init container downloads for real, the server is whatever the command says.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from hub_core.clusters.kubernetes.facts import quantity
from tests.common.fake_api_server import KUBEFLOW, FakeCluster

STEP_S, BACKOFF_S = 0.03, 0.2
BUILDCTL = Path(__file__).with_name("fake_buildctl.py")
APPS, CORE = "/apis/apps/v1", "/api/v1"


def node(name: str = "node-1", memory: str = "1024Mi", **more: Any) -> dict[str, Any]:
    """A node; `labels`, `gpus`, `taints`, `ready` as told."""
    allocatable = {"cpu": "8", "memory": memory, "pods": "110"} | ({"nvidia.com/gpu": str(more["gpus"])} if "gpus" in more else {})
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": more.get("labels", {})},
        "spec": {"taints": more.get("taints", [])},
        "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": "True" if more.get("ready", True) else "False"}]},
    }  # fmt: skip


@dataclass
class Running:
    """A pod's process, and what was written down of it."""

    folder: Path
    ip: str
    process: subprocess.Popen[bytes] | None = None
    phase: str = "placed"  # fetching, serving, waiting
    restarts: int = 0
    failures: int = 0
    next_start: float = 0.0
    last: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    init: int = 0  # which of the init containers has its turn
    broken: dict[str, Any] = field(default_factory=dict)  # how one of them ended last

    @property
    def log(self) -> Path:
        name = {"fetching": ("fetch", "install")[self.init], "fetch": "fetch", "fetch-before": "fetch", "node": "node"}.get(
            self.phase, "server"
        )
        return self.folder / f"{name}.log"


class FakeKubelet:
    """One node.

    Attributes:
        missing: images that cannot be pulled.
        full: pods of Jobs find no place.
        registry: the folder that images of tests are pushed to and pulled from.
    """

    def __init__(self, cluster: FakeCluster, memory: str = "1024Mi") -> None:
        self._cluster = cluster
        self._client = httpx.Client(base_url=cluster.url, timeout=10)
        self._memory = memory
        self._pods: dict[str, Running] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self.missing: set[str] = set()
        self.full = False
        self.registry = cluster.folder / "registry"
        self._given = {"FAKE_REGISTRY": str(self.registry)}
        self._path = f"{self._programs()}:{os.defpath}"
        cluster.server.log = self._read_log

    def _programs(self) -> Path:
        """What images of builders bring."""
        place = self._cluster.folder / "programs"
        for folder in (self.registry, place):
            folder.mkdir(parents=True, exist_ok=True)
        program = place / "buildctl-daemonless.sh"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {BUILDCTL} "$@"\n')
        program.chmod(0o755)
        return place

    def start(self) -> None:
        self._client.post(f"{CORE}/nodes", json=node(memory=self._memory)).raise_for_status()
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        for running in self._pods.values():
            end(running)
        self._client.close()

    def _loop(self) -> None:
        while not self._stop.wait(STEP_S):
            with contextlib.suppress(httpx.HTTPError):  # the server has faults on demand
                self.step()

    def step(self) -> None:
        """One round of everything."""
        deployments = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in self._list(f"{APPS}/deployments")}
        pods = self._list(f"{CORE}/pods")
        of: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for pod in pods:
            if "fake/of" in pod["metadata"].get("labels", {}):
                of.setdefault((pod["metadata"]["namespace"], pod["metadata"]["labels"]["fake/of"]), []).append(pod)
        for key, own in of.items():
            if key not in deployments:
                for pod in own:
                    self._remove(pod)
        for key, deployment in deployments.items():
            self._keep(deployment, of.get(key, []))
        jobs = [("/apis/batch/v1", one, one["spec"]["template"]) for one in self._list("/apis/batch/v1/jobs")]
        for one in self._cluster.objects(KUBEFLOW[0]):
            own = [found for found in self._cluster.objects(KUBEFLOW[1]) if found["metadata"]["name"] == one["spec"]["runtimeRef"]["name"]]
            (node,) = own[0]["spec"]["template"]["spec"]["replicatedJobs"]
            jobs.append(("/apis/trainer.kubeflow.org/v1alpha1", one, node["template"]["spec"]["template"]))
        self._keep_jobs({one["metadata"]["uid"]: (root, one, template) for root, one, template in jobs}, pods)

    def _keep_jobs(self, jobs: dict[str, tuple[str, dict[str, Any], dict[str, Any]]], pods: list[dict[str, Any]]) -> None:
        """One pod for each Job or TrainJob, which is not started again."""
        of = {pod["metadata"]["labels"]["fake/job"]: pod for pod in pods if "fake/job" in pod["metadata"].get("labels", {})}
        for uid in of.keys() - jobs.keys():
            self._remove(of[uid])
        for uid, (root, job, template) in jobs.items():
            about, pod = job["metadata"], of.get(uid)
            if pod is None:
                owner = {"apiVersion": "batch/v1", "kind": "Job", "name": about["name"], "uid": uid}
                self._post_pod(about["name"], about["namespace"], template, {"fake/job": uid}, ownerReferences=[owner])
            elif pod["status"]["phase"] not in ("Succeeded", "Failed"):
                code = self._run_once(pod)
                if code is not None:
                    done = {"type": "Complete" if code == 0 else "Failed", "status": "True", "message": "said the Job controller"}
                    kind = "jobs" if root.startswith("/apis/batch") else "trainjobs"
                    path = f"{root}/namespaces/{about['namespace']}/{kind}/{about['name']}/status"
                    self._client.patch(path, json={"status": {"conditions": [done]}}, headers=MERGE).raise_for_status()

    def _run_once(self, pod: dict[str, Any]) -> int | None:
        """Take the pod of a Job one step further; how it ended, once it did."""
        uid, spec = pod["metadata"]["uid"], pod["spec"]
        running, main = self._pods.get(uid), spec["containers"][0]
        if self.full:
            message = "0/1 nodes are available: 1 Insufficient memory."
            waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            self._tell(pod, {"phase": "Pending", "conditions": [waits]})
            return None
        if running is None:
            running = self._pods[uid] = Running(self._cluster.folder / "pods" / uid, "127.0.0.1")
            running.folder.mkdir(parents=True)
            self._client.patch(path_of(pod), json={"spec": {"nodeName": "node-1"}}, headers=MERGE)
        todo = [*spec.get("initContainers", []), main]
        if running.process is None:
            self._mount(pod, running)
            running.phase = todo[running.restarts]["name"]
            self._start(running, todo[running.restarts])
        code = running.process.poll() if running.process is not None else None
        if code == 0 and running.restarts + 1 < len(todo):
            running.restarts, running.process = running.restarts + 1, None
            return None
        began = {"running": {"startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}
        said = running.log.read_text(errors="replace")[-2048:] if code else ""
        state = began if code is None else {"terminated": {"exitCode": code if code >= 0 else 128 - code, "message": said}}
        at = running.phase == main["name"]
        ones = [{"name": one["name"], "image": one["image"], "restartCount": 0} for one in todo]
        status: dict[str, Any] = {"phase": "Running" if code is None else "Succeeded" if code == 0 else "Failed", "conditions": []}
        if at:
            known = (pod["status"].get("containerStatuses") or [{}])[0].get("state", {})
            status["containerStatuses"] = [{**ones[-1], "state": known if "running" in known and code is None else state}]
        else:
            status["initContainerStatuses"] = [{**ones[0], "state": state}]
        self._tell(pod, status)
        return code

    def _keep(self, deployment: dict[str, Any], own: list[dict[str, Any]]) -> None:
        template, wanted = deployment["spec"]["template"], deployment["spec"]["replicas"]
        digest = template["metadata"]["annotations"]["hubtalk/digest"]
        old = [pod for pod in own if pod["metadata"]["annotations"]["hubtalk/digest"] != digest]
        for pod in old or own[wanted:]:
            self._remove(pod)
        if old:
            return  # strategy Recreate
        for pod in own[:wanted]:
            self._tend(pod)
        for _ in range(wanted - len(own)):
            self._make(deployment, template)

    def _make(self, deployment: dict[str, Any], template: dict[str, Any]) -> None:
        name, namespace = deployment["metadata"]["name"], deployment["metadata"]["namespace"]
        self._post_pod(name, namespace, template, {"fake/of": name})

    def _post_pod(self, name: str, namespace: str, template: dict[str, Any], labels: dict[str, str], **more: Any) -> None:
        about = template["metadata"]
        body = {
            "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
            "metadata": {
                "name": f"{name}-{random.randrange(16**8):08x}", "namespace": namespace,
                "labels": about["labels"] | labels, "annotations": about["annotations"], **more,
            },
            "status": {"phase": "Pending"},
        }  # fmt: skip
        self._client.post(f"{CORE}/namespaces/{namespace}/pods", json=body).raise_for_status()

    def _remove(self, pod: dict[str, Any]) -> None:
        self._client.delete(path_of(pod))  # first, as a kubelet ends only what is marked as going
        running = self._pods.pop(pod["metadata"]["uid"], None)
        if running is not None:
            end(running)

    def _tend(self, pod: dict[str, Any]) -> None:
        uid, spec = pod["metadata"]["uid"], pod["spec"]
        running = self._pods.get(uid)
        if running is None:
            asked = quantity(spec["containers"][0]["resources"]["requests"]["memory"])
            taken = sum(quantity(one["spec"]["containers"][0]["resources"]["requests"]["memory"]) for one in self._placed())
            if asked + taken > quantity(self._memory):
                message = "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available."
                self._tell(
                    pod, {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}
                )
                return
            folder = self._cluster.folder / "pods" / uid
            folder.mkdir(parents=True)
            running = self._pods[uid] = Running(
                folder, f"127.{random.randrange(10, 250)}.{random.randrange(250)}.{random.randrange(2, 250)}"
            )
            self._client.patch(path_of(pod), json={"spec": {"nodeName": "node-1"}}, headers=MERGE)
        self._drive(pod, running)

    def _placed(self) -> list[dict[str, Any]]:
        return [pod for pod in self._list(f"{CORE}/pods") if pod["metadata"]["uid"] in self._pods]

    def _drive(self, pod: dict[str, Any], running: Running) -> None:
        """Take the containers one step further, and write down how they are."""
        spec = pod["spec"]
        server = spec["containers"][0]
        image = server["image"]
        if image in self.missing or ("@" in image and not (self.registry / image.replace("@sha256:", "/")).exists()):
            reason = "ErrImagePull" if running.failures == 0 else "ImagePullBackOff"
            running.failures += 1
            said = {"reason": reason, "message": f'failed to pull image "{server["image"]}": not found'}
            self._tell(pod, self._status(running, server, {"waiting": said}, spec))
            return
        if running.phase == "placed" and time.monotonic() >= running.next_start:
            running.phase = "fetching" if spec.get("initContainers") else "waiting"
            if running.phase == "fetching":
                self._mount(pod, running)
                self._start(running, spec["initContainers"][running.init])
        code = running.process.poll() if running.process is not None else None
        if running.phase == "fetching" and code is None:
            self._tell(pod, self._status(running, server, {"waiting": {"reason": "PodInitializing"}}, spec, {"running": {}}))
            return
        if running.phase == "fetching" and code == 0 and running.init + 1 < len(spec["initContainers"]):
            running.init += 1
            self._start(running, spec["initContainers"][running.init])
            return
        if code is not None:
            self._ended(running, code)
        if running.phase == "waiting" and time.monotonic() >= running.next_start:
            running.phase = "serving"
            running.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self._start(running, {**server, "env": self._environment(pod, server)})
        state = {"running": {"startedAt": running.started}} if running.phase == "serving" else {"waiting": {"reason": "CrashLoopBackOff"}}
        ready = running.phase == "serving" and self._answers(running, server)
        self._tell(pod, self._status(running, server, state, spec, ready=ready))

    def _ended(self, running: Running, code: int) -> None:
        fetched = running.phase == "fetching" and code == 0
        message = "" if fetched else running.log.read_text(errors="replace")[-2048:]
        running.process = None
        if not fetched:
            ended = {"exitCode": code if code >= 0 else 128 - code, "reason": "Error", "message": message}
            if running.phase == "fetching":
                running.broken = ended
            else:
                running.last = ended
            running.restarts += 1
        running.phase = "waiting" if fetched or running.phase == "serving" else "placed"
        running.next_start = 0.0 if fetched else time.monotonic() + BACKOFF_S * running.restarts

    def _mount(self, pod: dict[str, Any], running: Running) -> None:
        """The Secret as files, as a volume would show it."""
        namespace = pod["metadata"]["namespace"]
        source = next(volume["secret"] for volume in pod["spec"]["volumes"] if "secret" in volume)
        name, items = source["secretName"], {one["key"]: one["path"] for one in source.get("items", [])}
        secret = self._client.get(f"{CORE}/namespaces/{namespace}/secrets/{name}").raise_for_status().json()
        place = running.folder / "secrets"
        place.mkdir(exist_ok=True)
        for model in ("model", "before"):
            (running.folder / model).mkdir(exist_ok=True)
        for file, content in secret["data"].items():
            path = place / items.get(file, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(content))

    def _start(self, running: Running, container: dict[str, Any]) -> None:
        """The command as a process; its paths and addresses are those of its own container."""
        inside = {
            "/tmp/job": str(running.folder / "job"),
            "/hubtalk": str(running.folder / "secrets"),
            "/model": str(running.folder / "model"),
            "/before": str(running.folder / "before"),
            "/space": str(running.folder / "space"),
            "/tmp/build": str(running.folder / "build"),
            "0.0.0.0": running.ip,
        }
        paths = re.compile(r"(?<![\w.-])(?:" + "|".join(map(re.escape, inside)) + r")(?![\w-])")

        def put(text: str) -> str:
            return paths.sub(lambda found: inside[found[0]], text).replace("$$(", "$(")

        container = self._unpacked(running, container)
        command = [put(part) for part in container["command"]]
        command[0] = sys.executable if command[0] == "python3" else command[0]
        environment = {one["name"]: put(one["value"]) for one in container.get("env", [])}
        if shutil.which(command[0], path=self._path) is None:
            command = ["sh", "-c", 'echo "$0 cannot be started"; exit 127', command[0]]
        with running.log.open("ab") as log:
            cwd = put(container["workingDir"]) if "workingDir" in container else None
            running.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=cwd, env={"PATH": self._path, "PYTHONUNBUFFERED": "1"} | environment | self._given
            )

    def _unpacked(self, running: Running, container: dict[str, Any]) -> dict[str, Any]:
        """A container that starts as its image says: one that was built in a test."""
        if "command" in container:
            return container
        image = self.registry / container["image"].replace("@sha256:", "/")
        files, start = running.folder / "image", json.loads((image / "start.json").read_text())
        shutil.rmtree(files, ignore_errors=True)
        shutil.copytree(image / "files", files)
        environment = [{"name": name, "value": value} for name, value in start["environment"].items()]
        return {**container, "command": start["command"], "workingDir": str(files), "env": environment + container.get("env", [])}

    def _environment(self, pod: dict[str, Any], container: dict[str, Any]) -> list[dict[str, str]]:
        """The variables of a container, with those that come from Secrets."""
        found = []
        for one in container.get("env", []):
            if "valueFrom" in one:
                source = one["valueFrom"]["secretKeyRef"]
                path = f"{CORE}/namespaces/{pod['metadata']['namespace']}/secrets/{source['name']}"
                data = self._client.get(path).raise_for_status().json()["data"]
                one = {"name": one["name"], "value": base64.b64decode(data[source["key"]]).decode()}
            found.append(one)
        return found

    def _answers(self, running: Running, server: dict[str, Any]) -> bool:
        probe = server["readinessProbe"].get("httpGet")
        if probe is None:
            with socket.socket() as asking:
                return asking.connect_ex((running.ip, server["readinessProbe"]["tcpSocket"]["port"])) == 0
        try:
            return httpx.get(f"http://{running.ip}:{probe['port']}{probe['path']}", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def _status(
        self, running: Running, server: dict[str, Any], state: Any, spec: Any, init: Any = None, *, ready: bool = False
    ) -> dict[str, Any]:  # fmt: skip
        one = {
            "name": server["name"], "image": server["image"], "state": state, "ready": ready, "started": ready, "restartCount": running.restarts,
            "lastState": {"terminated": running.last} if running.last else {},
        }  # fmt: skip
        before = init or {"terminated": {"exitCode": 0}}
        if running.phase == "placed" and running.broken:
            before = {"waiting": {"reason": "CrashLoopBackOff"}}
        inits: list[dict[str, Any]] = [
            {"name": first["name"], "image": first["image"], "state": before if number == running.init or init is None else {"waiting": {}}}
            for number, first in enumerate(spec.get("initContainers", []))
        ]
        for first in inits[: running.init]:
            first["state"] = {"terminated": {"exitCode": 0}}
        if running.broken and inits:
            inits[running.init] |= {"lastState": {"terminated": running.broken}, "restartCount": running.restarts}
        conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True" if ready else "False"}]
        return {
            "phase": "Running" if "running" in state else "Pending", "podIP": running.ip, "conditions": conditions,
            "containerStatuses": [one], "initContainerStatuses": inits,
        }  # fmt: skip

    def _tell(self, pod: dict[str, Any], status: dict[str, Any]) -> None:
        known = pod.get("status", {})
        if any(known.get(key) != value for key, value in status.items()):
            self._client.patch(path_of(pod) + "/status", json={"status": replacing(known, status)}, headers=MERGE).raise_for_status()

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get(path).raise_for_status().json()["items"]
        return found

    def _read_log(self, namespace: str, pod: str, container: str, lines: int) -> str | None:
        for body in self._cluster.objects("v1/pods"):
            running = self._pods.get(body["metadata"]["uid"])
            if body["metadata"]["name"] == pod and body["metadata"]["namespace"] == namespace and running is not None:
                path = running.folder / f"{container}.log"
                text = path.read_text(errors="replace") if path.exists() else None
                return None if text is None else "".join(text[: text.rfind("\n") + 1].splitlines(keepends=True)[-lines:])
        return None


MERGE = {"content-type": "application/merge-patch+json"}


def replacing(known: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    """A patch after which only `status` is there."""
    return {key: None for key in known if key not in status} | status


def path_of(pod: dict[str, Any]) -> str:
    return f"{CORE}/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def end(running: Running) -> None:
    """End a pod's process."""
    if running.process is not None:
        running.process.kill()
        running.process.wait()
        running.process = None


@contextlib.contextmanager
def kubelet(cluster: FakeCluster, memory: str = "1024Mi") -> Iterator[FakeKubelet]:
    """A node with a kubelet until the block ends."""
    made = FakeKubelet(cluster, memory)
    made.start()
    try:
        yield made
    finally:
        made.close()
