"""An application of WeCom, over the wire: what members write to it, and the cards that they press."""

from __future__ import annotations

import logging
import time

import httpx
import pytest
import sqlalchemy as sa

from chat_ui.bridges.port import Outgoing, Place
from hub_core.bridges.tables import BridgeEvent, BridgeOutbox
from hub_core.conversations.tables import Attachment
from tests.common.fake_wecom import AES_KEY, CORP, SECRET, TOKEN, FakeWeCom
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.tencent import DANGEROUS, on_wecom, story

PUBLIC = call("set_visibility", repo="acme/vision", visibility="public")


def link(on: object, member: str = "alice", **options: object) -> None:
    on.link(member, platform="wecom", workspace=CORP, **options)  # type: ignore[attr-defined]


def events(hub: Hub) -> int:
    with hub.services.db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(BridgeEvent)) or 0


def test_the_address_is_verified_and_a_member_is_answered(hub: Hub) -> None:
    with on_wecom(hub, call("whoami")) as (on, fake):
        assert (fake.verify().status_code, fake.verify().text) == (200, "1616140317555161061")
        assert fake.verify(signed_with="another").status_code == 403
        link(on)
        fake.say("alice", "who am I?")
        assert "alice" in fake.wait(lambda wecom: wecom.texts("alice") and wecom.texts("alice")[-1])


def test_a_stranger_gets_the_link_and_nothing_else(hub: Hub) -> None:
    with on_wecom(hub, call("whoami")) as (_, fake):
        fake.say("alice", "我是谁？")
        text = fake.wait(lambda wecom: wecom.texts("alice") and wecom.texts("alice")[0])
        assert "/bridges/link?code=" in text and "lang=zh" in text


def test_an_approval_is_a_card_whose_button_answers_it_and_that_shows_how_it_ended(hub: Hub) -> None:
    with on_wecom(hub, PUBLIC) as (on, fake):
        link(on)
        fake.say("alice", "make acme/vision public")
        card = fake.wait(lambda wecom: wecom.cards and wecom.cards[0])
        shown = card.body["main_title"]["title"] + card.body["sub_title_text"] + " ".join(fake.texts("alice"))
        assert "acme/vision" in shown and [button["style"] for button in card.body["button_list"]] == [2, 3]
        fake.click("alice", card, 0, again=2)
        on.settle()
        assert hub.visibility("acme/vision") == "public"
        assert [change["template_card"]["replace_text"] for change in card.changes] == ["Approved and done"]
        assert hub.audit("approval.approve") == 1
        assert ("approval.approve", "wecom") in story(hub)


def test_a_second_press_changes_nothing_and_says_so(hub: Hub) -> None:
    with on_wecom(hub, PUBLIC) as (on, fake):
        link(on)
        fake.say("alice", "make acme/vision public")
        card = fake.wait(lambda wecom: wecom.cards and wecom.cards[0])
        late = fake.press(card, card.key(0))
        fake.click("alice", card, 1)
        fake.message("alice", late)
        on.settle()
        assert hub.visibility("acme/vision") == "private"
        assert len(card.changes) == 1 and hub.audit("approval.reject") == 1 and hub.audit("approval.approve") == 0


def test_the_press_of_somebody_else_decides_nothing(hub: Hub) -> None:
    with on_wecom(hub, PUBLIC) as (on, fake):
        link(on)
        link(on, "bob", actor=hub.bob)
        fake.say("alice", "make acme/vision public")
        card = fake.wait(lambda wecom: wecom.cards and wecom.cards[0])
        fake.click("bob", card, 0)
        fake.click("carol", card, 0)
        on.settle()
        assert hub.visibility("acme/vision") == "private" and card.changes == []
        assert "not yours" in fake.texts("bob")[-1] and "/bridges/link" in fake.texts("carol")[-1]


def test_a_decision_made_elsewhere_shows_on_the_card(hub: Hub) -> None:
    with on_wecom(hub, PUBLIC) as (on, fake):
        link(on)
        with hub.talk(PUBLIC) as web:
            asked = web.say("make acme/vision public")
            assert asked.pending is not None
            on.round()
            on.round()
            card = fake.wait(lambda wecom: wecom.cards and wecom.cards[0])
            web.decide("reject", asked.pending.approval_id)
        on.round()
        assert card.now["replace_text"].startswith("Rejected")


def test_a_card_that_cannot_hold_everything_follows_a_text_that_does(hub: Hub) -> None:
    name = "a-rather-long-name-of-a-model-that-does-not-fit-on-a-card"
    with on_wecom(hub, call("delete_repo", repo=f"acme/{name}")) as (on, fake):
        from hub_core.authz import Visibility
        from hub_core.repos.kinds import RepoKind

        hub.services.repos.create(hub.alice, f"acme/{name}", RepoKind.MODEL, Visibility.PRIVATE, "", "")
        link(on)
        fake.say("alice", "delete that model")
        card = fake.wait(lambda wecom: wecom.cards and wecom.cards[0])
        assert any(name in text for text in fake.texts("alice"))
        assert len(card.body["main_title"]["title"]) <= 36 and len(card.body["sub_title_text"]) <= 160


def test_a_repeated_message_is_one_message(hub: Hub) -> None:
    with on_wecom(hub, call("create_repo", name="acme/new", kind="model"), call("create_repo", name="acme/second", kind="model")) as (
        on,
        fake,
    ):
        link(on)
        fake.say("alice", "make a model acme/new", again=3)
        on.settle()
        assert events(hub) == 1 and hub.exists("acme/new") and not hub.exists("acme/second")


def test_a_request_that_was_listened_to_and_sent_again_does_nothing(hub: Hub) -> None:
    with on_wecom(hub, call("create_repo", name="acme/new", kind="model"), call("create_repo", name="acme/second", kind="model")) as (
        on,
        fake,
    ):
        link(on)
        heard = fake.post(fake.xml("alice", {"MsgType": "text", "Content": "make a model acme/new", "MsgId": "1"})).request
        with httpx.Client() as attacker:
            answers = [attacker.post(str(heard.url), content=heard.content).status_code for _ in range(3)]
        on.settle()
        assert answers == [200, 200, 200] and events(hub) == 1
        assert hub.exists("acme/new") and not hub.exists("acme/second")


def test_forged_stale_and_misdirected_messages_do_nothing(hub: Hub) -> None:
    with on_wecom(hub, call("whoami")) as (on, fake):
        link(on)
        xml = fake.xml("alice", {"MsgType": "text", "Content": "who am I?", "MsgId": "1"})
        answers = [
            fake.post(xml, signed_with="another"),
            fake.post(xml, at=time.time() - 3600),
            fake.post(xml, corp="ww-another-corp"),
        ]
        assert [(answer.status_code, answer.text) for answer in answers] == [(403, "")] * 3
        assert events(hub) == 0


def test_dangerous_and_damaged_bodies_do_nothing(hub: Hub) -> None:
    """Encrypted as by WeCom itself, and around what is encrypted."""
    with on_wecom(hub) as (_, fake):
        answers = [fake.post(body) for body in DANGEROUS]
        answers += [httpx.post(f"{fake.hub}/bridges/wecom?msg_signature=x&timestamp=1&nonce=1", content=body) for body in DANGEROUS[:3]]
        assert [(answer.status_code, answer.text) for answer in answers] == [(400, "")] * len(answers)
        assert events(hub) == 0


@pytest.mark.parametrize("fault", [{"errcode": 42001, "errmsg": "expired"}, {"errcode": 40014, "errmsg": "invalid"}])
def test_a_token_that_ended_is_asked_for_anew(hub: Hub, fault: dict[str, object]) -> None:
    with on_wecom(hub, call("whoami")) as (on, fake):
        link(on)
        fake.faults["send"] = [fault]
        fake.say("alice", "who am I?")
        fake.wait(lambda wecom: wecom.texts("alice"))
        assert fake.calls.count("gettoken") == 2


def test_answers_outlive_an_outage_and_a_limit(hub: Hub) -> None:
    with on_wecom(hub, call("whoami")) as (on, fake):
        link(on)
        fake.faults["send"] = [{"errcode": 45009, "errmsg": "api freq out of limit"}]
        fake.say("alice", "who am I?")
        on.settle()
        assert fake.sent == []
        fake.down = True
        with hub.services.db.write() as session:
            session.execute(sa.update(BridgeOutbox).values(due_at=BridgeOutbox.created_at))
        on.round()
        fake.down = False
        with hub.services.db.write() as session:
            session.execute(sa.update(BridgeOutbox).values(due_at=BridgeOutbox.created_at))
        on.round()
        assert ["alice" in text for text in fake.texts("alice")] == [True]


def test_files_go_both_ways(hub: Hub) -> None:
    with on_wecom(hub, call("whoami")) as (on, fake):
        link(on)
        fake.media["picture-1"] = ("a.png", "image/png", b"\x89PNG" + b"x" * 100_000)
        fake.message("alice", {"MsgType": "image", "PicUrl": "http://127.0.0.1:9/a", "MediaId": "picture-1", "MsgId": "501"})
        on.settle()
        with hub.services.db.read() as session:
            assert [row.size for row in session.scalars(sa.select(Attachment))] == [100_004]
        place = Place("wecom", CORP, "alice")
        for name in ("plot.png", "answer.md"):
            on.channels[0].send_file(place, name, b"some content", f"here is {name}")
        sent = [(item.kind, fake.media[item.media][0]) for item in fake.sent if item.media]
        assert sent == [("image", "plot.png"), ("file", "answer.md")]


def test_choices_are_buttons_that_say_their_label(hub: Hub) -> None:
    with on_wecom(hub, call("whoami")) as (on, fake):
        link(on)
        on.channels[0].send(
            Place("wecom", CORP, "alice"), Outgoing("Which one?", "en", choices=tuple(f"choice {number}" for number in range(8)))
        )
        assert [len(card.body["button_list"]) for card in fake.cards] == [6, 2]
        fake.click("alice", fake.cards[1], 1)
        on.settle()
        with hub.services.db.read() as session:
            from hub_core.conversations.tables import Message

            assert "choice 7" in [row.text for row in session.scalars(sa.select(Message))]


def test_texts_are_drawn_with_the_marks_that_wecom_knows(hub: Hub) -> None:
    with on_wecom(hub) as (on, fake):
        text = "# Title\n\n* **bold** and *slanted*, `code`, a\\_b\n\n```python\nprint(1)\n```"
        on.channels[0].send(Place("wecom", CORP, "alice"), Outgoing(text))
        assert fake.texts("alice") == ["# Title\n\n- **bold** and slanted, `code`, a_b\n\nprint(1)"]


def test_no_secret_is_logged(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # as `configure_logging` does
    with on_wecom(hub, call("whoami")) as (on, fake):
        link(on)
        fake.faults["send"] = [{"errcode": 40014, "errmsg": "invalid"}, {"errcode": 45009, "errmsg": "too often"}]
        fake.say("alice", "who am I?")
        on.settle()
        fake.post("<x/>", signed_with="another")
    assert caplog.text
    assert not [secret for secret in (SECRET, TOKEN, AES_KEY, "access-1", "access-2") if secret in caplog.text]


def test_a_member_who_is_gone_is_given_up_with_a_record(hub: Hub) -> None:
    with on_wecom(hub, call("whoami")) as (on, fake):
        link(on)
        fake.members = set[str]()
        fake.say("alice", "who am I?")
        on.settle()
        on.round()
        assert hub.audit("bridge.undelivered") == 1


def test_the_fake_takes_what_the_second_implementation_of_the_api_sends() -> None:
    """That the fake speaks WeCom's protocol, and not just ours."""
    from wechatpy.work import WeChatClient

    from tests.common.fake_wecom import AGENT, fake_wecom

    with fake_wecom() as fake:

        class Client(WeChatClient):
            API_BASE_URL = f"{fake.url}/cgi-bin/"

        token = httpx.get(f"{fake.url}/cgi-bin/gettoken", params={"corpid": CORP, "corpsecret": SECRET}).json()["access_token"]
        client = Client(CORP, SECRET, access_token=token)  # the address at which it asks for one itself is fixed
        client.message.send_text(AGENT, "alice", "hello")
        client.message.send_markdown(AGENT, "bob", "**hello**")
        assert _all_texts(fake) == [("alice", "hello"), ("bob", "**hello**")]


def _all_texts(fake: FakeWeCom) -> list[tuple[str, str]]:
    return [(item.to, item.text) for item in fake.sent]
