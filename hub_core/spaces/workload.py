"""From a revision of a Space to the workload that runs it: its own packages, its own copy of its files, shut in."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from hub_core.clusters.port import Confined, ModelFiles, Probe, Workload
from hub_core.deployments.hardware import Hardware
from hub_core.deployments.platform import LOCAL, Platform
from hub_core.deployments.service import workload_name
from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.running_errors import NoRuntime
from hub_core.runtimes.catalogue import Runtime
from hub_core.runtimes.install import Packages
from hub_core.spaces.images import DOCKER, USUAL_PORT, image_of

PLACE = "spaces"
"""The folder of the hub's data that packages of Spaces are in."""

INSTALL_S = 1800.0
REMOTE_APP = "/space/app"  # where a container has the files


def space_packages(platform: Platform, repo_id: int, revision: DeploymentRevision) -> Packages:
    """The packages of a revision of a Space, in an environment that no other Space has."""
    requirements = tuple(map(str, revision.options.get("requirements", ())))
    return Packages(str(repo_id), "The packages of the Space", requirements, PLACE, platform.space_packages, INSTALL_S)


def render_space(
    platform: Platform,
    deployment: Deployment,
    revision: DeploymentRevision,
    runtime: Runtime,
    hardware: Hardware,
    name: str,
    repo: str,
    files: Path,
) -> Workload:
    """The workload.

    Args:
        name, repo: the full names of the deployment and of the Space.
        files: where the files of the revision's commit are on this machine.

    Raises:
        NoRuntime: Spaces of this kind do not run there.
        NoSecretKey: a secret of it cannot be opened.
    """
    way, local = runtime.local, deployment.cluster == LOCAL
    if runtime.name == DOCKER and not local:
        return _own_image(platform, deployment, revision, runtime, hardware, name)
    if way is None or not (local or platform.space_image):
        raise NoRuntime(f"Spaces made with {runtime.title} do not run in the cluster '{deployment.cluster}'.", hint="Ask an administrator.")
    packages = space_packages(platform, deployment.repo_id, revision)
    python = packages.python(platform.data_dir) if packages.requirements else Path(sys.executable).resolve()
    words = {"python": str(python) if local else "{python}", "app": f"./{revision.model_path}"}
    workload = Workload(
        name=workload_name(deployment.id, revision.number),
        labels={"app": "hubtalk", "deployment": str(deployment.id)},
        command=tuple(words.get(part.strip("{}"), part) if part.startswith("{") else part for part in way.command),
        resources=hardware.resources,
        replicas=deployment.replicas,
        environment=dict(way.environment) | _told(deployment, name),
        probe=Probe(runtime.probe.path, runtime.probe.startup_s),
        port=int(revision.options.get("port", way.app_port)),
        confined=Confined(str(files), (str(packages.folder(platform.data_dir)),), platform.space_disk),
        secrets=dict(platform.environment_of(deployment.repo_id)),
    )
    if local:
        return workload
    return replace(
        workload,
        image=platform.space_image,
        owner=name.partition("/")[0],
        files=ModelFiles(deployment.id, f"spaces/{repo}", revision.commit, tuple(revision.paths), REMOTE_APP),
        confined=Confined("", (), platform.space_disk, packages.requirements, platform.space_packages),
    )


def _own_image(
    platform: Platform, deployment: Deployment, revision: DeploymentRevision, runtime: Runtime, hardware: Hardware, name: str
) -> Workload:
    """An app that is an image of its own: what it starts with, and where its files are, is the image's business."""
    return Workload(
        name=workload_name(deployment.id, revision.number),
        labels={"app": "hubtalk", "deployment": str(deployment.id)},
        command=(),
        resources=hardware.resources,
        replicas=deployment.replicas,
        environment=_told(deployment, name),
        probe=Probe(runtime.probe.path, runtime.probe.startup_s),
        image=image_of(revision.options),
        port=int(revision.options.get("port", USUAL_PORT)),
        confined=Confined("", (), platform.space_disk),
        secrets=dict(platform.environment_of(deployment.repo_id)),
        owner=name.partition("/")[0],
    )


def _told(deployment: Deployment, name: str) -> dict[str, str]:
    """What every app finds in its environment."""
    owner, _, own_name = name.partition("/")
    told = {"SPACE_ID": name, "SPACE_AUTHOR_NAME": owner, "SPACE_REPO_NAME": own_name}
    return told | {"HUBTALK_RESTARTS": str(deployment.restarts)}
