"""How the hub uses its clusters: the settings, read and checked once."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub_core.clusters.port import GIB
from hub_core.errors import InvalidInput
from hub_core.settings import Settings

IN_CLUSTER = "in-cluster"
PODS = "pods"
MAX_REGISTRY = 100  # with the rest of its name, an image's is 255 characters at most
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:m|k|Ki|M|Mi|G|Gi|T|Ti)?")
# What HUB_CLUSTER_QUOTA calls it -> what a ResourceQuota does.
QUOTAS = {"pods": "pods", "cpu": "requests.cpu", "memory": "requests.memory", "gpu": "requests.nvidia.com/gpu"}
# A registry with a path: what has no dot, no port and is not `localhost` before its first slash would mean a public registry.
_REGISTRY = re.compile(
    r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+|localhost|[a-z0-9-]+(?=:))(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+"
)
_METADATA = ipaddress.IPv4Network("169.254.0.0/16")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Building:
    """How images are built in clusters.

    Attributes:
        registry: what the names of images begin with.
        namespace: where builds run.
        namespaces, networks: what they reach besides the hub.
        secret: of the registry; empty for none.
        seconds, disk: how long a build may take, and how many bytes of its node's disk.
    """

    registry: str
    namespace: str
    namespaces: tuple[str, ...]
    networks: tuple[Network, ...]
    image: str
    secret: str
    seconds: int
    disk: int


@dataclass(frozen=True, slots=True)
class Options:
    """What all clusters have in common.

    Attributes:
        prefix: of namespaces; it also tells this hub's objects from those of another hub in the same cluster.
        hub_url: the hub as a pod reaches it.
        address: how the gateway reaches a workload: `pods`, or a base address with `{cluster}`, `{namespace}`, `{service}`, `{port}`.
        namespaces, networks: where the hub is, as seen from a pod: only these may speak to workloads, and be spoken to.
        quota: `hard` of the ResourceQuota of each namespace.
        train_jobs: tasks are TrainJobs where a cluster has the trainer of Kubeflow.
        package_index: where pods install the packages of apps from; empty: where pip looks by itself.
        building: how images are built; None: they are not.
    """

    prefix: str
    hub_url: str
    address: str
    namespaces: tuple[str, ...]
    networks: tuple[Network, ...]
    fetch_image: str
    quota: Mapping[str, str]
    timeout_s: float
    package_index: str = ""
    train_jobs: bool = False
    building: Building | None = None


def read_options(settings: Settings) -> Options:
    """The settings of clusters.

    Raises:
        InvalidInput: one of them is wrong; the message names it.
    """
    prefix = settings.cluster_namespace_prefix
    if not _LABEL.fullmatch(prefix + "x") or len(prefix) > 14 or not prefix.strip("-"):
        raise _wrong("HUB_CLUSTER_NAMESPACE_PREFIX", prefix, "1 to 14 lower-case letters, digits and '-'")
    hub_url = (settings.cluster_hub_url or settings.public_url).rstrip("/")
    if urlsplit(hub_url).scheme not in {"http", "https"}:
        raise _wrong("HUB_CLUSTER_HUB_URL", hub_url, "the hub's address as pods reach it")
    namespaces, networks = _peers(settings.cluster_peers, "HUB_CLUSTER_PEERS")
    return Options(
        prefix, hub_url, settings.cluster_address.strip() or PODS, namespaces, networks, settings.cluster_fetch_image,
        _quota(settings.cluster_quota), settings.cluster_timeout_s, settings.cluster_space_index, settings.cluster_train_jobs,
        _building(settings, prefix),
    )  # fmt: skip


def read_clusters(said: str) -> dict[str, str]:
    """Names of clusters and the kubeconfig context of each, from `context` or `name=context` with commas.

    Raises:
        InvalidInput: a name that cannot be used, or one twice.
    """
    found: dict[str, str] = {}
    for entry in (part.strip() for part in said.split(",")):
        name, _, context = entry.partition("=")
        if not entry:
            continue
        if not _NAME.fullmatch(name) or name == "local" or name in found:
            raise _wrong("HUB_CLUSTERS", entry, "names of kubeconfig contexts, or NAME=CONTEXT, each once and none 'local'")
        found[name] = context or name
    return found


def _building(settings: Settings, prefix: str) -> Building | None:
    registry, namespace, secret = (
        settings.cluster_space_registry.strip(),
        settings.cluster_build_namespace.strip(),
        settings.cluster_registry_secret,
    )
    if not registry:
        return None
    if not _REGISTRY.fullmatch(registry) or len(registry) > MAX_REGISTRY:
        raise _wrong("HUB_CLUSTER_SPACE_REGISTRY", registry, "a registry with a path in lower case, such as registry.example.com/spaces")
    if not _LABEL.fullmatch(namespace) or len(namespace) > 63 or namespace.startswith(prefix):
        raise _wrong("HUB_CLUSTER_BUILD_NAMESPACE", namespace, f"the name of a namespace that does not begin with '{prefix}'")
    if secret and not all(_LABEL.fullmatch(part) for part in secret.split(".")):
        raise _wrong("HUB_CLUSTER_REGISTRY_SECRET", secret, "the name of a Secret")
    if settings.cluster_build_minutes < 1 or settings.cluster_build_gb <= 0:
        raise InvalidInput("HUB_CLUSTER_BUILD_MINUTES and HUB_CLUSTER_BUILD_GB must be larger than 0.")
    namespaces, networks = _peers(settings.cluster_build_peers, "HUB_CLUSTER_BUILD_PEERS")
    return Building(
        registry, namespace, namespaces, networks, settings.cluster_build_image, secret, settings.cluster_build_minutes * 60,
        int(settings.cluster_build_gb * GIB),
    )  # fmt: skip


def _peers(said: str, setting: str) -> tuple[tuple[str, ...], tuple[Network, ...]]:
    namespaces: list[str] = []
    networks: list[Network] = []
    for entry in (part.strip() for part in said.split(",")):
        if "/" in entry:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError as error:
                raise _wrong(setting, entry, "an address range such as 10.20.0.0/16") from error
        elif entry and not _LABEL.fullmatch(entry):
            raise _wrong(setting, entry, "the name of a namespace")
        elif entry:
            namespaces.append(entry)
    return tuple(namespaces), tuple(networks)


def _quota(said: str) -> dict[str, str]:
    found = {}
    for entry in (part.strip() for part in said.split(",") if part.strip()):
        name, _, quantity = entry.partition("=")
        if name not in QUOTAS or not _QUANTITY.fullmatch(quantity):
            raise _wrong("HUB_CLUSTER_QUOTA", entry, "pods, cpu, memory or gpu with a quantity, such as gpu=8")
        found[QUOTAS[name]] = quantity
    return found


def without_metadata(network: Network) -> list[str]:
    """What of link-local addresses, where clouds give out credentials, lies in a range."""
    inside = isinstance(network, ipaddress.IPv4Network) and network != _METADATA and network.supernet_of(_METADATA)
    return [str(_METADATA)] if inside else []


def _wrong(setting: str, said: str, wanted: str) -> InvalidInput:
    return InvalidInput(f"{setting}: '{said[:80]}' is not {wanted}.", hint="See docs/kubernetes.md.")
