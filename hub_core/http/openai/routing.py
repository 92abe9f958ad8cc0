"""From the name of a model in a request to the copy that answers it; wakes what sleeps."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass

from hub_core.authz import Actor
from hub_core.db import utcnow
from hub_core.deployments.asking import refusal, wake_if_asleep
from hub_core.deployments.service import Target
from hub_core.deployments.traffic import Share, in_turn, shares
from hub_core.http.threads import in_thread
from hub_core.services import Services

POLL_S = 0.1
TOUCH_S = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """A copy that answers: its base address, what its server wants as `model`, and the revision that it runs."""

    address: str
    model_field: str
    revision: int


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. `places` begin with the copy whose turn it is; `scales` is whether its number of copies follows the demand."""

    deployment_id: int
    name: str
    repo_id: int
    places: tuple[Place, ...]
    scales: bool


class Router:
    """Finds routes: by turns over the copies, and over the revisions by their shares."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turn = itertools.count()
        self._turns: dict[int, int] = {}  # of deployments with two revisions
        self._touched: dict[int, float] = {}

    def look(self, actor: Actor, model: str) -> Target:
        """The deployment that a model names; wakes it if it sleeps. For a thread.

        Raises:
            DeploymentNotFound, AmbiguousDeployment: no such deployment, or several. BudgetSpent: it sleeps and may not wake.
        """
        return self._find(actor, model)

    async def route(self, actor: Actor, found: Target) -> Route:
        """The route to a deployment; waits for one that sleeps or starts.

        Raises:
            DeploymentStopped: somebody stopped it. DeploymentNotReady: it does not answer, or not in time.
        """
        deadline = time.monotonic() + self._services.settings.deployment_wake_s
        while not (answering := shares(found.deployment)):
            if refused := refusal(found, late=time.monotonic() > deadline):
                raise refused
            await asyncio.sleep(POLL_S)
            found = await in_thread(self._find, actor, found.name)
        row = found.deployment
        if len(answering) > 1:
            turn = self._turns[row.id] = self._turns.get(row.id, -1) + 1
            answering = in_turn(answering, turn)
        places = tuple(place for share in answering for place in self._copies(share, found.name))
        return Route(row.id, found.name, row.repo_id, places, row.max_replicas is not None)

    def _copies(self, share: Share, name: str) -> list[Place]:
        start = next(self._turn) % len(share.endpoints)
        addresses = [*share.endpoints[start:], *share.endpoints[:start]]
        return [Place(address, share.model_field or name, share.revision) for address in addresses]

    def _find(self, actor: Actor, said: str) -> Target:
        """The deployment; a request wakes it, and is noted now and then."""
        found = self._services.deployments.target(actor, said)
        row, now = found.deployment, time.monotonic()
        wake_if_asleep(self._services, found)
        if row.endpoints and now - self._touched.get(row.id, -TOUCH_S) >= TOUCH_S:
            self._touched[row.id] = now
            self._services.deployments.touch(row.id, utcnow())
        return found
