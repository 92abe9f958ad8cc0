"""Fine-tunes and evaluations as people handle them: by tools."""

from __future__ import annotations

from typing import Any

import pytest

from hub_core.authz import Actor
from hub_core.errors import EntryNotFound, InvalidInput, JobNotFound, RepoNotFound
from hub_core.git import FileChange
from hub_core.running_errors import UnsuitableData
from hub_core.services import Services
from tests.common.factories import actor_for, make_user
from tests.common.training import add_base, add_rows
from tests.common.working import work
from tools import invoke
from tools.contract import Effect, ToolContext


def call(hub: Services, actor: Actor, tool: str, **arguments: Any) -> dict[str, Any]:
    done = invoke.call(ToolContext(actor, hub), tool, arguments, gate=False)
    assert isinstance(done, invoke.Done)
    return done.output.model_dump(mode="json")


@pytest.fixture
def base(hub: Services, alice: Actor) -> str:
    add_base(hub, alice)
    add_rows(hub, alice)
    return "alice/base"


def test_a_plan_says_data_steps_hardware_time_and_price(hub: Services, alice: Actor, base: str) -> None:
    plan = invoke.plan(ToolContext(alice, hub), "start_finetune", {"model": "base", "dataset": "tickets", "epochs": 2, "hardware": "cpu"})
    assert plan.effect is Effect.SPEND
    assert plan.args["output"] == "alice/base-ft-tickets"
    assert plan.args["visibility"] == "private"
    facts = plan.facts
    assert (facts["rows"], facts["columns"], facts["format"], facts["tokens_counted"]) == (57, ["prompt", "completion"], "pair", False)
    assert (facts["steps"], facts["epochs"]) == (16, 2.0)
    assert facts["hardware"].startswith("cpu")
    assert facts["takes_s"] > 0
    assert facts["estimated_cost"] == round(facts["hourly"] * facts["takes_s"] / 3600, 4)
    assert facts["needs_gb"] > 0.5


def test_a_fine_tune_is_started_followed_and_evaluated(hub: Services, alice: Actor, base: str) -> None:
    job = call(hub, alice, "start_finetune", model=base, dataset="tickets", max_steps=6)
    assert (job["kind"], job["status"], job["owner"]) == ("finetune", "queued", "alice")
    work(hub)
    shown = call(hub, alice, "get_job", job=job["id"])
    assert shown["status"] == "succeeded"
    assert [point["step"] for point in shown["series"]] == [1, 2, 3, 4, 5, 6]
    assert shown["repo"] == "alice/base-ft-tickets"
    for said in (f"job {job['id']}", f"Job #{job['id']}", f"任务{job['id']}", f"ジョブ {job['id']}", f"작업 {job['id']}"):
        logs = call(hub, alice, "get_logs", target=said)
        assert logs["target"] == f"job {job['id']}"
        assert "learning from" in logs["items"][0]["text"]
    # What to measure with and to compare with follow from the lineage.
    plan = invoke.plan(ToolContext(alice, hub), "evaluate_model", {"repo": "base-ft-tickets"})
    assert (plan.args["dataset"], plan.facts["before"], plan.effect) == ("alice/tickets", "alice/base", Effect.SPEND)
    measured = call(hub, alice, "evaluate_model", repo="base-ft-tickets")
    work(hub)
    result = call(hub, alice, "get_job", job=measured["id"])["result"]
    assert [item["model"] for item in result["measures"]] == ["alice/base-ft-tickets", "alice/base"]
    assert "commit" not in result, "the card is written only when asked"


def test_a_model_of_unknown_origin_needs_a_dataset_to_be_evaluated(hub: Services, alice: Actor, base: str) -> None:
    with pytest.raises(InvalidInput, match="trained on"):
        call(hub, alice, "evaluate_model", repo=base)
    plan = invoke.plan(ToolContext(alice, hub), "evaluate_model", {"repo": base, "dataset": "tickets"})
    assert "before" not in plan.facts


TASK = """
task: doubles
output_type: multiple_choice
doc_to_text: "{{prompt}}"
doc_to_choice: ["yes", "no"]
doc_to_target: 0
num_fewshot: 2
"""


def test_a_task_of_the_harness_lies_in_the_dataset_and_measures_both_models(hub: Services, alice: Actor, base: str) -> None:
    data = hub.repos.find(alice, "tickets")
    tasks = {"tasks/doubles.yaml": TASK, "tasks/evil.yaml": TASK + "process_docs: !function utils.f\n"}
    hub.files.commit(alice, data, [FileChange(path, content.encode()) for path, content in tasks.items()], "Add tasks")
    call(hub, alice, "start_finetune", model=base, dataset="tickets", max_steps=2)
    work(hub)
    plan = invoke.plan(ToolContext(alice, hub), "evaluate_model", {"repo": "base-ft-tickets", "task": "tasks/doubles.yaml"})
    assert (plan.facts["task"], plan.facts["shots"], plan.facts["before"]) == ("doubles", 2, "alice/base")
    for path, error in (("tasks/evil.yaml", InvalidInput), ("tasks/none.yaml", EntryNotFound), ("train.jsonl", InvalidInput)):
        with pytest.raises(error):
            invoke.plan(ToolContext(alice, hub), "evaluate_model", {"repo": "base-ft-tickets", "task": path})
    number = call(hub, alice, "evaluate_model", repo="base-ft-tickets", task="tasks/doubles.yaml", publish=True)["id"]
    work(hub)
    done = call(hub, alice, "get_job", job=number)
    result = done["result"]
    assert (result["task"], [one["metrics"] for one in result["measures"]]) == ("doubles", [{"acc": 0.5}, {"acc": 0.75}])
    assert result["measures"][0]["rows"] == result["rows"]
    assert '"prompt"' in call(hub, alice, "get_logs", target=f"job {number}")["items"][0]["text"], "rows come as they are"
    made = hub.repos.find(alice, "base-ft-tickets")
    assert made.card["front_matter"]["model-index"][0]["results"][0]["metrics"] == [{"type": "acc", "value": 0.5}]
    assert "evaluation/alice--tickets--doubles.json" in hub.files.paths(alice, made)


def test_nobody_learns_of_what_is_not_theirs(hub: Services, alice: Actor, base: str) -> None:
    eve = actor_for(make_user(hub.db, "eve"))
    job = call(hub, alice, "start_finetune", model=base, dataset="tickets")["id"]
    for tool, arguments in (("get_job", {"job": job}), ("get_logs", {"target": f"job {job}"}), ("cancel_job", {"job": job})):
        with pytest.raises(JobNotFound):
            call(hub, eve, tool, **arguments)
    with pytest.raises(RepoNotFound):
        call(hub, eve, "start_finetune", model=base, dataset="alice/tickets")


def test_wrong_columns_are_named_before_anything_is_spent(hub: Services, alice: Actor, base: str) -> None:
    add_rows(hub, alice, [{"id": 1, "label": "x"}], name="odd")
    with pytest.raises(UnsuitableData) as caught:
        invoke.plan(ToolContext(alice, hub), "start_finetune", {"model": base, "dataset": "odd"})
    assert caught.value.details["columns"] == ["id", "label"]
    assert hub.jobs.list_jobs(alice, kind="finetune").items == []
