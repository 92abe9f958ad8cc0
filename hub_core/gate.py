"""How many heavy reads run at once in this process: the rest wait in a short queue, and what does not fit is told to come back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hub_core.errors import TooBusy


class Gate:
    """Lets `parallel` through at a time and `waiting` more wait, each for at most `wait_s` seconds.

    The queue is short because whoever waits in it holds a thread of the server.
    """

    def __init__(self, parallel: int, waiting: int, wait_s: float) -> None:
        self._places = threading.BoundedSemaphore(parallel)
        self._queue = threading.BoundedSemaphore(parallel + waiting)
        self._wait_s = wait_s

    @contextmanager
    def place(self) -> Iterator[None]:
        """Run the block in one of the places.

        Raises:
            TooBusy: the queue is full, or no place became free in time.
        """
        if not self._queue.acquire(blocking=False):
            raise _busy()
        try:
            if not self._places.acquire(timeout=self._wait_s):
                raise _busy()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._queue.release()


def _busy() -> TooBusy:
    return TooBusy("Too many large files are being read right now.", hint="Try again in a moment.")
