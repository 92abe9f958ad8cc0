"""Numbers of the gateway for Prometheus: requests, tokens, time, requests under way, by the number of the deployment.

Its number and not its name: the page of numbers is open to whoever scrapes it, and names tell who works on what. The first deployments
of a process get a label of their own, all further ones share one, so that there are never too many.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

MAX_LABELS = 200
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_OTHERS = "other"


class GatewayMetrics:
    """The numbers of one application."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._known: dict[int, str] = {}
        self._requests = Counter(
            "hubtalk_gateway_requests", "Requests to models that are over.", ("deployment", "outcome"), registry=registry
        )
        self._refused = Counter("hubtalk_gateway_refused", "Requests beyond a limit, by the kind of limit.", ("kind",), registry=registry)
        self._tokens = Counter("hubtalk_gateway_tokens", "Tokens, in and out.", ("deployment", "direction"), registry=registry)
        self._seconds = Histogram(
            "hubtalk_gateway_seconds", "Time to the end of the answer.", ("deployment",), buckets=BUCKETS, registry=registry
        )
        self._running = Gauge("hubtalk_gateway_requests_running", "Requests that models work on.", ("deployment",), registry=registry)

    def begin(self, deployment_id: int) -> None:
        """A request goes there."""
        self._running.labels(self._label(deployment_id)).inc()

    def over(self, deployment_id: int, seconds: float, prompt: int, completion: int, *, failed: bool) -> None:
        """It is over."""
        label = self._label(deployment_id)
        self._running.labels(label).dec()
        self._requests.labels(label, "failed" if failed else "answered").inc()
        self._seconds.labels(label).observe(seconds)
        if prompt:
            self._tokens.labels(label, "in").inc(prompt)
        if completion:
            self._tokens.labels(label, "out").inc(completion)

    def refused(self, kind: str) -> None:
        """A request was beyond a limit: of requests, tokens or requests at once."""
        self._refused.labels(kind).inc()

    def _label(self, deployment_id: int) -> str:
        label = self._known.get(deployment_id)
        if label is None:
            if len(self._known) >= MAX_LABELS:
                return _OTHERS
            label = self._known[deployment_id] = str(deployment_id)
        return label
