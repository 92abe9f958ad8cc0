"""What the pods of this hub take, as the cluster's metrics server tells it: one list for all of them, kept for some seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from hub_core.clusters.kubernetes.api import Api, Exists, Gone, Missing
from hub_core.clusters.kubernetes.facts import quantity, thing
from hub_core.clusters.kubernetes.mirror import Key
from hub_core.clusters.port import CopyUse
from hub_core.running_errors import ClusterRefused, ClusterUnavailable

PATH = "/apis/metrics.k8s.io/v1beta1/pods"
KEPT_S = 10.0  # a metrics server looks every 15 seconds
AGAIN_S = 120.0  # a cluster without one, or without the right to ask it, is asked again so much later


class Gauge:
    """Asks a metrics server (`metrics.k8s.io/v1beta1`); where there is none that answers, nothing is known, and nothing breaks.

    Args:
        selector: the labels of the pods to ask for.
    """

    def __init__(self, api: Api, selector: str) -> None:
        self._api = api
        self._selector = selector
        self._lock = threading.Lock()
        self._known: Mapping[Key, CopyUse] = {}
        self._until = 0.0

    def read(self) -> Mapping[Key, CopyUse]:
        """What each pod takes, all its containers together; one that was not measured yet is left out."""
        with self._lock:
            if time.monotonic() < self._until:
                return self._known
            kept_s = KEPT_S
            try:
                listed = self._api.get(PATH, labelSelector=self._selector).get("items") or []
                self._known = {thing(body)[0]: _use(body) for body in listed if isinstance(body, dict)}
            except (Missing, Exists, Gone, ClusterRefused, ClusterUnavailable):
                self._known, kept_s = {}, AGAIN_S
            self._until = time.monotonic() + kept_s
            return self._known


def _use(body: Mapping[str, Any]) -> CopyUse:
    used = [one.get("usage") or {} for one in body.get("containers") or []]
    return CopyUse(int(sum(quantity(one.get("memory", 0)) for one in used)), cpus=sum(quantity(one.get("cpu", 0)) for one in used))
