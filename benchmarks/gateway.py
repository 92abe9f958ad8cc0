"""What the gateway adds to a model server: time per request, time per streamed token, and what 32 streams get through."""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from benchmarks.hub import PATIENCE_S, TOKEN, Hub, folder, free_port, process, running_hub
from benchmarks.report import Row, compared, interleaved

SUBJECT = "gateway"
RUNS = 7
REQUESTS = 300
STREAM_TOKENS = 2000
STREAMS, PACED_TOKENS, PACE_S = 32, 250, 0.02  # 32 streams of 50 tokens a second: as a busy GPU gives
MODEL = "admin/fast"
RUNTIME = """
name: fast
title: Fast
about: For measuring the gateway.
rank: 1
formats: [safetensors]
weights: folder
tasks: [chat]
memory: {{factor: 1.0, fixed_mb: 16}}
context: 0
in_flight: 64
probe: {{path: /health, startup_s: 60}}
local:
  hardware: [cpu]
  command: ["{python}", "{script}", "--host", "{{host}}", "--port", "{{port}}"]
"""
HARDWARE = 'currency: USD\nitems:\n  - {name: cpu-small, title: "CPU", cpus: 1, memory_gb: 1, price_per_hour: 0}\n'
_OFF = {f"HUB_GATEWAY_{name}": "0" for name in ("REQUESTS", "TOKENS", "PARALLEL", "DEPLOYMENT_PARALLEL")}


def measure() -> list[Row]:
    """The hub runs the fast server as a deployment; the peer is another one of it, asked directly, in the same interleaved runs."""
    with folder() as scratch, _deployed(scratch) as hub, _peer() as direct:
        ours, theirs = (Asked(hub.url, TOKEN), Asked(direct, ""))
        for asked in (ours, theirs):
            run(alone(asked, 50))
        alone_runs = interleaved(RUNS, partial(_run, alone, ours, REQUESTS), partial(_run, alone, theirs, REQUESTS))
        token_runs = interleaved(RUNS, partial(_run, one_stream, ours, STREAM_TOKENS), partial(_run, one_stream, theirs, STREAM_TOKENS))
        paced_runs = interleaved(RUNS, partial(_run, many, ours, PACED_TOKENS, PACE_S), partial(_run, many, theirs, PACED_TOKENS, PACE_S))
        flat_runs = interleaved(RUNS, partial(_run, many, ours, 200, 0.0), partial(_run, many, theirs, 200, 0.0))
    return [
        _added("overhead per request, one after the other", alone_runs),
        _added("overhead per streamed token, one stream", token_runs),
        compared(SUBJECT, f"{STREAMS} streams of {1 / PACE_S:.0f} tokens a second each", "tokens/s", "directly", paced_runs, least=0.95),
        compared(SUBJECT, f"{STREAMS} streams as fast as they can", "tokens/s", "directly", flat_runs),
    ]


def _added(what: str, runs: list[tuple[float, float]]) -> Row:
    """The time that the hub adds: the median of the differences within a run."""
    added = statistics.median(hub - peer for hub, peer in runs)
    peer = statistics.median(peer for _, peer in runs)
    kept = [[round(value, 5) for value in pair] for pair in runs]
    return Row(SUBJECT, what, added, "ms", peer, "all of it, directly", "< 3 ms", added < 3, kept)


class Asked:
    """A server, and how to ask it."""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        self.host, self.port = str(address.hostname), int(address.port or 80)
        self._token = token

    def request(self, **more: object) -> bytes:
        """A whole request for a chat completion."""
        body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Say something."}], **more}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        return (head + (f"Authorization: Bearer {self._token}\r\n" if self._token else "") + "\r\n").encode() + body


async def alone(asked: Asked, requests: int) -> float:
    """Milliseconds of a request on a kept connection, the median of many."""
    reader, writer = await asyncio.open_connection(asked.host, asked.port)
    request, times = asked.request(), []
    for _ in range(requests):
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        times.append(time.perf_counter() - began)
        _check(head)
    writer.close()
    return statistics.median(times) * 1000


async def one_stream(asked: Asked, tokens: int) -> float:
    """Milliseconds for each token of one stream that comes as fast as it can."""
    began = time.perf_counter()
    if await _stream(asked, tokens, 0.0) < tokens:
        raise RuntimeError("tokens are missing")
    return (time.perf_counter() - began) / tokens * 1000


async def many(asked: Asked, tokens: int, pace: float) -> float:
    """Tokens per second of many streams at once."""
    began = time.perf_counter()
    seen = await asyncio.gather(*(_stream(asked, tokens, pace) for _ in range(STREAMS)))
    if min(seen) < tokens:
        raise RuntimeError("tokens are missing")
    return STREAMS * tokens / (time.perf_counter() - began)


async def _stream(asked: Asked, tokens: int, pace: float) -> int:
    """Events of a stream."""
    reader, writer = await asyncio.open_connection(asked.host, asked.port)
    writer.write(asked.request(stream=True, max_tokens=tokens, pace=pace))
    _check(await reader.readuntil(b"\r\n\r\n"))
    seen, rest = 0, b""
    while not rest.endswith(b"0\r\n\r\n"):
        data = await reader.read(1 << 16)
        if not data:
            raise RuntimeError("the stream broke off")
        seen += (rest[-5:] + data).count(b"data:") - rest[-5:].count(b"data:")
        rest = (rest + data)[-16:]
    writer.close()
    return seen - 1


def _check(head: bytes) -> None:
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode(errors="replace"))


def _run(work: object, *args: object) -> float:
    return float(run(work(*args)))  # type: ignore[operator]


def run(work: object) -> float:
    """Run to the end on the loop that servers use too."""
    return float(uvloop.run(work))  # type: ignore[arg-type]


@contextmanager
def _peer() -> Iterator[str]:
    port = free_port()
    script = Path(__file__).with_name("fast_runtime.py")
    url = f"http://127.0.0.1:{port}"
    with process([sys.executable, str(script), "--port", str(port)], url + "/health"):
        yield url


@contextmanager
def _deployed(scratch: Path) -> Iterator[Hub]:
    """A hub whose deployment answers."""
    own = scratch / "catalog"
    (own / "runtimes").mkdir(parents=True)
    script = Path(__file__).with_name("fast_runtime.py")
    (own / "runtimes" / "fast.yaml").write_text(RUNTIME.format(python=sys.executable, script=script))
    (own / "hardware.yaml").write_text(HARDWARE)
    with running_hub(scratch / "hub", HUB_CATALOG_DIR=str(own), HUB_DEPLOYMENT_GRACE_S="5", **_OFF) as hub:
        hub.tool("create_repo", name=MODEL, kind="model")
        _add_weights(hub)
        hub.tool("deploy_model", repo=MODEL, runtime="fast", hardware="cpu-small")
        deadline = time.perf_counter() + PATIENCE_S
        while (found := hub.tool("get_deployment", deployment=MODEL))["status"] != "running":
            if time.perf_counter() > deadline or found["status"] == "failed":
                raise RuntimeError(f"the deployment did not start: {found['status']} {found['reason']}")
            time.sleep(0.1)
        hub.wait_for_all_parts()
        yield hub
        hub.tool("delete_deployment", deployment=MODEL)


def _add_weights(hub: Hub) -> None:
    """A tiny model, as the Hugging Face client commits it."""
    header = json.dumps({"w": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(8)
    files = {"config.json": b'{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}', "model.safetensors": weights}
    lines = [{"key": "header", "value": {"summary": "Add weights"}}]
    for path, content in files.items():
        lines.append({"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}})
    hub.post_lines(f"/api/models/{MODEL}/commit/main", lines)
