"""Where Slack's events come in: signed requests, or a socket that the hub opens. They are kept before Slack is told that they arrived."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import APIRouter, Request, Response
from slack_bolt import App, BoltResponse
from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler
from slack_bolt.adapter.starlette.handler import to_bolt_request, to_starlette_response
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from starlette.concurrency import run_in_threadpool

from chat_ui.bridges.desk import drawing
from chat_ui.bridges.port import ChannelError, Incoming
from chat_ui.bridges.registry import Accept
from chat_ui.bridges.slack import PLATFORM
from chat_ui.bridges.slack.blocks import APPROVE, CHOICE, REJECT, home_view
from chat_ui.bridges.slack.channel import TIMEOUT_S, SlackChannel
from chat_ui.bridges.slack.reading import read_action, read_command, read_message
from chat_ui.texts import language_of
from hub_core.bridges.cards import CardView
from hub_core.bridges.links import Person
from hub_core.errors import HubError, Unavailable
from hub_core.services import Services
from prompts import message

log = logging.getLogger(__name__)
EVENTS = "/bridges/slack/events"
COMMAND = "/hubtalk"
RETRY_S = (1, 5, 15, 60)


class Listener:
    """Takes in what Slack tells. Signatures (five minutes old at most) are checked by Bolt, before anything is read."""

    def __init__(self, services: Services, channel: SlackChannel, accept: Accept, signing_secret: str, app_token: str) -> None:
        self._services = services
        self._channel = channel
        self._accept = accept
        self._signed = bool(signing_secret)
        # Bolt's loggers would write whole payloads at DEBUG.
        quiet = logging.getLogger("hubtalk.slack")
        quiet.setLevel(logging.ERROR)
        self._app = App(
            client=channel.client, authorize=_authorizing(channel.client.token or ""), signing_secret=signing_secret or "unused-without-http",
            process_before_response=True, logger=quiet,
        )  # fmt: skip
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="slack-home")
        self._stop = threading.Event()
        self._socket: SocketModeHandler | None = None
        self._app_token = app_token
        self._register()

    def start(self) -> None:
        """Open the socket, where one is used; a Slack that cannot be reached now is tried again."""
        if self._app_token:
            threading.Thread(target=self._connect, name="slack-socket", daemon=True).start()

    def close(self) -> None:
        """Close the socket."""
        self._stop.set()
        if self._socket is not None:
            self._socket.close()  # type: ignore[no-untyped-call]
        self._aside.shutdown(wait=False, cancel_futures=True)

    def routes(self) -> APIRouter | None:
        """The one address for events, commands and buttons; None without a signing secret."""
        if not self._signed:
            return None
        router = APIRouter(include_in_schema=False)

        @router.post(EVENTS)
        async def events(request: Request) -> Response:
            body = await request.body()
            try:
                bolt = to_bolt_request(request, body)
            except UnicodeDecodeError:
                return Response(status_code=400)
            return to_starlette_response(await run_in_threadpool(self._app.dispatch, bolt))

        return router

    def _register(self) -> None:
        app = self._app

        @app.event("app_mention")
        def mentioned(body: dict[str, Any], event: dict[str, Any]) -> None:
            self._take(read_message(body, event, self._bot(body)))

        @app.event("message")
        def said(body: dict[str, Any], event: dict[str, Any]) -> None:
            if event.get("channel_type") == "im":
                self._take(read_message(body, event, self._bot(body)))

        @app.command(COMMAND)
        def commanded(ack: Any, command: dict[str, Any]) -> None:
            self._take(read_command(command, ""))
            ack()

        for action in (APPROVE, REJECT):
            app.action(action)(self._pressed)
        app.action(re.compile(f"{CHOICE}_\\d+"))(self._pressed)

        @app.event("app_home_opened")
        def home(body: dict[str, Any], event: dict[str, Any]) -> None:
            if event.get("tab", "home") == "home":
                self._aside.submit(self._show_home, str(body.get("team_id") or ""), str(event["user"]))

        app.error(_failed)

    def _bot(self, body: dict[str, Any]) -> str:
        """The bot's user id, as the event tells it."""
        told = next((item for item in body.get("authorizations") or [] if item.get("is_bot")), None)
        return str(told["user_id"]) if told else self._channel.bot_user

    def _pressed(self, ack: Any, body: dict[str, Any], action: dict[str, Any]) -> None:
        at_home = (body.get("container") or {}).get("type") == "view"
        team = str((body.get("team") or {}).get("id") or "")
        private = self._channel.direct(team, str(body["user"]["id"])) if at_home else None
        self._take(read_action(body, action, private))
        ack()

    def _take(self, incoming: Incoming | None) -> None:
        if incoming is not None:
            self._accept(incoming)

    def _show_home(self, team: str, person: str) -> None:
        """What waits for this person. Nothing is lost where it fails: it is drawn anew whenever it is opened."""
        try:
            link = self._services.bridges.link_of(Person(PLATFORM, team, person))
            language = language_of(link.language if link else self._channel.name_of(person)[1])
            if link is None:
                self._channel.publish_home(person, home_view(message(language, "bridge.home_unlinked"), []))
                return
            actor = self._services.bridges.person_of(link, PLATFORM)
            waiting = self._services.approvals.pending(actor)
            cards = [
                drawing(
                    self._services,
                    CardView(
                        id=0, approval_id=item.id, platform=PLATFORM, workspace=team, person=person, user_id=item.requester_id, target={},
                        message="", language=language, code="", shown="", tool=item.tool, args=item.args, plan=item.plan,
                        effect=item.effect, status=item.status, expires_at=item.expires_at,
                    ),
                )
                for item in waiting
            ]  # fmt: skip
            key = "bridge.home" if cards else "bridge.home_empty"
            self._channel.publish_home(person, home_view(message(language, key), cards))
        except (ChannelError, HubError) as error:
            log.info("the home page on Slack could not be shown: %s", error)

    def _connect(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            client = WebClient(base_url=self._channel.client.base_url, timeout=TIMEOUT_S)
            self._socket = SocketModeHandler(self._app, self._app_token, web_client=client, concurrency=4)
            try:
                self._socket.connect()  # type: ignore[no-untyped-call]
                return  # from here on the SDK reconnects by itself
            except (SlackClientError, OSError, ValueError) as error:
                log.warning("Slack's socket cannot be opened yet: %s", type(error).__name__)
                self._socket.close()  # type: ignore[no-untyped-call]
                self._stop.wait(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1


def _authorizing(token: str) -> Callable[..., AuthorizeResult]:
    """One workspace, one token. Bolt's own way asks Slack first, and drops the event when Slack does not answer."""

    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token)

    return authorize


def _failed(error: Exception) -> Any:
    """Slack is told that it shall send the event again; its content stays out of the log."""
    if not isinstance(error, Unavailable | ChannelError):
        log.error("an event of Slack could not be taken in: %s", type(error).__name__, exc_info=error)
    return BoltResponse(status=503, body="")
