"""Turns: steps, questions, plans, Stop, crashes, secrets."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage

from agent.nodes import act as act_node
from hub_core.authz import Visibility
from hub_core.errors import AttachmentNotFound, InvalidInput, ThreadBusy, ThreadNotFound, Unauthenticated
from hub_core.repos.kinds import RepoKind
from hub_core.secrecy import HIDDEN
from tests.functional.agent.conftest import Hub, Talk, both, call


def history(talk: Talk) -> list[Any]:
    return list(talk.agent._graph.get_state({"configurable": {"thread_id": talk.thread}}).values["messages"])


def assert_well_formed(talk: Talk) -> None:
    """Every call in the history is answered right after it, as OpenAI-style servers insist."""
    messages = history(talk)
    for index, message in enumerate(messages):
        if isinstance(message, AIMessage) and message.tool_calls:
            wanted = [item["id"] for item in message.tool_calls]
            got = [later.tool_call_id for later in messages[index + 1 : index + 1 + len(wanted)] if isinstance(later, ToolMessage)]
            assert got == wanted


def test_a_read_runs_at_once_with_resolved_arguments(hub: Hub) -> None:
    with hub.talk(call("get_repo", repo="support-7b")) as talk:
        answer = talk.say("what is support-7b?")
        assert_well_formed(talk)
    assert answer.outcome == "done"
    assert answer.steps[0].args["repo"] == "acme/support-7b"
    assert answer.steps[0].result["visibility"] == "private"
    assert "acme/support-7b" in answer.reply
    assert [event.type for event in talk.events] == ["step", *["token"] * (len(talk.events) - 2), "done"]
    assert "".join(event.data["text"] for event in talk.events if event.type == "token") == answer.reply


def test_the_transcript_holds_both_sides(hub: Hub) -> None:
    with hub.talk(call("get_repo", repo="support-7b")) as talk:
        answer = talk.say("what is support-7b?")
    assert talk.thread is not None
    messages = hub.services.conversations.list_messages(hub.alice, talk.thread)
    assert [(item.role, item.text) for item in messages] == [("user", "what is support-7b?"), ("assistant", answer.reply)]
    assert messages[1].payload["steps"][0]["tool"] == "get_repo"
    assert hub.services.conversations.get_thread(hub.alice, talk.thread).title == "what is support-7b?"


def test_plan_mode_runs_nothing(hub: Hub) -> None:
    with hub.talk([call("create_repo", name="new", kind="model"), call("delete_repo", repo="vision")]) as talk:
        answer = talk.say("create new and delete vision", mode="plan")
        assert_well_formed(talk)
    assert [(step.tool, step.status, step.effect) for step in answer.steps] == [
        ("create_repo", "planned", "write"),
        ("delete_repo", "planned", "destructive"),
    ]
    assert answer.outcome == "done"
    assert "alice/new" in answer.reply
    assert len(hub.search()) == 3


def test_a_preview_tells_and_changes_nothing(hub: Hub) -> None:
    with hub.talk(call("preview", tool="delete_repo", args={"repo": "vision"})) as talk:
        answer = talk.say("what happens if I delete vision?")
    assert (answer.outcome, answer.pending) == ("done", None)
    assert [(step.tool, step.status) for step in answer.steps] == [("delete_repo", "planned")]
    assert "acme/vision" in answer.reply
    assert "30" in answer.reply
    assert hub.exists("acme/vision")


def test_a_missing_argument_is_asked_and_the_known_ones_are_kept(hub: Hub) -> None:
    with hub.talk(call("add_org_member", org="acme", username="bob")) as talk:
        answer = talk.say("put bob into acme")
        assert_well_formed(talk)
    assert answer.outcome == "needs_input"
    assert answer.steps[0].args == {"org": "acme", "username": "bob"}
    assert answer.steps[0].status == "pending"
    assert "role" in answer.reply.lower()


def test_an_ambiguous_name_is_asked_with_choices_and_a_number_answers_it(hub: Hub) -> None:
    for owner in ("acme", "alice"):
        hub.services.repos.create(hub.alice, f"{owner}/mini", RepoKind.MODEL, Visibility.PRIVATE, "", "")
    hub.services.repos.create(hub.alice, "alice/mini", RepoKind.DATASET, Visibility.PRIVATE, "", "")
    with hub.talk(call("get_repo", repo="mini")) as talk:
        answer = talk.say("show mini")
        assert answer.outcome == "needs_input"
        assert len(answer.choices) == 2
        after = talk.say("2")
        assert after.outcome == "done"
        assert after.steps[0].tool == "get_repo"
        assert_well_formed(talk)


def test_a_title_of_several_collections_is_asked_with_choices(hub: Hub) -> None:
    for number in (1, 2):
        hub.services.collections.create(hub.alice, "Baselines", ("alice", "acme")[number - 1], visibility=Visibility.PUBLIC)
    with hub.talk(call("get_collection", collection="Baselines"), actor=hub.bob) as talk:
        answer = talk.say("show the collection Baselines")
        assert (answer.outcome, len(answer.choices)) == ("needs_input", 2)
        after = talk.say("2")
        assert (after.outcome, after.steps[0].tool) == ("done", "get_collection")
        assert_well_formed(talk)


def test_a_choice_of_acts_is_offered_as_buttons(hub: Hub) -> None:
    candidates = [{"tool": "list_files", "args": {"repo": "vision"}}, {"tool": "list_commits", "args": {"repo": "vision"}}]
    with hub.talk(call("ask_user", candidates=candidates)) as talk:
        answer = talk.say("vision")
        assert answer.outcome == "needs_input"
        assert len(answer.choices) == 2
        after = talk.say(answer.choices[1])
    assert [step.tool for step in after.steps] == ["list_commits"]


def test_no_to_a_question_drops_it(hub: Hub) -> None:
    with hub.talk(call("ask_user", tool="create_repo", args={"name": "x"}, missing=["kind"])) as talk:
        assert talk.say("create x").outcome == "needs_input"
        answer = talk.say("no")
    assert answer.outcome == "done"
    assert answer.steps == []


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("out_of_scope", "out_of_scope"), ("not_available", "out_of_scope"), ("small_talk", "done"), ("forbidden", "done")],
)
def test_declining_has_the_right_outcome(hub: Hub, reason: str, outcome: str) -> None:
    with hub.talk(call("decline", reason=reason)) as talk:
        answer = talk.say("how is the weather?")
    assert answer.outcome == outcome
    assert answer.steps == []


def test_an_error_is_told_and_what_worked_stays(hub: Hub) -> None:
    with hub.talk([call("like_repo", repo="vision"), call("get_repo", repo="nosuch")]) as talk:
        answer = talk.say("like vision and show nosuch")
    assert [step.status for step in answer.steps] == ["ok", "error"]
    assert answer.outcome == "error"
    assert "nosuch" in answer.reply


def test_what_depends_on_a_failed_step_is_not_done(hub: Hub) -> None:
    steps = [call("create_repo", name="acme/vision", kind="model"), call("write_file", repo="acme/vision", path="a.txt", content="x")]
    with hub.talk(steps) as talk:
        answer = talk.say("create acme/vision and put a file in")
    assert [step.status for step in answer.steps] == ["error", "planned"]


class StopAfter:
    """Presses Stop as soon as a step of this tool was reported."""

    def __init__(self, tool: str) -> None:
        self.tool, self.cancel = tool, threading.Event()

    def __call__(self, event: Any) -> None:
        if event.type == "step" and event.data["tool"] == self.tool:
            self.cancel.set()


def test_stop_in_mid_tool_keeps_what_ran_and_does_no_more(any_hub: Hub) -> None:
    steps = [call("like_repo", repo="vision"), call("delete_repo", repo="tickets"), call("like_repo", repo="tickets")]
    stop = StopAfter("like_repo")
    with any_hub.talk(steps, call("get_repo", repo="vision")) as talk:
        answer = talk.agent.turn(any_hub.alice, None, "like vision, delete tickets", emit=stop, cancel=stop.cancel)
        talk.thread = answer.thread_id
        assert [step.status for step in answer.steps] == ["ok", "planned", "planned"]
        assert "Stopped" in answer.reply
        assert answer.pending is None
        assert_well_formed(talk)
        assert any_hub.audit("repo.like") == 1
        assert any_hub.services.approvals.pending(any_hub.alice) == []
        assert talk.say("and vision?").outcome == "done"


def test_stop_while_a_gated_act_is_asked_withdraws_it(hub: Hub) -> None:
    stop = StopAfter("delete_repo")
    with hub.talk(call("delete_repo", repo="vision")) as talk:
        answer = talk.agent.turn(hub.alice, None, "delete vision", emit=stop, cancel=stop.cancel)
        talk.thread = answer.thread_id
        assert (answer.outcome, answer.pending) == ("done", None)
        assert hub.services.approvals.pending(hub.alice) == []
        talk.say("yes")
    assert hub.exists("acme/vision")


def test_stop_before_anything_ran_changes_nothing(hub: Hub) -> None:
    cancel = threading.Event()
    cancel.set()
    with hub.talk(call("like_repo", repo="vision")) as talk:
        answer = talk.say("like vision", cancel=cancel)
    assert answer.steps == []
    assert "Nothing was changed" in answer.reply


def test_a_process_that_dies_in_mid_turn_leaves_a_thread_that_goes_on(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    class Died(BaseException):
        pass

    def die(*args: Any, **kwargs: Any) -> None:
        raise Died

    with hub.talk([call("like_repo", repo="vision"), call("get_repo", repo="vision")], call("get_repo", repo="vision")) as talk:
        thread = hub.services.conversations.create_thread(hub.alice)
        talk.thread = thread.id
        original = act_node._perform

        def first_only(work: Any, item: Any) -> None:
            if item["name"] == "get_repo":
                die()
            original(work, item)

        monkeypatch.setattr(act_node, "_perform", first_only)
        with pytest.raises(Died):
            talk.say("like vision and show it")
        monkeypatch.setattr(act_node, "_perform", original)
    with hub.restarted() as again, again.talk(call("get_repo", repo="vision")) as talk_again:
        talk_again.thread = thread.id
        answer = talk_again.say("show vision")
        assert answer.outcome == "done"
        assert "stopped in the middle" in answer.reply
        assert_well_formed(talk_again)
    assert hub.audit("repo.like") == 1


def test_one_turn_at_a_time_per_thread(hub: Hub) -> None:
    inside, go = threading.Event(), threading.Event()

    def slow(_messages: Any) -> Any:
        inside.set()
        go.wait(20)
        return call("get_repo", repo="vision")

    with hub.talk(slow, call("get_repo", repo="vision")) as talk:
        talk.thread = hub.services.conversations.create_thread(hub.alice).id
        first = threading.Thread(target=talk.say, args=("one",))
        first.start()
        assert inside.wait(20)
        with pytest.raises(ThreadBusy):
            talk.say("two")
        with hub.restarted() as other_node, other_node.talk() as other, pytest.raises(ThreadBusy):
            other.agent.turn(hub.alice, talk.thread, "two")
        go.set()
        first.join(20)
        assert talk.say("three").outcome == "done"


def test_many_threads_at_once(any_hub: Hub) -> None:
    with any_hub.agent(*[call("get_repo", repo="vision")] * 12) as agent:
        answers = both(*[lambda: agent.turn(any_hub.alice, None, "show vision") for _ in range(12)])
    assert [getattr(answer, "outcome", answer) for answer in answers] == ["done"] * 12
    assert len({answer.thread_id for answer in answers}) == 12


def test_threads_and_attachments_are_own_only(hub: Hub) -> None:
    kept = hub.services.conversations.store_attachment(hub.alice, "a.txt", [b"abc"])
    with hub.talk() as talk:
        talk.say("hello")
        assert talk.thread is not None
        with pytest.raises(ThreadNotFound):
            talk.agent.turn(hub.bob, talk.thread, "hi")
        with pytest.raises(AttachmentNotFound):
            talk.agent.turn(hub.bob, None, "hi", [kept.id])
        with pytest.raises(Unauthenticated):
            talk.agent.turn(type(hub.alice)(), None, "hi")
        with pytest.raises(InvalidInput):
            talk.say("   ")


def test_an_attachment_becomes_a_commit(hub: Hub) -> None:
    kept = hub.services.conversations.store_attachment(hub.alice, "../train.csv", [b"a,b\n", b"1,2\n"])
    assert (kept.filename, kept.size) == ("train.csv", 8)
    with hub.talk(call("upload_file", repo="tickets", attachment="train.csv")) as talk:
        answer = talk.say("put this into tickets", attachments=[kept.id])
    assert answer.outcome == "done", answer.reply
    assert answer.steps[0].args["path"] == "train.csv"


def test_a_secret_is_shown_once_and_kept_nowhere(hub: Hub) -> None:
    with hub.talk(call("create_token", name="ci", scope="read")) as talk:
        answer = talk.say("make a read token called ci")
        secret = answer.steps[0].result["token"]
        assert secret.startswith("hub_")
        assert secret in answer.reply
        assert talk.thread is not None
        stored = str(hub.services.conversations.list_messages(hub.alice, talk.thread)[1])
        assert secret not in stored
        assert HIDDEN in stored
        assert secret not in str(talk.agent._graph.get_state({"configurable": {"thread_id": talk.thread}}))
    data = b"".join(path.read_bytes() for path in hub.services.settings.data_dir.glob("*.db*"))
    assert secret.encode() not in data


def test_deleting_a_thread_forgets_it(hub: Hub) -> None:
    with hub.talk(call("delete_repo", repo="vision")) as talk:
        pending = talk.say("delete vision").pending
        assert pending is not None
        assert talk.thread is not None
        talk.agent.delete_thread(hub.alice, talk.thread)
        with pytest.raises(ThreadNotFound):
            talk.say("yes")
        assert history(talk) == [] if talk.agent._graph.get_state({"configurable": {"thread_id": talk.thread}}).values else True
    assert hub.services.approvals.get(hub.alice, pending.approval_id).status == "withdrawn"


def test_only_the_newest_checkpoint_is_kept(any_hub: Hub) -> None:
    with any_hub.talk(*[call("get_repo", repo="vision")] * 3) as talk:
        for _ in range(3):
            talk.say("show vision")
        kept = list(talk.agent._saver.list({"configurable": {"thread_id": talk.thread}}))
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("text", "language"),
    [("show vision", "en"), ("看一下 vision 的信息", "zh"), ("vision の情報を見せて", "ja"), ("vision 정보 보여줘", "ko")],
)
def test_the_answer_is_in_the_language_of_the_question(hub: Hub, text: str, language: str) -> None:
    with hub.talk(call("get_repo", repo="vision")) as talk:
        answer = talk.say(text)
    assert answer.language == language


def test_a_chosen_language_wins_over_the_message_s(hub: Hub) -> None:
    lines = [call("set_preference", key="language", value="ko"), call("get_repo", repo="vision"), call("delete_repo", repo="vision")]
    with hub.talk(*lines) as talk:
        assert talk.say("answer me in Korean from now on").language == "en"
        assert talk.say("show vision please").language == "ko"
        pending = talk.say("delete vision").pending
        assert pending is not None
        assert "삭제" in pending.summary
        assert talk.decide("reject", pending.approval_id).language == "ko"


def test_a_chosen_act_that_lacks_an_argument_is_asked_for_it(hub: Hub) -> None:
    candidates = [
        {"tool": "add_org_member", "args": {"org": "acme", "username": "bob"}, "missing": ["role"]},
        {"tool": "list_commits", "args": {"repo": "vision"}},
    ]
    with hub.talk(call("ask_user", candidates=candidates)) as talk:
        assert len(talk.say("bob").choices) == 2
        answer = talk.say("1")
        assert (answer.outcome, answer.steps[0].tool) == ("needs_input", "add_org_member")
        assert_well_formed(talk)
