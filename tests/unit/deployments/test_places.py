"""Which of several clusters a deployment goes to: the first that has the hardware, rather one with room."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_core.authz import Actor
from hub_core.clusters.port import GIB, Gpu, Inventory
from hub_core.deployments.service import DeploymentService
from hub_core.running_errors import ClusterUnavailable, NoRuntime, NoSuchHardware
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.deploying import MemoryCluster, add_model, catalog
from tests.common.factories import actor_for, make_user
from tests.unit.deployments.test_service import deploy

CONTAINER = """
container:
  hardware: [cpu, gpu]
  image: acme/fake:1
  port: 8080
  command: []
"""
SMALL, LARGE = Inventory(8, 4 * GIB, 4 * GIB), Inventory(8, 64 * GIB, 64 * GIB)
FULL = Inventory(8, 64 * GIB, 0)


class Place(MemoryCluster):
    """A cluster with something to run on; without, one that does not answer."""

    def __init__(self, has: Inventory | None) -> None:
        super().__init__()
        self.has = has

    def inventory(self) -> Inventory:
        if self.has is None:
            raise ClusterUnavailable("away")
        return self.has


@pytest.fixture
def hub(settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[Services]:
    own = catalog(tmp_path / "catalog")
    runtime = own / "runtimes" / "fake.yaml"
    runtime.write_text(runtime.read_text() + CONTAINER)
    with open_services(dataclasses.replace(settings, database_url=sqlite_url, catalog_dir=str(own))) as services:
        yield services


@pytest.fixture
def ann(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "ann"))


def placed(hub: Services, ann: Actor, hardware: str | None = None, **has: Inventory | None) -> str:
    """Where a model goes to."""
    platform = dataclasses.replace(hub.platform, clusters={name: Place(found) for name, found in has.items()})
    there = dataclasses.replace(hub, platform=platform, deployments=DeploymentService(hub.db, hub.git, hub.files, platform))
    add_model(there, ann)
    return deploy(there, ann, hardware=hardware).view.cluster


def gpus(free: int) -> Inventory:
    return dataclasses.replace(LARGE, gpus=(Gpu("NVIDIA-A10", 2, free, 24 * GIB),))


def test_clusters_come_before_the_hubs_own_machine(hub: Services, ann: Actor) -> None:
    assert placed(hub, ann, prod=LARGE, local=SMALL) == "prod"


def test_one_with_room_is_taken_rather_than_a_full_one(hub: Services, ann: Actor) -> None:
    assert placed(hub, ann, prod=FULL, lab=LARGE, local=SMALL) == "lab"


def test_where_none_has_room_it_waits_in_the_first(hub: Services, ann: Actor) -> None:
    assert placed(hub, ann, prod=FULL, lab=FULL, local=FULL) == "prod"


def test_hardware_that_was_named_is_looked_for(hub: Services, ann: Actor) -> None:
    assert placed(hub, ann, "a10", prod=LARGE, lab=gpus(1), local=SMALL) == "lab"


def test_named_hardware_that_is_free_is_taken_rather_than_one_that_is_not(hub: Services, ann: Actor) -> None:
    assert placed(hub, ann, "2 a10", prod=gpus(1), lab=gpus(2), local=SMALL) == "lab"


def test_a_cluster_that_does_not_answer_is_left_out(hub: Services, ann: Actor) -> None:
    assert placed(hub, ann, prod=None, local=SMALL) == "local"


def test_a_machine_must_have_it_and_not_all_of_them_together(hub: Services, ann: Actor) -> None:
    many_small = dataclasses.replace(LARGE, machine_memory=GIB // 8)
    assert placed(hub, ann, prod=many_small, local=SMALL) == "local"


def test_hardware_that_no_cluster_has_is_told(hub: Services, ann: Actor) -> None:
    with pytest.raises(NoSuchHardware, match="no a10"):
        placed(hub, ann, "a10", prod=LARGE, local=SMALL)


def test_a_runtime_that_only_one_of_them_has_decides(hub: Services, ann: Actor) -> None:
    with pytest.raises(NoRuntime):
        placed(hub, ann, "a10", local=gpus(2))  # on this machine the runtime knows no GPU
