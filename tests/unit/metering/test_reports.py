"""Who learns what was used: their own, what they answer for, site administrators all; nobody learns of others."""

from __future__ import annotations

import datetime as dt

import pytest

from hub_core.authz import Actor, Visibility
from hub_core.db import Database, utcnow
from hub_core.errors import Unauthenticated, UserNotFound
from hub_core.metering.compute import ComputeMeter, Ran
from hub_core.metering.meter import UsageMeter, Used
from hub_core.metering.reports import Report, UsageReports
from hub_core.metering.scope import Span
from hub_core.running_errors import DeploymentNotFound
from tests.common.factories import actor_for, make_org, make_repo, make_user


class World:
    """acme/chat is asked by bob (a member) and carl (a stranger); ann administers acme. bob has a deployment of his own."""

    def __init__(self, db: Database) -> None:
        self.meter = UsageMeter(db)
        self.reports = UsageReports(db, self.meter)
        rows = {name: make_user(db, name, is_admin=name == "root") for name in ("root", "ann", "bob", "carl", "dora")}
        acme = make_org(db, "acme", {rows["ann"]: "admin", rows["bob"]: "write"})
        repo = make_repo(db, acme, "chat", visibility=Visibility.PUBLIC)
        own = make_repo(db, rows["bob"], "mine")
        self.people: dict[str, Actor] = {name: actor_for(row) for name, row in rows.items()}
        self.repo_id = repo.id
        for who, requests in (("bob", 3), ("carl", 2)):
            for _ in range(requests):
                self.meter.count(Used(rows[who].id, 101, "acme/chat", repo.id, 10, 5, seconds=0.1))
        self.meter.count(Used(None, 101, "acme/chat", repo.id, 1, 1, failed=True))
        self.meter.count(Used(rows["bob"].id, 102, "bob/mine", own.id, 7, 7))
        now = utcnow()
        compute = ComputeMeter(db)
        for target, name, owner, price in ((101, "acme/chat", acme, 2.0), (102, "bob/mine", rows["bob"], 1.0)):
            ran = Ran("deployment", target, name, owner.id, name.split("/")[0], rows["bob"].id, None, "a10", price)
            compute.ran(ran, now - dt.timedelta(seconds=1), now)
        job = Ran("job", 9, "finetune 9", acme.id, "acme", rows["ann"].id, None, "h100", 10.0)
        compute.ran(job, now - dt.timedelta(seconds=36), now)
        self.span = Span(now - dt.timedelta(hours=2), now + dt.timedelta(hours=1))

    def report(self, who: str, owner: str | None = None, target: str | None = None) -> Report:
        return self.reports.report(self.people[who], self.span, owner, target)

    def seen(self, who: str, owner: str | None = None) -> dict[str, int]:
        """Requests by target, as somebody sees them."""
        return {line.name: line.total.requests for line in self.report(who, owner).targets}


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


def test_a_site_administrator_sees_all(world: World) -> None:
    assert world.seen("root") == {"acme/chat": 6, "bob/mine": 1, "finetune 9": 0}
    total = world.report("root").total
    assert (total.requests, total.failed, total.prompt_tokens, total.completion_tokens) == (7, 1, 58, 33)
    assert round(total.cost, 6) == round(1 / 3600 * 3 + 0.1, 6)


def test_an_administrator_of_an_organisation_sees_all_of_it_and_nothing_of_its_members_own(world: World) -> None:
    assert world.seen("ann") == {"acme/chat": 6, "finetune 9": 0}
    people = {line.name: line.total.requests for line in world.report("ann", "acme").people}
    assert people == {"bob": 3, "carl": 2, "": 1, "ann": 0}


def test_a_member_sees_what_they_asked_and_started_and_of_their_own_everything(world: World) -> None:
    assert world.seen("bob") == {"acme/chat": 3, "bob/mine": 1}
    assert world.seen("bob", "acme") == {"acme/chat": 3}
    assert {line.name for line in world.report("bob").people} == {"bob"}
    assert round(world.report("bob").total.cost, 6) == round(3 / 3600, 6)


def test_a_stranger_sees_what_they_asked_themselves(world: World) -> None:
    assert world.seen("carl") == {"acme/chat": 2}
    assert world.report("carl").total.cost == 0
    assert world.seen("dora") == {}
    assert world.seen("dora", "acme") == {}
    assert world.seen("dora", "bob") == {}


def test_a_target_that_is_gone_is_found_by_name_by_who_may_know_of_it(world: World) -> None:
    assert world.report("ann", target="acme/chat").total.requests == 6
    assert world.report("carl", target="acme/chat").total.requests == 2
    assert world.report("ann", target="job 9").total.hours == pytest.approx(0.01)
    for who, target in (("dora", "acme/chat"), ("ann", "bob/mine"), ("ann", "nowhere")):
        with pytest.raises(DeploymentNotFound) as told:
            world.report(who, target=target)
        assert told.value.message == f"There is no deployment '{target}' that you can see."


def test_a_job_of_others_counts_for_nothing(world: World) -> None:
    assert world.report("dora", target="job 9").total.hours == 0


def test_nobody_and_unknown_owners(world: World) -> None:
    with pytest.raises(Unauthenticated):
        world.reports.report(Actor(), world.span)
    with pytest.raises(UserNotFound):
        world.report("root", "nobody")


def test_a_token_that_is_limited_to_a_repo_sees_that_repo(world: World, db: Database) -> None:
    ann = world.people["ann"]
    limited = Actor(ann.user_id, "ann", credential=ann.credential, scope=ann.scope, repo_id=world.repo_id)
    assert {line.name for line in world.reports.report(limited, world.span).targets} == {"acme/chat"}


def test_the_export_has_the_same_rows(world: World) -> None:
    for who in ("root", "ann", "bob", "carl", "dora"):
        records = list(world.reports.records(world.people[who], world.span))
        report = world.report(who)
        assert sum(record.total.requests for record in records) == report.total.requests
        assert sum(record.total.cost for record in records) == pytest.approx(report.total.cost)


def test_points_are_hours_days_or_months(world: World) -> None:
    now = utcnow()
    for days, step in ((2, "hour"), (30, "day"), (900, "month")):
        report = world.reports.report(world.people["root"], Span(now - dt.timedelta(days=days), now + dt.timedelta(hours=1)))
        assert report.step == step
        assert sum(point.total.requests for point in report.points) == 7
