"""Lets requests in, within the limits of who asks and of what is asked, and notes when they are over."""

from __future__ import annotations

import weakref

from starlette.requests import Request

from hub_core.authz import Actor
from hub_core.http.openai.limits import Limits, RateLimiter, policy_of
from hub_core.services import Services


class Ticket:
    """One request that was let in. It counts as under way until `leave`, or until nobody has it any more."""

    def __init__(self, limiter: RateLimiter, key: str, limits: Limits, deployment: Limits) -> None:
        self._limiter = limiter
        self._own = (key, limits)
        self._deployment = deployment
        self._keys: list[str] = []
        self._finish = weakref.finalize(self, _leave, limiter, self._keys)

    def enter(self) -> None:
        """Count it for who asks.

        Raises:
            RateLimited: their limit is reached.
        """
        key, limits = self._own
        self._limiter.admit(key, limits, "You")
        self._keys.append(key)

    def ask(self, deployment_id: int, name: str) -> None:
        """Count it for the deployment that is asked.

        Raises:
            RateLimited: its limit is reached.
        """
        key = f"d:{deployment_id}"
        self._limiter.admit(key, self._deployment, f"The deployment {name}")
        self._keys.append(key)

    def headers(self) -> dict[str, str]:
        """What is left to who asks."""
        left = self._limiter.left(*self._own)
        return left.headers() if left is not None else {}

    def leave(self, tokens: int = 0) -> None:
        """It is over; nothing happens the second time."""
        if self._finish.detach() is not None:
            _leave(self._limiter, self._keys, tokens)


def _leave(limiter: RateLimiter, keys: list[str], tokens: int = 0) -> None:
    for key in keys:
        limiter.leave(key, tokens)


class Admission:
    """The door of the gateway."""

    def __init__(self, services: Services) -> None:
        # SQLite is for one process: there is nobody to tell.
        self._limiter = RateLimiter(None if services.db.is_sqlite else services.rates)
        self._policy = policy_of(services.settings)

    def enter(self, request: Request, actor: Actor) -> Ticket:
        """Let a request in.

        Raises:
            RateLimited: the limit of who asks is reached.
        """
        key, limits = self._policy.of(actor, request.client.host if request.client else "")
        ticket = Ticket(self._limiter, key, limits, self._policy.deployment)
        ticket.enter()
        return ticket
