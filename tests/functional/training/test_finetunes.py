"""Fine-tunes from the wish to the repo, and what goes wrong on the way; with a program that learns nothing but speaks as the real one."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub_core.authz import Actor, Role
from hub_core.errors import AlreadyExists, Conflict, NoSuchHardware, RepoNotFound, TooBigForHardware, UnsuitableModel
from hub_core.git import FileChange
from hub_core.jobs.kinds import Lane
from hub_core.jobs.tables import Job
from hub_core.jobs.traces import read_trace
from hub_core.jobs.worker import Worker
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_org, make_user
from tests.common.training import ROWS, add_base, add_rows, start, training, weights
from tests.common.working import ROOT, wait_until, work


@pytest.fixture
def hub(settings: Settings, db_url: str) -> Iterator[Services]:
    """A hub whose training programs are fake."""
    with open_services(dataclasses.replace(settings, database_url=db_url)) as opened:
        yield training(opened)


@pytest.fixture
def alice(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "alice"))


def job(hub: Services, number: int) -> Job:
    with hub.db.read() as session:
        return session.get_one(Job, number)


def repos(hub: Services) -> set[str]:
    with hub.db.read() as session:
        return {row.full_name for row in session.scalars(sa.select(Repo).where(Repo.deleted_at.is_(None)))}


def says(how: str, count: int = 60) -> list[dict[str, str]]:
    return [{"text": f"{how} row {number}"} for number in range(count)]


def text(hub: Services, actor: Actor, repo: Repo, path: str) -> str:
    return hub.files.read_text(actor, repo, path).content


def test_a_fine_tune_makes_one_private_model_in_one_commit(hub: Services, alice: Actor) -> None:
    model, data = add_base(hub, alice), add_rows(hub, alice)
    number = start(hub, alice, model, data, max_steps=5, seed=7)
    work(hub)
    done = job(hub, number)
    assert (done.status, done.error) == ("succeeded", None)
    assert done.result is not None
    assert done.result["repo"] == "alice/base-ft-tickets"
    assert [item["model"] for item in done.result["measures"]] == ["before", "after"]
    made = hub.repos.find(alice, "alice/base-ft-tickets", RepoKind.MODEL)
    assert (made.visibility, made.license) == ("private", "apache-2.0")
    assert set(hub.files.paths(alice, made)) == {
        ".gitattributes", "README.md", "config.json", "metrics.json", "model.safetensors", "recipe.json",
    }  # fmt: skip
    assert len(hub.history.log(alice, made)) == 1
    recipe = json.loads(text(hub, alice, made, "recipe.json"))
    assert recipe["base_model"]["commit"] == hub.git.resolve(model.id, "")
    assert recipe["dataset"]["commit"] == hub.git.resolve(data.id, "")
    assert (recipe["hyperparameters"]["seed"], recipe["hyperparameters"]["max_steps"]) == (7, 5)
    assert recipe["versions"] == {"fake": "1"}
    lineage = hub.lineage.of(alice, made)
    assert {(link.relation, link.repo) for link in lineage.sources} == {("base_model", "alice/base"), ("dataset", "alice/tickets")}
    card = made.card["front_matter"]
    assert card["license"] == "apache-2.0"
    assert card["base_model"] == "alice/base"
    assert card["model-index"][0]["results"][0]["metrics"][0] == {"type": "loss", "value": 1.0}
    log, series = read_trace(hub.db, number)
    assert [point["step"] for point in series] == [1, 2, 3, 4, 5]
    assert series[0]["loss"] > series[-1]["loss"]
    assert "learning from" in log
    assert not list((hub.platform.data_dir / "training").iterdir()), "nothing is left on the disk"


def test_a_name_that_is_taken_is_never_written_over(hub: Services, alice: Actor) -> None:
    model, data = add_base(hub, alice), add_rows(hub, alice)
    hub.repos.create(alice, "base-ft-tickets", RepoKind.MODEL)
    assert str(plan(hub, alice, model, data).output) == "alice/base-ft-tickets-2"
    with pytest.raises(AlreadyExists):
        start(hub, alice, model, data, output="base-ft-tickets")
    # It is taken while the job waits.
    number = start(hub, alice, model, data, output="mine")
    hub.repos.create(alice, "mine", RepoKind.MODEL, description="Somebody was faster")
    work(hub)
    assert job(hub, number).error["code"] == "already_exists"
    assert hub.repos.get(alice, "mine").description == "Somebody was faster"


def plan(hub: Services, actor: Actor, model: Repo, data: Repo, **wish: Any) -> Any:
    from hub_core.training.service import Wish

    return hub.training.plan_finetune(actor, model, data, Wish(**wish))


def test_the_same_output_is_not_made_twice_at_once(hub: Services, alice: Actor) -> None:
    model, data = add_base(hub, alice), add_rows(hub, alice)
    start(hub, alice, model, data)
    with pytest.raises(Conflict):
        start(hub, alice, model, data)


def test_a_result_goes_where_one_may_create(hub: Services, alice: Actor) -> None:
    model, data = add_base(hub, alice), add_rows(hub, alice)
    bob = make_user(hub.db, "bob")
    make_org(hub.db, "acme", {bob: Role.ADMIN})
    with pytest.raises(RepoNotFound):
        hub.repos.find(actor_for(bob), "alice/base")
    with pytest.raises(Exception, match="acme"):
        start(hub, alice, model, data, output="acme/mine")


def test_what_does_not_fit_or_cannot_be_learned_from_is_refused(hub: Services, alice: Actor) -> None:
    data = add_rows(hub, alice)
    large = add_base(hub, alice, "wide", hidden_size=65536, num_hidden_layers=200)
    with pytest.raises(TooBigForHardware):
        start(hub, alice, large, data, hardware="cpu-small")
    with pytest.raises(NoSuchHardware):
        start(hub, alice, add_base(hub, alice), data, hardware="h100")
    with pytest.raises(UnsuitableModel, match="BertModel"):
        start(hub, alice, add_base(hub, alice, "bert", architectures=["BertModel"], model_type="bert"), data)
    with pytest.raises(UnsuitableModel, match="gptq"):
        start(hub, alice, add_base(hub, alice, "packed", quantization_config={"quant_method": "gptq", "bits": 4}), data)


def test_a_model_of_pickles_is_refused(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "pickled", RepoKind.MODEL)
    repo = hub.repos.find(alice, "pickled")
    hub.files.commit(alice, repo, [FileChange("pytorch_model.bin", b"\x80\x04."), FileChange("config.json", b"{}")], "Add")
    with pytest.raises(UnsuitableModel, match="pytorch"):
        start(hub, alice, repo, add_rows(hub, alice))


@pytest.mark.parametrize(
    ("how", "code"),
    [("be-nan", "training_diverged"), ("be-oom", "training_out_of_memory"), ("be-hungry", "training_out_of_memory")],
)
def test_what_ends_a_program_ends_the_job_with_its_reason(hub: Services, alice: Actor, how: str, code: str) -> None:
    number = start(hub, alice, add_base(hub, alice), add_rows(hub, alice, says(how)))
    work(hub)
    failed = job(hub, number)
    assert (failed.status, failed.error["code"], failed.attempts) == ("failed", code, 1)
    assert failed.error["hint"]
    assert repos(hub) == {"alice/base", "alice/tickets"}, "nothing is half pushed"


@pytest.mark.parametrize(("how", "code"), [("be-full", "storage_full"), ("be-broken", "training_failed")])
def test_what_may_pass_is_tried_again(hub: Services, alice: Actor, how: str, code: str) -> None:
    number = start(hub, alice, add_base(hub, alice), add_rows(hub, alice, says(how)))
    work(hub)
    waiting = job(hub, number)
    assert (waiting.status, waiting.error["code"]) == ("queued", code)
    if how == "be-broken":
        assert "flux" in waiting.error["message"]
        assert "flux" in read_trace(hub.db, number)[0]


def test_data_that_goes_while_the_job_waits_is_a_clear_failure(hub: Services, alice: Actor) -> None:
    model, data = add_base(hub, alice), add_rows(hub, alice)
    number = start(hub, alice, model, data)
    hub.repos.delete(alice, data)
    work(hub)
    assert job(hub, number).error["code"] == "repo_not_found"


def test_access_that_is_taken_while_it_trains_keeps_the_result_back(hub: Services, alice: Actor) -> None:
    bob = make_user(hub.db, "bob")
    model, data = add_base(hub, actor_for(bob)), add_rows(hub, actor_for(bob), says("be-slow"))
    hub.access.grant(actor_for(bob), model, "alice", Role.READ)
    hub.access.grant(actor_for(bob), data, "alice", Role.READ)
    number = start(hub, alice, model, data)
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 30)
        hub.access.revoke(actor_for(bob), data, "alice")
        go(hub)
        wait_until(lambda: job(hub, number).status == "failed", 30)
    assert job(hub, number).error["code"] == "repo_not_found"
    assert repos(hub) == {"bob/base", "bob/tickets"}


def test_a_quota_that_is_full_at_the_end_leaves_no_repo(hub: Services, alice: Actor) -> None:
    number = start(hub, alice, add_base(hub, alice), add_rows(hub, alice))
    hub.lfs.quotas._owner_bytes = 1
    work(hub)
    assert job(hub, number).error["code"] == "quota_exceeded"
    assert repos(hub) == {"alice/base", "alice/tickets"}
    hub.lfs.quotas._owner_bytes = 0
    with hub.db.write() as session:
        session.execute(sa.update(Job).where(Job.id == number).values(due_at=sa.func.current_timestamp()))
    # What was learned is still there.
    with working(hub):
        wait_until(lambda: job(hub, number).status == "succeeded", 30)
    assert "alice/base-ft-tickets" in repos(hub)


@contextmanager
def working(hub: Services) -> Iterator[None]:
    """A worker with a thread for training, for the time of the block."""
    worker = Worker(hub, {Lane.TRAINING: 1}, poll_s=0.02)
    worker.start()
    try:
        yield
    finally:
        worker.close()


def go(hub: Services) -> None:
    (hub.platform.data_dir / "training" / "go").touch()


def programs(hub: Services) -> list[int]:
    """The processes of training programs of this hub."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(hub.platform.data_dir / "training").encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_a_cancelled_fine_tune_ends_its_program_and_goes_on_when_tried_again(hub: Services, alice: Actor) -> None:
    number = start(hub, alice, add_base(hub, alice), add_rows(hub, alice, says("be-slow")))
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 30)
        hub.jobs.cancel(alice, number)
        wait_until(lambda: job(hub, number).status == "cancelled", 30)
        wait_until(lambda: not programs(hub), 10)
        assert repos(hub) == {"alice/base", "alice/tickets"}
        go(hub)
        hub.jobs.retry(alice, number)
        wait_until(lambda: job(hub, number).status == "succeeded", 30)
    assert [point["step"] for point in read_trace(hub.db, number)[1]] == [1, 2, 3, 4]


def test_a_worker_that_stops_gives_the_job_back_and_the_next_goes_on(hub: Services, alice: Actor) -> None:
    number = start(hub, alice, add_base(hub, alice), add_rows(hub, alice, says("be-slow")))
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 30)
    assert (job(hub, number).status, job(hub, number).attempts) == ("queued", 0)
    assert not programs(hub)
    steps = hub.training.trainer.folder(number) / "steps"
    go(hub)
    with working(hub):
        wait_until(lambda: job(hub, number).status in ("succeeded", "failed"), 30)
    assert job(hub, number).error is None
    assert not steps.exists()


def test_an_evaluation_compares_with_the_model_that_it_was_made_from(hub: Services, alice: Actor) -> None:
    model, data = add_base(hub, alice), add_rows(hub, alice)
    start(hub, alice, model, data)
    work(hub)
    made = hub.repos.find(alice, "base-ft-tickets")
    found = hub.training.plan_evaluation(alice, made, data, model, publish=True)
    number = hub.training.start_evaluation(alice, found).id
    work(hub)
    done = job(hub, number)
    assert done.status == "succeeded", done.error
    assert [item["model"] for item in done.result["measures"]] == ["alice/base-ft-tickets", "alice/base"]
    made = hub.repos.find(alice, "base-ft-tickets")
    assert made.card["front_matter"]["model-index"][0]["results"][0]["dataset"]["name"] == "alice/tickets"
    assert "evaluation/alice--tickets.json" in hub.files.paths(alice, made)
    assert made.card["front_matter"]["base_model"] == "alice/base", "the rest of the card stays"


WORKER = """
import sys
from pathlib import Path
from hub_core.jobs.kinds import Lane
from hub_core.jobs.worker import Worker
from hub_core.services import open_services
from hub_core.settings import Settings
from tests.common.training import training
with open_services(Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2], demo=False)) as services:
    worker = Worker(training(services), {Lane.TRAINING: 1}, lease_s=1.0, poll_s=0.02)
    worker.start()
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_worker_that_is_killed_loses_no_step(hub: Services, alice: Actor) -> None:
    number = start(hub, alice, add_base(hub, alice), add_rows(hub, alice, says("be-slow")))
    command = [sys.executable, "-c", WORKER, str(hub.platform.data_dir), hub.settings.database]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: read_trace(hub.db, number)[1], 30)
        before = threading.active_count()
        process.kill()
    assert before
    wait_until(lambda: not programs(hub), 30)  # its keeper ends what nobody waits for
    go(hub)
    with working(hub):
        wait_until(lambda: job(hub, number).status in ("succeeded", "failed"), 60)
    done = job(hub, number)
    assert (done.status, done.attempts) == ("succeeded", 2), done.error
    assert [point["step"] for point in read_trace(hub.db, number)[1]] == [1, 2, 3, 4]
    assert len(ROWS) == 60
    assert weights()
