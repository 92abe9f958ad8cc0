"""A bounded memory of what was worked out, for answers that never change (they belong to a commit id)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Keeps the values that were asked for last; safe between threads.

    Args:
        capacity: the sum of weights that is kept at most; a value heavier than a quarter of it is not kept.
        weight: how heavy a value is; 1 each unless told.
    """

    def __init__(self, capacity: int, weight: Callable[[V], int] = lambda _: 1) -> None:
        self._capacity = capacity
        self._weight = weight
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key; made when it is not there (by several threads at once, if they all miss it)."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
                return found[0]
        value = make()
        weight = self._weight(value)
        if weight * 4 <= self._capacity:
            self._keep(key, value, weight)
        return value

    def _keep(self, key: K, value: V, weight: int) -> None:
        with self._lock:
            if key not in self._held:
                self._held[key] = value, weight
                self._total += weight
            while self._total > self._capacity:
                self._total -= self._held.popitem(last=False)[1][1]
