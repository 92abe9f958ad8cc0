"""A mock of a Kubernetes API server, and hubs that use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub_core.clusters.kubernetes.cluster import KubernetesCluster
from tests.common.fake_api_server import FakeCluster, fake_cluster, open_cluster

Opener = Callable[[], KubernetesCluster]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCluster]:
    with fake_cluster(tmp_path) as found:
        yield found


@pytest.fixture
def opener(fake: FakeCluster) -> Iterator[Opener]:
    """Opens the cluster as one hub does; a second call is another hub."""
    opened: list[KubernetesCluster] = []

    def make() -> KubernetesCluster:
        number = len(opened)
        opened.append(open_cluster(fake, lambda deployment: f"hubpass-{deployment}-{number}"))
        opened[-1].start()
        return opened[-1]

    yield make
    for cluster in opened:
        cluster.close()
