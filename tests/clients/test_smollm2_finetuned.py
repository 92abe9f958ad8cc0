"""SmolLM2 with its real weights: fine-tuned with LoRA on what Python says of its own library, measured before and after, deployed and asked.

Needs a package index once, for torch, transformers and peft.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.test_smollm2 import clone, weights
from tests.common.deploying import end_all
from tests.common.git_client import commit_file, git
from tests.common.hub_process import HubProcess, run_hub
from tests.common.stdlib_rows import jsonl, rows
from tests.common.working import wait_until

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.timeout(2400), pytest.mark.xdist_group("smollm2")]

STEPS = 20


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("hub")
    with run_hub(folder, HUB_DEMO="0") as running:
        yield running
    end_all(folder)


def ended(hub: HubProcess, job: int, seconds: float = 1200) -> dict[str, Any]:
    """A job at its end; it must have gone well."""
    deadline = time.monotonic() + seconds
    while hub.tool("get_job", job=job)["status"] in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(1)
    found = hub.tool("get_job", job=job)
    if (found.get("error") or {}).get("code") == "runtime_not_installed":
        pytest.skip(found["error"]["message"])
    assert found["status"] == "succeeded", (found, hub.tool("get_logs", target=f"job {job}"))
    return found


def add_assets(hub: HubProcess, work: Path) -> None:
    source = weights()
    hub.tool("create_repo", name="smollm2", kind="model", license="apache-2.0")
    mine = clone(hub, work, "admin/smollm2", "mine")
    git(mine, "lfs", "track", "*.gguf")
    shutil.copyfile(source, mine / source.name)
    commit_file(mine, ".gitattributes", (mine / ".gitattributes").read_bytes(), "Add SmolLM2-135M-Instruct")
    git(mine, "push", "-q", "origin", "main")
    hub.tool("create_repo", name="pydocs", kind="dataset")
    data = clone(hub, work, "datasets/admin/pydocs", "data")
    commit_file(data, "train.jsonl", jsonl(), "Add what Python says of its library")
    git(data, "push", "-q", "origin", "main")


def test_a_real_model_learns_is_measured_deployed_and_asked(hub: HubProcess, work: Path) -> None:
    add_assets(hub, work)
    wish = {"model": "smollm2", "dataset": "pydocs", "max_steps": STEPS, "hardware": "cpu-medium", "output": "smollm2-py"}
    plan = hub.request("POST", "/api/v1/tools/start_finetune?dry_run=true", json=wish).json()["plan"]
    assert plan["effect"] == "spend"
    facts = plan["facts"]
    assert (facts["steps"], facts["format"], facts["columns"]) == (STEPS, "pair", ["prompt", "completion"])
    assert facts["rows"] <= len(rows())
    assert facts["takes_s"] > 0 and facts["estimated_cost"] > 0 and 1 < facts["needs_gb"] < 8

    began = time.monotonic()
    job = hub.tool("start_finetune", **wish)["id"]
    wait_until(lambda: hub.tool("get_job", job=job)["series"] or hub.tool("get_job", job=job)["status"] == "failed", 900)
    done = ended(hub, job)
    print(f"{STEPS} steps in {time.monotonic() - began:.0f} s, packages included; the hub estimated {facts['takes_s']} s without them")
    measures = {item["model"]: item for item in done["result"]["measures"]}
    print(f"loss on rows that were kept back: {measures['before']['loss']:.3f} -> {measures['after']['loss']:.3f}")
    assert measures["after"]["loss"] < measures["before"]["loss"] - 0.3
    losses = [point["loss"] for point in done["series"]]
    assert len(losses) == STEPS
    assert sum(losses[-5:]) < sum(losses[:5])

    made = hub.tool("get_repo", repo="smollm2-py")
    assert (made["visibility"], made["license"]) == ("private", "apache-2.0")
    assert {(item["relation"], item["repo"]) for item in hub.tool("get_lineage", repo="smollm2-py")["sources"]} == {
        ("base_model", "admin/smollm2"), ("dataset", "admin/pydocs"),
    }  # fmt: skip
    inside = hub.tool("inspect_model", repo="smollm2-py")
    assert (inside["format"], inside["architecture"]) == ("safetensors", "LlamaForCausalLM")
    recipe = json.loads(hub.tool("read_file", repo="smollm2-py", path="recipe.json")["content"])
    assert recipe["versions"]["torch"].startswith("2.13.0")

    measured = ended(hub, hub.tool("evaluate_model", repo="smollm2-py", hardware="cpu-medium")["id"])["result"]
    after, before = measured["measures"]
    assert (after["model"], before["model"], measured["dataset"]) == ("admin/smollm2-py", "admin/smollm2", "admin/pydocs")
    assert after["perplexity"] < before["perplexity"]

    began = time.monotonic()
    hub.tool("deploy_model", repo="smollm2-py", hardware="cpu-medium")
    wait_until(lambda: hub.tool("get_deployment", deployment="smollm2-py")["status"] in ("running", "failed"), 900)
    found = hub.tool("get_deployment", deployment="smollm2-py")
    assert (found["status"], found["runtime"]) == ("running", "transformers"), found
    print(f"deployed with transformers in {time.monotonic() - began:.0f} s, its packages included")
    question = [{"role": "user", "content": "What does os.path.basename do in Python?"}]
    body = {"model": "admin/smollm2-py", "messages": question, "max_tokens": 24, "temperature": 0}
    answer = httpx.post(f"{hub.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {hub.token}"}, timeout=300)
    assert answer.status_code == 200, answer.text
    said = answer.json()["choices"][0]["message"]["content"]
    print(f"it says: {said}")
    assert len(said.split()) > 2
    hub.tool("delete_deployment", deployment="smollm2-py")


TASK = """
task: capitals
output_type: generate_until
doc_to_text: "The capital of {{country}} is"
doc_to_target: "{{capital}}"
generation_kwargs: {until: [".", "\\n"], max_gen_toks: 8}
filter_list:
  - {name: answer, filter: [{function: remove_whitespace}, {function: take_first}]}
metric_list:
  - {metric: exact_match, ignore_case: true}
"""
CAPITALS = {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo", "Germany": "Berlin", "Spain": "Madrid", "Norway": "Oslo"}


def test_a_real_model_is_measured_with_a_task_of_the_harness(hub: HubProcess, work: Path) -> None:
    if hub.request("GET", "/api/models/admin/smollm2").status_code != 200:
        add_assets(hub, work)
    hub.tool("create_repo", name="capitals", kind="dataset")
    rows = "".join(json.dumps({"country": country, "capital": capital}) + "\n" for country, capital in CAPITALS.items())
    hub.tool("write_file", repo="capitals", path="test.jsonl", content=rows)
    hub.tool("write_file", repo="capitals", path="capitals.yaml", content=TASK)
    wish = {"repo": "smollm2", "dataset": "capitals", "task": "capitals.yaml", "hardware": "cpu-medium"}
    (measured,) = ended(hub, hub.tool("evaluate_model", **wish)["id"])["result"]["measures"]
    assert measured["rows"] == len(CAPITALS)
    assert measured["metrics"]["exact_match (answer)"] > 0.5
