"""What deployments are made of: clusters, runtimes and hardware of this hub, and the word that something changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub_core.clusters.kubernetes.cluster import KubernetesCluster
from hub_core.clusters.kubernetes.opening import open_clusters
from hub_core.clusters.kubernetes.options import read_options
from hub_core.clusters.local.cluster import LocalCluster
from hub_core.clusters.port import GIB, Cluster, Inventory
from hub_core.deployments.hardware import HardwareCatalogue, load_hardware
from hub_core.running_errors import ClusterUnavailable
from hub_core.runtimes.catalogue import Runtimes, load_runtimes
from hub_core.settings import Settings
from hub_core.spaces.images import Images

LOCAL = "local"


def _nothing(_repo_id: int) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Platform:
    """Opened once with the hub. `changed` wakes the reconciler of this process; others look by themselves.

    Of several `clusters` that have room the first is taken: who names clusters does not want models on the hub's own machine.
    """

    data_dir: Path
    clusters: Mapping[str, Cluster]
    runtimes: Runtimes
    hardware: HardwareCatalogue
    changed: threading.Event = field(default_factory=threading.Event)
    # Of Spaces: bytes that their files and their packages may take, and what one is given by its people.
    space_disk: int = 2 * GIB
    space_packages: int = 6 * GIB
    # What they run with in clusters; empty: they do not.
    space_image: str = ""
    # Where images of Spaces with a Dockerfile are built; None: they do not run.
    images: Images | None = None
    environment_of: Callable[[int], Mapping[str, str]] = _nothing

    def inventories(self) -> dict[str, Inventory]:
        """What each cluster has; one that does not answer is left out."""
        found = {}
        for name, cluster in self.clusters.items():
            try:
                found[name] = cluster.inventory()
            except ClusterUnavailable:
                continue
        return found


def open_platform(settings: Settings, pass_for: Callable[[int], str]) -> Platform:
    """Read the catalogues and name the clusters; nothing is started.

    Args:
        pass_for: makes a pass with which a cluster downloads the model of a deployment, by its id.

    Raises:
        InvalidInput: a file of the operator's catalogue is wrong, or a cluster of the settings cannot be opened.
    """
    own = Path(settings.catalog_dir) if settings.catalog_dir else None
    changed = threading.Event()
    local = LocalCluster(
        settings.data_dir / "local", grace_s=settings.deployment_grace_s, unconfined=settings.spaces_unconfined, on_change=changed.set
    )
    clusters = open_clusters(settings, pass_for, changed.set)
    return Platform(
        data_dir=settings.data_dir.resolve(),
        clusters={**clusters, LOCAL: local},
        runtimes=load_runtimes(own / "runtimes" if own else None),
        hardware=load_hardware(own / "hardware.yaml" if own else None),
        changed=changed,
        space_disk=int(settings.space_disk_gb * GIB),
        space_packages=int(settings.space_install_gb * GIB),
        space_image=settings.cluster_space_image.strip(),
        images=_images(settings, clusters),
    )


def _images(settings: Settings, clusters: Mapping[str, KubernetesCluster]) -> Images | None:
    tasks = {name: cluster.builds for name, cluster in clusters.items() if cluster.builds is not None}
    building = read_options(settings).building if tasks else None
    return Images(building.registry, building.image, building.seconds, tasks) if building is not None else None
