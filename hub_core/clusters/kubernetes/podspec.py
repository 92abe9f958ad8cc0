"""The pods of a workload: as little right as a program can have, and the model's files put there before it starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_core.clusters.kubernetes.names import DIGEST, FETCH, FETCH_BEFORE, GPU, KSERVE_SERVER, RUN, SERVER, TASK, labels_of, secret_name
from hub_core.clusters.kubernetes.options import Options
from hub_core.clusters.port import ModelFiles, Resources, Task, Workload

USER = 1000
SECRETS = "/hubtalk"  # where the init container finds its pass and the list of files
MIB = 1024**2
STARTUP_PERIOD_S = 2
STOP_S = 30
# What `merge` must remove where a workload does not have it any more.
OPTIONAL = ("nodeSelector", "affinity", "tolerations")


@dataclass(frozen=True, slots=True)
class Gpus:
    """How the GPUs of a workload are asked for: the resource, and the labels of nodes that have the right ones."""

    resource: str = "nvidia.com/gpu"
    label: str = "nvidia.com/gpu.product"
    products: tuple[str, ...] = ()


# Of every pod: no account, no root.
_RIGHTLESS: Mapping[str, Any] = {
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "terminationGracePeriodSeconds": STOP_S,
    "securityContext": {
        "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"},
    },
}  # fmt: skip


def template(workload: Workload, options: Options, gpus: Gpus, kserve: bool = False) -> dict[str, Any]:
    """Labels, annotations and spec of the pods."""
    annotations = {DIGEST: workload.digest, GPU: workload.resources.gpu_model}
    return {
        "metadata": {"labels": labels_of(options.prefix, workload.name), "annotations": annotations},
        "spec": pod_spec(workload, options, gpus, kserve),
    }


def pod_spec(workload: Workload, options: Options, gpus: Gpus, kserve: bool) -> dict[str, Any]:
    """The spec of the pods. Texts of people go in as values only: nothing is pasted into a text that is read again."""
    spec = {**_RIGHTLESS, "containers": [_server(workload, KSERVE_SERVER if kserve else SERVER, gpus)], "volumes": _volumes(workload)}
    if workload.files is not None:
        spec["initContainers"] = [fetching(workload.files, options)]
    return spec | where(workload.resources, gpus)


def task_template(task: Task, options: Options, gpus: Gpus, run: str) -> dict[str, Any]:
    """Labels, annotations and spec of the pod of a task: as little right as any other, and it is not started a second time."""
    environment = {"HOME": "/tmp", **task.environment}  # noqa: S108 - the pod's own
    mounts = _mounts(task.resources)
    container: dict[str, Any] = {
        "name": TASK,
        "image": task.image,
        "command": [literal(part) for part in task.command],
        "env": [{"name": key, "value": literal(value)} for key, value in sorted(environment.items())],
        "resources": _resources(task.resources, gpus),
        "securityContext": _locked(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *({"name": one["name"], "mountPath": path} for path, one in mounts.items()),
            {"name": "pass", "mountPath": task.folder, "readOnly": True},
        ],
    }
    items = [{"key": key, "path": path} for path, key in keys_of(task).items()]
    secret = {"secretName": secret_name(task.name), "defaultMode": 0o440, "items": items}
    spec = {
        **_RIGHTLESS,
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [*mounts.values(), {"name": "pass", "secret": secret}],
    }
    for name, files in task.models.items():
        container["volumeMounts"].append({"name": name, "mountPath": files.folder, "readOnly": True})
        spec["volumes"].append({"name": name, "emptyDir": {}})
    if task.models:
        spec["initContainers"] = [fetching(files, options, name) for name, files in task.models.items()]
    return {
        "metadata": {"labels": labels_of(options.prefix, task.name) | {RUN: run}, "annotations": {GPU: task.resources.gpu_model}},
        "spec": spec | where(task.resources, gpus),
    }


def keys_of(task: Task) -> dict[str, str]:
    """The files of a task's Secret by their paths: keys of a Secret have no slashes."""
    return {path: path.replace("/", "__") for path in sorted(task.texts)}


def cleared(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same spec for a merge: what is not asked for is taken away."""
    return {**dict.fromkeys(OPTIONAL), **spec}


def _server(workload: Workload, name: str, gpus: Gpus) -> dict[str, Any]:
    asked = {"httpGet": {"path": workload.probe.path, "port": workload.port}}
    probe = {**(asked if workload.probe.path else {"tcpSocket": {"port": workload.port}}), "timeoutSeconds": 5}
    words = {"host": "0.0.0.0", "port": str(workload.port)}  # noqa: S104 - inside of its pod
    environment = {"HOME": "/tmp", **workload.environment}  # noqa: S108 - the pod's own
    container: dict[str, Any] = {
        "name": name,
        "image": workload.image,
        "env": [{"name": key, "value": literal(value)} for key, value in sorted(environment.items())],
        "ports": [{"containerPort": workload.port, "protocol": "TCP"}],
        "resources": _resources(workload.resources, gpus),
        "securityContext": _locked(),
        "startupProbe": {
            **probe, "periodSeconds": STARTUP_PERIOD_S, "failureThreshold": max(1, math.ceil(workload.probe.startup_s / STARTUP_PERIOD_S)),
        },
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6},
        # The end of the log then tells why a program ended, without another call.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": one["name"], "mountPath": path} for path, one in _mounts(workload.resources).items()],
    }  # fmt: skip
    if workload.command:
        container["command"] = [literal(_fill(part, words)) for part in workload.command]
    if workload.files is not None:
        container["volumeMounts"].append({"name": "model", "mountPath": workload.files.folder, "readOnly": True})
    return container


def fetching(files: ModelFiles, options: Options, task_model: str = "") -> dict[str, Any]:
    """The init container that downloads a model; of those of a task, the one of that name."""
    place = f"{SECRETS}/{task_model}" if task_model else SECRETS
    command = ["python3", f"{SECRETS}/fetch.py", options.hub_url, files.repo, files.commit, place, files.folder]
    return {
        "name": FETCH_BEFORE if task_model == "before" else FETCH,
        "image": options.fetch_image,
        "command": [literal(part) for part in command],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {**_locked(), "readOnlyRootFilesystem": True},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": task_model or "model", "mountPath": files.folder},
            {"name": "pass", "mountPath": SECRETS, "readOnly": True},
        ],
    }


def _locked() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False, "privileged": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip


def _resources(wanted: Resources, gpus: Gpus) -> dict[str, Any]:
    memory = f"{max(1, wanted.memory // MIB)}Mi"
    limits = {"memory": memory} | ({gpus.resource: str(wanted.gpus)} if wanted.gpus else {})
    return {"requests": {"cpu": f"{max(1, round(wanted.cpus * 1000))}m", "memory": memory}, "limits": limits}


def _mounts(resources: Resources) -> dict[str, dict[str, Any]]:
    """Folders that a program may write to. Several GPUs of one copy speak to each other by shared memory."""
    found: dict[str, dict[str, Any]] = {"/tmp": {"name": "tmp", "emptyDir": {}}}  # noqa: S108 - the pod's own
    if resources.gpus:
        found["/dev/shm"] = {"name": "shm", "emptyDir": {"medium": "Memory"}}  # noqa: S108 - the pod's own
    return found


def _volumes(workload: Workload) -> list[dict[str, Any]]:
    volumes = list(_mounts(workload.resources).values())
    if workload.files is not None:
        secret = {"secretName": secret_name(workload.name), "defaultMode": 0o440}
        volumes += [{"name": "model", "emptyDir": {}}, {"name": "pass", "secret": secret}]
    return volumes


def where(wanted: Resources, gpus: Gpus) -> dict[str, Any]:
    """Which nodes take the pods: by the labels of the hardware catalogue, else by the kind of GPU that nodes say they have."""
    spec: dict[str, Any] = {}
    if wanted.selector:
        spec["nodeSelector"] = dict(wanted.selector)
    if not wanted.gpus:
        return spec
    spec["tolerations"] = [{"key": gpus.resource, "operator": "Exists", "effect": "NoSchedule"}]
    if gpus.products and not wanted.selector:
        term = {"matchExpressions": [{"key": gpus.label, "operator": "In", "values": list(gpus.products)}]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    return spec


def _fill(text: str, words: Mapping[str, str]) -> str:
    for key, value in words.items():
        text = text.replace("{" + key + "}", value)
    return text


def literal(text: str) -> str:
    """A text as it is: Kubernetes would put the value of a variable where `$(NAME)` stands."""
    return text.replace("$(", "$$(")
