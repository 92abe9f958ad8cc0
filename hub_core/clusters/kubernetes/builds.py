"""Builds of images: tasks that BuildKit runs as, rootless, in a namespace that the operator made for them.

Owners' namespaces keep to the standard `restricted` of Pod Security, and rootless BuildKit cannot: it makes user namespaces and mounts, which
takes the seccomp and AppArmor profiles off, and helpers that may gain rights. So nothing else of the hub runs where builds do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hub_core.clusters.kubernetes import taskobjects, tenancy
from hub_core.clusters.kubernetes.api import Api
from hub_core.clusters.kubernetes.names import HUB, hub_label
from hub_core.clusters.kubernetes.objects import in_namespace
from hub_core.clusters.kubernetes.options import Building, Options
from hub_core.clusters.kubernetes.podspec import Gpus
from hub_core.clusters.kubernetes.state import State
from hub_core.clusters.kubernetes.tasks import KubernetesTasks
from hub_core.clusters.kubernetes.writer import Writer, create_or_merge
from hub_core.clusters.port import Task

CACHE = "/home/user/.local/share/buildkit"  # where the image of BuildKit keeps layers; a mount, as some nodes mount its own without rights
REGISTRY = "/registry"
MIB = 1024**2


class KubernetesBuilds(KubernetesTasks):
    """The port `Tasks` for builds."""

    def __init__(self, api: Api, options: Options, state: State, writer: Writer, building: Building) -> None:
        super().__init__(api, replace(options, train_jobs=False), state, writer)
        self._building = building

    def _namespace(self, owner: str) -> str:  # noqa: ARG002 - one for all owners
        return self._building.namespace

    def _open(self, namespace: str, owner: str, *, anew: bool = False) -> None:  # noqa: ARG002 - as above
        """Only the walls: the namespace is the operator's, and is never made or changed."""
        policies = in_namespace("/apis/networking.k8s.io/v1", namespace, "networkpolicies")
        create_or_merge(self._api, policies, walls(self._options, self._building))

    def _job(self, task: Task, namespace: str, gpus: Gpus, queue: str, run: str) -> dict[str, Any]:
        return with_rights(taskobjects.job(task, self._options, namespace, gpus, queue, run), self._building)


def walls(options: Options, building: Building) -> dict[str, Any]:
    """Nobody may speak to builds; they reach the hub, what the operator named for them, and ask for names."""
    more = replace(options, namespaces=options.namespaces + building.namespaces, networks=options.networks + building.networks)
    made = tenancy.walls(more, building.namespace)
    own = hub_label(options.prefix)
    spec = made["spec"] | {"podSelector": {"matchLabels": {HUB: own}}, "ingress": []}
    return made | {"metadata": made["metadata"] | {"name": own}, "spec": spec}


def with_rights(job: dict[str, Any], building: Building) -> dict[str, Any]:
    """The Job of a task with what rootless BuildKit needs, and a bound on its disk. It sees no pass; that is for the download before it."""
    template = job["spec"]["template"]
    spec = template["spec"]
    (container,) = spec["containers"]
    mounts = [one for one in container["volumeMounts"] if one["name"] != "pass"] + [{"name": "cache", "mountPath": CACHE}]
    environment = [one for one in container["env"] if one["name"] != "HOME"]  # its image has one, and finds its own files by it
    volumes = [*spec["volumes"], {"name": "cache", "emptyDir": {}}]
    if building.secret:
        # Without it the registry says no, and that is told; a pod that waits for a Secret would tell nothing.
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        volumes.append(
            {"name": "registry", "secret": {"secretName": building.secret, "optional": True, "items": items, "defaultMode": 0o440}}
        )
        mounts.append({"name": "registry", "mountPath": REGISTRY, "readOnly": True})
        environment.append({"name": "DOCKER_CONFIG", "value": REGISTRY})
    # Processes of a build are not hidden from it: that would take a /proc that only a privileged pod has.
    environment.append({"name": "BUILDKITD_FLAGS", "value": "--oci-worker-no-process-sandbox"})
    environment.append({"name": "BUILDCTL_CONNECT_RETRIES_MAX", "value": "100"})  # about two minutes, on a busy node
    unconfined = {"type": "Unconfined"}
    builder = container | {
        "env": environment,
        "volumeMounts": mounts,
        "resources": {
            "requests": container["resources"]["requests"] | {"ephemeral-storage": "1Gi"},
            "limits": container["resources"]["limits"] | {"ephemeral-storage": f"{max(1, building.disk // MIB)}Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True, "privileged": False, "allowPrivilegeEscalation": True, "seccompProfile": unconfined,
            "appArmorProfile": unconfined,
        },
    }  # fmt: skip
    return job | {"spec": job["spec"] | {"template": template | {"spec": spec | {"containers": [builder], "volumes": volumes}}}}
