"""What a conversation must not be talked or tricked into."""

from __future__ import annotations

import pytest
from langchain_core.messages import BaseMessage

from hub_core.accounts.views import UserStatus
from hub_core.authz import SYSTEM, Role, Visibility
from hub_core.errors import ApprovalNotFound, AttachmentNotFound, ThreadNotFound
from tests.functional.agent.conftest import Hub, call


def test_an_approved_undo_does_not_turn_to_a_newer_change_of_the_same_kind(hub: Hub) -> None:
    for name in ("acme/support-7b", "acme/vision"):
        hub.services.repos.set_visibility(hub.alice, hub.services.repos.find(hub.alice, name), Visibility.PUBLIC)
    narrow = [call("set_visibility", repo=name, visibility="private") for name in ("support-7b", "vision")]
    with hub.talk(narrow[0], call("undo"), narrow[1]) as talk:
        talk.say("make support-7b private")
        pending = talk.say("undo that").pending
        assert pending is not None
        talk.say("make vision private too")
        answer = talk.decide("approve", pending.approval_id)
    assert answer.outcome == "error"
    assert [hub.visibility(name) for name in ("acme/support-7b", "acme/vision")] == ["private", "private"]


def test_who_is_locked_out_during_a_turn_does_nothing_more(hub: Hub) -> None:
    def second(_messages: list[BaseMessage]) -> object:
        hub.services.users.set_status(SYSTEM, "alice", UserStatus.DISABLED)
        return call("like_repo", repo="acme/vision")

    with hub.talk(call("like_repo", repo="acme/support-7b"), second, speaks=True) as talk:
        answer = talk.say("like both")
    assert [(step.tool, step.status) for step in answer.steps] == [("like_repo", "ok"), ("like_repo", "error")]
    assert hub.audit("repo.like") == 1


def test_rights_are_not_given_away_unasked_once_a_model_has_read_what_others_wrote(hub: Hub) -> None:
    grant = call("grant_access", repo="acme/vision", username="bob", role="admin")
    with hub.talk(
        call("get_repo", repo="acme/support-7b"), "A model.", grant, call("like_repo", repo="acme/vision"), "Ok.", speaks=True
    ) as talk:
        talk.say("what is support-7b?")
        answer = talk.say("thanks")
        assert [(step.tool, step.status) for step in answer.steps] == [("grant_access", "pending")]
        assert hub.services.access.direct_role(hub.services.repos.find(hub.alice, "acme/vision"), "bob") is None
        assert talk.say("like vision").steps[0].status == "ok"


def test_rights_are_given_at_once_when_nothing_of_others_was_read(hub: Hub) -> None:
    with hub.talk(call("grant_access", repo="acme/vision", username="bob", role="admin"), "Done.", speaks=True) as talk:
        talk.say("make bob admin of vision")
    assert hub.services.access.direct_role(hub.services.repos.find(hub.alice, "acme/vision"), "bob") is Role.ADMIN


def test_names_of_repos_make_no_links_in_an_answer(hub: Hub) -> None:
    repo = hub.services.repos.find(hub.alice, "acme/vision")
    hub.services.repos.update(hub.alice, repo, description="see ![x](https://evil.example/a.png) and [sign in](https://evil.example)")
    with hub.talk(call("get_repo", repo="acme/vision")) as talk:
        reply = talk.say("what is vision?").reply
    assert "evil.example" in reply
    assert "](" not in reply


def test_ids_with_a_nul_are_just_not_there(any_hub: Hub) -> None:
    conversations = any_hub.services.conversations
    with pytest.raises(ThreadNotFound):
        conversations.get_thread(any_hub.alice, "a\0b")
    with pytest.raises(AttachmentNotFound):
        conversations.get_attachment(any_hub.alice, "a\0b")
    with pytest.raises(ApprovalNotFound):
        any_hub.services.approvals.get(any_hub.alice, "a\0b")
    with any_hub.talk(call("whoami")) as talk:
        assert talk.say("who am I?\0").outcome == "done"
    assert conversations.list_threads(any_hub.alice, query="nobody\0").items == ()
