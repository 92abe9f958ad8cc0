"""Connections whose clients must say what they want within a while, so that nobody holds many of them open by saying it slowly."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S = 30.0
MAX_HEAD = 256 * 1024


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with an end to the time and the bytes that the head of a request may take.

    A connection without a request, or with half of one's head, is closed after `HEAD_S` seconds. Bodies are bounded by
    `RequestMiddleware`, and what lies between two requests by uvicorn itself.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._head_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in bytes; a head that is too long ends the connection."""
        if self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD:
                self._head_done()
                self.send_400_response("The head of the request is too long.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins: its head must end in time."""
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._head_done()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_S, self.timeout_keep_alive_handler)

    def _head_done(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
