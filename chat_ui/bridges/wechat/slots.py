"""Answers in time: WeChat takes one text in answer to the very request that brought a message, for about five seconds.

What is said while a message is worked on is collected and goes out together. What comes too late, or does not fit, goes another way:
as a customer-service message, or, where the account may not send those, when the person writes again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

PATIENCE_S = 4.3
"""How long a request waits for its answer; WeChat gives up after five seconds, and the way there and back takes a while."""
REMEMBERED_S = 30.0
SENT_S = 2.0
JOIN = "\n\n"


class Slot:
    """One message that can still be answered at once, and every repetition of it.

    Args:
        room: bytes of the texts together.
    """

    def __init__(self, person: str, room: int) -> None:
        self.person = person
        self.began = time.monotonic()
        self._room = room
        self._texts: list[str] = []
        self._closed = False
        self._changed: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._sent = threading.Event()
        self._lock = threading.Lock()

    @property
    def text(self) -> str:
        """What was said so far."""
        return JOIN.join(self._texts)

    @property
    def full(self) -> bool:
        """Whether something did not fit."""
        return self._room < 0

    def put(self, text: str) -> bool:
        """Say something; False when it is too late, or it does not fit: then nothing more can be said here."""
        with self._lock:
            if self._closed:
                return False
            self._room -= len((JOIN + text).encode() if self._texts else text.encode())
            if self._room < 0:
                self._closed = True
            else:
                self._texts.append(text)
            self._tell()
            return self._room >= 0

    def close(self) -> None:
        """All is said."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._tell()

    async def wait(self, until: float) -> None:
        """Return when all is said, at the latest at this time of the monotonic clock; nothing more can be said here then."""
        event = asyncio.Event()
        with self._lock:
            self._changed.append((asyncio.get_running_loop(), event))
        while not self._closed:
            event.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await event.wait()
                    continue
            self.close()

    def is_on_its_way(self) -> None:
        """The request was answered."""
        self._sent.set()

    def wait_sent(self) -> None:
        """Return when what comes after the text may be sent without overtaking it."""
        if self._texts:
            self._sent.wait(SENT_S)

    def _tell(self) -> None:
        for loop, event in self._changed:
            loop.call_soon_threadsafe(event.set)


class Slots:
    """The messages of the last half minute.

    Args:
        room: bytes of one answer.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._slots: dict[str, Slot] = {}

    def open(self, event_id: str, person: str) -> tuple[Slot, bool]:
        """The slot of a message, and whether it is new: a repetition has the same."""
        with self._lock:
            old = time.monotonic() - REMEMBERED_S
            for known in [key for key, slot in self._slots.items() if slot.began < old]:
                del self._slots[known]
            known_slot = self._slots.get(event_id)
            if known_slot is not None:
                return known_slot, False
            self._slots[event_id] = Slot(person, self._room)
            return self._slots[event_id], True

    def of(self, event_id: str) -> Slot | None:
        """The slot of a message."""
        with self._lock:
            return self._slots.get(event_id)

    def put_anywhere(self, person: str, text: str) -> bool:
        """Say something in answer to whatever a person wrote last and waits for; False when nothing waits."""
        with self._lock:
            theirs = [slot for slot in self._slots.values() if slot.person == person]
        return any(slot.put(text) for slot in reversed(theirs))
