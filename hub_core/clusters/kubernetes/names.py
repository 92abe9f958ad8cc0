"""What things are called in a cluster: namespaces, labels, annotations. All names follow from what a thing is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from hub_core.clusters.port import Workload

Body = dict[str, object]
"""A Kubernetes object as JSON."""

MANAGER = "hubtalk"
MANAGED_BY = "app.kubernetes.io/managed-by"
# Labels: `hub` tells the objects of one hub from another's, `workload` is what Services and watches select by.
HUB, WORKLOAD, OWNER = "hubtalk/hub", "hubtalk/workload", "hubtalk/owner"
RUN = "hubtalk/run"  # tells the pod of a task from that of one which had its name before
# Annotations: what `observe` gives back.
DIGEST, LABELS, REPLICAS, GPU = "hubtalk/digest", "hubtalk/labels", "hubtalk/replicas", "hubtalk/gpu"
FILES = "hubtalk/files"  # the deployment whose pass downloads the model's files
HUB_JOB = "hubtalk/job"  # the hub's own job that a Job belongs to
QUEUE = "kueue.x-k8s.io/queue-name"
PARTS = "hubtalk"  # the ResourceQuota and the NetworkPolicy of a namespace
SERVER, FETCH, KSERVE_SERVER, TASK = "server", "fetch", "kserve-container", "node"  # containers; the last as Kubeflow calls it
FETCH_BEFORE = "fetch-before"  # downloads the model that a task compares with
INSTALL = "install"  # the container that installs the packages of an app

_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_HASHED = re.compile(r"-[0-9a-f]{8}$")


def namespace_of(prefix: str, owner: str) -> str:
    """The namespace of an owner. Names that a namespace cannot have get a hash, and so do names that look as if they had one."""
    if _PLAIN.fullmatch(owner) and not _HASHED.search(owner):
        return prefix + owner
    clean = re.sub(r"[^a-z0-9]+", "-", owner.lower()).strip("-")
    return f"{prefix}{clean}-{hashlib.sha256(owner.encode()).hexdigest()[:8]}"


def hub_label(prefix: str) -> str:
    """The value of the label `hub`."""
    return prefix.strip("-")


def labels_of(prefix: str, workload: str) -> dict[str, str]:
    """The labels of everything that belongs to a workload."""
    return {MANAGED_BY: MANAGER, HUB: hub_label(prefix), WORKLOAD: workload, "app.kubernetes.io/name": workload}


def selector_of(prefix: str, workload: str) -> dict[str, str]:
    """The labels that pods of a workload are found by; a Deployment's can never be changed."""
    return {HUB: hub_label(prefix), WORKLOAD: workload}


def annotations_of(workload: Workload) -> dict[str, str]:
    """What tells how a workload shall run."""
    return {
        DIGEST: workload.digest,
        REPLICAS: str(workload.replicas),
        LABELS: json.dumps(dict(workload.labels), sort_keys=True),
        FILES: str(workload.files.deployment) if workload.files else "",
    }


def read_labels(annotations: Mapping[str, str]) -> dict[str, str]:
    """The labels that a workload was applied with; empty where somebody broke them."""
    try:
        value = json.loads(annotations.get(LABELS, "{}"))
    except ValueError:
        return {}
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, dict) else {}


def controller_name(workload: str, kserve: bool) -> str:
    """The Deployment or InferenceService of a workload; KServe may make a Service of its own under the InferenceService's name."""
    return f"{workload}-kserve" if kserve else workload


def secret_name(workload: str) -> str:
    """The Secret with which a workload's files are downloaded."""
    return f"{workload}-files"
