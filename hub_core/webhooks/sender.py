"""One POST to an address somebody named: checked where it connects, no redirects, no proxies, a bounded wait, the answer's body unread."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress

from hub_core.errors import Unavailable
from hub_core.webhooks.addresses import Target, connect

STEP_S = 5.0
TOTAL_S = 15.0


class _Connection(http.client.HTTPConnection):
    """A connection that is made by `connect` of `hub_core.webhooks.addresses`."""

    def __init__(self, target: Target, allowed: frozenset[str]) -> None:
        super().__init__(target.host, target.port, timeout=STEP_S)
        self._target = target
        self._allowed = allowed

    def connect(self) -> None:
        """Connect to a checked address; TLS proves the name."""
        raw = connect(self._target, self._allowed, STEP_S)
        if self._target.scheme == "http":
            self.sock = raw
            return
        try:
            self.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=self._target.host)
        except BaseException:
            raw.close()
            raise

    def abort(self) -> None:
        """End whatever the connection waits for, from another thread."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def post(target: Target, headers: Mapping[str, str], body: bytes, allowed: frozenset[str]) -> int:
    """Send, and return the status of the answer.

    Raises:
        UnsafeAddress: the name leads to a refused address. Unavailable: no answer, or not one of HTTP, within 15 seconds.
    """
    connection = _Connection(target, allowed)
    clock = threading.Timer(TOTAL_S, connection.abort)
    clock.daemon = True
    clock.start()
    try:
        connection.request("POST", target.path, body, dict(headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"No answer from {target.shown} ({type(error).__name__}).") from error
    finally:
        clock.cancel()
        connection.close()
