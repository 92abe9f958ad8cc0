"""A WeChat Official Account, over the wire: what people write there, and what they get."""

from __future__ import annotations

import logging
import re
import time

import httpx
import pytest
import sqlalchemy as sa

from chat_ui.bridges.port import Outgoing, Place
from chat_ui.bridges.wechat.channel import WeChat
from hub_core.bridges.tables import BridgeEvent, BridgeOutbox
from hub_core.conversations.leases import Leases
from hub_core.conversations.tables import Attachment
from tests.common.fake_wechat import AES_KEY, APP, SECRET, TOKEN, Sent
from tests.common.working import wait_until
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.tencent import DANGEROUS, kept_going, on_wechat, wechat_settings

ALICE, BOB = "oAlice-0123456789", "oBob-0123456789"
PUBLIC = call("set_visibility", repo="acme/vision", visibility="public")


def link(on: object, person: str = ALICE, **options: object) -> None:
    on.link(person, platform="wechat", workspace=APP, **options)  # type: ignore[attr-defined]


def events(hub: Hub) -> int:
    with hub.services.db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(BridgeEvent)) or 0


def code_in(text: str) -> str:
    found = re.search(r"\b(\d{4})\b", text.split("yes")[-1])
    assert found, text
    return found[1]


@pytest.mark.parametrize("aes", [False, True], ids=["plain", "aes"])
def test_the_address_is_verified_and_a_message_is_answered_in_its_own_request(hub: Hub, aes: bool) -> None:
    with on_wechat(hub, call("whoami"), aes=aes) as (on, fake):
        assert (fake.verify().status_code, fake.verify().text) == (200, "5882012345")
        link(on)
        answer = fake.say(ALICE, "who am I?")
        assert answer and "alice" in answer
        assert fake.sent == []


def test_a_stranger_gets_the_link_and_nothing_else(hub: Hub) -> None:
    with on_wechat(hub, call("whoami")) as (_, fake):
        answer = fake.say(ALICE, "我是谁？")
        assert answer and "/bridges/link?code=" in answer and "lang=zh" in answer


def test_who_follows_the_account_is_greeted(hub: Hub) -> None:
    with on_wechat(hub) as (_, fake):
        answer = fake.message(ALICE, {"MsgType": "event", "Event": "subscribe"})
        assert answer and "hub" in answer
        assert fake.message(ALICE, {"MsgType": "event", "Event": "unsubscribe"}) is None
        assert fake.message(ALICE, {"MsgType": "location", "MsgId": "77"}) is not None
        assert events(hub) == 0


def test_what_takes_longer_than_wechat_waits_comes_as_a_message(hub: Hub) -> None:
    with on_wechat(hub, call("whoami"), patience_s=0.0) as (on, fake):
        link(on)
        assert fake.say(ALICE, "who am I?") is None
        assert "alice" in fake.wait(lambda sent: sent and sent[-1].text)


def test_without_the_right_to_write_later_the_person_sends_1(hub: Hub) -> None:
    with on_wechat(hub, call("whoami"), PUBLIC, patience_s=0.0, verified=False) as (on, fake):
        link(on)
        assert fake.say(ALICE, "who am I?") == "Working on it. Send 1 for the result."
        on.settle()
        assert fake.sent == []
    with on_wechat(hub, PUBLIC, verified=False) as (on, fake), kept_going(on):
        answer = fake.say(ALICE, "1")
        assert answer and "alice" in answer, "another process of the hub has it too"
        asked = fake.say(ALICE, "make acme/vision public")
        assert asked and "yes" in asked, "an answer and the approval it asks for come together"
        assert "send" not in fake.calls


def test_1_is_an_answer_like_any_other_when_nothing_waits(hub: Hub) -> None:
    with on_wechat(hub, call("whoami"), verified=False) as (on, fake):
        link(on)
        assert "alice" in (fake.say(ALICE, "1") or "")


def test_a_long_answer_without_the_right_to_write_later_comes_piece_by_piece(hub: Hub) -> None:
    with on_wechat(hub, "\n\n".join(f"Paragraph {number} " + "说" * 200 for number in range(9)), verified=False, speaks=True) as (on, fake):
        link(on)
        with kept_going(on):
            pieces = [fake.say(ALICE, "tell me a story") or ""]
            while "1" in pieces[-1][-40:] and len(pieces) < 9:
                pieces.append(fake.say(ALICE, "1") or "")
    whole = "\n".join(pieces)
    assert len(pieces) > 1 and fake.sent == []
    assert [number for number in range(9) if f"Paragraph {number} " in whole] == list(range(len(set(re.findall(r"Paragraph \d", whole)))))


def test_a_long_answer_is_split_between_characters(hub: Hub) -> None:
    with on_wechat(hub, "说" * 1500, speaks=True) as (on, fake):
        link(on)
        first = fake.say(ALICE, "tell me a story")
        fake.wait(lambda sent: len(sent) >= 2)
        on.settle()
        assert "".join([first or "", *fake.texts(ALICE)]).count("说") == 1500
        assert all(len(text.encode()) <= 2048 for text in fake.texts(ALICE))


def test_a_repeated_message_is_one_message(hub: Hub) -> None:
    with on_wechat(hub, call("create_repo", name="acme/new", kind="model"), call("create_repo", name="acme/second", kind="model")) as (
        on,
        fake,
    ):
        link(on)
        answer = fake.message(ALICE, {"MsgType": "text", "Content": "make a model acme/new", "MsgId": "9001"}, again=2)
        assert answer and "acme/new" in answer, "every repetition is answered alike"
        assert events(hub) == 1
        assert hub.exists("acme/new") and not hub.exists("acme/second")


def test_a_message_that_is_repeated_after_a_restart_is_not_worked_on_again(hub: Hub) -> None:
    message = {"MsgType": "text", "Content": "make a model acme/new", "MsgId": "9001"}
    for verified in (True, False):
        with on_wechat(hub, call("create_repo", name="acme/new", kind="model"), verified=verified) as (on, fake):
            link(on)
            answer = fake.message(ALICE, message)
            assert (answer is None) == (not verified)
    assert hub.audit("repo.create") == 4


def test_events_without_a_number_are_told_apart_by_who_and_when(hub: Hub) -> None:
    with on_wechat(hub, call("whoami"), call("whoami")) as (on, fake):
        link(on)
        menu = {"MsgType": "event", "Event": "CLICK", "EventKey": "who am I?"}
        for _ in range(3):
            fake.message(ALICE, menu, created=1_700_000_000)
        fake.message(ALICE, menu, created=1_700_000_001)
        assert events(hub) == 2


@pytest.mark.parametrize(("words", "yes"), [("yes {}", True), ("同意 {}", True), ("no {}", False), ("拒绝 {}", False)])
def test_an_approval_is_answered_by_its_code(hub: Hub, words: str, yes: bool) -> None:
    with on_wechat(hub, PUBLIC) as (on, fake):
        link(on)
        asked = fake.say(ALICE, "make acme/vision public") or ""
        assert "acme/vision" in asked and "/approvals/" in asked
        assert hub.visibility("acme/vision") == "private"
        fake.say(ALICE, words.format(code_in(asked)))
        assert hub.visibility("acme/vision") == ("public" if yes else "private")
        again = fake.say(ALICE, f"yes {code_in(asked)}")
        assert again and hub.audit("approval.approve") == yes, "a code is good for one answer"


def test_a_code_is_worth_nothing_to_somebody_else(hub: Hub) -> None:
    with on_wechat(hub, PUBLIC) as (on, fake):
        link(on)
        link(on, BOB, actor=hub.bob)
        asked = fake.say(ALICE, "make acme/vision public") or ""
        fake.say(BOB, f"yes {code_in(asked)}")
        assert hub.visibility("acme/vision") == "private"


def test_a_token_that_ended_early_is_asked_for_anew(hub: Hub) -> None:
    with on_wechat(hub, *[call("whoami")] * 2, patience_s=0.0) as (on, fake):
        link(on)
        fake.say(ALICE, "who am I?")
        fake.wait(lambda sent: len(sent) == 1)
        fake.expire()
        fake.say(ALICE, "who am I?")
        fake.wait(lambda sent: len(sent) == 2)
        assert (fake.tokens_made, fake.forced) == (2, 0)


def test_processes_that_share_an_account_do_not_end_each_others_token(hub: Hub) -> None:
    with on_wechat(hub) as (_, fake):
        settings = wechat_settings(hub.services.settings, fake)
        processes = [WeChat(settings, Leases(hub.services.db)) for _ in range(3)]
        fake.follows(ALICE, 20)
        for _ in range(2):
            for process in processes:
                process.send(Place("wechat", APP, ALICE), Outgoing("hello"))
            fake.expire()
        processes[0].send(Place("wechat", APP, ALICE), Outgoing("hello"))
        fake.faults["send"] = [{"errcode": 40001, "errmsg": "invalid credential"}]
        processes[0].send(Place("wechat", APP, ALICE), Outgoing("a token that is dead although WeChat gives it out is replaced"))
        for process in processes:
            process.send(Place("wechat", APP, ALICE), Outgoing("hello"))
            process.close()
        assert fake.forced == 1


@pytest.mark.parametrize("code", [45015, 45047])
def test_what_wechat_takes_only_after_the_person_writes_again_waits_for_that(hub: Hub, code: int) -> None:
    with on_wechat(hub, call("whoami"), patience_s=0.0) as (on, fake):
        link(on)
        fake.faults["send"] = [{"errcode": code, "errmsg": "out of it"}]
        fake.say(ALICE, "who am I?")
        on.settle()
        on.round()
        assert fake.sent == []
        with kept_going(on):
            fake.say(ALICE, "unlink")
            assert "alice" in fake.wait(lambda sent: next((item.text for item in sent if "alice" in item.text), ""))


def test_answers_outlive_an_outage(hub: Hub) -> None:
    with on_wechat(hub, call("whoami"), patience_s=0.0) as (on, fake):
        link(on)
        fake.down = True
        fake.say(ALICE, "who am I?")
        on.settle()
        fake.down = False
        with hub.services.db.write() as session:
            session.execute(sa.update(BridgeOutbox).values(due_at=BridgeOutbox.created_at))
        on.round()
        assert "alice" in fake.sent[-1].text


def test_forged_stale_and_cleartext_messages_do_nothing(hub: Hub) -> None:
    with on_wechat(hub, call("whoami"), aes=True) as (on, fake):
        link(on)
        xml = fake.xml(ALICE, {"MsgType": "text", "Content": "who am I?", "MsgId": "1"})
        answers = [fake.post(xml, signed_with="another"), fake.post(xml, at=time.time() - 3600), fake.verify(signed_with="another")]
        fake.aes = False
        answers.append(fake.post(xml))
        assert [(answer.status_code, answer.text) for answer in answers] == [(403, "")] * 4
        assert events(hub) == 0


@pytest.mark.parametrize("aes", [False, True], ids=["plain", "aes"])
def test_dangerous_and_damaged_bodies_do_nothing(hub: Hub, aes: bool) -> None:
    with on_wechat(hub, aes=aes) as (_, fake):
        answers = [fake.post(body) for body in DANGEROUS]
        assert [(answer.status_code, answer.text) for answer in answers] == [(400, "")] * len(DANGEROUS)
        assert events(hub) == 0


@pytest.mark.parametrize("aes", [False, True], ids=["plain", "aes"])
def test_a_request_that_was_listened_to_and_sent_again_does_nothing(hub: Hub, aes: bool) -> None:
    lines = [call("create_repo", name=f"acme/{name}", kind="model") for name in ("new", "second")]
    with on_wechat(hub, *lines, aes=aes, patience_s=0.0) as (on, fake):
        link(on)
        heard = fake.post(fake.xml(ALICE, {"MsgType": "text", "Content": "make a model acme/new", "MsgId": "1"})).request
        with httpx.Client() as attacker:
            assert [attacker.post(str(heard.url), content=heard.content).status_code for _ in range(3)] == [200] * 3
        on.settle()
        assert events(hub) == 1
        assert hub.exists("acme/new") and not hub.exists("acme/second")


def test_a_picture_goes_into_the_conversation(hub: Hub) -> None:
    with on_wechat(hub, call("whoami"), patience_s=20) as (on, fake):
        link(on)
        fake.media["picture-1"] = ("a.jpg", "image/jpeg", b"\xff\xd8" + b"x" * 200_000)
        fake.message(ALICE, {"MsgType": "image", "PicUrl": "http://127.0.0.1:9/a", "MediaId": "picture-1", "MsgId": "501"})
        with hub.services.db.read() as session:
            assert [(row.filename, row.size) for row in session.scalars(sa.select(Attachment))] == [("picture.jpg", 200_002)]


def test_a_picture_that_wechat_does_not_give_is_asked_for_again_and_then_told(hub: Hub) -> None:
    with on_wechat(hub, patience_s=0.0) as (on, fake):
        link(on)
        fake.message(ALICE, {"MsgType": "image", "MediaId": "picture-2", "MsgId": "502"})
        wait_until(lambda: on.bridges.idle)
        assert (fake.calls.count("get"), fake.sent) == (1, [])
        with hub.services.db.write() as session:
            session.execute(sa.update(BridgeEvent).where(BridgeEvent.due_at.is_not(None)).values(due_at=BridgeEvent.received_at))
        on.bridges.tick()
        on.settle()
        assert "picture.jpg" in fake.texts(ALICE)[-1]


def test_words_of_a_voice_message_are_heard(hub: Hub) -> None:
    with on_wechat(hub, call("whoami")) as (on, fake):
        link(on)
        voice = {"MsgType": "voice", "MediaId": "v", "Format": "amr", "Recognition": "who am I?", "MsgId": "601"}
        assert "alice" in (fake.message(ALICE, voice) or "")


def test_no_secret_is_logged(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # as `configure_logging` does
    with on_wechat(hub, call("whoami"), patience_s=0.0, aes=True) as (on, fake):
        link(on)
        fake.faults["send"] = [{"errcode": 40001, "errmsg": "invalid"}, {"errcode": 45009, "errmsg": "too often"}]
        fake.say(ALICE, "who am I?")
        on.settle()
        fake.post("<x/>", signed_with="another")
    assert caplog.text
    assert not [secret for secret in (SECRET, TOKEN, AES_KEY, "access-1", "access-2") if secret in caplog.text]


def test_a_slow_api_delays_nobody_elses_request(hub: Hub) -> None:
    with on_wechat(hub, call("whoami"), call("whoami"), patience_s=0.0) as (on, fake):
        link(on)
        link(on, BOB, actor=hub.bob)
        fake.faults["send"] = [0.5]
        fake.say(ALICE, "who am I?")
        fake.say(BOB, "who am I?")
        fake.wait(lambda sent: {item.to for item in sent} == {ALICE, BOB})
        assert all(isinstance(item, Sent) for item in fake.sent)
