"""How much a caller may ask of the gateway, and how much a deployment is asked: requests and tokens in a minute, requests at once.

The last minute is worked out from counts of this one and of the one before, by the share of that which is still within sixty seconds.
What a request takes in tokens is known when it is over, so a limit of tokens lets in what comes until then. With several processes
on PostgreSQL each tells the others its counts every second (`hub_core.metering.rates`): what they let in within that second adds up.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hub_core.authz import Actor
from hub_core.errors import RateLimited
from hub_core.metering.rates import Counts, Shared
from hub_core.settings import Settings

MINUTE_S = 60.0
MAX_KEYS = 50_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Most requests and tokens in a minute, most requests at once; 0 is no limit."""

    requests: int = 0
    tokens: int = 0
    parallel: int = 0

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return bool(self.requests or self.tokens or self.parallel)


@dataclass(slots=True)
class _Window:
    """What one key did in this process, in the minute that runs and the one before."""

    minute: int = 0
    now: Counts = field(default_factory=Counts)
    before: Counts = field(default_factory=Counts)
    parallel: int = 0

    def turn(self, minute: int) -> None:
        """Go on to another minute."""
        if minute != self.minute:
            self.before = self.now if minute == self.minute + 1 else Counts()
            self.now, self.minute = Counts(), minute


@dataclass(frozen=True, slots=True)
class Left:
    """What a caller is told with every answer."""

    limits: Limits
    requests: int
    tokens: int
    reset_s: float

    def headers(self) -> dict[str, str]:
        """As OpenAI's clients read it."""
        found = {}
        for name, most, left in (("requests", self.limits.requests, self.requests), ("tokens", self.limits.tokens, self.tokens)):
            if most:
                found[f"x-ratelimit-limit-{name}"] = str(most)
                found[f"x-ratelimit-remaining-{name}"] = str(left)
                found[f"x-ratelimit-reset-{name}"] = f"{self.reset_s:.0f}s"
        return found


class RateLimiter:
    """The limits of one process. All calls are quick and safe from several threads.

    Args:
        shared: what other processes counted; None where there are no others.
    """

    def __init__(self, shared: Shared | None = None, clock: Callable[[], float] = time.time) -> None:
        self._shared = shared
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}
        if shared is not None:
            shared.counted = self.counted

    def admit(self, key: str, limits: Limits, what: str) -> None:
        """Count a request of a key, and that it is under way until `leave`.

        Args:
            what: who or what the key is, for the message: `You`, `The deployment acme/chat`.

        Raises:
            RateLimited: one of the limits is reached; nothing was counted.
        """
        if not limits.any:
            return
        with self._lock:
            at = self._clock()
            window = self._window(key, at)
            requests, tokens, parallel = self._rates(key, window, at)
            if limits.parallel and parallel >= limits.parallel:
                raise _refused(what, "parallel", limits.parallel, 1.0, self._left(key, limits, window, at))
            for name, most, rate, extra in (("requests", limits.requests, requests, 1), ("tokens", limits.tokens, tokens, 0)):
                if most and rate + extra > most:
                    wait = self._wait(key, window, at, name, most, extra)
                    raise _refused(what, name, most, wait, self._left(key, limits, window, at))
            window.now.requests += 1
            window.parallel += 1
        if self._shared is not None:
            self._shared.touch(key)

    def leave(self, key: str, tokens: int = 0) -> None:
        """A request that was let in is over, and took so many tokens."""
        with self._lock:
            window = self._windows.get(key)
            if window is not None:
                window.turn(int(self._clock() // MINUTE_S))
                window.now.tokens += tokens
                window.parallel = max(0, window.parallel - 1)

    def left(self, key: str, limits: Limits) -> Left | None:
        """What a key may still do; None where nothing is limited in time."""
        if not limits.requests and not limits.tokens:
            return None
        with self._lock:
            at = self._clock()
            return self._left(key, limits, self._window(key, at), at)

    def counted(self, keys: Iterable[str]) -> dict[tuple[str, int], Counts]:
        """What this process counted for some keys by minute: for the other processes."""
        with self._lock:
            minute = int(self._clock() // MINUTE_S)
            found: dict[tuple[str, int], Counts] = {}
            for key in keys:
                window = self._windows.get(key)
                if window is not None:
                    window.turn(minute)
                    found[key, minute] = Counts(window.now.requests, window.now.tokens, window.parallel)
                    found[key, minute - 1] = window.before
            return found

    def _window(self, key: str, at: float) -> _Window:
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= MAX_KEYS:
                self._forget(int(at // MINUTE_S))
            window = self._windows[key] = _Window()
        window.turn(int(at // MINUTE_S))
        return window

    def _forget(self, minute: int) -> None:
        """Let go of keys that do nothing; when all do something, of the oldest."""
        idle = [key for key, window in self._windows.items() if not window.parallel and window.minute < minute - 1]
        for key in idle or list(self._windows)[: MAX_KEYS // 10]:
            del self._windows[key]

    def _sums(self, key: str, window: _Window) -> tuple[Counts, Counts]:
        """What all processes did in this minute and in the one before."""
        if self._shared is None:
            return window.now, window.before
        others = [self._shared.others(key, window.minute - back) for back in (0, 1)]
        return window.now.plus(others[0]), window.before.plus(others[1])

    def _rates(self, key: str, window: _Window, at: float) -> tuple[float, float, int]:
        now, before = self._sums(key, window)
        share = 1 - (at % MINUTE_S) / MINUTE_S
        parallel = window.parallel + now.parallel - window.now.parallel
        return before.requests * share + now.requests, before.tokens * share + now.tokens, parallel

    def _wait(self, key: str, window: _Window, at: float, name: str, most: int, extra: int) -> float:
        """Seconds until one more is within the limit, if nothing else comes."""
        sums = self._sums(key, window)
        now, before = (float(getattr(one, name)) for one in sums)
        passed = at % MINUTE_S
        if now + extra <= most:
            return max(1.0, MINUTE_S * (1 - (most - extra - now) / before) - passed) if before else 1.0
        return MINUTE_S - passed + max(0.0, MINUTE_S * (1 - (most - extra) / now))

    def _left(self, key: str, limits: Limits, window: _Window, at: float) -> Left:
        requests, tokens, _ = self._rates(key, window, at)
        requests_left = max(0, math.floor(limits.requests - requests))
        return Left(limits, requests_left, max(0, math.floor(limits.tokens - tokens)), MINUTE_S - at % MINUTE_S + 1)


def _refused(what: str, name: str, most: int, wait: float, left: Left) -> RateLimited:
    seconds = max(1, math.ceil(wait))
    told = {
        "requests": f"{what} had {most:,} requests in a minute, which is the limit.",
        "tokens": f"{what} used {most:,} tokens in a minute, which is the limit.",
        "parallel": f"{what} had {most:,} requests at once, which is the limit.",
    }[name]
    return RateLimited(told, hint=f"Try again in {seconds} s.", limit=most, kind=name, retry_after=seconds, headers=left.headers())


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits that an operator set."""

    caller: Limits
    anonymous: Limits
    deployment: Limits

    def of(self, actor: Actor, address: str) -> tuple[str, Limits]:
        """The key of a caller and what it may do: people by their account, whatever token they send; everybody else by address."""
        if actor.user_id is not None:
            return f"u:{actor.user_id}", self.caller
        return f"a:{address_key(address)}", self.anonymous


def policy_of(settings: Settings) -> Policy:
    """From the settings."""
    return Policy(
        Limits(settings.gateway_requests, settings.gateway_tokens, settings.gateway_parallel),
        Limits(settings.gateway_anonymous_requests, settings.gateway_anonymous_tokens, settings.gateway_anonymous_parallel),
        Limits(settings.gateway_deployment_requests, settings.gateway_deployment_tokens, settings.gateway_deployment_parallel),
    )


def address_key(address: str) -> str:
    """Tells addresses apart without keeping them; of IPv6 the network, as one machine has very many addresses there."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        address = str(found.ipv4_mapped or ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return hashlib.sha256(address.encode()).hexdigest()[:24]


def limit_headers(error: RateLimited) -> dict[str, str]:
    """The headers that tell when to try again."""
    return {"Retry-After": str(error.details.get("retry_after", 1)), **error.details.get("headers", {})}
