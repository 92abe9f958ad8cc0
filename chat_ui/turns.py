"""Turns over HTTP: each in a thread of its own, its events as they come. Whoever goes away stops it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import anyio
import anyio.to_thread
from fastapi import Request

from agent.schema import Answer, Event

HEARTBEAT_S = 15.0
WATCH_S = 0.5
TURNS_AT_ONCE = 64

Turn = Callable[[Callable[[Event], None], threading.Event], Answer]
"""Runs a turn: given where its events go, and what tells it to stop."""


class RunningTurn:
    """A turn on its way."""

    def __init__(self, turn: Turn, limiter: anyio.CapacityLimiter) -> None:
        loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._cancel = threading.Event()

        def emit(event: Event) -> None:
            loop.call_soon_threadsafe(self._events.put_nowait, event)

        self._work = asyncio.create_task(anyio.to_thread.run_sync(turn, emit, self._cancel, limiter=limiter))
        self._work.add_done_callback(lambda _: self._events.put_nowait(None))

    def stop(self) -> None:
        """Let it end at the next safe point."""
        self._cancel.set()

    async def answer(self, request: Request) -> Answer:
        """The answer. Nothing is sent until it is there, so nothing but asking tells that the client went away.

        Raises:
            HubError: the turn was refused.
        """
        while not self._work.done():
            await asyncio.wait({self._work}, timeout=WATCH_S)
            if not self._work.done() and await request.is_disconnected():
                self.stop()
        return await self._work

    async def begun(self, request: Request) -> None:
        """Return once something happened; from then on an answer can be sent bit by bit.

        Raises:
            HubError: the turn was refused before anything happened.
        """
        while self._events.empty():
            try:
                first = await asyncio.wait_for(self._events.get(), WATCH_S)
            except TimeoutError:
                if await request.is_disconnected():
                    self.stop()
                continue
            if first is None:
                await self._work
            rest = [self._events.get_nowait() for _ in range(self._events.qsize())]
            for event in (first, *rest):
                self._events.put_nowait(event)

    async def events(self) -> AsyncIterator[Event | None]:
        """Its events; None when there was none for a while.

        Raises:
            HubError: the turn broke off.
        """
        while True:
            try:
                event = await asyncio.wait_for(self._events.get(), HEARTBEAT_S)
            except TimeoutError:
                yield None
                continue
            if event is None:
                await self._work
                return
            yield event
