"""A hub on every chat platform at once, and people who write to it on any of them in the same way."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
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
from tests.common import fake_aibot, fake_slack, fake_wechat, fake_wecom
from tests.common.fake_aibot import FakeBot
from tests.common.fake_slack import FakeSlack, deliver
from tests.common.fake_wechat import FakeWeChat
from tests.common.fake_wecom import FakeWeCom
from tests.common.working import wait_until
from tests.functional.agent.conftest import Hub
from tests.functional.bridges.conftest import Bridged, bridged
from tests.functional.bridges.tencent import bot_settings, served, wechat_settings, wecom_settings

PLATFORMS = ("slack", "wechat", "wecom", "wecom_bot")
TENCENT = PLATFORMS[1:]
WORKSPACES = {"slack": fake_slack.TEAM, "wechat": fake_wechat.APP, "wecom": fake_wecom.CORP, "wecom_bot": fake_aibot.BOT}


@dataclass
class Around:
    """The platforms, whether or not a hub is there. `hubs` are the addresses of its processes."""

    slack: FakeSlack
    wechat: FakeWeChat
    wecom: FakeWeCom
    bot: FakeBot
    hubs: list[str] = field(default_factory=list)

    def tell(self, platform: str, person: str, text: str, number: str, at: int = 0) -> None:
        """Deliver a message once, to one of the hub's processes; the same `number` is the same message."""
        if platform == "slack":
            event = self.slack.say(text, person, ts=f"1790000000.{int(number):06d}", event_id=f"Ev{number}")
            assert deliver(self.hubs[at], event).status_code == 200
        elif platform == "wecom_bot":
            self.bot.say(person, text, message_id=f"msg-{number}")
        else:
            fake = self.wechat if platform == "wechat" else self.wecom
            xml = fake.xml(person, {"MsgType": "text", "Content": text, "MsgId": number})
            assert fake.post(xml, hub=self.hubs[at]).status_code == 200

    def texts(self, platform: str, person: str) -> list[str]:
        """Every text that a person was shown on a platform, cards left out."""
        if platform == "slack":
            return [item.words for item in self.slack.at(f"D{person}") if item not in self.slack.cards()]
        if platform != "wecom_bot":
            return (self.wechat if platform == "wechat" else self.wecom).texts(person)
        streams = [item["content"] for stream in self.bot.streams.values() for item in stream if item["finish"]]
        return streams + [item["markdown"]["content"] for item in self.bot.pushed if "markdown" in item and item["chatid"] == person]

    def asks(self, platform: str, person: str) -> bool:
        """Whether a person is shown an approval."""
        if platform == "wechat":
            return any("yes " in text for text in self.wechat.texts(person))
        return bool({"slack": self.slack.cards(), "wecom": self.wecom.cards, "wecom_bot": self.bot.cards}[platform])

    def approve(self, platform: str, person: str) -> None:
        """Answer the last approval with yes, as the platform lets one."""
        if platform == "slack":
            assert deliver(self.hubs[0], self.slack.press(self.slack.cards()[-1], "hubtalk_approve", person)).status_code == 200
        elif platform == "wecom":
            self.wecom.click(person, self.wecom.cards[-1], 0)
        elif platform == "wecom_bot":
            self.bot.click(person, self.bot.cards[-1], 0)
        else:
            asked = next(text for text in reversed(self.wechat.texts(person)) if "yes " in text)
            found = re.search(r"yes (\d{4})", asked)
            assert found, asked
            self.wechat.say(person, f"yes {found[1]}")

    def break_down(self, platform: str, *, down: bool = True) -> None:
        """Take a platform away, or give it back."""
        if platform == "wecom_bot":
            self.bot.down = down
            self.bot.cut()
        else:
            {"slack": self.slack, "wechat": self.wechat, "wecom": self.wecom}[platform].down = down  # type: ignore[attr-defined]


@contextmanager
def around(members: set[str] | None = None) -> Iterator[Around]:
    """The platforms."""
    with ExitStack() as stack:
        yield Around(
            stack.enter_context(fake_slack.run_slack()),
            stack.enter_context(fake_wechat.fake_wechat(aes=True, patience_s=60.0)),
            stack.enter_context(fake_wecom.fake_wecom(patience_s=60.0, **({"members": members} if members else {}))),
            stack.enter_context(fake_aibot.fake_aibot()),
        )


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
