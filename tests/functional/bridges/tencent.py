"""Hubs behind WeChat and WeCom, which are fakes on loopback ports."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI

from chat_ui.bridges.wechat.channel import WeChat
from chat_ui.bridges.wechat.http import wechat_router
from chat_ui.bridges.wecom.bot import WeComBot
from chat_ui.bridges.wecom.channel import WeCom
from chat_ui.bridges.wecom.http import wecom_router
from hub_core.audit import AuditEvent
from hub_core.conversations.leases import Leases
from hub_core.settings import Settings
from tests.common import fake_aibot, fake_wechat, fake_wecom
from tests.common.fake_aibot import FakeBot
from tests.common.fake_wechat import FakeWeChat
from tests.common.fake_wecom import FakeWeCom
from tests.common.live import serve
from tests.functional.agent.conftest import Hub
from tests.functional.bridges.conftest import Bridged, bridged


def wechat_settings(settings: Settings, fake: FakeWeChat) -> Settings:
    return dataclasses.replace(
        settings, wechat_app_id=fake_wechat.APP, wechat_app_secret=fake_wechat.SECRET, wechat_token=fake_wechat.TOKEN,
        wechat_aes_key=fake_wechat.AES_KEY if fake.aes else "", wechat_verified=fake.verified, wechat_api_url=fake.url,
    )  # fmt: skip


def wecom_settings(settings: Settings, fake: FakeWeCom) -> Settings:
    return dataclasses.replace(
        settings, wecom_corp_id=fake_wecom.CORP, wecom_secret=fake_wecom.SECRET, wecom_agent_id=fake_wecom.AGENT,
        wecom_token=fake_wecom.TOKEN, wecom_aes_key=fake_wecom.AES_KEY, wecom_api_url=fake.url,
    )  # fmt: skip


def bot_settings(settings: Settings, fake: FakeBot) -> Settings:
    return dataclasses.replace(settings, wecom_bot_id=fake_aibot.BOT, wecom_bot_secret=fake_aibot.SECRET, wecom_bot_url=fake.url)


DANGEROUS = (
    '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><xml><MsgType>text</MsgType><FromUserName>o</FromUserName><Content>&b;</Content></xml>',
    '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><MsgType>text</MsgType><FromUserName>o</FromUserName><Content>&f;</Content></xml>',
    '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><xml><MsgType>text</MsgType><FromUserName>o</FromUserName><Content>x</Content></xml>',
    "<xml><MsgType>text</MsgType></xml>",
    "<xml>" + "x" * 200_000 + "</xml>",
    "<xml>" + "<a>" * 20_000,
    "{}",
)
"""What no message of WeChat or WeCom looks like."""


@contextmanager
def on_wechat(
    hub: Hub, *lines: Any, patience_s: float = 20.0, speaks: bool = False, **options: Any
) -> Iterator[tuple[Bridged, FakeWeChat]]:
    """A hub on WeChat. Requests wait for answers as long as a test needs, unless `patience_s` says otherwise."""
    with ExitStack() as stack:
        fake = stack.enter_context(fake_wechat.fake_wechat(**{"patience_s": 60.0, **options}))
        settings = wechat_settings(hub.services.settings, fake)
        channel = WeChat(settings, Leases(hub.services.db))
        on = stack.enter_context(bridged(hub, *lines, channels=[channel], speaks=speaks))
        services = dataclasses.replace(on.services, settings=settings)
        fake.hub = stack.enter_context(served(wechat_router(services, channel, on.bridges.accept, patience_s=patience_s)))
        yield on, fake


@contextmanager
def on_wecom(hub: Hub, *lines: Any, speaks: bool = False, **options: Any) -> Iterator[tuple[Bridged, FakeWeCom]]:
    """A hub with an application on WeCom."""
    with ExitStack() as stack:
        fake = stack.enter_context(fake_wecom.fake_wecom(**{"patience_s": 60.0, **options}))
        settings = wecom_settings(hub.services.settings, fake)
        channel = WeCom(settings, Leases(hub.services.db))
        on = stack.enter_context(bridged(hub, *lines, channels=[channel], speaks=speaks))
        fake.hub = stack.enter_context(served(wecom_router(settings, on.bridges.accept)))
        yield on, fake


@contextmanager
def on_bot(hub: Hub, *lines: Any, speaks: bool = False, **options: Any) -> Iterator[tuple[Bridged, FakeBot]]:
    """A hub with an intelligent bot on WeCom."""
    with ExitStack() as stack:
        fake = stack.enter_context(fake_aibot.fake_aibot(**options))
        made: list[Bridged] = []
        channel = WeComBot(
            bot_settings(hub.services.settings, fake),
            Leases(hub.services.db),
            lambda incoming, done=None: made[0].bridges.accept(incoming, done),
        )
        on = stack.enter_context(bridged(hub, *lines, channels=[channel], speaks=speaks))
        made.append(on)
        fake.wait(lambda bot: bot.connections)
        yield on, fake


@contextmanager
def kept_going(on: Bridged) -> Iterator[None]:
    """What the keeper and the workers of a real hub do all the time."""
    stop = threading.Event()

    def go() -> None:
        while not stop.wait(0.05):
            on.round()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def story(hub: Hub) -> list[tuple[str, str]]:
    """What the audit trail says: the act and the channel."""
    with hub.services.db.read() as session:
        rows = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id))
        return [(row.action, row.channel) for row in rows]


@contextmanager
def served(*routers: APIRouter) -> Iterator[str]:
    """Addresses of the hub that platforms call."""
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    with serve(app) as url:
        yield url
