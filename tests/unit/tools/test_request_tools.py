"""Effects, previews and the way back of the tools for gated repos."""

from __future__ import annotations

from typing import Any

import pytest

from hub_core.authz import ANONYMOUS, Visibility
from hub_core.errors import Conflict, GatedRepo, PermissionDenied, RepoNotFound, RequestNotFound, Unauthenticated
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services
from tests.common.factories import actor_for, make_user
from tools import invoke
from tools.contract import Effect, Plan, ToolContext


class Person:
    """Calls tools as one person."""

    def __init__(self, services: Services, name: str) -> None:
        self.ctx = ToolContext(actor_for(make_user(services.db, name)), services)

    def plan(self, tool: str, **args: Any) -> Plan:
        return invoke.plan(self.ctx, tool, args)

    def run(self, tool: str, **args: Any) -> dict[str, Any]:
        done = invoke.call(self.ctx, tool, args, gate=False)
        assert isinstance(done, invoke.Done)
        return done.output.model_dump(mode="json")

    def reads(self, path: str = "notes.txt") -> bool:
        try:
            self.run("read_file", repo="ann/llama", path=path)
        except GatedRepo:
            return False
        return True


@pytest.fixture
def people(services: Services) -> tuple[Person, Person]:
    """Ann, who owns the public `ann/llama`, and Ben, who does not."""
    ann, ben = Person(services, "ann"), Person(services, "ben")
    services.repos.create(ann.ctx.actor, "llama", RepoKind.MODEL, Visibility.PUBLIC)
    for path in ("notes.txt", "README.md"):
        ann.run("write_file", repo="ann/llama", path=path, content="Words")
    return ann, ben


def changes(plan: Plan) -> list[tuple[str, Any, Any]]:
    return [(change.what, change.before, change.after) for change in plan.changes]


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        ("off", "manual", Effect.WRITE), ("off", "auto", Effect.WRITE), ("auto", "manual", Effect.WRITE), ("manual", "manual", Effect.WRITE),
        ("manual", "auto", Effect.DESTRUCTIVE), ("manual", "off", Effect.DESTRUCTIVE), ("auto", "off", Effect.DESTRUCTIVE),
    ],
)  # fmt: skip
def test_closing_a_gate_is_a_write_and_opening_it_waits_for_approval(
    people: tuple[Person, Person], before: str, after: str, effect: Effect
) -> None:
    ann, _ = people
    ann.run("set_gating", repo="llama", gated=before)
    plan = ann.plan("set_gating", repo="llama", gated=after)
    assert plan.effect is effect
    assert changes(plan) == ([("gated", before, after)] if before != after else [])
    assert ann.run("set_gating", repo="llama", gated=after)["gated"] == after
    if before != after:
        assert plan.inverse is not None
        assert ann.run(plan.inverse.tool, **plan.inverse.args)["gated"] == before


def test_a_person_asks_is_let_in_and_is_shut_out_again(people: tuple[Person, Person]) -> None:
    ann, ben = people
    ann.run("set_gating", repo="llama", gated="manual")
    assert (ben.reads(), ben.reads("README.md")) == (False, True)
    plan = ben.plan("request_access", repo="llama", reason="A test")
    assert (plan.effect, changes(plan), plan.facts["role"]) == (Effect.WRITE, [("request", None, "pending")], "read")
    asked = ben.run("request_access", repo="llama", reason="A test")
    assert (asked["repo"], asked["username"], asked["status"], asked["reason"]) == ("ann/llama", "ben", "pending", "A test")
    listed = ann.run("list_access", repo="llama")
    assert (listed["gated"], [(item["username"], item["reason"]) for item in listed["requests"]]) == ("manual", [("ben", "A test")])
    accept = ann.plan("decide_access", repo="llama", username="ben", decision="accept")
    assert (accept.effect, changes(accept)) == (Effect.WRITE, [("request", "pending", "accepted")])
    ann.run("decide_access", repo="llama", username="ben", decision="accept")
    assert ben.reads()
    assert ann.run("list_access", repo="llama")["requests"] == []
    assert {item["username"]: item["reason"] for item in ann.run("list_access", repo="llama")["items"]}["ben"] == "accepted request"
    reject = ann.plan("decide_access", repo="llama", username="ben", decision="reject")
    assert reject.effect is Effect.DESTRUCTIVE
    ann.run("decide_access", repo="llama", username="ben", decision="reject", message="It is over")
    assert not ben.reads()
    assert reject.inverse is not None
    ann.run(reject.inverse.tool, **reject.inverse.args)
    assert ben.reads()
    assert accept.inverse is not None
    assert ann.plan(accept.inverse.tool, **accept.inverse.args).effect is Effect.DESTRUCTIVE
    ann.run(accept.inverse.tool, **accept.inverse.args)
    assert not ben.reads()
    assert [item["username"] for item in ann.run("list_access", repo="llama")["requests"]] == ["ben"]


def test_one_s_own_request_is_taken_back(people: tuple[Person, Person]) -> None:
    ann, ben = people
    ann.run("set_gating", repo="llama", gated="manual")
    plan = ben.plan("request_access", repo="llama")
    ben.run("request_access", repo="llama")
    assert ben.plan("request_access", repo="llama").changes == ()
    assert plan.inverse is not None
    assert ben.plan(plan.inverse.tool, **plan.inverse.args).effect is Effect.WRITE
    assert ben.run(plan.inverse.tool, **plan.inverse.args)["status"] == "withdrawn"
    with pytest.raises(RequestNotFound):
        ben.run("request_access", repo="llama", withdraw=True)
    ben.run("request_access", repo="llama")
    ann.run("decide_access", repo="llama", username="ben", decision="accept")
    # Nobody lets them in again at once.
    assert ben.plan("request_access", repo="llama", withdraw=True).effect is Effect.DESTRUCTIVE


def test_without_a_gate_the_role_write_is_asked_for_and_given(people: tuple[Person, Person]) -> None:
    ann, ben = people
    assert ben.run("request_access", repo="llama")["role"] == "write"
    with pytest.raises(PermissionDenied):
        ben.run("write_file", repo="ann/llama", path="mine.txt", content="mine")
    plan = ann.plan("decide_access", repo="llama", username="ben", decision="accept")
    ann.run("decide_access", repo="llama", username="ben", decision="accept")
    ben.run("write_file", repo="ann/llama", path="mine.txt", content="mine")
    with pytest.raises(Conflict):
        ben.run("request_access", repo="ann/llama")
    assert plan.inverse is not None
    assert ann.plan(plan.inverse.tool, **plan.inverse.args).effect is Effect.DESTRUCTIVE
    ann.run(plan.inverse.tool, **plan.inverse.args)
    with pytest.raises(PermissionDenied):
        ben.run("write_file", repo="ann/llama", path="mine.txt", content="again")


def test_what_one_may_not_see_or_decide_is_refused(people: tuple[Person, Person], services: Services) -> None:
    ann, ben = people
    ben.run("request_access", repo="llama")
    for tool, args in (("decide_access", {"username": "ben", "decision": "accept"}), ("set_gating", {"gated": "auto"})):
        with pytest.raises(PermissionDenied):
            ben.run(tool, repo="llama", **args)
    ann.run("set_visibility", repo="llama", visibility="private")
    said = set()
    for name in ("ann/llama", "ann/absent"):
        with pytest.raises(RepoNotFound) as error:
            ben.run("request_access", repo=name)
        said.add(error.value.message.replace(name, "NAME"))
    assert len(said) == 1
    with pytest.raises(Unauthenticated):
        invoke.plan(ToolContext(ANONYMOUS, services), "request_access", {"repo": "ann/llama"})


def test_a_copy_of_a_gated_repo_needs_access_and_stays_gated(people: tuple[Person, Person]) -> None:
    ann, ben = people
    ann.run("set_gating", repo="llama", gated="manual")
    with pytest.raises(GatedRepo):
        ben.plan("fork_repo", repo="ann/llama")
    ben.run("request_access", repo="ann/llama")
    ann.run("decide_access", repo="ann/llama", username="ben", decision="accept")
    made = ben.run("fork_repo", repo="ann/llama")
    assert (made["id"], made["visibility"], made["gated"]) == ("ben/llama", "private", "manual")
