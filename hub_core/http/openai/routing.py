"""From the name of a model in a request to the copy that answers it; wakes what sleeps."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from hub_core.authz import Actor
from hub_core.db import utcnow
from hub_core.deployments.asking import refusal, wake_if_asleep
from hub_core.deployments.service import Target
from hub_core.services import Services

POLL_S = 0.1
TOUCH_S = 10.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. `addresses` begin with the copy whose turn it is; `model_field` is what its server wants as `model`."""

    deployment_id: int
    name: str
    repo_id: int
    addresses: tuple[str, ...]
    model_field: str


class Router:
    """Finds routes, by turns over the copies."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turn = itertools.count()
        self._touched: dict[int, float] = {}

    async def route(self, actor: Actor, model: str) -> Route:
        """The route for a model; waits for one that sleeps or starts.

        Raises:
            DeploymentNotFound, AmbiguousDeployment: no such deployment, or several.
            DeploymentStopped: somebody stopped it. DeploymentNotReady: it does not answer, or not in time.
        """
        found = await run_in_threadpool(self._find, actor, model)
        deadline = time.monotonic() + self._services.settings.deployment_wake_s
        while not found.deployment.endpoints:
            if refused := refusal(found, late=time.monotonic() > deadline):
                raise refused
            await asyncio.sleep(POLL_S)
            found = await run_in_threadpool(self._find, actor, found.name)
        row = found.deployment
        start = next(self._turn) % len(row.endpoints)
        addresses = tuple(map(str, [*row.endpoints[start:], *row.endpoints[:start]]))
        return Route(row.id, found.name, row.repo_id, addresses, row.model_field or found.name)

    def _find(self, actor: Actor, said: str) -> Target:
        """The deployment; a request wakes it, and is noted now and then."""
        found = self._services.deployments.target(actor, said)
        row, now = found.deployment, time.monotonic()
        wake_if_asleep(self._services, found)
        if row.on_demand and row.endpoints and now - self._touched.get(row.id, -TOUCH_S) >= TOUCH_S:
            self._touched[row.id] = now
            self._services.deployments.touch(row.id, utcnow())
        return found
