"""Opens the official client for a kubeconfig context, or from inside a cluster. The client is loaded when there is a cluster at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_core.clusters.kubernetes.options import IN_CLUSTER
from hub_core.errors import InvalidInput

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

POOL = 16


def connect(context: str, kubeconfig: str = "") -> ApiClient:
    """A client for one cluster; nothing is sent yet.

    Args:
        context: of the kubeconfig, or `in-cluster` for the cluster that the hub runs in.
        kubeconfig: its path; empty: where kubectl looks.

    Raises:
        InvalidInput: there is no such context, or no kubeconfig.
    """
    from kubernetes import config
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config.config_exception import ConfigException

    settings = Configuration()
    try:
        if context == IN_CLUSTER:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                kubeconfig or None, context=context, client_configuration=settings, persist_config=False
            )
    except (ConfigException, OSError) as error:
        raise InvalidInput(f"HUB_CLUSTERS: '{context}' cannot be opened: {error}", hint="See docs/kubernetes.md.") from error
    settings.retries = False  # a call is repeated where it is known to be safe
    settings.keep_alive = True
    settings.connection_pool_maxsize = POOL
    settings.client_side_validation = False
    client = ApiClient(settings)
    client.user_agent = "hubtalk"
    return client
