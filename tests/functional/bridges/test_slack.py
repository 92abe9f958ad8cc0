"""The hub on Slack: mentions, private conversations, commands, buttons, files and the home page, over the real SDK."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from hub_core.audit import AuditEvent
from hub_core.bridges.tables import BridgeEvent
from tests.common.fake_slack import BOT_USER, FakeSlack
from tests.common.working import wait_until
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.slack import SlackHub, slack_hub

PUBLISH = call("set_visibility", repo="acme/vision", visibility="public")


def texts(slack: FakeSlack, channel: str = "DU1", person: str = "") -> list[str]:
    return [message.words for message in slack.at(channel, person)]


def test_a_private_message_is_answered_where_it_was_said(hub: Hub) -> None:
    with slack_hub(hub, call("whoami")) as on:
        on.link()
        on.hear(on.slack.say("who am I?"))
        (answer,) = on.slack.at("DU1")
        assert "alice" in answer.words
        assert answer.thread_ts == ""


def test_an_unlinked_person_gets_a_link_that_works_once(hub: Hub) -> None:
    with slack_hub(hub, call("whoami")) as on:
        on.hear(on.slack.say("who am I?", "U9"))
        (invitation,) = texts(on.slack, "DU9")
        assert "Name of U9" in invitation
        secret = invitation.split("code=")[1].split("&")[0]
        assert on.on.services.bridges.accept(hub.bob, secret).person == "U9"
        on.hear(on.slack.say("who am I?", "U9"))
        assert "bob" in texts(on.slack, "DU9")[-1]


def test_a_mention_in_a_channel_is_answered_in_a_thread(hub: Hub) -> None:
    with slack_hub(hub, call("list_hardware")) as on:
        on.link()
        mention = on.slack.say(f"<@{BOT_USER}> which hardware is there?", channel="C1")
        on.hear(mention)
        (answer,) = on.slack.at("C1")
        assert answer.thread_ts == mention["event"]["ts"]
        assert not answer.only_for


def test_in_a_channel_what_not_everybody_may_see_is_shown_to_the_asker_only(hub: Hub) -> None:
    with slack_hub(hub, call("get_repo", repo="acme/vision")) as on:
        on.link()
        on.hear(on.slack.say(f"<@{BOT_USER}> show acme/vision", channel="C1"))
        assert on.slack.at("C1") == []
        (answer,) = on.slack.at("C1", "U1")
        assert "acme/vision" in answer.words


def test_in_a_channel_each_speaks_with_their_own_rights(hub: Hub) -> None:
    from tests.common.factories import actor_for, make_user

    eve = actor_for(make_user(hub.services.db, "eve"))
    with slack_hub(hub, call("get_repo", repo="acme/vision"), call("get_repo", repo="acme/vision")) as on:
        on.link()
        on.link("U2", eve)
        first = on.slack.say(f"<@{BOT_USER}> show acme/vision", channel="C1")
        on.hear(first)
        on.hear(on.slack.say(f"<@{BOT_USER}> show acme/vision", "U2", channel="C1", thread_ts=first["event"]["ts"]))
        assert "private" in on.slack.at("C1", "U1")[-1].words
        assert "private" not in on.slack.at("C1", "U2")[-1].words


def test_an_approval_is_pressed_after_a_question_and_shown_as_done(hub: Hub) -> None:
    with slack_hub(hub, PUBLISH) as on:
        on.link()
        on.hear(on.slack.say("make acme/vision public"))
        (card,) = on.slack.cards()
        yes = card.button("hubtalk_approve")
        assert yes["style"] == "danger"
        assert "acme/vision" in yes["confirm"]["text"]["text"]
        assert hub.visibility("acme/vision") == "private"
        on.hear(on.slack.press(card, "hubtalk_approve"))
        assert hub.visibility("acme/vision") == "public"
        (card,) = on.slack.cards()
        assert card.buttons == []
        assert "Approved and done" in card.words


def test_pressing_reject_changes_nothing(hub: Hub) -> None:
    with slack_hub(hub, PUBLISH) as on:
        on.link()
        on.hear(on.slack.say("make acme/vision public"))
        on.hear(on.slack.press(on.slack.cards()[0], "hubtalk_reject"))
        assert hub.visibility("acme/vision") == "private"
        assert "Rejected" in on.slack.cards()[0].words


def test_nobody_else_can_press_a_button(hub: Hub) -> None:
    """The card is in a channel, as the repo is open to all: another member presses it, and learns only that it is not theirs."""
    from hub_core.authz import Visibility

    hub.services.repos.set_visibility(hub.alice, hub.services.repos.find(hub.alice, "acme/vision"), Visibility.INTERNAL)
    with slack_hub(hub, PUBLISH) as on:
        on.link()
        on.link("U2", hub.bob)
        on.hear(on.slack.say(f"<@{BOT_USER}> make acme/vision public", channel="C1"))
        (card,) = on.slack.cards("C1")
        on.hear(on.slack.press(card, "hubtalk_approve", "U2"))
        refusal = [message for message in on.slack.at("C1", "U2") if message.only_for == "U2"]
        assert "not yours to decide" in refusal[0].words
        on.hear(on.slack.press(card, "hubtalk_approve", "U3"))
        assert "/bridges/link?code=" in next(message for message in on.slack.at("C1", "U3") if message.only_for == "U3").words
        assert hub.visibility("acme/vision") == "internal"
        assert on.slack.cards("C1")[0].buttons == ["hubtalk_approve", "hubtalk_reject"]


def test_an_approval_of_something_private_that_was_asked_in_a_channel_is_asked_in_private(hub: Hub) -> None:
    with slack_hub(hub, PUBLISH) as on:
        on.link()
        on.hear(on.slack.say(f"<@{BOT_USER}> make acme/vision public", channel="C1"))
        assert on.slack.cards("C1") == []
        assert len(on.slack.cards("DU1")) == 1
        assert all(message.only_for == "U1" and "acme/vision" not in message.words for message in on.slack.at("C1", "U1"))


def test_a_command_is_answered_to_its_person_alone(hub: Hub) -> None:
    with slack_hub(hub, call("list_hardware")) as on:
        on.link()
        on.hear(on.slack.command("which hardware is there?"))
        (answer,) = on.slack.at("C1", "U1")
        assert answer.only_for == "U1"


def test_a_command_where_the_bot_is_not_is_answered_in_private(hub: Hub) -> None:
    with slack_hub(hub, call("list_hardware")) as on:
        on.link()
        on.hear(on.slack.command("which hardware is there?", channel="C9"))
        assert on.slack.at("C9", "U1") == []
        assert len(on.slack.at("DU1")) == 1


def test_a_file_ends_as_a_commit(hub: Hub) -> None:
    with slack_hub(hub, call("upload_file", repo="acme/vision", attachment="notes.txt", path="notes.txt")) as on:
        on.link()
        on.slack.files["notes.txt"] = b"measured on Monday\n"
        file = {"id": "F1", "name": "notes.txt", "size": 19, "url_private_download": f"{on.slack.url}/private/notes.txt"}
        on.hear(on.slack.say("put this into acme/vision", subtype="file_share", files=[file]))
        repo = hub.services.repos.find(hub.alice, "acme/vision")
        assert hub.services.files.read_text(hub.alice, repo, "notes.txt").content == "measured on Monday\n"


def test_the_token_goes_to_no_other_host(hub: Hub) -> None:
    with slack_hub(hub, call("whoami")) as on:
        on.link()
        file = {"id": "F1", "name": "notes.txt", "size": 19, "url_private_download": "http://127.0.0.1:9/steal"}
        on.hear(on.slack.say("take this", subtype="file_share", files=[file]))
        assert "could not be taken" in texts(on.slack)[-1]


def test_the_home_page_shows_what_waits_and_its_buttons_work(hub: Hub) -> None:
    with slack_hub(hub, PUBLISH) as on:
        on.link()
        on.hear(on.slack.say("make acme/vision public"))
        on.hear(on.slack.event({"type": "app_home_opened", "user": "U1", "channel": "DU1", "tab": "home"}))
        wait_until(lambda: "U1" in on.slack.homes)
        on.hear(on.slack.press_home("U1", "hubtalk_approve"))
        assert hub.visibility("acme/vision") == "public"
        assert "Approved and done" in on.slack.cards("DU1")[0].words


def test_choices_are_buttons_that_say_them(hub: Hub) -> None:
    from hub_core.authz import Visibility
    from hub_core.repos.kinds import RepoKind

    hub.services.repos.create(hub.alice, "acme/vision", RepoKind.DATASET, Visibility.PRIVATE, "", "")
    with slack_hub(hub, call("get_repo", repo="acme/vision")) as on:
        on.link()
        on.hear(on.slack.say("show acme/vision"))
        question = on.slack.at("DU1")[-1]
        assert len(question.buttons) == 2
        kind = question.button("hubtalk_choice_1")["value"].partition(":")[0]
        on.hear(on.slack.press(question, "hubtalk_choice_1"))
        assert f"acme/vision: {kind}" in texts(on.slack)[-1]


def test_socket_mode_needs_no_address(hub: Hub) -> None:
    with slack_hub(hub, call("whoami"), socket=True) as on:
        on.link()
        on.slack.push("events_api", on.slack.say("who am I?"), "envelope-a")
        wait_until(lambda: bool(on.slack.at("DU1")))
        assert "alice" in texts(on.slack)[-1]
        wait_until(lambda: any(ack.get("envelope_id") == "envelope-a" for ack in on.slack.acks))


@pytest.mark.parametrize("wrong", [{"secret": "0" * 32}, {"at": -600}, {"at": 600}])
def test_forged_and_stale_events_are_refused(hub: Hub, wrong: dict[str, Any]) -> None:
    wrong = {name: time.time() + value if name == "at" else value for name, value in wrong.items()}
    with slack_hub(hub, call("whoami")) as on:
        on.link()
        assert on.deliver(on.slack.say("who am I?"), **wrong).status_code == 401
        assert httpx.post(f"{on.url}/bridges/slack/events", json=on.slack.say("who am I?")).status_code == 401
        assert _events(on) == 0


def test_what_is_told_again_takes_effect_once(hub: Hub) -> None:
    """A retry has the same message; so has a replay within the five minutes in which its signature is good."""
    with slack_hub(hub, call("whoami")) as on:
        on.link()
        event = on.slack.say("who am I?")
        on.hear(event)
        for retry in (1, 2, 3):
            assert on.deliver(event, retry=retry).status_code == 200
        on.on.settle()
        assert len(on.slack.at("DU1")) == 1


def test_slack_is_told_to_send_again_what_the_hub_could_not_keep(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub_core.errors import Unavailable

    with slack_hub(hub, call("whoami")) as on:
        on.link()
        event = on.slack.say("who am I?")
        bridges = on.on.bridges
        with monkeypatch.context() as patched:
            patched.setattr(bridges, "accept", lambda *_: (_ for _ in ()).throw(Unavailable("The database is away.", hint="")))
            assert on.deliver(event).status_code == 503
        on.hear(event)
        assert len(on.slack.at("DU1")) == 1


def test_the_address_is_verified(hub: Hub) -> None:
    with slack_hub(hub) as on:
        answer = on.deliver({"type": "url_verification", "challenge": "abc", "token": "x"})
        assert (answer.status_code, answer.json()["challenge"]) == (200, "abc")


def test_a_pause_that_slack_asks_for_is_kept(hub: Hub) -> None:
    with slack_hub(hub, call("whoami")) as on:
        on.link()
        before = len(on.slack.calls)
        on.slack.faults.append((429, "ratelimited", 1))
        began = time.perf_counter()
        on.hear(on.slack.say("who am I?"))
        assert time.perf_counter() - began >= 1
        assert len(on.slack.calls) - before >= 2
        assert "alice" in texts(on.slack)[-1]


def test_an_answer_is_kept_while_slack_is_down_and_comes_later_once(hub: Hub) -> None:
    with slack_hub(hub, call("whoami")) as on:
        on.link()
        on.slack.down = True
        on.hear(on.slack.say("who am I?"))
        assert on.slack.at("DU1") == []
        on.slack.down = False
        _due(on)
        on.on.round()
        on.on.round()
        assert len(on.slack.at("DU1")) == 1
        assert "alice" in texts(on.slack)[0]


def test_nothing_secret_is_logged(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    from tests.common.fake_slack import BOT_TOKEN, SECRET

    caplog.set_level("DEBUG")
    with slack_hub(hub, call("whoami")) as on:
        on.link()
        on.hear(on.slack.say("my word is swordfish-4711"))
        on.deliver(on.slack.say("x"), secret="0" * 32)
    assert BOT_TOKEN not in caplog.text
    assert SECRET not in caplog.text


def _events(on: SlackHub) -> int:
    with on.on.services.db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(BridgeEvent)) or 0


def _due(on: SlackHub) -> None:
    from hub_core.bridges.tables import BridgeOutbox
    from hub_core.db import utcnow

    with on.on.services.db.write() as session:
        session.execute(sa.update(BridgeOutbox).where(BridgeOutbox.due_at.is_not(None)).values(due_at=utcnow()))


def audit(on: SlackHub) -> list[tuple[str, str, str]]:
    query = sa.select(AuditEvent.action, AuditEvent.actor, AuditEvent.channel).order_by(AuditEvent.id)
    with on.on.services.db.read() as session:
        return [(row.action, row.actor, row.channel) for row in session.execute(query)]
