"""A hub on every chat platform at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from chat_ui.bridges.core import Bridges
from chat_ui.bridges.jobs import BridgeJobs
from chat_ui.bridges.port import Channel
from chat_ui.bridges.registry import Accept
from chat_ui.bridges.slack.platform import open_slack
from chat_ui.bridges.wechat.channel import WeChat
from chat_ui.bridges.wechat.http import wechat_router
from chat_ui.bridges.wecom.bot import WeComBot
from chat_ui.bridges.wecom.channel import WeCom
from chat_ui.bridges.wecom.http import wecom_router
from hub_core.authz import Actor
from hub_core.conversations.leases import Leases
from hub_core.settings import Settings
from tests.common import fake_slack
from tests.common.platforms import PLATFORMS, WORKSPACES, Around
from tests.common.working import wait_until
from tests.functional.agent.conftest import Hub
from tests.functional.bridges.conftest import Bridged, bridged
from tests.functional.bridges.tencent import bot_settings, served, wechat_settings, wecom_settings


@dataclass
class Everywhere:
    """A hub on all of them."""

    on: Bridged
    platforms: Around
    others: list[Bridges]

    def link(self, platform: str, person: str, actor: Actor | None = None) -> None:
        """As by opening the link on the hub. On WeChat the person wrote a moment ago."""
        self.on.link(person, actor, platform=platform, workspace=WORKSPACES[platform])
        if platform == "wechat":
            self.platforms.wechat.follows(person, 10_000)

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until every event is over, in every process."""
        wait_until(lambda: all(one.idle for one in self.others), seconds)
        self.on.settle(seconds)


@contextmanager
def everywhere(hub: Hub, platforms: Around, *lines: Any, processes: int = 1, chosen: tuple[str, ...] = PLATFORMS) -> Iterator[Everywhere]:
    """Open a hub on the platforms; answers on WeChat come as messages of their own."""
    settings = _settings(hub.services.settings, platforms)
    with ExitStack() as stack:
        made: list[Bridges] = []
        on: Bridged | None = None
        platforms.hubs.clear()
        for number in range(processes):
            channels, app = _opened(hub, settings, _accept(made, number), chosen)
            if on is None:
                on = stack.enter_context(bridged(hub, *lines, channels=channels))
                made.append(on.bridges)
            else:
                made.append(_beside(on, channels))
                stack.callback(made[-1].close)
            platforms.hubs.append(stack.enter_context(served(*app)))
        assert on is not None
        platforms.wechat.hub = platforms.wecom.hub = platforms.hubs[0]
        if "wecom_bot" in chosen:
            platforms.bot.wait(lambda bot: bot._live)
        yield Everywhere(on, platforms, made[1:])


def _accept(made: list[Bridges], number: int) -> Accept:
    return lambda incoming, done=None: made[number].accept(incoming, done)


def _beside(on: Bridged, channels: list[Channel]) -> Bridges:
    """Another process of the same hub."""
    jobs = BridgeJobs()
    bridges = Bridges(jobs.known_to(on.hub.services), lambda: on.agent, channels, jobs, tick_s=3600.0)
    bridges.start()
    return bridges


def _settings(settings: Settings, platforms: Around) -> Settings:
    settings = dataclasses.replace(
        settings, slack_bot_token=fake_slack.BOT_TOKEN, slack_api_url=platforms.slack.api_url, slack_signing_secret=fake_slack.SECRET
    )
    return bot_settings(wecom_settings(wechat_settings(settings, platforms.wechat), platforms.wecom), platforms.bot)


def _opened(hub: Hub, settings: Settings, accept: Accept, chosen: tuple[str, ...]) -> tuple[list[Channel], list[Any]]:
    """The channels, and the addresses that platforms call."""
    services = dataclasses.replace(hub.services, settings=settings)
    channels: list[Channel] = []
    routers: list[Any] = []

    def slack() -> None:
        opened = open_slack(services, accept)
        channels.append(opened.channel)
        routers.append(opened.routes)

    def wechat() -> None:
        channel = WeChat(settings, Leases(hub.services.db))
        channels.append(channel)
        routers.append(wechat_router(services, channel, accept, patience_s=0.0))

    def wecom() -> None:
        channels.append(WeCom(settings, Leases(hub.services.db)))
        routers.append(wecom_router(settings, accept))

    def wecom_bot() -> None:
        channels.append(WeComBot(settings, Leases(hub.services.db), accept))

    openers: dict[str, Callable[[], None]] = {"slack": slack, "wechat": wechat, "wecom": wecom, "wecom_bot": wecom_bot}
    for name in chosen:
        openers[name]()
    return channels, routers
