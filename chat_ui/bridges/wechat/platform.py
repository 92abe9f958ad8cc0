"""WeChat as one of the hub's platforms."""

from __future__ import annotations

from collections.abc import Iterator

from chat_ui.bridges.port import ChannelError, Problem
from chat_ui.bridges.registry import Accept, Opened, Platform
from chat_ui.bridges.tencent.api import Api
from chat_ui.bridges.tencent.callback import address_problem, key_problem, missing
from chat_ui.bridges.wechat.channel import PLATFORM, WeChat, fetch_token
from chat_ui.bridges.wechat.http import PATH, wechat_router
from hub_core.conversations.leases import Leases
from hub_core.services import Services
from hub_core.settings import Settings


def configured(settings: Settings) -> bool:
    """Whether there is an account."""
    return bool(settings.wechat_app_id)


def open_platform(services: Services, accept: Accept) -> Opened:
    """The channel, and the address that WeChat calls.

    Raises:
        InvalidInput: the `EncodingAESKey` has a wrong shape.
    """
    channel = WeChat(services.settings, Leases(services.db))
    return Opened(channel, wechat_router(services, channel, accept))


def examine(settings: Settings) -> Iterator[Problem]:
    """The settings one by one, and whether WeChat gives a token for them."""
    yield Problem("WeChat: settings", missing(settings, "wechat_app_secret", "wechat_token") or key_problem(settings.wechat_aes_key))
    yield Problem("WeChat: address of the hub", address_problem(settings, PATH))
    api = Api(settings.wechat_api_url)
    try:
        fetch_token(api, settings, False)
    except ChannelError as error:
        yield Problem("WeChat: API", str(error))
    else:
        yield Problem("WeChat: API")
    finally:
        api.close()


WECHAT = Platform(PLATFORM, configured, open_platform, examine)
