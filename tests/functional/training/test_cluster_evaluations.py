"""Evaluations in a cluster, as fine-tunes: the API server is a mock and its pods are processes; the hub and its passes are real."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from hub_core.authz import Actor
from hub_core.budgets.states import BudgetPeriod
from hub_core.db import utcnow
from hub_core.git import FileChange
from hub_core.http.training_files import PATH
from hub_core.metering.compute import Ran
from hub_core.metering.tables import ComputeHour
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.settings import Settings
from hub_core.training import paying
from tests.common.factories import actor_for, make_user
from tests.common.fake_api_server import decoded
from tests.common.manifests import check
from tests.common.training import add_base, add_rows, job, says, text, working
from tests.common.working import wait_until, work
from tests.functional.training.test_clusters import Setup, opened, over
from tools import invoke
from tools.contract import ToolContext

MEASURING = "Measuring alice/base"


@pytest.fixture
def setup(settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[Setup]:
    with opened(settings, sqlite_url, tmp_path) as found:
        yield found


@pytest.fixture
def hub(setup: Setup) -> Services:
    return setup.hub


@pytest.fixture
def alice(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "alice"))


def begin(hub: Services, alice: Actor, how: str = "row", *, publish: bool = False) -> int:
    """An evaluation of a model beside the one that it was made from; the job's number."""
    before, tuned, data = add_base(hub, alice), add_base(hub, alice, "tuned"), add_rows(hub, alice, says(how))
    return start(hub, alice, tuned, data, before, publish=publish)


def start(hub: Services, alice: Actor, tuned: Repo, data: Repo, before: Repo, *, publish: bool = False, **placed: str) -> int:
    plan = hub.training.plan_evaluation(alice, tuned, data, before, publish=publish)
    return hub.training.start_evaluation(alice, dataclasses.replace(plan, **placed)).id


def measuring_base(hub: Services, number: int) -> bool:
    return MEASURING in job(hub, number).message


def passes(setup: Setup) -> dict[str, str]:
    """The passes that the cluster has now, by what they are for."""
    (secret,) = [one for one in setup.fake.objects("v1/secrets") if one["metadata"]["name"].startswith("j")]
    found = decoded(secret)
    return {"job": found["token"], "model": found["model__token"], "before": found["before__token"]}


def test_both_models_are_measured_where_the_hardware_is_with_the_same_result_as_here(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, publish=True)
    assert job(hub, number).args["cluster"] == "prod"
    work(hub)
    done = job(hub, number)
    assert (done.status, done.error) == ("succeeded", None)
    assert done.result is not None
    for name in ("model", "before"):
        (fetched,) = (setup.fake.folder / "pods").glob(f"*/{name}/model.safetensors")
        assert fetched.stat().st_size
    assert setup.jobs() == [] == setup.fake.objects("v1/secrets")
    assert list(hub.training.handed._blobs.list("training/")) == []
    assert list((hub.platform.data_dir / "training").iterdir()) == []
    tuned = hub.repos.find(alice, "tuned")
    assert tuned.card["front_matter"]["model-index"][0]["results"][0]["dataset"]["name"] == "alice/tickets"
    assert json.loads(text(hub, alice, tuned, "evaluation/alice--tickets.json"))["measures"] == done.result["measures"]
    here = start(hub, alice, tuned, hub.repos.find(alice, "tickets"), hub.repos.find(alice, "base"), cluster="local")
    work(hub)
    told = job(hub, here).result
    assert told is not None
    assert told["measures"] == done.result["measures"]
    assert told["rows"] == done.result["rows"]


def test_each_download_has_a_pass_for_its_own_model_only(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: measuring_base(hub, number), 60)
        (made,) = setup.jobs()
        check(
            {
                **made,
                "metadata": {key: value for key, value in made["metadata"].items() if key not in ("uid", "resourceVersion")},
                "status": {},
            }
        )
        inits = made["spec"]["template"]["spec"]["initContainers"]
        assert [one["name"] for one in inits] == ["fetch", "fetch-before"]
        assert [[mount["name"] for mount in one["volumeMounts"]] for one in inits] == [["model", "pass"], ["before", "pass"]]
        held = passes(setup)
        clients = {name: httpx.Client(base_url=setup.url, headers={"authorization": f"Bearer {one}"}) for name, one in held.items()}
        opens = {
            name: [client.get(f"/alice/{repo}/resolve/main/config.json").status_code == 200 for repo in ("tuned", "base")]
            for name, client in clients.items()
        }
        assert opens == {"job": [True, False], "model": [True, False], "before": [False, True]}
        assert clients["job"].get(f"{PATH}/train.jsonl").content == b"", "nothing is learned from"
        assert clients["before"].get(f"{PATH}/held_out.jsonl").status_code == 401
        assert clients["before"].put("/alice/base/upload/main/x", content=b"x").status_code >= 400
        setup.go()
        wait_until(lambda: over(hub, number), 60)
        assert clients["before"].get("/alice/base/resolve/main/config.json").status_code in (401, 404)
    assert job(hub, number).error is None


def test_a_worker_that_goes_leaves_it_running_and_the_next_hears_it_to_its_end(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: measuring_base(hub, number), 60)
    assert job(hub, number).status == "queued"
    (before,) = setup.jobs()
    with working(hub):
        wait_until(lambda: job(hub, number).status == "running")
        setup.go()
        wait_until(lambda: over(hub, number), 60)
    done = job(hub, number)
    assert done.error is None
    assert done.result is not None
    assert [one["model"] for one in done.result["measures"]] == ["alice/tuned", "alice/base"]
    assert [body["metadata"]["uid"] for _, _, body in setup.fake.calls("POST", "/jobs")] == [before["metadata"]["uid"]]


def test_a_cancelled_one_ends_in_the_cluster(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: measuring_base(hub, number), 60)
        hub.jobs.cancel(alice, number)
        wait_until(lambda: job(hub, number).status == "cancelled", 30)
        wait_until(lambda: not setup.jobs() and not setup.fake.objects("v1/pods") and not setup.fake.objects("v1/secrets"))


def test_a_cluster_that_is_away_for_a_while_takes_nothing_along(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: measuring_base(hub, number), 60)
        setup.fake.server.fault = lambda _method, path: 503 if path.startswith("/apis/batch") else None
        wait_until(lambda: "does not answer" in job(hub, number).message, 30)
        setup.fake.server.fault = lambda _method, _path: None
        setup.go()
        wait_until(lambda: over(hub, number), 60)
    assert job(hub, number).status == "succeeded"
    assert len(setup.fake.calls("POST", "/jobs")) == 1


def test_a_program_that_fails_says_why_and_leaves_nothing(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, "be-oom")
    work(hub)
    failed = job(hub, number)
    assert (failed.status, failed.error["code"]) == ("failed", "training_out_of_memory")
    assert setup.jobs() == []


def test_its_time_is_metered_and_a_budget_that_is_used_up_ends_it(
    setup: Setup, hub: Services, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paying, "EVERY_S", 0.05)
    number = begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: measuring_base(hub, number), 60)
        hub.budgets.set_amount(alice, "alice", 1.0, BudgetPeriod.MONTH)
        other = Ran("space", 1, "alice/app", alice.user_id or 0, "alice", 0, None, "a100", 100.0)
        hub.compute.ran(other, utcnow() - dt.timedelta(minutes=6))
        wait_until(lambda: over(hub, number), 60)
    assert job(hub, number).error["code"] == "budget_spent"
    assert setup.jobs() == []
    with hub.db.read() as session:
        assert session.scalar(sa.select(sa.func.sum(ComputeHour.seconds)).where(ComputeHour.kind == "job"))


def test_a_task_of_the_harness_runs_there_too(setup: Setup, hub: Services, alice: Actor) -> None:
    data = add_rows(hub, alice)
    task = b"{task: x, output_type: generate_until, doc_to_text: '{{prompt}}', doc_to_target: '{{completion}}'}"
    hub.files.commit(alice, data, [FileChange("x.yaml", task)], "Add a task")
    plan = hub.training.plan_evaluation(alice, add_base(hub, alice), data, None, task="x.yaml")
    number = hub.training.start_evaluation(alice, plan).id
    work(hub)
    done = job(hub, number)
    assert done.error is None
    assert done.result is not None
    assert (done.args["cluster"], done.result["measures"][0]["metrics"]) == ("prod", {"acc": 0.5})


def test_the_approval_says_where_for_how_long_and_for_how_much(setup: Setup, hub: Services, alice: Actor) -> None:
    add_base(hub, alice), add_rows(hub, alice)
    plan = invoke.plan(ToolContext(alice, hub), "evaluate_model", {"repo": "base", "dataset": "tickets", "hardware": "cpu"})
    facts = plan.facts
    assert (facts["cluster"], facts["first_time_s"]) == ("prod", 0), "an image has its packages"
    assert facts["estimated_cost"] == round(facts["hourly"] * facts["takes_s"] / 3600, 4)
    assert not setup.jobs()
