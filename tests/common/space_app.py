"""An app of a Space that tells what it gets and tries what it may not. Runs with the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

PAGE = b"<!doctype html><title>app</title><h1>An app</h1>"
HOSTILE = {
    "Set-Cookie": "hubtalk_session=stolen; Path=/",
    "Clear-Site-Data": '"cookies"',
    "Strict-Transport-Security": "max-age=99999999",
    "Service-Worker-Allowed": "/",
    "X-Accel-Redirect": "/internal/secret",
    "X-Sendfile": "/etc/passwd",
    "Access-Control-Allow-Origin": "https://evil.example",
    "Content-Security-Policy": "default-src *",
    "X-Frame-Options": "DENY",
    "WWW-Authenticate": 'Basic realm="hub"',
    "Alt-Svc": 'h2="evil.example:443"',
    "Report-To": "{}",
}


class Handler(BaseHTTPRequestHandler):
    """Paths that begin with `/echo` tell of the request; others do what their name says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        given = dict(parse_qsl(parts.query))
        if self.headers.get("upgrade", "").lower() == "websocket":
            self._websocket()
        elif parts.path == "/hostile":
            self._send(PAGE, "text/html", HOSTILE)
        elif parts.path == "/redirect":
            self._send(b"", "text/plain", {"Location": given["to"]}, 302)
        elif parts.path == "/events":
            self._events(int(given.get("n", "3")))
        elif parts.path == "/big":
            self._send(b"x" * int(given["size"]), "application/octet-stream")
        elif parts.path == "/written":
            self._send(Path(given["path"]).read_bytes(), "text/plain")
        elif parts.path == "/environment":
            self._send(json.dumps(dict(os.environ)).encode(), "application/json")
        elif parts.path.startswith("/echo"):
            self._echo(b"")
        else:
            self._send(PAGE, "text/html")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self._echo(body)

    def do_PUT(self) -> None:
        self.do_POST()

    def _echo(self, body: bytes) -> None:
        told = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "size": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        self._send(json.dumps(told).encode(), "application/json")

    def _send(self, body: bytes, kind: str, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _events(self, count: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(count):
            self.wfile.write(f"data: {number} {time.monotonic()}\n\n".encode())
            self.wfile.flush()
            time.sleep(0.2)
        self.close_connection = True

    def _websocket(self) -> None:
        """Send every message back, the first with the headers that came; `close` ends it."""
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        for name, value in {"Upgrade": "websocket", "Connection": "Upgrade"}.items():
            self.send_header(name, value)
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        if asked := self.headers.get("sec-websocket-protocol"):
            self.send_header("Sec-WebSocket-Protocol", asked.split(",")[0].strip())
        self.end_headers()
        self._frame(json.dumps({name.lower(): value for name, value in self.headers.items()}).encode())
        while (message := self._message()) not in (None, b"close"):
            self._frame(message)
        self.close_connection = True

    def _message(self) -> bytes | None:
        head = self.rfile.read(2)
        if len(head) < 2 or head[0] & 0x0F == 8:
            return None
        size = head[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
        mask, data = self.rfile.read(4), self.rfile.read(size)
        return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))

    def _frame(self, data: bytes) -> None:
        size = len(data)
        head = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")
        self.wfile.write(b"\x81" + head + data)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the one that it replaces
        print(format % args, flush=True)


if __name__ == "__main__":
    ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "7860"))), Handler).serve_forever()
