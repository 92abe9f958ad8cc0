"""Budgets: who sets them, what counts of them, and what they refuse."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from hub_core.audit import AuditEvent
from hub_core.authz import SYSTEM, Actor, Scope
from hub_core.budgets.service import BudgetService
from hub_core.budgets.states import BudgetPeriod, window
from hub_core.db import Database, utcnow
from hub_core.errors import InvalidInput, PermissionDenied, Unauthenticated, UserNotFound
from hub_core.metering.compute import ComputeMeter, Ran
from hub_core.running_errors import BudgetSpent
from tests.common.factories import actor_for, make_org, make_user

MONTH, WEEK, DAY = BudgetPeriod.MONTH, BudgetPeriod.WEEK, BudgetPeriod.DAY


class World:
    """acme with its admin ann and its member bob; carl is nobody there, root runs the site."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.budgets = BudgetService(db, "EUR")
        rows = {name: make_user(db, name, is_admin=name == "root") for name in ("root", "ann", "bob", "carl")}
        self.acme = make_org(db, "acme", {rows["ann"]: "admin", rows["bob"]: "write"})
        self.people: dict[str, Actor] = {name: actor_for(row) for name, row in rows.items()}
        self.ids = {name: row.id for name, row in rows.items()}

    def spend(self, amount: float, owner_id: int | None = None) -> None:
        """Something of acme's cost so much just now."""
        now = utcnow()
        owner = owner_id or self.acme.id
        ran = Ran("deployment", owner, "acme/chat", owner, "acme", self.ids["bob"], None, "a10", amount, f"{now.timestamp()}")
        begin = now - dt.timedelta(seconds=1)
        ComputeMeter(self.db).ran(Ran(**{**_fields(ran), "price": amount * 3600}), begin, now)

    def events(self, action: str) -> list[dict[str, object]]:
        with self.db.read() as session:
            return [
                row.details for row in session.scalars(sa.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id))
            ]


def _fields(ran: Ran) -> dict[str, object]:
    return {name: getattr(ran, name) for name in Ran.__slots__}


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


def test_an_owner_without_a_budget_spends_freely(world: World) -> None:
    world.spend(1e6)
    assert world.budgets.check(world.acme.id) is None


def test_what_would_cost_is_refused_when_nothing_is_left(world: World) -> None:
    world.budgets.set_amount(world.people["root"], "acme", 10, MONTH)
    world.spend(4)
    state = world.budgets.check(world.acme.id)
    assert state is not None
    assert (round(state.used, 3), round(state.left, 3), state.spent) == (4.0, 6.0, False)
    world.spend(6.5)
    with pytest.raises(BudgetSpent) as told:
        world.budgets.check(world.acme.id)
    assert told.value.details["owner"] == "acme"
    assert "acme" in told.value.message
    with pytest.raises(BudgetSpent) as public:
        world.budgets.check(world.acme.id, open_to_all=True)
    assert "acme" not in str(public.value.message) + public.value.hint
    assert public.value.details == {}


def test_the_lower_of_two_counts_and_an_owner_cannot_lift_the_sites(world: World) -> None:
    root, ann = world.people["root"], world.people["ann"]
    world.budgets.set_amount(root, "acme", 100, MONTH)
    with pytest.raises(InvalidInput, match="100"):
        world.budgets.set_amount(ann, "acme", 101, MONTH)
    world.budgets.set_amount(ann, "acme", 20, MONTH)
    assert world.budgets.of(ann, [world.acme.id])[0].amount == 20
    world.budgets.set_amount(ann, "acme", 0, MONTH)
    assert world.budgets.of(ann, [world.acme.id])[0].amount == 100
    world.budgets.set_amount(root, "acme", 0, MONTH)
    assert world.budgets.of(ann, [world.acme.id]) == []


def test_the_tightest_period_counts(world: World) -> None:
    root = world.people["root"]
    world.budgets.set_amount(root, "acme", 100, MONTH)
    world.budgets.set_amount(root, "acme", 3, DAY)
    world.spend(4)
    with pytest.raises(BudgetSpent):
        world.budgets.check(world.acme.id)


@pytest.mark.parametrize("who", ["bob", "carl"])
def test_nobody_else_sets_or_sees_it(world: World, who: str) -> None:
    world.budgets.set_amount(world.people["root"], "acme", 100, MONTH)
    with pytest.raises(PermissionDenied):
        world.budgets.set_amount(world.people[who], "acme", 1, MONTH)
    assert world.budgets.of(world.people[who], [world.acme.id]) == []


def test_a_person_sets_their_own_and_nobody_elses(world: World) -> None:
    carl = world.people["carl"]
    assert world.budgets.set_amount(carl, "carl", 5, DAY).counts == 5
    with pytest.raises(PermissionDenied):
        world.budgets.set_amount(carl, "bob", 5, DAY)
    with pytest.raises(UserNotFound):
        world.budgets.set_amount(carl, "nobody", 5, DAY)
    with pytest.raises(Unauthenticated):
        world.budgets.set_amount(Actor(), "carl", 5, DAY)


def test_small_and_limited_tokens_set_none(world: World) -> None:
    row = make_user(world.db, "dora")
    for token in (actor_for(row, Scope.WRITE), actor_for(row, Scope.ADMIN, repo_id=5)):
        with pytest.raises(PermissionDenied):
            world.budgets.set_amount(token, "dora", 5, DAY)


def test_effects_of_a_change(world: World) -> None:
    root = world.people["root"]
    plan = world.budgets.plan
    assert not plan(root, "acme", 10, MONTH).loosens
    world.spend(4)
    assert plan(root, "acme", 3, MONTH).stops
    world.budgets.set_amount(root, "acme", 10, MONTH)
    assert plan(root, "acme", 20, MONTH).loosens
    assert plan(root, "acme", 0, MONTH).loosens
    lower = plan(root, "acme", 5, MONTH)
    assert not (lower.loosens or lower.stops)
    assert plan(root, "acme", 2, MONTH).stops


def test_people_are_told_once_in_a_period_and_again_after_a_change(world: World) -> None:
    root = world.people["root"]
    world.budgets.set_amount(root, "acme", 10, MONTH)
    world.spend(7)
    assert world.budgets.watch({}) == []
    assert world.events("budget.warn") == []
    world.spend(1.5)
    for _ in range(2):
        assert world.budgets.watch({world.acme.id: {world.ids["bob"]}}) == []
    assert [event["users"] for event in world.events("budget.warn")] == [sorted([world.ids["ann"], world.ids["bob"]])]
    world.spend(2)
    for _ in range(2):
        assert [state.owner for state in world.budgets.watch({})] == ["acme"]
    assert [event["users"] for event in world.events("budget.spent")] == [[world.ids["ann"]]]
    world.budgets.set_amount(root, "acme", 12, MONTH)
    assert world.budgets.watch({}) == []
    assert len(world.events("budget.warn")) == 2


def test_what_others_spend_counts_for_them(world: World) -> None:
    world.budgets.set_amount(world.people["root"], "acme", 10, MONTH)
    world.spend(50, owner_id=world.ids["bob"])
    state = world.budgets.check(world.acme.id)
    assert state is not None
    assert state.used == 0


def test_the_hub_itself_may(world: World) -> None:
    assert world.budgets.set_amount(SYSTEM, "acme", 5, WEEK).level == "site"


def test_periods_begin_at_midnight_on_mondays_and_on_the_first() -> None:
    now = dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC)  # a Thursday
    assert [edge.date().isoformat() for edge in window(DAY, now)] == ["2026-12-31", "2027-01-01"]
    assert [edge.date().isoformat() for edge in window(WEEK, now)] == ["2026-12-28", "2027-01-04"]
    assert [edge.date().isoformat() for edge in window(MONTH, now)] == ["2026-12-01", "2027-01-01"]
