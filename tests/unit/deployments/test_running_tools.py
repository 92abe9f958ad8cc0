"""What people are told and asked before a roll-out and before copies follow the requests, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from agent.answer.changes import summary
from hub_core.authz import Actor
from hub_core.deployments.reconciler import Rounds
from hub_core.errors import InvalidInput
from hub_core.git import FileChange
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services
from tests.common.deploying import add_model
from tests.unit.deployments.test_service import deploy
from tools import invoke
from tools.contract import Effect, Plan, ToolContext


class Person:
    """Calls tools as one person."""

    def __init__(self, services: Services, actor: Actor) -> None:
        self.ctx = ToolContext(actor, services)

    def plan(self, tool: str, **args: Any) -> Plan:
        return invoke.plan(self.ctx, tool, {"deployment": "chat", **args})

    def run(self, tool: str, **args: Any) -> dict[str, Any]:
        done = invoke.call(self.ctx, tool, {"deployment": "chat", **args}, gate=False)
        assert isinstance(done, invoke.Done)
        return done.output.model_dump(mode="json")

    def undo(self, plan: Plan) -> dict[str, Any]:
        assert plan.inverse is not None
        return self.run(plan.inverse.tool, **plan.inverse.args)


@pytest.fixture
def me(hub: Services, rounds: Rounds, ann: Actor) -> Person:
    """Ann, with a deployment that runs and a model that has something newer."""
    add_model(hub, ann)
    deploy(hub, ann)
    rounds.run()
    repo = hub.repos.find(ann, "chat", RepoKind.MODEL)
    hub.files.commit(ann, repo, [FileChange("README.md", b"# newer")], "Newer")
    return Person(hub, ann)


def test_a_share_alone_means_what_the_branch_has_by_now(me: Person) -> None:
    plan = me.plan("update_deployment", traffic=10)
    assert plan.effect is Effect.SPEND
    assert {change.what: (change.before, change.after) for change in plan.changes}["traffic"] == (0, 10)
    split = plan.facts["split"]
    assert (split["percent"], split["rest"], split["older"], split["price_per_hour"]) == (10, 90, 1, 1.0)
    told = summary("en", "update_deployment", {"args": plan.args, "facts": plan.facts, "changes": [], "effect": "spend", "undo": {}})
    assert "10 % of the requests go to the new revision (copies: 1, on cpu-small); 90 % stay with revision 1" in told
    assert "cost 1.00 EUR per hour together" in told
    out = me.run("update_deployment", traffic=10)
    assert (out["revision"], out["traffic"], [one["percent"] for one in out["split"]]) == (2, 10, [10, 90])
    assert me.run("get_deployment")["price_per_hour"] == 1.0
    assert me.undo(plan)["split"] == []


def test_another_share_can_be_taken_back_and_completed(me: Person, rounds: Rounds) -> None:
    me.run("update_deployment", revision="main", traffic=10)
    rounds.run()
    raised = me.plan("update_deployment", traffic=60)
    assert (raised.effect, raised.facts["split"]["rest"]) == (Effect.WRITE, 40)
    assert me.run("update_deployment", traffic=60)["traffic"] == 60
    assert me.undo(raised)["traffic"] == 10
    same = me.plan("update_deployment", traffic=10)
    assert (same.changes, same.inverse) == ((), None)
    back = me.plan("update_deployment", traffic=0)
    assert back.effect is Effect.DESTRUCTIVE
    commit = me.run("get_deployment")["commit"]
    assert me.run("update_deployment", traffic=0)["revision"] == 1
    again = me.undo(back)
    assert (again["traffic"], again["commit"], again["revision"]) == (10, commit, 3)
    rounds.run()
    done = me.plan("update_deployment", traffic=100)
    assert done.effect is Effect.WRITE
    assert "All requests go to the new revision" in summary("en", "update_deployment", {"args": done.args, "facts": done.facts})
    assert me.run("update_deployment", traffic=100)["split"] == []
    assert me.undo(done)["commit"] != commit


def test_a_rollback_in_the_middle_says_that_the_older_revision_still_runs(me: Person) -> None:
    me.run("update_deployment", revision="main", traffic=10)
    plan = me.plan("rollback_deployment")
    assert plan.effect is Effect.DESTRUCTIVE
    assert "go back to revision 1, which still runs" in summary("en", "rollback_deployment", {"args": plan.args, "facts": plan.facts})
    assert me.run("rollback_deployment")["revision"] == 1
    assert me.undo(plan)["traffic"] == 10


def test_a_share_of_nothing_is_refused(me: Person) -> None:
    with pytest.raises(InvalidInput):
        me.plan("update_deployment", revision="main", traffic=0)
    me.run("update_deployment", revision="main")
    with pytest.raises(InvalidInput, match="nothing newer"):
        me.plan("update_deployment", traffic=10)
    for share in (-1, 101):
        with pytest.raises(InvalidInput):
            me.plan("update_deployment", traffic=share)


def test_a_range_of_copies_is_told_with_both_prices_and_taken_back(me: Person) -> None:
    plan = me.plan("scale_deployment", replicas=1, max=4)
    assert plan.effect is Effect.SPEND
    told = summary("en", "scale_deployment", {"args": plan.args, "facts": plan.facts, "effect": "spend", "undo": {}})
    assert "to 1–4" in told
    assert "0.50 EUR to 2.00 EUR per hour" in told
    out = me.run("scale_deployment", replicas=1, max=4)
    assert (out["min_replicas"], out["max_replicas"], out["replicas"]) == (1, 4, 1)
    assert me.plan("scale_deployment", replicas=1, max=4).changes == ()
    less = me.plan("scale_deployment", replicas=0, max=2)
    assert less.effect is Effect.WRITE  # it goes on while it is asked
    assert "sleeps" in summary("en", "scale_deployment", {"args": less.args, "facts": less.facts})
    me.run("scale_deployment", replicas=0, max=2)
    assert me.undo(less)["max_replicas"] == 4
    fixed = me.undo(plan)
    assert (fixed["replicas"], fixed["max_replicas"]) == (1, None)
    with pytest.raises(InvalidInput):
        me.plan("scale_deployment", replicas=3, max=2)
