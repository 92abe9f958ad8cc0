"""Every way an approval can go has one right outcome."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from hub_core.approvals.tables import Approval
from hub_core.authz import Scope
from hub_core.db import utcnow
from hub_core.errors import ApprovalExpired, ApprovalNotFound, ApprovalSettled, InvalidArguments, PermissionDenied, ThreadNotFound
from tests.common.factories import actor_for
from tests.functional.agent.conftest import Hub, both, call

PUBLIC = call("set_visibility", repo="support-7b", visibility="public")
REPO = "acme/support-7b"


def expire(hub: Hub, approval_id: str) -> None:
    with hub.services.db.write() as session:
        past = utcnow() - dt.timedelta(seconds=1)
        session.execute(sa.update(Approval).where(Approval.id == approval_id).values(expires_at=past))


def status(hub: Hub, approval_id: str) -> str:
    return hub.services.approvals.get(hub.alice, approval_id).status


def test_a_gated_act_waits_and_says_exactly_what_will_change(any_hub: Hub) -> None:
    with any_hub.talk(PUBLIC) as talk:
        answer = talk.say("make support-7b public")
    assert answer.outcome == "needs_approval"
    assert answer.pending is not None
    assert answer.pending.tool == "set_visibility"
    assert answer.pending.args["repo"] == REPO
    assert "private → public" in answer.pending.summary
    assert [(step.tool, step.status) for step in answer.steps] == [("set_visibility", "pending")]
    assert any_hub.visibility(REPO) == "private"
    assert [event.type for event in talk.events if event.type in ("approval", "done")] == ["approval", "done"]


def test_approve_runs_it_once_and_a_second_approve_is_told_so(any_hub: Hub) -> None:
    with any_hub.talk(PUBLIC) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        answer = talk.decide("approve", pending.approval_id)
        assert (answer.outcome, any_hub.visibility(REPO)) == ("done", "public")
        with pytest.raises(ApprovalSettled):
            talk.decide("approve", pending.approval_id)
    assert status(any_hub, pending.approval_id) == "executed"
    assert any_hub.audit("repo.visibility") == 1
    assert any_hub.audit("approval.approve") == 1


def test_reject_changes_nothing(any_hub: Hub) -> None:
    with any_hub.talk(PUBLIC) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        answer = talk.decide("reject", pending.approval_id)
    assert answer.outcome == "done"
    assert [step.status for step in answer.steps] == ["rejected"]
    assert any_hub.visibility(REPO) == "private"
    assert status(any_hub, pending.approval_id) == "rejected"


@pytest.mark.parametrize(
    ("word", "visibility"), [("yes", "public"), ("好的", "public"), ("はい", "public"), ("네", "public"), ("no", "private")]
)
def test_a_word_settles_it(hub: Hub, word: str, visibility: str) -> None:
    with hub.talk(PUBLIC) as talk:
        talk.say("make it public")
        answer = talk.say(word)
    assert answer.outcome == "done"
    assert hub.visibility(REPO) == visibility


@pytest.mark.parametrize(("word", "visibility"), [("make it public", "private"), ("yes, make it public", "public")])
def test_after_another_subject_a_bare_verb_settles_nothing(hub: Hub, word: str, visibility: str) -> None:
    other = call("list_branches", repo="support-7b")
    with hub.talk(PUBLIC, other, other) as talk:
        talk.say("make it public")
        talk.say("which branches are there")
        talk.say(word)
    assert hub.visibility(REPO) == visibility


def test_two_people_approve_at_once_and_it_runs_once(any_hub: Hub) -> None:
    with any_hub.talk(call("delete_repo", repo="support-7b")) as talk:
        pending = talk.say("delete it").pending
        assert pending is not None
        results = both(*[lambda: talk.decide("approve", pending.approval_id) for _ in range(4)])
    done = [result for result in results if not isinstance(result, Exception)]
    assert [answer.outcome for answer in done] == ["done"]
    assert all(isinstance(result, ApprovalSettled) for result in results if isinstance(result, Exception))
    assert any_hub.audit("repo.delete") == 1


def test_approve_and_reject_at_once_have_one_winner(any_hub: Hub) -> None:
    with any_hub.talk(PUBLIC) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        results = both(lambda: talk.decide("approve", pending.approval_id), lambda: talk.decide("reject", pending.approval_id))
    assert sum(isinstance(result, ApprovalSettled) for result in results) == 1
    settled = status(any_hub, pending.approval_id)
    assert (settled, any_hub.visibility(REPO)) in (("executed", "public"), ("rejected", "private"))


def test_two_nodes_approve_at_once_and_it_runs_once(any_hub: Hub) -> None:
    with any_hub.talk(PUBLIC) as talk, any_hub.restarted() as other, other.talk() as second:
        pending = talk.say("make it public").pending
        assert pending is not None
        second.thread = talk.thread
        results = both(lambda: talk.decide("approve", pending.approval_id), lambda: second.decide("approve", pending.approval_id))
    assert sum(isinstance(result, ApprovalSettled) for result in results) == 1
    assert any_hub.audit("repo.visibility") == 1


def test_a_restart_between_question_and_answer_loses_nothing(any_hub: Hub) -> None:
    with any_hub.talk(PUBLIC) as talk:
        talk.say("make it public")
    with any_hub.restarted() as again, again.talk() as talk_again:
        talk_again.thread = talk.thread
        answer = talk_again.say("yes")
        assert answer.outcome == "done"
        assert again.visibility(REPO) == "public"


def test_another_subject_is_answered_and_leaves_the_act_pending(any_hub: Hub) -> None:
    with any_hub.talk(PUBLIC, call("list_branches", repo="vision")) as talk:
        pending = talk.say("make it public").pending
        answer = talk.say("which branches has vision?")
        assert answer.outcome == "done"
        assert [step.tool for step in answer.steps] == ["list_branches"]
        assert "support-7b" in answer.reply  # a reminder of what still waits
        assert pending is not None
        assert status(any_hub, pending.approval_id) == "pending"
        assert talk.say("yes").outcome == "done"
    assert any_hub.visibility(REPO) == "public"


def test_yes_answers_what_was_asked_last(hub: Hub) -> None:
    with hub.talk(PUBLIC, call("delete_repo", repo="vision")) as talk:
        first = talk.say("make it public").pending
        talk.say("delete vision")
        answer = talk.say("yes")
    assert first is not None
    assert [step.tool for step in answer.steps] == ["delete_repo"]
    assert status(hub, first.approval_id) == "pending"
    assert hub.visibility(REPO) == "private"


def test_asking_the_same_thing_again_does_not_ask_twice(hub: Hub) -> None:
    with hub.talk(PUBLIC, PUBLIC) as talk:
        first, second = talk.say("make it public").pending, talk.say("could you publish support-7b?").pending
    assert first is not None
    assert second is not None
    assert first.approval_id == second.approval_id
    assert len(hub.services.approvals.pending(hub.alice)) == 1


@pytest.mark.parametrize("by_word", [True, False])
def test_an_expired_approval_does_nothing(any_hub: Hub, by_word: bool) -> None:
    with any_hub.talk(PUBLIC) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        expire(any_hub, pending.approval_id)
        if by_word:
            answer = talk.say("yes")
            assert answer.outcome == "error"
            assert "expired" in answer.reply
        else:
            with pytest.raises(ApprovalExpired):
                talk.decide("approve", pending.approval_id)
    assert status(any_hub, pending.approval_id) == "expired"
    assert any_hub.visibility(REPO) == "private"


def test_a_foreign_approval_does_not_exist(any_hub: Hub) -> None:
    with any_hub.talk(PUBLIC) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        assert talk.thread is not None
        with pytest.raises(ThreadNotFound):
            talk.agent.decide(any_hub.bob, talk.thread, pending.approval_id, "approve")
        own = talk.agent.turn(any_hub.bob, None, "hi").thread_id
        with pytest.raises(ApprovalNotFound):
            talk.agent.decide(any_hub.bob, own, pending.approval_id, "approve")
    assert status(any_hub, pending.approval_id) == "pending"


def test_a_small_token_cannot_approve_and_it_goes_on_waiting(hub: Hub) -> None:
    with hub.talk(PUBLIC) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        talk.actor = actor_for(hub.alice_row, Scope.WRITE)
        with pytest.raises(PermissionDenied):
            talk.decide("approve", pending.approval_id)
        answer = talk.say("yes")
        assert answer.outcome == "error"
        assert status(hub, pending.approval_id) == "pending"
        talk.actor = hub.alice
        assert talk.say("yes").outcome == "done"
    assert hub.visibility(REPO) == "public"


def test_rights_are_checked_again_when_it_runs(hub: Hub) -> None:
    with hub.talk(PUBLIC) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        _demote(hub)
        answer = talk.say("yes")
    assert answer.outcome == "error"
    assert answer.steps[0].result["error"]["code"] in ("forbidden", "repo_not_found")
    assert status(hub, pending.approval_id) == "failed"
    with hub.services.db.read() as session:
        assert session.scalar(sa.text("select visibility from repos where name = 'support-7b'")) == "private"


def _demote(hub: Hub) -> None:
    with hub.services.db.write() as session:
        session.execute(sa.text("delete from memberships where user_id = :user"), {"user": hub.alice_row.id})
        session.execute(sa.text("update repos set created_by = null"))


def test_what_changed_meanwhile_is_not_done(hub: Hub) -> None:
    with hub.talk(PUBLIC) as talk:
        talk.say("make it public")
        repo = hub.services.repos.find(hub.alice, REPO)
        hub.services.repos.set_visibility(hub.alice, repo, "internal")  # type: ignore[arg-type]
        answer = talk.say("yes")
    assert answer.outcome == "error"
    assert answer.steps[0].result["error"]["code"] == "conflict"
    assert hub.visibility(REPO) == "internal"


def test_several_acts_are_asked_one_after_the_other(hub: Hub) -> None:
    with hub.talk([call("delete_repo", repo="vision"), call("delete_repo", repo="tickets")]) as talk:
        first = talk.say("delete vision and tickets")
        assert [step.status for step in first.steps] == ["pending", "planned"]
        second = talk.say("yes")
        assert second.outcome == "needs_approval"
        assert second.pending is not None
        assert second.pending.args["repo"] == "acme/tickets"
        assert hub.exists("acme/tickets")
        assert not hub.exists("acme/vision")
        last = talk.say("no")
    assert last.outcome == "done"
    assert hub.exists("acme/tickets")


def test_independent_steps_run_at_once_and_dependent_ones_wait(hub: Hub) -> None:
    steps = [
        call("move_repo", repo="vision", new_name="alice/vision"),
        call("like_repo", repo="support-7b"),
        call("like_repo", repo="alice/vision"),
    ]
    with hub.talk(steps) as talk:
        answer = talk.say("move vision to alice, like support-7b, then like alice/vision")
        assert [step.status for step in answer.steps] == ["pending", "ok", "planned"]
        after = talk.say("yes")
    assert [(step.tool, step.status) for step in after.steps] == [("move_repo", "ok"), ("like_repo", "ok")]


def test_what_depended_on_a_rejected_act_is_dropped(hub: Hub) -> None:
    steps = [call("move_repo", repo="vision", new_name="alice/vision"), call("like_repo", repo="alice/vision")]
    with hub.talk(steps) as talk:
        talk.say("move and like")
        after = talk.say("no")
    assert after.outcome == "done"
    assert [step.status for step in after.steps] == ["rejected"]
    assert hub.audit("repo.like") == 0


def test_edited_arguments_are_planned_anew_for_the_same_tool(hub: Hub) -> None:
    with hub.talk(PUBLIC) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        answer = talk.decide("approve", pending.approval_id, args={**pending.args, "visibility": "internal"})
        assert answer.outcome == "done"
    assert hub.visibility(REPO) == "internal"
    assert status(hub, pending.approval_id) == "withdrawn"
    with hub.services.db.read() as session:
        ran = session.scalars(sa.select(Approval).where(Approval.status == "executed")).one()
        assert ran.args["visibility"] == "internal"


def test_edited_arguments_that_do_not_fit_leave_it_waiting(hub: Hub) -> None:
    with hub.talk(PUBLIC) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        answer = talk.decide("approve", pending.approval_id, args={"repo": REPO, "visibility": "everyone"})
        assert answer.outcome == "error"
    assert status(hub, pending.approval_id) == "pending"
    assert InvalidArguments.code in str(answer.model_dump()) or answer.reply


def test_a_process_that_died_after_the_yes_is_told_of(hub: Hub) -> None:
    with hub.talk(PUBLIC, call("list_branches", repo="vision")) as talk:
        pending = talk.say("make it public").pending
        assert pending is not None
        hub.services.approvals.decide(hub.alice, pending.approval_id, "approve")  # and then the process dies
        answer = talk.say("branches of vision")
    assert status(hub, pending.approval_id) == "failed"
    assert "was not done" in answer.reply
    assert hub.visibility(REPO) == "private"


def test_undo_takes_the_last_change_back_and_asks_when_that_is_gated(hub: Hub) -> None:
    lines: list[Any] = [PUBLIC, call("undo"), call("create_repo", name="fresh", kind="model"), call("undo")]
    with hub.talk(*lines) as talk:
        talk.say("make it public")
        talk.say("yes")
        assert talk.say("undo that").outcome == "done"
        assert hub.visibility(REPO) == "private"
        talk.say("create fresh")
        answer = talk.say("undo")
        assert answer.outcome == "needs_approval"
        assert answer.pending is not None
        assert "alice/fresh" in answer.pending.summary
        assert talk.say("yes").outcome == "done"
    assert not hub.exists("alice/fresh")


def test_nothing_to_undo_is_said(hub: Hub) -> None:
    with hub.talk(call("undo")) as talk:
        answer = talk.say("undo")
    assert answer.outcome == "error"
    assert answer.steps[0].result["error"]["code"] == "nothing_to_undo"


def test_yes_without_a_question_does_nothing(hub: Hub) -> None:
    with hub.talk() as talk:
        answer = talk.say("yes")
    assert answer.outcome == "done"
    assert answer.steps == []
