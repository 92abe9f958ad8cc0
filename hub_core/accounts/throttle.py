"""Slows down guessing: too many failures for one key in a short time are refused for a while. Kept in memory, per process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from hub_core.errors import TooManyAttempts


class Throttle:
    """Counts failures per key in a sliding window."""

    def __init__(
        self, failures: int = 10, window_s: float = 300.0, *, clock: Callable[[], float] = time.monotonic, max_keys: int = 10_000
    ) -> None:
        self._failures, self._window, self._clock, self._max_keys = failures, window_s, clock, max_keys
        self._seen: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, key: Hashable) -> None:
        """Refuse when the key has failed too often.

        Raises:
            TooManyAttempts: `details["retry_after"]` says how many seconds to wait.
        """
        with self._lock:
            self._check(key)

    def fail(self, key: Hashable) -> None:
        """Count a failure."""
        with self._lock:
            self._fail(key)

    def attempt(self, key: Hashable) -> None:
        """Refuse like `check`, else count the try as a failure until `clear` says that it was none: many at once gain nothing."""
        with self._lock:
            self._check(key)
            self._fail(key)

    def _check(self, key: Hashable) -> None:
        times = self._recent(key)
        if len(times) >= self._failures:
            wait = max(1, round(self._window - (self._clock() - times[0])))
            raise TooManyAttempts("Too many wrong passwords.", hint=f"Wait {wait} seconds and try again.", retry_after=wait)

    def _fail(self, key: Hashable) -> None:
        times = self._recent(key)
        times.append(self._clock())
        self._seen[key] = times
        self._seen.move_to_end(key)
        while len(self._seen) > self._max_keys:
            self._seen.popitem(last=False)

    def clear(self, key: Hashable) -> None:
        """Forget the key's failures."""
        with self._lock:
            self._seen.pop(key, None)

    def _recent(self, key: Hashable) -> deque[float]:
        times = self._seen.get(key) or deque()
        while times and self._clock() - times[0] >= self._window:
            times.popleft()
        return times
