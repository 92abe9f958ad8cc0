"""Opens the clusters that the settings name."""

from __future__ import annotations

from collections.abc import Callable

from hub_core.clusters.kubernetes.api import Api
from hub_core.clusters.kubernetes.cluster import KubernetesCluster
from hub_core.clusters.kubernetes.connect import connect
from hub_core.clusters.kubernetes.options import read_clusters, read_options
from hub_core.clusters.kubernetes.writer import PassFor
from hub_core.settings import Settings


def open_clusters(settings: Settings, pass_for: PassFor, on_change: Callable[[], None]) -> dict[str, KubernetesCluster]:
    """The clusters by name; nothing is sent to them yet, and without any the client is not even loaded.

    Raises:
        InvalidInput: a setting is wrong, or the kubeconfig has no such context.
    """
    contexts = read_clusters(settings.clusters)
    if not contexts:
        return {}
    options = read_options(settings)
    return {
        name: KubernetesCluster(
            Api(connect(context, settings.cluster_kubeconfig), name, options.timeout_s), options, pass_for, on_change
        )
        for name, context in contexts.items()
    }  # fmt: skip
