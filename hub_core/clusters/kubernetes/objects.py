"""The objects of a workload, as JSON. All are made from the workload alone, so making them twice gives the same."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from hub_core.clusters.kubernetes.names import QUEUE, annotations_of, controller_name, labels_of, secret_name, selector_of
from hub_core.clusters.kubernetes.options import QUOTAS, Options
from hub_core.clusters.kubernetes.podspec import Gpus, cleared, template
from hub_core.clusters.port import Workload
from hub_core.running_errors import ClusterRefused

SCRIPT = Path(__file__).with_name("fetch.py")
MAX_SECRET = 900_000  # a Secret has 1 MiB at most
DEPLOYMENTS, SERVICES, SECRETS = "/apis/apps/v1", "/api/v1", "/api/v1"
KSERVE, AUTOSCALING = "/apis/serving.kserve.io/v1beta1", "/apis/autoscaling/v2"


def in_namespace(root: str, namespace: str, kind: str, name: str = "") -> str:
    """The path of objects of a kind in a namespace, or of one of them."""
    return f"{root}/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")


def _about(workload: Workload, options: Options, namespace: str, queue: str = "") -> dict[str, Any]:
    labels = labels_of(options.prefix, workload.name) | ({QUEUE: queue} if queue else {})
    return {"name": workload.name, "namespace": namespace, "labels": labels, "annotations": annotations_of(workload)}


def deployment(workload: Workload, options: Options, namespace: str, gpus: Gpus, queue: str = "") -> dict[str, Any]:
    """The Deployment. Each revision of the hub has one of its own, so a change in place replaces what runs: GPUs are not there twice."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _about(workload, options, namespace, queue),
        "spec": {
            "replicas": workload.replicas,
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": int(workload.probe.startup_s) + 600,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector_of(options.prefix, workload.name)},
            "template": template(workload, options, gpus),
        },
    }


def changed(body: dict[str, Any]) -> dict[str, Any]:
    """An object as a merge patch of one that is there."""
    about, spec = body["metadata"], body.get("spec", {})
    if QUEUE not in about.get("labels", {}):
        body = {**body, "metadata": {**about, "labels": {**about.get("labels", {}), QUEUE: None}}}
    if "template" in spec:
        pods = spec["template"]
        kept = {key: value for key, value in spec.items() if key != "selector"}  # it can never change
        return {**body, "spec": kept | {"template": {**pods, "spec": cleared(pods["spec"])}}}
    if "predictor" in spec:
        return {**body, "spec": {"predictor": cleared(spec["predictor"])}}
    if "hard" in spec:
        return {**body, "spec": {"hard": dict.fromkeys(QUOTAS.values()) | spec["hard"]}}
    return body


def scaled(workload: Workload, options: Options, namespace: str, kserve: bool) -> dict[str, Any]:
    """The merge patch that only changes the number of copies; what scales by itself begins there anew."""
    copies = {"minReplicas": workload.replicas, "maxReplicas": workload.replicas}
    about = _about(workload, options, namespace) | {"name": controller_name(workload.name, kserve)}
    return {"metadata": about, "spec": {"predictor": copies} if kserve else {"replicas": workload.replicas}}


def service(workload: Workload, options: Options, namespace: str) -> dict[str, Any]:
    """The Service: the address of the workload, and the mark that it exists."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _about(workload, options, namespace),
        "spec": {
            "type": "ClusterIP",
            "selector": selector_of(options.prefix, workload.name),
            "ports": [{"name": "http", "port": workload.port, "targetPort": workload.port, "protocol": "TCP"}],
        },
    }


def secret(workload: Workload, options: Options, namespace: str, pass_: str) -> dict[str, Any]:
    """The Secret of the init container: the pass, the list of files, and the program that downloads them.

    Raises:
        ClusterRefused: there are more files than a Secret can name.
    """
    assert workload.files is not None
    content = {"token": pass_, "files.json": json.dumps(list(workload.files.paths)), "fetch.py": SCRIPT.read_text(encoding="utf-8")}
    if sum(map(len, content.values())) > MAX_SECRET:
        raise ClusterRefused(f"The model has {len(workload.files.paths):,} files, more than can be downloaded into a cluster.")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(workload.name), "namespace": namespace, "labels": labels_of(options.prefix, workload.name),
        },
        "type": "Opaque",
        "data": {name: encoded(text) for name, text in content.items()},
    }  # fmt: skip


def encoded(text: str) -> str:
    """A text as a Secret keeps it."""
    return base64.b64encode(text.encode()).decode()


def autoscaler(workload: Workload, options: Options, namespace: str, deployment_uid: str) -> dict[str, Any]:
    """The HorizontalPodAutoscaler of a workload that leaves the number of its copies to the cluster; it goes with its Deployment."""
    scaling = workload.scaling
    assert scaling is not None
    target = {"type": "Utilization", "averageUtilization": scaling.cpu_percent}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name, "uid": deployment_uid}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": workload.name, "namespace": namespace, "labels": labels_of(options.prefix, workload.name), "ownerReferences": [owner],
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
            "minReplicas": max(1, scaling.least),
            "maxReplicas": max(1, scaling.most),
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }  # fmt: skip


def inference_service(workload: Workload, options: Options, namespace: str, gpus: Gpus, queue: str = "") -> dict[str, Any]:
    """KServe's InferenceService with the same pods, in its plain mode (a Deployment, no Knative)."""
    pods = template(workload, options, gpus, kserve=True)
    about = _about(workload, options, namespace, queue)
    about["name"] = controller_name(workload.name, kserve=True)
    about["annotations"] = {**about["annotations"], "serving.kserve.io/deploymentMode": "RawDeployment"}
    scaling = workload.scaling
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": about,
        "spec": {
            "predictor": {
                **pods["spec"],
                "labels": pods["metadata"]["labels"],
                "annotations": pods["metadata"]["annotations"],
                "minReplicas": max(1, scaling.least) if scaling else workload.replicas,
                "maxReplicas": max(1, scaling.most) if scaling else workload.replicas,
                "deploymentStrategy": {"type": "Recreate"},
            }
        },
    }
