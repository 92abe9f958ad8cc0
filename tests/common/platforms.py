"""Every chat platform as a fake on loopback, and people who write on any of them in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from tests.common import fake_aibot, fake_slack, fake_wechat, fake_wecom
from tests.common.fake_aibot import FakeBot
from tests.common.fake_slack import FakeSlack, deliver
from tests.common.fake_wechat import FakeWeChat
from tests.common.fake_wecom import FakeWeCom

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
