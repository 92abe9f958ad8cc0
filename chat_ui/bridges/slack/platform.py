"""Slack as one of the platforms: its settings, how it is opened, and what `hubtalk doctor` checks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slack_sdk import WebClient

from chat_ui.bridges.port import ChannelError, Problem
from chat_ui.bridges.registry import Accept, Opened, Platform
from chat_ui.bridges.slack import PLATFORM
from chat_ui.bridges.slack.channel import TIMEOUT_S, SlackChannel, call
from hub_core.errors import InvalidInput
from hub_core.services import Services
from hub_core.settings import Settings

SCOPES = (
    "app_mentions:read", "chat:write", "commands", "files:read", "files:write", "im:history", "im:read", "im:write", "users:read",
)  # fmt: skip


def is_configured(settings: Settings) -> bool:
    """Whether any of Slack's secrets is set."""
    return bool(settings.slack_bot_token or settings.slack_app_token or settings.slack_signing_secret)


def open_slack(services: Services, accept: Accept) -> Opened:
    """The channel, listening by socket where there is an app token, by HTTP where there is a signing secret.

    Raises:
        InvalidInput: a setting is missing.
    """
    from chat_ui.bridges.slack.listening import Listener

    settings = services.settings
    if not settings.slack_bot_token or not (settings.slack_signing_secret or settings.slack_app_token):
        raise InvalidInput(
            "Slack needs HUB_SLACK_BOT_TOKEN, and HUB_SLACK_APP_TOKEN (socket mode) or HUB_SLACK_SIGNING_SECRET (HTTP).",
            hint="See docs/bridges/slack.md; hubtalk doctor checks them.",
        )
    channel = SlackChannel(settings.slack_bot_token, settings.slack_api_url)
    listener = Listener(services, channel, accept, settings.slack_signing_secret, settings.slack_app_token)
    channel.begin, channel.end = listener.start, listener.close
    return Opened(channel, listener.routes())


def examine(settings: Settings) -> Iterator[Problem]:
    """Check the settings, and ask Slack whether the tokens are good and may do what is needed."""
    yield _bot(settings)
    if settings.slack_app_token:
        yield _socket(settings)
    if settings.slack_signing_secret or not settings.slack_app_token:
        yield _signing(settings)
        secure = settings.public_url.startswith("https://")
        yield Problem("Slack events", "" if secure else "Slack calls https addresses only: set HUB_PUBLIC_URL, or use socket mode")
    elif not settings.public_url:
        yield Problem("Slack links", "HUB_PUBLIC_URL is not set: the links that people get lead to the address that the hub listens on")


def _bot(settings: Settings) -> Problem:
    token = settings.slack_bot_token
    if not token.startswith("xoxb-"):
        return Problem("Slack bot token", "HUB_SLACK_BOT_TOKEN is missing, or is not a bot token (xoxb-…)")
    client = WebClient(token=token, base_url=f"{settings.slack_api_url.rstrip('/')}/", timeout=TIMEOUT_S)
    try:
        answer = call(client.auth_test)
    except ChannelError as error:
        return Problem("Slack bot token", f"auth.test: {error}")
    granted = {name.lower(): value for name, value in (answer.headers or {}).items()}.get("x-oauth-scopes")
    given = set(re.split(r"[,\s]+", granted[0] if isinstance(granted, list) else granted)) if granted else set(SCOPES)
    missing = ", ".join(scope for scope in SCOPES if scope not in given)
    return Problem(f"Slack bot token of {answer['user']} in {answer['team']}", f"scopes are missing: {missing}" if missing else "")


def _socket(settings: Settings) -> Problem:
    if not settings.slack_app_token.startswith("xapp-"):
        return Problem("Slack app token", "HUB_SLACK_APP_TOKEN is not an app-level token (xapp-…)")
    client = WebClient(base_url=f"{settings.slack_api_url.rstrip('/')}/", timeout=TIMEOUT_S)
    try:
        call(lambda: client.apps_connections_open(app_token=settings.slack_app_token))
    except ChannelError as error:
        return Problem("Slack app token", f"apps.connections.open: {error}; is socket mode on, with the scope connections:write?")
    return Problem("Slack app token")


def _signing(settings: Settings) -> Problem:
    good = re.fullmatch(r"[0-9a-f]{32}", settings.slack_signing_secret) is not None
    return Problem(
        "Slack signing secret", "" if good else "HUB_SLACK_SIGNING_SECRET has 32 hexadecimal digits: see Basic Information of the app"
    )


SLACK = Platform(PLATFORM, is_configured, open_slack, examine)
