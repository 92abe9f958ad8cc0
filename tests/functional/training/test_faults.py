"""What goes wrong while a fine-tune runs, on SQLite and PostgreSQL: nothing is lost, and nothing is half made."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hub_core.authz import Actor, Role
from hub_core.budgets.states import BudgetPeriod
from hub_core.db import utcnow
from hub_core.jobs.tables import Job
from hub_core.jobs.traces import read_trace
from hub_core.metering.compute import Ran
from hub_core.metering.tables import ComputeHour
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from hub_core.training import paying
from tests.common.factories import actor_for, make_user
from tests.common.training import add_base, add_rows, go, job, programs, repos, says, start, text, training, working
from tests.common.working import ROOT, wait_until, work


@pytest.fixture
def hub(settings: Settings, db_url: str) -> Iterator[Services]:
    """A hub whose training programs are fake."""
    with open_services(dataclasses.replace(settings, database_url=db_url)) as opened:
        yield training(opened)


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


def test_access_that_is_taken_while_it_trains_keeps_the_result_back(hub: Services, alice: Actor) -> None:
    bob = make_user(hub.db, "bob")
    model, data = add_base(hub, actor_for(bob)), add_rows(hub, actor_for(bob), says("be-slow"))
    hub.access.grant(actor_for(bob), model, "alice", Role.READ)
    hub.access.grant(actor_for(bob), data, "alice", Role.READ)
    number = start(hub, alice, model, data)
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
        hub.access.revoke(actor_for(bob), data, "alice")
        go(hub)
        wait_until(lambda: job(hub, number).status == "failed", 60)
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
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
        process.kill()
    wait_until(lambda: not programs(hub), 30)  # its keeper ends what nobody waits for
    go(hub)
    with working(hub):
        wait_until(lambda: job(hub, number).status in ("succeeded", "failed"), 60)
    done = job(hub, number)
    assert (done.status, done.attempts) == ("succeeded", 2), done.error
    assert [point["step"] for point in read_trace(hub.db, number)[1]] == [1, 2, 3, 4]


def test_a_budget_that_is_used_up_ends_the_program_and_is_metered(hub: Services, alice: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paying, "EVERY_S", 0.2)
    number = start(hub, alice, add_base(hub, alice), add_rows(hub, alice, says("be-slow")))
    hub.budgets.set_amount(alice, "alice", 5.0, BudgetPeriod.MONTH)
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
        other = Ran("space", 1, "alice/app", alice.user_id or 0, "alice", 0, None, "a100", 100.0)
        hub.compute.ran(other, utcnow() - dt.timedelta(minutes=6))
        wait_until(lambda: job(hub, number).status == "failed", 60)
        wait_until(lambda: not programs(hub), 10)
    failed = job(hub, number)
    assert (failed.error["code"], failed.attempts) == ("budget_spent", 1)
    with hub.db.read() as session:
        hours = session.scalars(sa.select(ComputeHour)).all()
    metered = [hour for hour in hours if hour.kind == "job"]
    assert {(hour.target_id, hour.owner) for hour in metered} == {(number, "alice")}
    assert 0 < sum(hour.cost for hour in metered) < 0.01
    assert repos(hub) == {"alice/base", "alice/tickets"}
    hub.budgets.set_amount(alice, "alice", 0, BudgetPeriod.MONTH)
    go(hub)
    hub.jobs.retry(alice, number)
    with working(hub):
        wait_until(lambda: job(hub, number).status in ("succeeded", "failed"), 30)
    assert job(hub, number).status == "succeeded"
