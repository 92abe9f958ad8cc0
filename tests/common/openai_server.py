"""A small server that speaks the OpenAI chat protocol from a script, as strict about histories as the real ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Script:
    """What the server answers, one entry per request: a text; a list of calls `{"name", "arguments"}`; or a fault.

    `arguments` may be any text (malformed on purpose). Faults: `{"status": 500}`, `{"cut": True}` (the connection breaks in
    mid-answer), `{"hang": True}` (nothing comes until `release` is set), `{"raw": "..."}` (a body that is no protocol).
    """

    answers: list[Any]
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


@contextmanager
def openai_server(*answers: Any) -> Iterator[tuple[str, Script]]:
    """Serve until the block ends; gives the base URL and the script with what was received."""
    script = Script(list(answers))

    class Handler(_Handler):
        pass

    Handler.script = script
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", script
    finally:
        script.release.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    script: Script

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.script.requests.append(body)
        self.script.keys.append(self.headers.get("Authorization", ""))
        self.script.started.set()
        problem = _problem(body["messages"])
        if problem:
            self._json(400, {"error": {"message": problem, "type": "invalid_request_error"}})
            return
        index = len(self.script.requests) - 1
        answer = self.script.answers[min(index, len(self.script.answers) - 1)]
        if isinstance(answer, dict):
            self._fault(answer)
        elif body.get("stream"):
            self._stream(answer)
        else:
            self._json(200, _whole(answer))

    def _fault(self, fault: dict[str, Any]) -> None:
        if fault.get("hang"):
            self.script.release.wait(30)
            self._json(500, {"error": {"message": "too late"}})
        elif fault.get("cut"):
            self._head()
            self._send(_delta({"role": "assistant", "content": "Let me "}))
            self.connection.close()
        elif "raw" in fault:
            self._head()
            self.wfile.write(str(fault["raw"]).encode())
        else:
            self._json(int(fault["status"]), {"error": {"message": "the model crashed"}})

    def _stream(self, answer: Any) -> None:
        self._head()
        self._send(_delta({"role": "assistant", "content": ""}))
        if isinstance(answer, str):
            for word in answer.split(" "):
                self._send(_delta({"content": word + " "}))
        else:
            for index, call in enumerate(answer):
                head = {"index": index, "id": call.get("id", f"call_{index}_{len(self.script.requests)}"), "type": "function"}
                self._send(_delta({"tool_calls": [{**head, "function": {"name": call["name"], "arguments": ""}}]}))
                text = call["arguments"] if isinstance(call["arguments"], str) else json.dumps(call["arguments"])
                for at in range(0, len(text), 7):  # real servers send arguments in fragments
                    self._send(_delta({"tool_calls": [{"index": index, "function": {"arguments": text[at : at + 7]}}]}))
        self._send(_delta({}, "stop" if isinstance(answer, str) else "tool_calls"))
        self.wfile.write(b"data: [DONE]\n\n")

    def _head(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def _send(self, chunk: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def _json(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _problem(messages: list[dict[str, Any]]) -> str:
    """What a strict server finds wrong with a history: every call is answered at once, arguments are JSON, answers have a call."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return f"tool message without a call: {message['tool_call_id']}"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return f"calls without an answer: {waiting}"
        for call in message.get("tool_calls") or []:
            json.loads(call["function"]["arguments"])
            waiting.append(call["id"])
    return f"calls without an answer: {waiting}" if waiting else ""


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice]}


def _whole(answer: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
