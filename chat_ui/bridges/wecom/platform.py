"""WeCom as two of the hub's platforms: an application, and an intelligent bot. A hub may have both."""

from __future__ import annotations

from collections.abc import Iterator

from websockets.exceptions import InvalidURI, WebSocketException
from websockets.sync.client import connect

from chat_ui.bridges.port import ChannelError, Problem
from chat_ui.bridges.registry import Accept, Opened, Platform
from chat_ui.bridges.tencent.api import Api
from chat_ui.bridges.tencent.callback import address_problem, key_problem, missing
from chat_ui.bridges.wecom.bot import WeComBot
from chat_ui.bridges.wecom.bot_frames import PLATFORM as BOT
from chat_ui.bridges.wecom.channel import PLATFORM, WeCom, fetch_token
from chat_ui.bridges.wecom.connection import OPEN_S
from chat_ui.bridges.wecom.http import PATH, wecom_router
from hub_core.conversations.leases import Leases
from hub_core.services import Services
from hub_core.settings import Settings


def open_application(services: Services, accept: Accept) -> Opened:
    """The channel, and the address that WeCom calls.

    Raises:
        InvalidInput: the `EncodingAESKey` is missing or has a wrong shape.
    """
    return Opened(WeCom(services.settings, Leases(services.db)), wecom_router(services.settings, accept))


def open_bot(services: Services, accept: Accept) -> Opened:
    """The channel; WeCom calls nothing."""
    return Opened(WeComBot(services.settings, Leases(services.db), accept))


def examine_application(settings: Settings) -> Iterator[Problem]:
    """The settings one by one, and whether WeCom gives a token for them."""
    lacking = missing(settings, "wecom_secret", "wecom_agent_id", "wecom_token", "wecom_aes_key")
    yield Problem("WeCom: settings", lacking or key_problem(settings.wecom_aes_key))
    yield Problem("WeCom: address of the hub", address_problem(settings, PATH))
    api = Api(settings.wecom_api_url)
    try:
        fetch_token(api, settings)
    except ChannelError as error:
        yield Problem("WeCom: API", str(error))
    else:
        yield Problem("WeCom: API")
    finally:
        api.close()


def examine_bot(settings: Settings) -> Iterator[Problem]:
    """Whether WeCom answers. Id and secret are not tried: it would end the connection of the hub that runs."""
    yield Problem("WeCom bot: settings", missing(settings, "wecom_bot_secret"))
    try:
        with connect(settings.wecom_bot_url, open_timeout=OPEN_S, close_timeout=1):
            problem = ""
    except (OSError, WebSocketException, InvalidURI) as error:
        problem = f"{settings.wecom_bot_url} does not answer: {type(error).__name__}"
    yield Problem("WeCom bot: connection", problem)


WECOM = Platform(PLATFORM, lambda settings: bool(settings.wecom_corp_id), open_application, examine_application)
WECOM_BOT = Platform(BOT, lambda settings: bool(settings.wecom_bot_id), open_bot, examine_bot)
