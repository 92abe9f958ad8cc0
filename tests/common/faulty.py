"""Proxies on the loopback interface that break what goes through them, at a moment that a test chooses."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

_CHUNK = 256 * 1024
_HEAD_END = b"\r\n\r\n"
_SLOW_DOWN = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


class Fault(Enum):
    """What becomes of a request, or of what a client sends."""

    SLOW_DOWN = auto()
    """The request is read and answered with 503 SlowDown."""
    RESET = auto()
    """The connection is reset before the server sees the request."""
    LOSE_ANSWER = auto()
    """The server acts on the request, and the connection is reset before its answer."""
    CUT_ANSWER = auto()
    """The connection is reset after three mebibytes of the answer, or half of a shorter one."""
    HANG = auto()
    """Nothing comes back until the proxy ends."""


Proxy = TypeVar("Proxy", bound="FaultyProxy")


@dataclass(frozen=True)
class Asked:
    """A request that a store is about to get; `number` counts from 1."""

    number: int
    method: str
    target: str


@dataclass
class FaultyProxy:
    """Passes connections on to a server on this machine. `refuse` turns new ones away."""

    target: int
    port: int = 0
    refuse: bool = False
    closing: threading.Event = field(default_factory=threading.Event)
    open: set[socket.socket] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    own: threading.local = field(default_factory=threading.local)

    def cut(self) -> None:
        """End every connection there is."""
        self._end(None)

    def cut_others(self) -> None:
        """End every connection but the one that the calling thread serves."""
        self._end(getattr(self.own, "client", None))

    def _end(self, spared: socket.socket | None) -> None:
        with self.lock:
            for each in self.open:
                if each is not spared:
                    with contextlib.suppress(OSError):
                        # Closing is left to the thread that serves it, which this wakes.
                        each.shutdown(socket.SHUT_RDWR)

    def serve(self, client: socket.socket) -> None:
        """Pass on one connection, until either side ends it."""
        raise NotImplementedError

    def accept(self, listener: socket.socket) -> None:
        """Take connections until the proxy ends."""
        while not self.closing.is_set():
            try:
                client = listener.accept()[0]
            except OSError:
                return
            if self.refuse:
                _reset(client)
                continue
            threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def _guarded(self, client: socket.socket) -> None:
        self.own.client = client
        with self.lock:
            self.open.add(client)
        try:
            with client, contextlib.suppress(OSError, ValueError):  # a socket that was closed meanwhile
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.serve(client)
        finally:
            with self.lock:
                self.open.discard(client)

    def connect(self) -> socket.socket:
        """A connection to the server."""
        server = socket.create_connection(("127.0.0.1", self.target))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server


@dataclass
class DatabaseProxy(FaultyProxy):
    """Before PostgreSQL. `on_sent` sees what a client sends and may answer with a fault (RESET, LOSE_ANSWER or HANG)."""

    on_sent: Callable[[bytes], Fault | None] = lambda _data: None

    def serve(self, client: socket.socket) -> None:
        """See `FaultyProxy`."""
        with self.connect() as server:
            while True:
                for readable in select.select([client, server], [], [])[0]:
                    data = readable.recv(_CHUNK)
                    if not data:
                        return
                    if readable is server:
                        client.sendall(data)
                    elif not self._pass(client, server, data):
                        return

    def _pass(self, client: socket.socket, server: socket.socket, data: bytes) -> bool:
        fault = self.on_sent(data)
        if fault is Fault.HANG:
            self.closing.wait()
        if fault in {Fault.RESET, Fault.HANG}:
            _reset(client)
            return False
        server.sendall(data)
        if fault is Fault.LOSE_ANSWER:
            server.recv(_CHUNK)
            _reset(client)
            return False
        return True


@dataclass
class StoreProxy(FaultyProxy):
    """Before an S3 store. `on_request` sees each request and may answer with a fault."""

    on_request: Callable[[Asked], Fault | None] = lambda _asked: None
    seen: list[Asked] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """The address for `HUB_S3_ENDPOINT_URL`."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        """See `FaultyProxy`."""
        with self.connect() as server:
            while self._exchange(_Wire(client), _Wire(server)):
                pass

    def _exchange(self, client: _Wire, server: _Wire) -> bool:
        head = client.head()
        if not head:
            return False
        method, target = head.split(b" ", 2)[:2]
        with self.lock:
            asked = Asked(len(self.seen) + 1, method.decode(), target.decode())
            self.seen.append(asked)
        fault = self.on_request(asked)
        if fault is Fault.HANG:
            self.closing.wait()
        if fault in {Fault.RESET, Fault.HANG}:
            _reset(client.socket)
            return False
        waits = b"100-continue" in head.lower()
        if waits:
            head = re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", head)
            client.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fault is Fault.SLOW_DOWN:
            for _ in client.body(head):
                pass
            length = str(len(_SLOW_DOWN)).encode()
            client.socket.sendall(
                b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: " + length + _HEAD_END + _SLOW_DOWN
            )
            return True
        server.socket.sendall(head)
        for data in client.body(head):
            server.socket.sendall(data)
        return self._answer(client, server, method, fault)

    def _answer(self, client: _Wire, server: _Wire, method: bytes, fault: Fault | None) -> bool:
        head = server.head()
        if fault is Fault.LOSE_ANSWER or not head:
            _reset(client.socket)
            return False
        client.socket.sendall(head)
        left = min(_length(head) // 2, 3 * 1024 * 1024) if fault is Fault.CUT_ANSWER else -1
        if method != b"HEAD" and head.split(b" ", 2)[1] not in {b"204", b"304"}:
            for data in server.body(head):
                client.socket.sendall(data[:left] if left >= 0 else data)
                left -= min(len(data), left) if left >= 0 else 0
                if left == 0:
                    break
        if fault is Fault.CUT_ANSWER:
            _reset(client.socket)
            return False
        return b"connection: close" not in head.lower()


class _Wire:
    """One side of an HTTP/1.1 connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._held = b""

    def head(self) -> bytes:
        """The head of a message; empty when the connection ended."""
        while _HEAD_END not in self._held:
            data = self.socket.recv(_CHUNK)
            if not data:
                return b""
            self._held += data
        head, _, self._held = self._held.partition(_HEAD_END)
        return head + _HEAD_END

    def body(self, head: bytes) -> Iterator[bytes]:
        """The bytes that follow a head, as they are on the wire."""
        if b"transfer-encoding: chunked" not in head.lower():
            yield from self._take(_length(head))
            return
        while True:
            while b"\r\n" not in self._held:
                self._held += self._more()
            line, _, self._held = self._held.partition(b"\r\n")
            yield line + b"\r\n"
            size = int(line.partition(b";")[0], 16)
            yield from self._take(size + 2)
            if size == 0:
                return

    def _take(self, count: int) -> Iterator[bytes]:
        while count:
            self._held = self._held or self._more()
            data, self._held = self._held[:count], self._held[count:]
            count -= len(data)
            yield data

    def _more(self) -> bytes:
        data = self.socket.recv(_CHUNK)
        if not data:
            raise ConnectionResetError
        return data


def _length(head: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    return int(found[1]) if found else 0


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


@contextlib.contextmanager
def running(proxy: Proxy) -> Iterator[Proxy]:
    """Run a proxy on a free port."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        proxy.port = listener.getsockname()[1]
        thread = threading.Thread(target=proxy.accept, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.closing.set()
            proxy.cut()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
