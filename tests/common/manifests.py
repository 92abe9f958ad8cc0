"""Checks objects for Kubernetes: by the official schemas, strictly, and for what the schemas do not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import kubernetes_validate

VERSION = "1.37"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
RIGHTS = {"ClusterRole", "ClusterRoleBinding"}
CLUSTER_WIDE = {"Namespace", *RIGHTS}
NO_SCHEMA = {"InferenceService"}


def check(body: Mapping[str, Any], *, builder: bool = False) -> None:
    """Raise for an object that a real API server would not take. `builder`: Jobs build images, outside of the namespaces of owners."""
    if body["kind"] not in NO_SCHEMA:
        kubernetes_validate.validate(dict(body), VERSION, strict=True)
    about = body["metadata"]
    kind = re.compile(r"[^/%]+") if body["kind"] in RIGHTS else NAME
    assert kind.fullmatch(about["name"]) and len(about["name"]) <= 63, about["name"]
    assert body["kind"] in CLUSTER_WIDE or (NAME.fullmatch(about["namespace"]) and len(about["namespace"]) <= 63), about
    _labels(about.get("labels", {}))
    for key in about.get("annotations", {}):
        assert LABEL_KEY.fullmatch(key), key
    spec = body.get("spec", {})
    if body["kind"] == "Deployment":
        pods = spec["template"]
        assert spec["selector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()
        _pods(pods)
    if body["kind"] == "Job":
        _pods(spec["template"], restarts="Never", builder=builder)
    if body["kind"] == "InferenceService":
        predictor = spec["predictor"]
        _pods({"metadata": {"labels": predictor["labels"]}, "spec": predictor})
    for quantity in (spec.get("hard") or {}).values():
        assert QUANTITY.fullmatch(quantity), quantity


def _pods(template: Mapping[str, Any], restarts: str = "Always", *, builder: bool = False) -> None:
    spec = template["spec"]
    _labels(template["metadata"]["labels"])
    assert spec.get("restartPolicy", "Always") == restarts
    volumes = {volume["name"] for volume in spec["volumes"]}
    names = [container["name"] for container in containers(spec)]
    assert len(names) == len(set(names))
    assert spec["automountServiceAccountToken"] is False
    for container in containers(spec):
        assert NAME.fullmatch(container["name"])
        assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
        paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        assert len(paths) == len(set(paths))
        environment = [one["name"] for one in container.get("env", [])]
        assert len(environment) == len(set(environment))
        resources = container["resources"]
        for kind in ("requests", "limits"):
            assert all(QUANTITY.fullmatch(value) for value in resources.get(kind, {}).values()), resources
        if builder and container in spec["containers"]:
            assert container["securityContext"]["runAsNonRoot"] and not container["securityContext"]["privileged"]
        else:
            restricted(container["securityContext"], spec["securityContext"])
        for port in container.get("ports", []):
            assert 1 <= port["containerPort"] <= 65535
    for volume in volumes:
        assert NAME.fullmatch(volume)


def restricted(own: Mapping[str, Any], pod: Mapping[str, Any]) -> None:
    """What the standard `restricted` of Pod Security asks for."""
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert not own.get("privileged")
    assert own["runAsNonRoot"] and pod["runAsNonRoot"] and pod["runAsUser"] > 0
    assert own["seccompProfile"] == {"type": "RuntimeDefault"}


def containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All containers of a pod."""
    yield from spec.get("initContainers", [])
    yield from spec["containers"]


def _labels(labels: Mapping[str, str]) -> None:
    for key, value in labels.items():
        assert LABEL_KEY.fullmatch(key) and len(key.rpartition("/")[2]) <= 63, key
        assert LABEL_VALUE.fullmatch(value) and len(value) <= 63, (key, value)
