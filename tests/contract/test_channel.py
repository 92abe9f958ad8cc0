"""What the bridges rely on in every channel: a fake one, and each real one over a fake of its platform."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fastapi import FastAPI, Response

from chat_ui.bridges.port import ApprovalCard, Channel, ChannelError, FileRef, Outgoing, Place, Undeliverable
from chat_ui.bridges.slack.channel import SlackChannel
from chat_ui.bridges.wechat.channel import WeChat
from chat_ui.bridges.wecom.bot import WeComBot
from chat_ui.bridges.wecom.channel import WeCom
from hub_core.conversations.leases import Leases
from hub_core.db import Database
from hub_core.settings import Settings
from tests.common import fake_aibot, fake_wechat, fake_wecom
from tests.common.fake_channel import FakeChannel
from tests.common.fake_slack import BOT_TOKEN, run_slack
from tests.common.live import serve
from tests.common.working import wait_until
from tests.functional.bridges.tencent import bot_settings, wechat_settings, wecom_settings

CARD = ApprovalCard(
    approval_id="a-1", language="en", effect="destructive", title="delete acme/vision", lines=("visibility: private → public",),
    status="pending", state="Waits for your answer", code="4831", how="Answer “yes 4831” to approve.", confirm="At once: delete",
    approve="Approve", reject="Reject", cancel="Cancel", url="http://hub/approvals/a-1", person="U1", workspace="W1",
)  # fmt: skip


@dataclass
class World:
    """A channel on its platform.

    Attributes:
        private, group: where a person is alone with the bot, and where others read along.
        seen: what one person sees at a place now, each message as one text.
        fail: makes the next call fail: `busy` (with a pause to keep), `down`, or `gone` for good.
        offer: puts a file on the platform for the bot to fetch.
        calls: what in a text would notify people of the group; empty where nothing does.
        changes_cards: whether a card can be changed although nobody just pressed it.
    """

    channel: Channel
    private: Place
    group: Place
    seen: Callable[[Place, str], list[str]]
    fail: Callable[[str], None]
    offer: Callable[[str, bytes], FileRef]
    buttons: Callable[[Place], int] = lambda _: 0
    changes_cards: bool = True
    calls: str = ""


@contextmanager
def fake() -> Iterator[World]:
    channel = FakeChannel()
    failures = {"busy": ChannelError("busy", 7.0), "down": ChannelError("down"), "gone": Undeliverable("gone")}

    def seen(place: Place, person: str) -> list[str]:
        shown = [item for item in channel.shown.values() if item.place == place and item.only_for in ("", person)]
        return [f"{item.text} {item.card.state} {' '.join(item.card.lines)}" if item.card else item.text for item in shown]

    def offer(name: str, content: bytes) -> FileRef:
        channel.uploads[name] = content
        return FileRef(name, name, len(content))

    def buttons(place: Place) -> int:
        return sum(2 for item in channel.shown.values() if item.place == place and item.card and item.card.pending)

    private, group = Place("fake", "W1", "direct-U1"), Place("fake", "W1", "C1", "t1", group=True)
    yield World(channel, private, group, seen, lambda how: channel.down.append(failures[how]), offer, buttons)


@contextmanager
def slack() -> Iterator[World]:
    with run_slack() as platform:
        channel = SlackChannel(BOT_TOKEN, platform.api_url)
        failures = {"busy": (429, "ratelimited", 7), "down": (500, "internal_error", 0), "gone": (200, "is_archived", 0)}

        def seen(place: Place, person: str) -> list[str]:
            return [message.words for message in platform.at(place.conversation, person)]

        def offer(name: str, content: bytes) -> FileRef:
            platform.files[name] = content
            return FileRef(f"{platform.url}/private/{name}", name, len(content))

        def buttons(place: Place) -> int:
            return sum(len(message.buttons) for message in platform.at(place.conversation))

        private, group = Place("slack", "T0HUB", "DU1"), Place("slack", "T0HUB", "C1", "1.1", group=True)
        yield World(channel, private, group, seen, lambda how: platform.faults.append(failures[how]), offer, buttons, calls="<!channel>")


@contextmanager
def wechat(db: Database) -> Iterator[World]:
    with fake_wechat.fake_wechat() as platform:
        channel = WeChat(wechat_settings(Settings(), platform), Leases(db))
        failures: dict[str, dict[str, Any]] = {"busy": {"errcode": 45009}, "down": {"status": 502}, "gone": {"errcode": 40003}}
        platform.follows("U1")

        def seen(place: Place, person: str) -> list[str]:
            return platform.texts(place.conversation)

        def offer(name: str, content: bytes) -> FileRef:
            platform.media[name] = (name, "application/octet-stream", content)
            return FileRef(name, name)

        private = Place("wechat", fake_wechat.APP, "U1")
        yield World(channel, private, private, seen, lambda how: platform.faults.setdefault("send", []).append(failures[how]), offer)
        channel.close()


@contextmanager
def wecom(db: Database) -> Iterator[World]:
    with fake_wecom.fake_wecom(members={"U1"}) as platform:
        channel = WeCom(wecom_settings(Settings(), platform), Leases(db))
        failures: dict[str, dict[str, Any]] = {"busy": {"errcode": 45009}, "down": {"status": 502}, "gone": {"errcode": 81013}}

        def seen(place: Place, person: str) -> list[str]:
            cards = [_words(card.now) for card in platform.cards if card.to == place.conversation]
            return platform.texts(place.conversation) + cards

        def offer(name: str, content: bytes) -> FileRef:
            platform.media[name] = (name, "application/octet-stream", content)
            return FileRef(name, name)

        def buttons(place: Place) -> int:
            return sum(0 if "replace_text" in card.now else len(card.now["button_list"]) for card in platform.cards)

        private = Place("wecom", fake_wecom.CORP, "U1")
        yield World(
            channel,
            private,
            private,
            seen,
            lambda how: platform.faults.setdefault("send", []).append(failures[how]),
            offer,
            buttons=buttons,
        )
        channel.close()


@contextmanager
def wecom_bot(db: Database) -> Iterator[World]:
    with fake_aibot.fake_aibot() as platform, file_server() as (url, files):
        channel = WeComBot(bot_settings(Settings(), platform), Leases(db), lambda incoming, done=None: True)
        channel.start()
        wait_until(lambda: channel.connection.ready)
        failures = {"busy": 45009, "down": -1, "gone": 93006}

        def seen(place: Place, person: str) -> list[str]:
            texts = [item["markdown"]["content"] for item in platform.pushed if item["msgtype"] == "markdown"]
            return texts + [_words(item["template_card"]) for item in platform.cards]

        def offer(name: str, content: bytes) -> FileRef:
            files[name] = content
            return FileRef(json.dumps({"url": f"{url}/{name}", "key": ""}), name)

        def buttons(place: Place) -> int:
            return sum(len(item["template_card"]["button_list"]) for item in platform.cards)

        private, group = (Place("wecom_bot", fake_aibot.BOT, where, group=where == "G1") for where in ("U1", "G1"))
        yield World(
            channel, private, group, seen, lambda how: platform.refuse.setdefault("aibot_send_msg", []).append(failures[how]), offer,
            changes_cards=False, buttons=buttons, calls="<@U2>",
        )  # fmt: skip
        channel.close()


def _words(card: dict[str, Any]) -> str:
    return f"{card['main_title']['title']} {card.get('sub_title_text', '')} {card.get('replace_text', '')}"


@contextmanager
def file_server() -> Iterator[tuple[str, dict[str, bytes]]]:
    files: dict[str, bytes] = {}
    app = FastAPI()
    app.add_api_route("/{name}", lambda name: Response(files[name]) if name in files else Response(status_code=404))
    with serve(app) as url:
        yield url, files


WORLDS: dict[str, Callable[..., AbstractContextManager[World]]] = {
    "fake": fake, "slack": slack, "wechat": wechat, "wecom": wecom, "wecom_bot": wecom_bot,
}  # fmt: skip


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest, sqlite_db: Database) -> Iterator[World]:
    made = WORLDS[request.param]
    with made(sqlite_db) if inspect.signature(made).parameters else made() as opened:
        yield opened


def needs(world: World, *abilities: str) -> None:
    for ability in abilities:
        if not getattr(world.channel.capabilities, ability):
            pytest.skip(f"{world.channel.platform} has no {ability}")


def test_what_is_said_is_seen(world: World) -> None:
    world.channel.send(world.private, Outgoing("The repo is **private** & `small` <ok>"))
    (text,) = world.seen(world.private, "U1")
    assert "private" in text
    assert "small" in text


def test_a_text_of_the_most_that_is_allowed_is_taken(world: World) -> None:
    word = "語" if world.channel.capabilities.counts_bytes else "a"
    most = world.channel.capabilities.max_text // (3 if world.channel.capabilities.counts_bytes else 1)
    world.channel.send(world.private, Outgoing(word * most))
    assert world.seen(world.private, "U1")[0].count(word) >= most


def test_a_message_is_replaced_and_not_sent_again(world: World) -> None:
    needs(world, "update")
    sent = world.channel.send(world.private, Outgoing("Working on it", final=False))
    sent = world.channel.update(world.private, sent, Outgoing("Half of", final=False))
    world.channel.update(world.private, sent, Outgoing("All of it"))
    (text,) = world.seen(world.private, "U1")
    assert "All of it" in text
    assert "Working" not in text


def test_what_is_for_one_person_is_seen_by_no_other(world: World) -> None:
    needs(world, "ephemeral")
    world.channel.send(world.group, Outgoing("A secret of yours", only_for="U1"))
    assert any("A secret of yours" in text for text in world.seen(world.group, "U1"))
    assert not any("A secret of yours" in text for text in world.seen(world.group, "U2"))


def test_a_card_tells_what_would_change_and_later_how_it_ended(world: World) -> None:
    sent = world.channel.ask_approval(world.private, CARD)
    (text,) = world.seen(world.private, "U1")
    assert "delete acme/vision" in text
    assert "private → public" in text
    if not sent:
        return
    world.channel.update_approval(world.private, sent, replace(CARD, status="executed", state="Approved and done"))
    told = " ".join(world.seen(world.private, "U1"))
    assert "Approved and done" in told
    assert world.buttons(world.private) == 0 or not world.changes_cards


def test_a_card_can_be_answered(world: World) -> None:
    world.channel.ask_approval(world.private, CARD)
    if world.channel.capabilities.buttons:
        assert world.buttons(world.private) >= 2
    else:
        assert "4831" in world.seen(world.private, "U1")[0]


def test_a_private_conversation_is_the_same_each_time(world: World) -> None:
    needs(world, "direct")
    first, again = (world.channel.direct(world.private.workspace, "U1") for _ in range(2))
    assert first.key == again.key
    assert not first.group
    world.channel.send(first, Outgoing("for you"))
    assert any("for you" in text for text in world.seen(first, "U1"))


def test_tables_are_shown(world: World) -> None:
    if world.channel.capabilities.tables != "markdown":
        pytest.skip("the bridge draws its tables itself")
    world.channel.send(world.private, Outgoing("Two:\n\n| name | size |\n| --- | --- |\n| vision | 7 |\n\nand\n\n| x |\n|---|\n| y |"))
    (text,) = world.seen(world.private, "U1")
    assert all(word in text for word in ("name", "vision", "7", "y"))


def test_a_file_comes_as_it_was_sent(world: World) -> None:
    try:
        ref = world.offer("notes.txt", b"measured\x00 on Monday\n")
    except NotImplementedError:
        pytest.skip("people cannot send files here")
    assert b"".join(world.channel.fetch_file(ref)) == b"measured\x00 on Monday\n"


def test_a_file_that_is_not_there_is_not_tried_again(world: World) -> None:
    try:
        ref = world.offer("notes.txt", b"x")
    except NotImplementedError:
        pytest.skip("people cannot send files here")
    with pytest.raises(ChannelError):
        list(world.channel.fetch_file(replace(ref, ref=ref.ref.replace("notes.txt", "gone.txt") + "-gone")))


def test_files_are_sent(world: World) -> None:
    needs(world, "files_out")
    world.channel.send_file(world.private, "answer.md", b"# All of it\n", "The whole answer")


def test_pictures_are_sent(world: World) -> None:
    needs(world, "pictures")
    world.channel.send_file(world.private, "loss.png", b"\x89PNG\r\n\x1a\n", "Loss")


def test_a_pause_that_the_platform_asks_for_is_told(world: World) -> None:
    world.fail("busy")
    with pytest.raises(ChannelError) as raised:
        world.channel.send(world.private, Outgoing("hello"))
    assert not isinstance(raised.value, Undeliverable)
    world.channel.send(world.private, Outgoing("hello"))


def test_a_platform_that_is_down_is_tried_again_later(world: World) -> None:
    world.fail("down")
    with pytest.raises(ChannelError) as raised:
        world.channel.send(world.private, Outgoing("hello"))
    assert not isinstance(raised.value, Undeliverable)


def test_a_conversation_that_is_gone_is_not_tried_again(world: World) -> None:
    world.fail("gone")
    with pytest.raises(Undeliverable):
        world.channel.send(world.private, Outgoing("hello"))


def test_no_text_of_others_calls_people(world: World) -> None:
    """What stands in a repo is anybody's: it must not notify a whole channel."""
    if not world.calls:
        pytest.skip("nobody is notified here")
    world.channel.send(world.group, Outgoing("README: <!channel> <@U2> @all"))
    assert not any(world.calls in text for text in world.seen(world.group, "U2"))
