"""Where synchronous work of MCP clients runs: in threads, so many at once and fewer of one person, told of while it lasts."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")
AT_ONCE = 32
OF_ONE_PERSON = 8  # so that nobody's hundred calls keep the others waiting
TICK_S = 1.0

Key = tuple[int | None, str, str | int]
"""A call: the person, the session, the id of the request. A client without a session cannot name its calls."""

Tell = Callable[[float, str], Awaitable[None]]
"""Tells a client how far its call is: seconds, and a line of text."""


class Calls:
    """The calls of all clients of one process."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._places = anyio.CapacityLimiter(at_once)
        self._lanes: weakref.WeakValueDictionary[int | None, anyio.CapacityLimiter] = weakref.WeakValueDictionary()
        self._running: dict[Key, anyio.CancelScope] = {}
        self._threads: set[asyncio.Task[object]] = set()

    async def run(self, user_id: int | None, work: Callable[[], T], tell: Tell) -> T:
        """Do it in a thread. Whoever leaves before its turn stops it; what has begun runs to its end, as half an act is worse than one."""
        left = threading.Event()
        lane = self._lanes.setdefault(user_id, anyio.CapacityLimiter(OF_ONE_PERSON))

        def act() -> T | None:
            return None if left.is_set() else work()

        async def in_turn() -> T | None:
            async with lane:
                return await anyio.to_thread.run_sync(act, limiter=self._places)

        task = asyncio.create_task(in_turn())
        self._threads.add(task)
        task.add_done_callback(self._ended)
        began = time.monotonic()
        try:
            while not (await asyncio.wait({task}, timeout=TICK_S))[0]:
                await tell(time.monotonic() - began, "still running")
            result: T = task.result()  # type: ignore[assignment]  # None only after it was left
            return result
        finally:
            left.set()

    @contextmanager
    def cancellable(self, key: Key) -> Iterator[anyio.CancelScope]:
        """A call that `cancel` ends."""
        with anyio.CancelScope() as scope:
            if key[1]:
                self._running[key] = scope
            try:
                yield scope
            finally:
                if self._running.get(key) is scope:
                    del self._running[key]

    def cancel(self, key: Key) -> None:
        """End a call; nothing happens when it is over, or runs in another process."""
        scope = self._running.get(key)
        if scope is not None:
            scope.cancel()

    def cancel_session(self, user_id: int | None, session: str) -> None:
        """End all calls of a session."""
        for key in [key for key in self._running if key[:2] == (user_id, session)]:
            self.cancel(key)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._threads.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to ask for it
