"""Pods of apps that nobody vouches for. What no pod may, they may not either; and they write nowhere but into folders of a bounded size.

Files of the app are put into one of these, its packages into another, by a container that runs before and installs prebuilt packages only.
An app that is an image of its own has neither: it may write to its own files, as much as its node lets it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub_core.clusters.kubernetes.names import INSTALL, labels_of
from hub_core.clusters.kubernetes.objects import MAX_SECRET, encoded
from hub_core.clusters.kubernetes.options import Options
from hub_core.clusters.kubernetes.podspec import literal
from hub_core.clusters.port import Confined, Workload
from hub_core.running_errors import ClusterRefused

PACKAGES = "/space/packages"
PROGRAM = Path(__file__).with_name("packages.py")
MIB = 1024**2


def shut_in(template: dict[str, Any], workload: Workload, options: Options) -> dict[str, Any]:
    """The template of the pods of an app, from that of a program like any other."""
    confined, files = workload.confined, workload.files
    assert confined is not None
    if files is None:
        return _own_image(template, workload, confined, options)
    spec = template["spec"]
    (server,) = spec["containers"]
    server |= {
        "workingDir": files.folder,
        "command": [_filled(part, confined, workload.port) for part in server["command"]],
        "env": _environment(server["env"], confined, workload),
        "securityContext": {**server["securityContext"], "readOnlyRootFilesystem": True},
    }
    for mount in server["volumeMounts"]:
        if mount["mountPath"] == files.folder:
            del mount["readOnly"]
    volumes = [_bounded(volume, confined.disk) for volume in spec["volumes"]]
    before = list(spec["initContainers"])
    if confined.requirements:
        volumes.append(_bounded({"name": "packages", "emptyDir": {}}, confined.packages))
        server["volumeMounts"].append({"name": "packages", "mountPath": PACKAGES, "readOnly": True})
        before.append(_install(confined, server, options))
    return {**template, "spec": {**spec, "volumes": volumes, "initContainers": before}}


def _own_image(template: dict[str, Any], workload: Workload, confined: Confined, options: Options) -> dict[str, Any]:
    """Its image says what runs and where its home is; the node ends it when it has written more than it may."""
    spec = template["spec"]
    (server,) = spec["containers"]
    server["env"] = [one for one in _environment(server["env"], confined, workload) if one != {"name": "HOME", "value": "/tmp"}]  # noqa: S108 - the pod's own
    server["resources"]["limits"]["ephemeral-storage"] = f"{max(1, confined.disk // MIB)}Mi"
    secret = options.building.secret if options.building else ""
    pulls = {"imagePullSecrets": [{"name": secret}]} if secret else {}
    return {**template, "spec": {**spec, **pulls, "volumes": [_bounded(volume, confined.disk) for volume in spec["volumes"]]}}


def environment_secret(workload: Workload, options: Options, namespace: str, service_uid: str) -> dict[str, Any]:
    """The Secret with what an app finds in its environment. It goes with the Service, which is the last of a workload to go.

    Raises:
        ClusterRefused: it is more than a Secret holds.
    """
    if sum(len(name) + len(value.encode()) for name, value in workload.secrets.items()) > MAX_SECRET:
        raise ClusterRefused("The variables and secrets of the Space are larger than a cluster takes.", hint="Take smaller ones.")
    owner = {"apiVersion": "v1", "kind": "Service", "name": workload.name, "uid": service_uid}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": environment_name(workload.name), "namespace": namespace, "labels": labels_of(options.prefix, workload.name),
            "ownerReferences": [owner],
        },
        "type": "Opaque",
        "data": {name: encoded(value) for name, value in workload.secrets.items()},
    }  # fmt: skip


def environment_name(workload: str) -> str:
    """The Secret with an app's environment."""
    return f"{workload}-environment"


def _environment(plain: list[dict[str, str]], confined: Confined, workload: Workload) -> list[dict[str, Any]]:
    """What its people set wins over what its runtime sets, as on the hub's machine."""
    kept = [{**one, "value": _filled(one["value"], confined, workload.port)} for one in plain if one["name"] not in workload.secrets]
    secret = environment_name(workload.name)
    return kept + [{"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}} for name in sorted(workload.secrets)]


def _install(confined: Confined, server: dict[str, Any], options: Options) -> dict[str, Any]:
    """With the image of the app: packages are for its Python."""
    index = [{"name": "PIP_INDEX_URL", "value": options.package_index}] if options.package_index else []
    return {
        "name": INSTALL,
        "image": server["image"],
        "command": ["python3", "-c", PROGRAM.read_text(encoding="utf-8"), PACKAGES, *map(literal, confined.requirements)],
        "env": [{"name": "HOME", "value": "/tmp"}, *index],  # noqa: S108 - the pod's own
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1024Mi"}},
        "securityContext": server["securityContext"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "packages", "mountPath": PACKAGES}],  # noqa: S108 - the pod's own
    }


def _bounded(volume: dict[str, Any], size: int) -> dict[str, Any]:
    """A pod that fills a folder over its size is ended."""
    return {**volume, "emptyDir": {"sizeLimit": f"{max(1, size // MIB)}Mi"}} if volume.get("emptyDir") == {} else volume


def _filled(text: str, confined: Confined, port: int) -> str:
    python = f"{PACKAGES}/bin/python" if confined.requirements else "python3"
    for key, value in {"python": python, "host": "0.0.0.0", "port": str(port)}.items():  # noqa: S104 - inside of its pod
        text = text.replace("{" + key + "}", value)
    return text
