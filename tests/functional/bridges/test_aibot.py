"""An intelligent bot of WeCom, over its long connection; and the vendor's own client on the same fake, so that the fake is not ours alone."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
import threading
from typing import Any

import pytest
import sqlalchemy as sa
from aibot import WSClient, WSClientOptions
from aibot import ws as vendors
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from fastapi import FastAPI, Response
from wechatpy.work.ai_bot import WeChatAIBotWebSocketClient

from chat_ui.bridges.port import ChannelError, Outgoing, Place
from chat_ui.bridges.wecom.bot import WeComBot
from chat_ui.bridges.wecom.connection import Connection
from hub_core.bridges.tables import BridgeEvent
from hub_core.conversations.leases import Leases
from hub_core.conversations.tables import Attachment
from tests.common.fake_aibot import BOT, SECRET, fake_aibot
from tests.common.live import serve
from tests.common.loops import finish
from tests.common.working import wait_until
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.tencent import bot_settings, on_bot

PUBLIC = call("set_visibility", repo="acme/vision", visibility="public")


def link(on: Any, member: str = "alice", **options: Any) -> None:
    on.link(member, platform="wecom_bot", workspace=BOT, **options)


def test_a_member_is_answered_by_the_request_that_they_made(hub: Hub) -> None:
    with on_bot(hub, call("whoami")) as (on, fake):
        link(on)
        assert "alice" in fake.answer(fake.say("alice", "who am I?"))
        assert fake.pushed == []


def test_a_stranger_gets_the_link_and_who_comes_in_is_greeted(hub: Hub) -> None:
    with on_bot(hub) as (_, fake):
        assert "/bridges/link?code=" in fake.answer(fake.say("alice", "who am I?"))
        fake.enter("alice")
        assert "hub" in fake.wait(lambda bot: bot.welcomes)[0]["text"]["content"]


def test_an_answer_grows_while_it_is_written_and_ends_once(hub: Hub) -> None:
    told = threading.Event()

    def slowly(_: Any) -> str:
        told.wait(20)
        return "The answer"

    with on_bot(hub, slowly, speaks=True) as (on, fake):
        link(on)
        request = fake.say("alice", "tell me")
        fake.wait(lambda bot: bot.streams.get(request))
        told.set()
        assert fake.answer(request) == "The answer"
        shown = fake.streams[request]
        assert len({item["id"] for item in shown}) == 1 and [item["finish"] for item in shown].count(True) == 1


def test_the_press_of_a_button_settles_an_approval_and_changes_its_card(hub: Hub) -> None:
    with on_bot(hub, PUBLIC) as (on, fake):
        link(on)
        fake.say("alice", "make acme/vision public")
        card = fake.wait(lambda bot: bot.cards)[0]
        fake.click("alice", card, 0, again=2)
        on.settle()
        assert hub.visibility("acme/vision") == "public"
        (update,) = fake.wait(lambda bot: bot.updates)
        assert update["template_card"]["task_id"] == card["template_card"]["task_id"] and update["template_card"]["replace_text"]
        assert hub.audit("approval.approve") == 1


def test_a_decision_made_elsewhere_is_said(hub: Hub) -> None:
    with on_bot(hub, PUBLIC) as (on, fake):
        link(on)
        with hub.talk(PUBLIC) as web:
            asked = web.say("make acme/vision public")
            assert asked.pending is not None
            on.round()
            on.round()
            fake.wait(lambda bot: bot.cards)
            web.decide("reject", asked.pending.approval_id)
        on.round()
        assert "Rejected" in fake.wait(lambda bot: bot.pushed)[-1]["markdown"]["content"]


def test_in_a_group_a_private_answer_goes_to_who_asked(hub: Hub) -> None:
    with on_bot(hub, call("whoami")) as (on, fake):
        link(on)
        request = fake.say("alice", "@hub who am I?", chat="group-1")
        fake.wait(lambda bot: bot.pushed)
        assert "alice" not in fake.answer(request)
        assert [(item["chatid"], "alice" in item["markdown"]["content"]) for item in fake.pushed] == [("alice", True)]


def test_a_repeated_message_is_one_message(hub: Hub) -> None:
    with on_bot(hub, call("create_repo", name="acme/new", kind="model"), call("create_repo", name="acme/second", kind="model")) as (
        on,
        fake,
    ):
        link(on)
        fake.say("alice", "make a model acme/new", message_id="m-1", again=3)
        fake.say("alice", "make a model acme/new", message_id="m-1")
        on.settle()
        wait_until(lambda: hub.exists("acme/new"))
        assert not hub.exists("acme/second")


def test_it_connects_again_after_a_break_and_answers_what_it_missed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_ui.bridges.wecom.connection.FIRST_PAUSE_S", 0.05)
    release = threading.Event()

    def slowly(_: Any) -> str:
        release.wait(30)
        return "The answer"

    with on_bot(hub, slowly, speaks=True) as (on, fake):
        link(on)
        fake.say("alice", "tell me")
        fake.wait(lambda bot: bot.streams)
        fake.cut()
        fake.wait(lambda bot: bot.connections == 2)
        release.set()
        on.settle()
        on.round()
        whole = [item["content"] for stream in fake.streams.values() for item in stream] + [
            item["markdown"]["content"] for item in fake.pushed
        ]
        assert "The answer" in whole


def test_of_two_processes_one_is_connected_and_the_other_takes_over(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_ui.bridges.wecom.bot.ASK_FOR_LEASE_S", 0.1)
    with fake_aibot() as fake:
        settings = bot_settings(hub.services.settings, fake)
        first, second = (WeComBot(settings, Leases(hub.services.db), lambda incoming, done=None: True) for _ in range(2))
        first.start()
        wait_until(lambda: first.connection.ready)
        second.start()
        with pytest.raises(ChannelError):
            second.send(Place("wecom_bot", BOT, "alice"), Outgoing("hello"))
        assert fake.connections == 1
        first.close()
        wait_until(lambda: second.connection.ready)
        second.send(Place("wecom_bot", BOT, "alice"), Outgoing("hello"))
        second.close()
        assert fake.connections == 2 and len(fake.pushed) == 1


def test_a_wrong_secret_is_not_an_open_connection(hub: Hub) -> None:
    with fake_aibot() as fake:
        settings = dataclasses.replace(bot_settings(hub.services.settings, fake), wecom_bot_secret="another")
        bot = WeComBot(settings, Leases(hub.services.db), lambda incoming, done=None: True)
        bot.start()
        fake.wait(lambda bot: bot.frames)
        with pytest.raises(ChannelError):
            bot.send(Place("wecom_bot", BOT, "alice"), Outgoing("hello"))
        bot.close()
        assert fake.connections == 0


def test_no_answer_and_a_refusal_are_errors_of_the_channel(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_ui.bridges.wecom.connection.ANSWER_S", 0.3)
    with on_bot(hub) as (on, fake):
        wait_until(lambda: on.channels[0].connection.ready)  # type: ignore[attr-defined]
        place = Place("wecom_bot", BOT, "alice")
        fake.silent.add("aibot_send_msg")
        with pytest.raises(ChannelError, match="no answer"):
            on.channels[0].send(place, Outgoing("hello"))
        fake.silent.clear()
        fake.refuse["aibot_send_msg"] = [45009]
        with pytest.raises(ChannelError, match="45009") as refused:
            on.channels[0].send(place, Outgoing("hello"))
        assert refused.value.retry_after == 60.0
        on.channels[0].send(place, Outgoing("hello"))


def test_heartbeats_go_on_and_a_silent_server_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_ui.bridges.wecom.connection.ANSWER_S", 0.3)
    monkeypatch.setattr("chat_ui.bridges.wecom.connection.FIRST_PAUSE_S", 0.05)
    with fake_aibot() as fake:
        stop = threading.Event()
        connection = Connection(fake.url, BOT, SECRET, lambda frame: None, heartbeat_s=0.05)
        thread = threading.Thread(target=connection.run, args=(stop, lambda: True))
        thread.start()
        fake.wait(lambda bot: bot.pings >= 3)
        fake.silent.add("ping")
        fake.wait(lambda bot: bot.connections >= 2)
        stop.set()
        connection.close()
        thread.join(10)
        assert not thread.is_alive()


def test_files_go_both_ways(hub: Hub) -> None:
    key, content = os.urandom(32), os.urandom(70_000)
    count = 32 - len(content) % 32
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    app = FastAPI()
    encrypted = encryptor.update(content + bytes([count]) * count) + encryptor.finalize()
    app.add_api_route("/file", lambda: Response(encrypted))
    with on_bot(hub, call("whoami")) as (on, fake), serve(app) as url:
        link(on)
        file = {"url": f"{url}/file", "aeskey": base64.b64encode(key).decode()}
        fake.callback("alice", {"msgtype": "file", "file": file})
        wait_until(lambda: _kept(hub) == [70_000])
        out = os.urandom(600_000)
        on.channels[0].send_file(Place("wecom_bot", BOT, "alice"), "plot.png", out, "here it is")
        sent = next(item for item in fake.pushed if item["msgtype"] == "image")
        assert fake.files[sent["image"]["media_id"]] == ("image", "plot.png", out)


def test_frames_of_any_shape_do_no_harm(hub: Hub) -> None:
    with on_bot(hub, call("whoami")) as (on, fake):
        link(on)
        live = fake._live
        assert live is not None
        for raw in (
            "[]",
            "{}",
            "no json",
            '{"cmd": "aibot_msg_callback"}',
            '{"cmd": "aibot_msg_callback", "headers": 1, "body": []}',
            "null",
        ):
            live.send(raw)
        for body in (
            {},
            {"msgtype": "text"},
            {"msgtype": "mixed", "mixed": {"msg_item": [1, {}]}},
            {"msgtype": "mixed", "mixed": {"msg_item": 1}},
            {"msgtype": "file", "file": []},
            {"msgtype": "text", "text": {"content": " "}},
        ):
            fake.callback("alice", body)
        assert "alice" in fake.answer(fake.say("alice", "who am I?"))
        with hub.services.db.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(BridgeEvent)) == 1


def test_the_vendors_client_and_a_second_one_speak_with_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the fake speaks WeCom's protocol, and not just ours."""
    monkeypatch.setattr(vendors, "_SSL_CONTEXT", None)  # it brings a context for TLS even where the address has none

    async def vendor(url: str) -> None:
        client = WSClient(WSClientOptions(bot_id=BOT, secret=SECRET, ws_url=url, max_reconnect_attempts=0))
        answered = asyncio.Event()

        async def on_text(frame: Any) -> None:
            await client.reply_stream(frame, "s1", "half", finish=False)
            await client.reply_stream(frame, "s1", "whole", finish=True)
            await client.send_message("alice", {"msgtype": "markdown", "markdown": {"content": "by itself"}})
            answered.set()

        client.on("message.text", on_text)
        await client.connect()
        await asyncio.to_thread(fake.wait, lambda bot: bot.connections)
        request = await asyncio.to_thread(fake.say, "alice", "hello")
        await asyncio.wait_for(answered.wait(), 20)
        assert [item["content"] for item in fake.streams[request]] == ["half", "whole"]
        assert fake.pushed[-1]["markdown"]["content"] == "by itself"
        client.disconnect()
        await asyncio.sleep(0.2)

    with fake_aibot() as fake:
        finish(vendor(fake.url))
    with fake_aibot() as fake, WeChatAIBotWebSocketClient(BOT, SECRET, ws_url=fake.url, timeout=10) as second:
        media = second.upload_media("file", "a.txt", b"x" * 700_000)
        second.send_media_message("alice", "file", media)
        assert fake.files[media][2] == b"x" * 700_000 and fake.pushed[-1]["msgtype"] == "file"


def _kept(hub: Hub) -> list[int]:
    with hub.services.db.read() as session:
        return [row.size for row in session.scalars(sa.select(Attachment))]
