"""What is sent to a Kubernetes cluster: checked by the official schemas and by rules of our own."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from typing import Any

import pytest

from hub_core.clusters.kubernetes import objects, tenancy
from hub_core.clusters.kubernetes.names import namespace_of
from hub_core.clusters.kubernetes.options import PODS, Options
from hub_core.clusters.kubernetes.podspec import Gpus
from hub_core.clusters.port import GIB, ModelFiles, Probe, Resources, Scaling, Workload
from hub_core.running_errors import ClusterRefused
from tests.common.fake_api_server import decoded
from tests.common.manifests import check, containers

NETWORKS = (ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("0.0.0.0/0"))
OPTIONS = Options("hubtalk-", "https://hub.example.com", PODS, ("hubtalk",), NETWORKS, "python:3.13-alpine", {"pods": "50"}, 10)
NS = "hubtalk-acme"
NASTY = "$(HOME) {{ x }} \"'\n- name: evil: \\ \t 名前 ${HUB_TOKEN}"
FILES = ModelFiles(7, "acme/support-7b", "c" * 40, ("config.json", "weights/модель 1.safetensors"), "/model")
ON_GPU = Resources(8, 46 * GIB, "a10", 2, "A10")
PRODUCTS = Gpus("nvidia.com/gpu", "nvidia.com/gpu.product", ("NVIDIA-A10", "NVIDIA-A10G"))


def workload(**changes: Any) -> Workload:
    base = Workload(
        "d7-r1", {"app": "hubtalk", "deployment": "7"}, ("serve", "--host", "{host}", "--port", "{port}"), Resources(2, 8 * GIB), 3,
        {"GREETING": NASTY}, Probe("/health", 600), "ghcr.io/acme/server:1", 8000, owner="acme", files=FILES,
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


WORKLOADS = {
    "plain": workload(),
    "gpu": workload(resources=ON_GPU),
    "chosen nodes": workload(resources=dataclasses.replace(ON_GPU, selector=(("acme.example/pool", "a10"),))),
    "its own image": workload(command=(), files=None, environment={}),
    "asleep": workload(replicas=0),
    "by itself": workload(scaling=Scaling(1, 4)),
}


@pytest.mark.parametrize("one", WORKLOADS.values(), ids=WORKLOADS.keys())
@pytest.mark.parametrize("gpus", [Gpus(), PRODUCTS], ids=["no products", "products"])
def test_every_object_is_one_that_kubernetes_takes(one: Workload, gpus: Gpus) -> None:
    made = [
        objects.deployment(one, OPTIONS, NS, gpus, "queue"),
        objects.service(one, OPTIONS, NS),
        objects.inference_service(one, OPTIONS, NS, gpus),
        tenancy.namespace(OPTIONS, NS, "acme"),
        tenancy.quota(OPTIONS, NS),
        tenancy.walls(OPTIONS, NS),
    ]
    made += [objects.secret(one, OPTIONS, NS, "pass")] if one.files else []
    made += [objects.autoscaler(one, OPTIONS, NS, "uid-1")] if one.scaling else []
    for body in made:
        check(body)
        assert json.loads(json.dumps(body)) == body


def test_making_twice_gives_the_same() -> None:
    for one in WORKLOADS.values():
        assert objects.deployment(one, OPTIONS, NS, PRODUCTS) == objects.deployment(one, OPTIONS, NS, PRODUCTS)


def test_a_merge_of_the_same_object_changes_nothing_and_removes_what_is_left_out() -> None:
    before, after = (
        objects.deployment(workload(resources=ON_GPU), OPTIONS, NS, PRODUCTS),
        objects.deployment(workload(), OPTIONS, NS, Gpus()),
    )
    assert merged(before, objects.changed(before)) == before
    assert merged(before, objects.changed(after)) == after
    assert merged(tenancy.quota(OPTIONS, NS), objects.changed(tenancy.quota(OPTIONS, NS))) == tenancy.quota(OPTIONS, NS)


def test_what_people_write_stays_what_they_wrote() -> None:
    (server,) = objects.deployment(workload(), OPTIONS, NS, Gpus())["spec"]["template"]["spec"]["containers"]
    (greeting,) = [one["value"] for one in server["env"] if one["name"] == "GREETING"]
    assert greeting == NASTY.replace("$(", "$$(")  # as Kubernetes writes a dollar that is meant
    assert server["command"] == ["serve", "--host", "0.0.0.0", "--port", "8000"]


def test_gpus_are_asked_for_on_nodes_that_have_them() -> None:
    spec = objects.deployment(workload(resources=ON_GPU), OPTIONS, NS, PRODUCTS)["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-A10", "NVIDIA-A10G"]}]
    chosen = objects.deployment(WORKLOADS["chosen nodes"], OPTIONS, NS, PRODUCTS)["spec"]["template"]["spec"]
    assert chosen["nodeSelector"] == {"acme.example/pool": "a10"}
    assert "affinity" not in chosen


def test_the_pass_is_in_the_secret_and_nowhere_else() -> None:
    pass_ = "hubpass-very-secret"
    one = workload()
    assert decoded(objects.secret(one, OPTIONS, NS, pass_))["token"] == pass_
    assert json.loads(decoded(objects.secret(one, OPTIONS, NS, pass_))["files.json"]) == list(FILES.paths)
    rest = [
        objects.deployment(one, OPTIONS, NS, Gpus()),
        objects.service(one, OPTIONS, NS),
        objects.inference_service(one, OPTIONS, NS, Gpus()),
    ]
    assert pass_ not in json.dumps(rest)
    spec = rest[0]["spec"]["template"]["spec"]
    with_secret = [one["name"] for one in containers(spec) if any(mount["name"] == "pass" for mount in one["volumeMounts"])]
    assert with_secret == ["fetch"]


def test_a_model_with_too_many_files_is_refused() -> None:
    files = dataclasses.replace(FILES, paths=tuple(f"{'x' * 90}{number}" for number in range(12_000)))
    with pytest.raises(ClusterRefused, match="12,000 files"):
        objects.secret(workload(files=files), OPTIONS, NS, "pass")


def test_only_the_hub_is_let_in_and_reached() -> None:
    spec = tenancy.walls(OPTIONS, NS)["spec"]
    hub = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "hubtalk"}}},
        {"ipBlock": {"cidr": "10.20.0.0/16"}},
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
    ]
    assert spec["ingress"] == [{"from": hub}]
    assert spec["egress"][1] == {"to": hub}
    assert {port["port"] for port in spec["egress"][0]["ports"]} == {53}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    # An empty list of peers would mean everybody.
    nobody = tenancy.walls(dataclasses.replace(OPTIONS, namespaces=(), networks=()), NS)["spec"]
    assert (nobody["ingress"], len(nobody["egress"])) == ([], 1)


def test_each_owner_has_a_namespace_of_their_own() -> None:
    owners = ["acme", "a-b", "a_b", "a--b", "x" * 39, "_" + "x" * 38, "a-b-" + "0" * 8, namespace_of("", "a_b")]
    found = [namespace_of("hubtalk-", owner) for owner in owners]
    assert found[0] == "hubtalk-acme"
    assert len(set(found)) == len(owners)
    for name, owner in zip(found, owners, strict=True):
        check(tenancy.namespace(OPTIONS, name, owner.strip("_")))


def test_another_number_of_copies_is_a_small_change() -> None:
    patch = objects.scaled(workload(replicas=5), OPTIONS, NS, kserve=False)
    before = objects.deployment(workload(), OPTIONS, NS, Gpus())
    assert merged(before, patch) == objects.deployment(workload(replicas=5), OPTIONS, NS, Gpus())
    assert "template" not in patch["spec"]


def merged(body: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    base = dict(body) if isinstance(body, dict) else {}
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = merged(base.get(key), value)
    return base
