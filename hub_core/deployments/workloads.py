"""From a revision's row to the workload that a cluster runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hub_core.clusters.port import ModelFiles, Probe, Workload
from hub_core.deployments.platform import LOCAL, Platform
from hub_core.deployments.service import workload_name
from hub_core.deployments.tables import Deployment, DeploymentRevision
from hub_core.running_errors import NoRuntime
from hub_core.runtimes.catalogue import SERVERS, Runtime
from hub_core.runtimes.install import python_of
from hub_core.spaces.spec import APP
from hub_core.spaces.workload import render_space, space_packages

MODELS = "models"
REMOTE_MODEL = "/model"  # where a container has the files


def snapshot_folder(data_dir: Path, repo_id: int, revision: DeploymentRevision) -> Path:
    """Where the files of a model are put before a runtime on this machine; other files of the same commit are another folder."""
    paths = hashlib.sha256(json.dumps([revision.commit, sorted(revision.paths)]).encode()).hexdigest()[:12]
    return data_dir / MODELS / f"{repo_id}-{paths}"


def folder_names(platform: Platform, repo_id: int, revision: DeploymentRevision) -> set[str]:
    """What a revision needs in the hub's data folder: the names of its files' folder, and of a Space's packages."""
    names = {snapshot_folder(platform.data_dir, repo_id, revision).name}
    return names | {space_packages(platform, repo_id, revision).folder(platform.data_dir).name} if revision.task == APP else names


def labels(deployment: Deployment) -> dict[str, str]:
    """What tells whose a workload is."""
    return {"app": "hubtalk", "deployment": str(deployment.id)}


def render(platform: Platform, deployment: Deployment, revision: DeploymentRevision, name: str, repo: str) -> tuple[Workload, str]:
    """The workload of a revision, and what its server wants as `model` in a request.

    Args:
        name, repo: the full names of the deployment and of its model.

    Raises:
        NoRuntime, NoSuchHardware: it is in the operator's catalogue no more.
    """
    runtime = platform.runtimes.get(revision.runtime)
    hardware = platform.hardware.get(revision.hardware)
    if revision.task == APP:
        files = snapshot_folder(platform.data_dir, deployment.repo_id, revision)
        return render_space(platform, deployment, revision, runtime, hardware, name, repo, files), ""
    way = runtime.local if deployment.cluster == LOCAL else runtime.container
    if way is None:
        raise NoRuntime(f"{runtime.title} does not run in the cluster '{deployment.cluster}' any more.", hint="Ask an administrator.")
    words = _words(platform, deployment, revision, runtime, name) | {"cpus": str(max(1, int(hardware.resources.cpus)))}
    words |= {"gpus": str(max(1, hardware.resources.gpus))} | {key: str(value) for key, value in revision.environment.items()}
    workload = Workload(
        name=workload_name(deployment.id, revision.number),
        labels=labels(deployment),
        command=tuple(_fill(part, words) for part in way.command),
        resources=hardware.resources,
        replicas=deployment.replicas,
        environment={key: _fill(value, words) for key, value in way.environment.items()}
        | {key: str(value) for key, value in revision.environment.items()}
        | {"HUBTALK_RESTARTS": str(deployment.restarts)},
        probe=Probe(runtime.probe.path, runtime.probe.startup_s),
        image=_fill(runtime.container.image, words) if runtime.container else "",
        port=runtime.container.port if runtime.container else 8080,
    )
    if deployment.cluster != LOCAL and runtime.container is not None:
        wanted = ModelFiles(deployment.id, repo, revision.commit, tuple(revision.paths), REMOTE_MODEL)
        workload = replace(workload, owner=name.partition("/")[0], files=wanted, kserve=runtime.container.kserve)
    return workload, _fill(way.model_field, words)


def _words(platform: Platform, deployment: Deployment, revision: DeploymentRevision, runtime: Runtime, name: str) -> dict[str, str]:
    if deployment.cluster == LOCAL:
        folder = str(snapshot_folder(platform.data_dir, deployment.repo_id, revision))
        own = {"python": str(python_of(platform.data_dir, runtime)), "servers": str(SERVERS)}
    else:
        folder, own = REMOTE_MODEL, {}
    model = f"{folder}/{revision.model_path}" if revision.model_path else folder
    return own | {"folder": folder, "model": model, "name": name, "task": revision.task, "context": str(runtime.context)}


def _fill(text: str, words: Mapping[str, str]) -> str:
    """The text with its `{words}`; `{host}` and `{port}` are left to the cluster."""
    for key, value in words.items():
        text = text.replace("{" + key + "}", value)
    return text
