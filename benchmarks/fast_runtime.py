"""A model server that does next to nothing, as fast as Python can: what the gateway is measured against. `pace` is seconds per token."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

import uvloop

WORD = " token"
USAGE = {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9}


class Server(asyncio.Protocol):
    """HTTP/1.1 with kept connections, one request at a time on each."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._got = b""
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """It has gone."""
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Part of a request."""
        self._got += data
        while (end := self._got.find(b"\r\n\r\n")) >= 0:
            head = self._got[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._got) < end + 4 + length:
                return
            body, self._got = self._got[end + 4 : end + 4 + length], self._got[end + 4 + length :]
            self._answer(head.split(b" ", 2)[1], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        asked: dict[str, Any] = json.loads(body) if body else {}
        if asked.get("stream"):
            self._task = asyncio.get_running_loop().create_task(self._stream(asked))
            return
        message = {"role": "assistant", "content": WORD}
        said = {"object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": USAGE} if path != b"/health" else {}
        raw = json.dumps(said).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " + str(len(raw)).encode() + b"\r\n\r\n" + raw
        )

    async def _stream(self, asked: dict[str, Any]) -> None:
        tokens, pace = int(asked.get("max_tokens", 100)), float(asked.get("pace", 0))
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        event = _chunk({"choices": [{"index": 0, "delta": {"content": WORD}}]})
        loop = asyncio.get_running_loop()
        due = loop.time()
        for number in range(tokens):
            self._transport.write(event)
            due += pace
            if pace:
                await asyncio.sleep(max(0.0, due - loop.time()))
            elif number % 16 == 15:
                await asyncio.sleep(0)  # as a server that makes a token for each of its streams in turn
        if asked.get("stream_options", {}).get("include_usage"):
            self._transport.write(_chunk({"choices": [], "usage": USAGE | {"completion_tokens": tokens}}))
        self._transport.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


def _chunk(event: dict[str, Any]) -> bytes:
    raw = b"data: " + json.dumps({"object": "chat.completion.chunk", **event}).encode() + b"\n\n"
    return f"{len(raw):x}\r\n".encode() + raw + b"\r\n"


async def _serve(host: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Server, host, port, backlog=512)
    await server.serve_forever()


def main() -> None:
    """Serve until somebody ends it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    uvloop.run(_serve(given.host, given.port))


if __name__ == "__main__":
    main()
