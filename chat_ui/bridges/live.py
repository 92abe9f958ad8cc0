"""What a person sees while a turn runs: the answer as it is written, or a word that it is being worked on."""

from __future__ import annotations

import threading
import time

from agent.schema import Event
from chat_ui.bridges.port import Channel, ChannelError, Outgoing, Place
from chat_ui.bridges.text import fitted
from prompts import message

WORKING_AFTER_S = 1.5


class LiveReply:
    """One message that becomes the answer. Only for private conversations: what an answer says is known at its end.

    A platform that fails here is left alone: the answer itself is delivered at the end.
    """

    def __init__(self, channel: Channel, place: Place, language: str, *, streams: bool, after_s: float = WORKING_AFTER_S) -> None:
        self._channel = channel
        self._place = place
        self._language = language
        self._streams = streams and channel.capabilities.streaming
        self._lock = threading.Lock()
        self._text = ""
        self._shown_at = 0.0
        self._over = not channel.capabilities.update
        self._message = ""
        self._timer = threading.Timer(after_s, self._tell_working)
        self._timer.daemon = True

    def __enter__(self) -> LiveReply:
        if not self._over:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True

    def emit(self, event: Event) -> None:
        """Take what the agent tells on the way."""
        if event.type != "token" or not self._streams:
            return
        with self._lock:
            self._text += str(event.data.get("text") or "")
            if not self._over and self._text.strip() and time.monotonic() - self._shown_at >= self._channel.capabilities.stream_every_s:
                self._show(self._text)

    def taken(self) -> str:
        """The message that the answer shall replace; empty when nothing was shown."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            return self._message

    def _tell_working(self) -> None:
        with self._lock:
            if not self._over and not self._message:
                self._show(message(self._language, "bridge.working"))

    def _show(self, text: str) -> None:
        shown = Outgoing(fitted(text, self._channel.capabilities)[: self._channel.capabilities.max_text], self._language, final=False)
        try:
            if self._message:
                self._message = self._channel.update(self._place, self._message, shown)
            else:
                self._message = self._channel.send(self._place, shown)
        except ChannelError:
            self._over = True
        self._shown_at = time.monotonic()
