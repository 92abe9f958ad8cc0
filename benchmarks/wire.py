"""A wire between a client and the hub that counts the bytes which the client sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_CHUNK = 1 << 18


@dataclass
class Wire:
    """Where the client connects, and what it has sent so far, in bytes."""

    url: str
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, size: int) -> None:
        """Bytes went by."""
        with self._lock:
            self.sent += size


@contextmanager
def counting_wire(url: str) -> Iterator[Wire]:
    """Pass every connection on to `url`."""
    address = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wire = Wire(f"http://127.0.0.1:{listening.getsockname()[1]}")
        threading.Thread(target=_accept, args=(listening, (str(address.hostname), int(address.port or 80)), wire), daemon=True).start()
        yield wire


def _accept(listening: socket.socket, target: tuple[str, int], wire: Wire) -> None:
    with suppress(OSError):  # closed at the end
        while True:
            near, _ = listening.accept()
            far = socket.create_connection(target)
            threading.Thread(target=_pass, args=(near, far, wire), daemon=True).start()
            threading.Thread(target=_pass, args=(far, near, None), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, wire: Wire | None) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            if wire is not None:
                wire.count(len(data))
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
