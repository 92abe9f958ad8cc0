"""What each owner has in a cluster: a namespace, with a share of the cluster and walls around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub_core.clusters.kubernetes.names import HUB, MANAGED_BY, MANAGER, OWNER, PARTS, hub_label
from hub_core.clusters.kubernetes.options import Options, without_metadata


def _labels(options: Options) -> dict[str, str]:
    return {MANAGED_BY: MANAGER, HUB: hub_label(options.prefix)}


def namespace(options: Options, name: str, owner: str) -> dict[str, Any]:
    """The namespace of an owner. Pods in it keep to the strictest of Kubernetes' own standards."""
    labels = {**_labels(options), OWNER: owner, "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def quota(options: Options, name: str) -> dict[str, Any]:
    """The owner's share."""
    about = {"name": PARTS, "namespace": name, "labels": _labels(options)}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": about, "spec": {"hard": dict(options.quota)}}


def walls(options: Options, name: str) -> dict[str, Any]:
    """Only the hub may speak to the pods; they may speak to the hub and ask for names, and reach nothing else.

    What is not allowed is forbidden: so the addresses where clouds give out credentials are not reached either, and an address range
    of the hub that has them in it leaves them out.
    """
    peers: list[Mapping[str, Any]] = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": one}}} for one in options.namespaces
    ]
    for network in options.networks:
        left_out = without_metadata(network)
        peers.append({"ipBlock": {"cidr": str(network)} | ({"except": left_out} if left_out else {})})
    dns = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }
    hub = [{"to": peers}] if peers else []  # a rule without peers would allow everything
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": PARTS, "namespace": name, "labels": _labels(options)},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers}] if peers else [],
            "egress": [dns, *hub],
        },
    }
