"""A tiny model server as a program of its own: it speaks enough of OpenAI's dialect to stand for a real runtime. Standard library only.

`FAKE_FAIL` makes it write that text and exit with status 1; `FAKE_FAIL_UNTIL` names a file without which it does so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

WORDS = ["The", " capital", " is", " Paris", "."]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    aborted: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        if self.path == "/health":
            self._json({"status": "ok", "pid": os.getpid()})
        elif self.path == "/aborted":
            self._json({"aborted": self.aborted})
        else:
            self._json({"error": {"message": "nothing here"}}, 404)

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if body.get("crash"):
            os._exit(3)
        usage = {"prompt_tokens": 7, "completion_tokens": len(WORDS), "total_tokens": 7 + len(WORDS)}
        if self.path == "/v1/embeddings":
            data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
            self._json({"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": 7, "total_tokens": 7}})
        elif body.get("stream"):
            self._stream(body, usage)
        elif self.path == "/v1/completions":
            self._json({"object": "text_completion", "choices": [{"index": 0, "text": "".join(WORDS)}], "usage": usage})
        else:
            message = {"role": "assistant", "content": "".join(WORDS)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            told = {"object": "chat.completion", "model": body["model"], "system_fingerprint": str(os.getpid())}
            self._json(told | {"choices": [choice], "usage": usage})

    def _stream(self, body: dict[str, Any], usage: dict[str, int]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        words = WORDS * int(body.get("rounds", 1))
        events: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
        if body.get("stream_options", {}).get("include_usage"):
            events.append({"choices": [], "usage": usage})
        try:
            for event in events:
                self._chunk(b"data: " + json.dumps({"object": "chat.completion.chunk", "model": body["model"], **event}).encode() + b"\n\n")
                time.sleep(float(body.get("pause", 0)))
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")
        except OSError:
            self.aborted.append(str(body.get("user", "")))

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _json(self, value: Any, status: int = 200) -> None:
        raw = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        print(format % args, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--model", default="")
    parser.add_argument("--version", default="1")
    given = parser.parse_args()
    until = os.environ.get("FAKE_FAIL_UNTIL")
    failing = os.environ.get("FAKE_FAIL", "") if until is None else "" if Path(until).exists() else "not yet"
    if failing:
        print(failing, file=sys.stderr, flush=True)
        sys.exit(1)
    print(f"serving {given.model} version {given.version} on {given.port}", flush=True)
    ThreadingHTTPServer((given.host, given.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
