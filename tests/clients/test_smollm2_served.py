"""SmolLM2 with its real weights, served by llama.cpp: deployed by a tool, asked through the gateway by OpenAI's own client shape.

Needs a package index once, for the wheel of the runtime.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.test_smollm2 import clone, weights
from tests.common.deploying import end_all, pid_of_copies
from tests.common.git_client import commit_file, git
from tests.common.hub_process import HubProcess, run_hub
from tests.common.working import wait_until

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.xdist_group("smollm2")]

QUESTION = "What is the capital of France? Answer in one sentence."


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("hub")
    with run_hub(folder, HUB_DEMO="0") as running:
        yield running
    end_all(folder)


def chat(hub: HubProcess, **more: Any) -> httpx.Response:
    body = {"model": "admin/smollm2", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 30, "temperature": 0, **more}
    return httpx.post(f"{hub.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {hub.token}"}, timeout=180)


def view(hub: HubProcess) -> dict[str, Any]:
    return hub.tool("get_deployment", deployment="smollm2")


def running(hub: HubProcess, seconds: float = 240) -> dict[str, Any]:
    wait_until(lambda: view(hub)["status"] in ("running", "failed"), seconds)
    found = view(hub)
    if found["status"] == "failed" and "cannot be installed" in found["reason"]:
        pytest.skip(found["reason"])
    assert found["status"] == "running", found
    return found


def test_a_real_model_is_deployed_asked_killed_adopted_and_woken(hub: HubProcess, work: Path) -> None:
    source = weights()
    hub.tool("create_repo", name="smollm2", kind="model")
    mine = clone(hub, work, "admin/smollm2", "mine")
    git(mine, "lfs", "track", "*.gguf")
    shutil.copyfile(source, mine / source.name)
    commit_file(mine, ".gitattributes", (mine / ".gitattributes").read_bytes(), "Add SmolLM2-135M-Instruct")
    git(mine, "push", "-q", "origin", "main")

    plan = hub.request("POST", "/api/v1/tools/deploy_model?dry_run=true", json={"repo": "smollm2", "hardware": "CPU"}).json()["plan"]
    assert plan["effect"] == "spend"
    assert {"hardware": "cpu-small", "price_per_hour": 0.03, "runs": "until it is stopped"}.items() <= plan["facts"].items()
    began = time.monotonic()
    hub.tool("deploy_model", repo="smollm2", hardware="CPU")
    found = running(hub)
    print(f"deployed in {time.monotonic() - began:.1f} s, the runtime's packages included")
    assert (found["runtime"], found["ready"]) == ("llama.cpp", 1)

    answer = chat(hub)
    assert answer.status_code == 200, answer.text
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]
    events = [line[6:] for line in chat(hub, stream=True).text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    pieces = [json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events[:-1]]
    assert len(pieces) > 3
    assert "Paris" in "".join(pieces)
    assert "Paris" in hub.tool("try_deployment", deployment="smollm2", prompt=QUESTION)["answer"]
    assert "serving admin/smollm2" in hub.tool("get_logs", target="smollm2")["items"][0]["text"]

    (before,) = pid_of_copies(hub.folder)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pid_of_copies(hub.folder) not in ([], [before]), 60)
    running(hub)
    wait_until(lambda: chat(hub).status_code == 200, 60)

    (before,) = pid_of_copies(hub.folder)
    hub.restart()
    assert chat(hub).status_code == 200
    assert pid_of_copies(hub.folder) == [before], "the hub did not take over what runs"

    hub.tool("scale_deployment", deployment="smollm2", replicas=0)
    wait_until(lambda: pid_of_copies(hub.folder) == [], 30)
    assert view(hub)["status"] == "sleeping"
    began = time.monotonic()
    assert chat(hub).status_code == 200
    print(f"woken and answered in {time.monotonic() - began:.1f} s")

    hub.tool("delete_deployment", deployment="smollm2")
    wait_until(lambda: pid_of_copies(hub.folder) == [], 30)
    assert chat(hub).status_code == 404
