"""An OpenAI-compatible server that streams some words, waits until it may go on, and then finishes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SlowLlm:
    """`started` is set when words are on their way; the rest follows once `go_on` is set."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.url = ""


@contextmanager
def run_slow_llm() -> Iterator[SlowLlm]:
    """The server on a free port."""
    llm = SlowLlm()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream" if asked.get("stream") else "application/json")
            self.end_headers()
            for word in ("Once ", "upon ", "a ", "time "):
                self._chunk({"content": word, "role": "assistant"})
            llm.started.set()
            llm.go_on.wait(30)
            for number in range(200):
                self._chunk({"content": f"word{number} "})
            self._chunk({}, "stop")
            self.wfile.write(b"data: [DONE]\n\n")

        def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            body = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "slow", "choices": [choice]}
            try:
                self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())
                self.wfile.flush()
            except OSError:
                pass  # the client stopped listening

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    llm.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield llm
    finally:
        llm.go_on.set()
        server.shutdown()
