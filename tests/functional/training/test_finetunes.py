"""Fine-tunes from the wish to the repo, and what is refused; with a program that learns nothing but speaks as the real one."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest

from hub_core.authz import Actor, Role
from hub_core.errors import AlreadyExists, Conflict, RepoNotFound
from hub_core.git import FileChange
from hub_core.jobs.traces import read_trace
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.running_errors import NoSuchHardware, TooBigForHardware, UnsuitableModel
from hub_core.services import Services
from tests.common.factories import actor_for, make_org, make_user
from tests.common.training import add_base, add_rows, go, job, programs, repos, says, start, working
from tests.common.working import wait_until, work


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


def test_a_cancelled_fine_tune_ends_its_program_and_goes_on_when_tried_again(hub: Services, alice: Actor) -> None:
    number = start(hub, alice, add_base(hub, alice), add_rows(hub, alice, says("be-slow")))
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
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
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
    assert (job(hub, number).status, job(hub, number).attempts) == ("queued", 0)
    assert not programs(hub)
    steps = hub.training.trainer.folder(number) / "steps"
    go(hub)
    with working(hub):
        wait_until(lambda: job(hub, number).status in ("succeeded", "failed"), 30)
    assert job(hub, number).error is None
    assert not steps.exists()


def test_a_program_here_has_no_network(hub: Services, alice: Actor) -> None:
    own = "import ctypes, sys; libc = ctypes.CDLL(None); sys.exit(libc.unshare(0x40000000) and libc.unshare(0x50000000) and 1)"
    if subprocess.run([sys.executable, "-c", own], check=False).returncode:
        pytest.skip("The kernel lets no process have a network of its own.")
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = start(hub, alice, add_base(hub, alice), add_rows(hub, alice, says(f"be-online-{server.getsockname()[1]}")))
        work(hub)
    assert job(hub, number).error is None
    assert "no network:" in read_trace(hub.db, number)[0]


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
