"""Jobs: put in with a transaction, run once, tried again, cancelled, swept when their worker is gone; on both databases."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub_core.audit import AuditEvent
from hub_core.authz import Role, Scope
from hub_core.db import utcnow
from hub_core.errors import Conflict, InvalidInput, JobNotFound, JobSettled, PermissionDenied, Unavailable
from hub_core.jobs import relay
from hub_core.jobs.context import JobContext
from hub_core.jobs.kinds import JobKind, Lane
from hub_core.jobs.queue import Lease
from hub_core.jobs.tables import Job
from hub_core.jobs.worker import Worker
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_repo, make_user
from tests.common.working import add, row, wait_until, with_kinds, work

MINUTE = dt.timedelta(minutes=1)


class Handler:
    """Does what its job's arguments say, and remembers."""

    def __init__(self) -> None:
        self.seen: list[dict[str, object]] = []
        self.held = threading.Event()

    def __call__(self, ctx: JobContext) -> dict[str, object]:
        self.seen.append(ctx.args)
        match ctx.args.get("do"):
            case "refuse":
                raise InvalidInput("This cannot be.", hint="Do not.")
            case "away":
                raise Unavailable("The store is away.")
            case "break":
                raise ValueError("a secret detail")
            case "wait":
                while not self.held.wait(0.01):
                    ctx.check()
            case "tell":
                ctx.progress(0.5, "half way")
                return {"progress": row(ctx.services, ctx.job_id).progress, "message": row(ctx.services, ctx.job_id).message}
            case "act":
                return {"as": ctx.actor().username, "scope": str(ctx.actor().scope)}
        return {"done": True}


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def hub(settings: Settings, db_url: str, handler: Handler) -> Iterator[Services]:
    with open_services(dataclasses.replace(settings, database_url=db_url)) as services:
        yield with_kinds(
            services,
            JobKind("test.do", handler, attempts=3, backoff=(0,)),
            JobKind("test.later", handler, attempts=3, backoff=(60,)),
            JobKind("test.heavy", handler, lane=Lane.HEAVY),
            JobKind("test.quiet", handler, internal=True),
        )


def test_a_job_runs_and_keeps_its_result(hub: Services, handler: Handler) -> None:
    job = add(hub, "test.do", {"n": 1})
    assert work(hub) == 1
    done = row(hub, job)
    assert (done.status, done.result, done.progress, done.attempts, done.due_at) == ("succeeded", {"done": True}, 1.0, 1, None)
    assert handler.seen == [{"n": 1}]
    assert work(hub) == 0


def test_a_job_is_there_only_when_its_transaction_is(hub: Services) -> None:
    with pytest.raises(RuntimeError), hub.db.write() as session:
        hub.jobs.queue.enqueue(session, "test.do", {})
        raise RuntimeError
    assert work(hub) == 0


def test_a_key_means_one_job_until_it_is_over(hub: Services) -> None:
    first = add(hub, "test.do", key="scan:1")
    assert add(hub, "test.do", key="scan:1") == first
    work(hub)
    assert add(hub, "test.do", key="scan:1") != first


def test_many_who_add_the_same_key_at_once_add_one(hub: Services) -> None:
    start, ids = threading.Barrier(8), []

    def run() -> None:
        start.wait()
        ids.append(add(hub, "test.do", key="one"))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_what_cannot_be_is_not_tried_again(hub: Services, handler: Handler) -> None:
    job = add(hub, "test.do", {"do": "refuse"})
    work(hub)
    assert row(hub, job).status == "failed"
    assert row(hub, job).error == {"code": "invalid_input", "message": "This cannot be.", "hint": "Do not."}
    assert len(handler.seen) == 1


def test_what_may_pass_is_tried_again_and_then_given_up(hub: Services, handler: Handler) -> None:
    job = add(hub, "test.do", {"do": "away"})
    work(hub)
    assert row(hub, job).status == "failed"
    assert row(hub, job).attempts == len(handler.seen) == 3


def test_the_next_attempt_waits(hub: Services, handler: Handler) -> None:
    job = add(hub, "test.later", {"do": "away"})
    work(hub)
    waiting = row(hub, job)
    assert (waiting.status, waiting.attempts) == ("queued", 1)
    assert waiting.due_at is not None
    assert MINUTE / 2 < waiting.due_at - utcnow() <= MINUTE


def test_a_mistake_of_the_hub_shows_nothing_of_the_inside(hub: Services) -> None:
    job = add(hub, "test.do", {"do": "break"})
    work(hub)
    error = row(hub, job).error
    assert error is not None
    assert error["code"] == "internal_error"
    assert "secret detail" not in str(error)


def test_progress_is_told(hub: Services) -> None:
    job = add(hub, "test.do", {"do": "tell"})
    work(hub)
    assert row(hub, job).result == {"progress": 0.5, "message": "half way"}


def test_a_job_of_a_dead_worker_is_taken_by_another(hub: Services, handler: Handler) -> None:
    job = add(hub, "test.do")
    dead = hub.jobs.queue.claim("light", -MINUTE)
    assert dead is not None
    work(hub)
    assert (row(hub, job).status, row(hub, job).attempts) == ("succeeded", 2)
    hub.jobs.queue.fail(Lease(dead.id, dead.lease), {"code": "late"}, again=False)
    hub.jobs.queue.report(Lease(dead.id, dead.lease), 0.1, "late")
    assert (row(hub, job).status, row(hub, job).progress) == ("succeeded", 1.0)


def test_a_job_that_kills_its_workers_is_given_up(hub: Services, handler: Handler) -> None:
    job = add(hub, "test.do")
    for _ in range(3):
        assert hub.jobs.queue.claim("light", -MINUTE) is not None
    assert hub.jobs.queue.claim("light", -MINUTE) is None
    assert row(hub, job).status == "failed"
    assert (row(hub, job).error or {})["code"] == "job_lost"


def test_two_never_get_the_same_job(hub: Services) -> None:
    wanted = {add(hub, "test.do", {"n": n}) for n in range(20)}
    start, got = threading.Barrier(6), []

    def run() -> None:
        start.wait()
        while len(got) < 20:
            if (job := hub.jobs.queue.claim("light", MINUTE)) is not None:
                got.append(job.id)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(wanted)


def test_heavy_work_does_not_keep_light_work_waiting(hub: Services, handler: Handler) -> None:
    heavy = add(hub, "test.heavy", {"do": "wait"})
    worker = Worker(hub, {Lane.LIGHT: 1, Lane.HEAVY: 1}, poll_s=0.01)
    worker.start()
    wait_until(lambda: row(hub, heavy).status == "running")
    light = add(hub, "test.do")
    wait_until(lambda: row(hub, light).status == "succeeded")
    handler.held.set()
    wait_until(lambda: row(hub, heavy).status == "succeeded")
    worker.close()


def test_a_stopped_worker_gives_its_job_back(hub: Services, handler: Handler) -> None:
    job = add(hub, "test.do", {"do": "wait"})
    worker = Worker(hub, {Lane.LIGHT: 1}, poll_s=0.01)
    worker.start()
    wait_until(lambda: row(hub, job).status == "running")
    worker.close()
    assert (row(hub, job).status, row(hub, job).attempts) == ("queued", 0)


def test_leases_are_kept_while_a_job_runs(hub: Services, handler: Handler) -> None:
    job = add(hub, "test.do", {"do": "wait"})
    worker = Worker(hub, {Lane.LIGHT: 2}, lease_s=0.3, poll_s=0.01)
    worker.start()
    wait_until(lambda: row(hub, job).status == "running")
    first = row(hub, job).due_at
    wait_until(lambda: (row(hub, job).due_at or utcnow()) > (first or utcnow()) + dt.timedelta(seconds=0.6))
    assert len(handler.seen) == 1
    handler.held.set()
    wait_until(lambda: row(hub, job).status == "succeeded")
    worker.close()


def test_a_running_job_stops_when_it_is_cancelled(hub: Services, handler: Handler) -> None:
    ann = make_user(hub.db, "ann")
    job = add(hub, "test.do", {"do": "wait"}, actor=actor_for(ann))
    worker = Worker(hub, {Lane.LIGHT: 1}, poll_s=0.01)
    worker.start()
    wait_until(lambda: row(hub, job).status == "running")
    hub.jobs.cancel(actor_for(ann), job)
    wait_until(lambda: row(hub, job).status == "cancelled")
    worker.close()


def test_a_queued_job_that_is_cancelled_never_runs_until_it_is_retried(hub: Services, handler: Handler) -> None:
    ann = actor_for(make_user(hub.db, "ann"))
    job = add(hub, "test.do", actor=ann)
    assert hub.jobs.cancel(ann, job).status == "cancelled"
    assert work(hub) == 0
    with pytest.raises(JobSettled):
        hub.jobs.cancel(ann, job)
    assert hub.jobs.retry(ann, job).status == "queued"
    work(hub)
    assert hub.jobs.get(ann, job).status == "succeeded"
    with pytest.raises(JobSettled):
        hub.jobs.retry(ann, job)


def test_a_retry_next_to_the_same_work_is_a_conflict(hub: Services) -> None:
    ann = actor_for(make_user(hub.db, "ann"))
    job = add(hub, "test.do", actor=ann, key="same")
    hub.jobs.cancel(ann, job)
    add(hub, "test.do", actor=ann, key="same")
    with pytest.raises(Conflict):
        hub.jobs.retry(ann, job)


def test_people_see_their_jobs_and_those_of_repos_they_may_write_to(hub: Services) -> None:
    ann, ben, eve = (make_user(hub.db, name) for name in ("ann", "ben", "eve"))
    root = make_user(hub.db, "root", is_admin=True)
    repo = make_repo(hub.db, ann, "one", collaborators={ben: Role.WRITE, eve: Role.READ})
    of_ann = add(hub, "test.do", actor=actor_for(ann), repo_id=repo.id)
    of_hub, of_eve = add(hub, "test.do"), add(hub, "test.do", actor=actor_for(eve))
    add(hub, "test.quiet", actor=actor_for(ann))

    def seen(actor: object) -> set[int]:
        return {job.id for job in hub.jobs.list_jobs(actor).items}  # type: ignore[arg-type]

    assert seen(actor_for(ann)) == seen(actor_for(ben)) == {of_ann}
    assert seen(actor_for(eve)) == {of_eve}
    assert seen(actor_for(root)) == {of_ann, of_hub, of_eve}
    assert seen(actor_for(ann, repo_id=repo.id)) == {of_ann}
    assert seen(actor_for(eve, repo_id=repo.id)) == set()
    assert len(hub.jobs.list_jobs(actor_for(ann), kind="test.quiet").items) == 1
    with pytest.raises(JobNotFound):
        hub.jobs.get(actor_for(eve), of_ann)
    with pytest.raises(JobNotFound):
        hub.jobs.cancel(actor_for(eve), of_ann)
    with pytest.raises(PermissionDenied):
        hub.jobs.cancel(actor_for(ann, Scope.READ), of_ann)


def test_lists_go_on_from_page_to_page(hub: Services) -> None:
    ann = actor_for(make_user(hub.db, "ann"))
    ids = [add(hub, "test.do", actor=ann) for _ in range(5)]
    first = hub.jobs.list_jobs(ann, limit=3)
    rest = hub.jobs.list_jobs(ann, limit=3, cursor=int(first.next or 0))
    assert [job.id for job in (*first.items, *rest.items)] == ids[::-1]
    assert rest.next is None


def test_a_job_acts_with_the_rights_of_its_owner_of_now(hub: Services) -> None:
    ann = make_user(hub.db, "ann")
    job = add(hub, "test.do", {"do": "act"}, actor=actor_for(ann, Scope.WRITE))
    work(hub)
    assert row(hub, job).result == {"as": "ann", "scope": "write"}
    late = add(hub, "test.do", {"do": "act"}, actor=actor_for(ann))
    with hub.db.write() as session:
        session.execute(sa.text("UPDATE users SET status = 'disabled' WHERE username = 'ann'"))
    work(hub)
    assert (row(hub, late).error or {})["code"] == "forbidden"


def test_old_jobs_are_forgotten(hub: Services) -> None:
    old, young = add(hub, "test.do"), add(hub, "test.do")
    work(hub)
    with hub.db.write() as session:
        session.execute(sa.update(Job).where(Job.id == old).values(finished_at=utcnow() - dt.timedelta(days=40)))
    assert hub.jobs.queue.prune() == 1
    assert row(hub, young).status == "succeeded"


def test_an_event_is_passed_on_once_with_what_follows(hub: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(relay, "followers", lambda: (lambda _session, _services, event: seen.append(event.action),))
    ann = make_user(hub.db, "ann")
    hub.repos.create(actor_for(ann), "ann/one", "model")  # type: ignore[arg-type]
    work(hub)
    work(hub)
    assert seen == ["repo.create"]


def test_an_event_that_cannot_be_passed_on_does_not_hold_the_others(hub: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def follow(_session: object, _services: object, event: AuditEvent) -> None:
        if event.target == "ann/bad":
            raise ValueError("no")
        seen.append(event.target)

    monkeypatch.setattr(relay, "followers", lambda: (follow,))
    ann = actor_for(make_user(hub.db, "ann"))
    for name in ("bad", "good"):
        hub.repos.create(ann, f"ann/{name}", "model")  # type: ignore[arg-type]
    failures = 0
    while True:
        try:
            if not relay.relay_one(hub):
                break
        except ValueError:
            failures += 1
    assert seen == ["ann/good"]
    assert failures == relay.TRIES


def test_the_folder_of_a_hub_is_enough_for_a_worker(tmp_path: Path) -> None:
    """`hubtalk worker` opens everything by itself."""
    from typer.testing import CliRunner

    from chat_ui.cli import app

    assert "background jobs" in CliRunner().invoke(app, ["worker", "--help"]).output
