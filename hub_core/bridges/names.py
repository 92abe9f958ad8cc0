"""How chat platforms are called, and which of a person's links somebody means."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hub_core.bridges.links import LinkView
from hub_core.errors import AmbiguousChatLink, ChatNotLinked

NAMES = {"slack": "Slack", "wechat": "WeChat", "wecom": "WeCom", "wecom_bot": "WeCom bot"}
# As people say them, in small letters and without what separates words. Who says WeCom means the bot as well.
_SAID: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("slack", "スラック", "슬랙"), ("slack",)),
    **dict.fromkeys(("wechat", "weixin", "微信", "微信公众号", "公众号", "ウィーチャット", "위챗"), ("wechat",)),
    **dict.fromkeys(("wecom", "wework", "wechatwork", "weixinwork", "企业微信", "企微", "위컴", "기업위챗"), ("wecom", "wecom_bot")),
    **dict.fromkeys(("wecombot", "企业微信机器人", "智能机器人", "wecomボット", "위컴봇"), ("wecom_bot",)),
}
HERE = "here"
"""The platform on which it is said."""


def label(link: LinkView) -> str:
    """What a link is called: its platform, and who the person is there."""
    return f"{NAMES.get(link.platform, link.platform)}: {link.name or link.person}"


def meant(links: Sequence[LinkView], said: str, channel: str) -> LinkView:
    """The one of a person's links that they mean: by its number, its platform, its label, or the name that they have there.

    Args:
        channel: where it is said, for `here`.

    Raises:
        ChatNotLinked: none of theirs. AmbiguousChatLink: several; they must say which.
    """
    text = said.strip().casefold()
    number, platforms = text.removeprefix("#"), _SAID.get(re.sub(r"[\s_'-]", "", text), ())
    if text == HERE:
        platforms = (channel,)
    if number.isdecimal():
        found = [link for link in links if str(link.id) == number]
    elif platforms:
        found = [link for link in links if link.platform in platforms]
    else:
        found = [link for link in links if text in (label(link).casefold(), link.name.casefold(), link.person.casefold(), link.platform)]
    if not found:
        raise ChatNotLinked("No such chat account of yours is linked.", hint="See which are linked.", link=said)
    if len(found) > 1:
        labels = [label(link) for link in found]
        choices = labels if len(set(labels)) == len(labels) else [f"#{link.id}" for link in found]
        raise AmbiguousChatLink(f"'{said}' can be {', '.join(choices)}.", hint="Say which one.", link=said, choices=choices)
    return found[0]
