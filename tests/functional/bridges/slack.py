"""A hub on a fake Slack, over HTTP or over a socket."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from chat_ui.bridges.link_page import link_router
from chat_ui.bridges.slack.platform import open_slack
from hub_core.authz import Actor
from hub_core.http.errors import add_error_handlers
from hub_core.http.middleware import RequestMiddleware
from tests.common.fake_slack import APP_TOKEN, BOT_TOKEN, SECRET, TEAM, FakeSlack, deliver, run_slack
from tests.common.live import serve
from tests.common.working import wait_until
from tests.functional.agent.conftest import Hub
from tests.functional.bridges.conftest import Bridged, bridged


@dataclass
class SlackHub:
    """The hub of the agent's tests on Slack. `hear` delivers what people do there, and waits until it is over."""

    on: Bridged
    slack: FakeSlack
    url: str

    def link(self, person: str = "U1", actor: Actor | None = None) -> None:
        self.on.link(person, actor, platform="slack", workspace=TEAM)

    def deliver(self, payload: dict[str, Any], **signing: Any) -> httpx.Response:
        return deliver(self.url, payload, **signing)

    def hear(self, *payloads: dict[str, Any]) -> None:
        for payload in payloads:
            assert self.deliver(payload).status_code == 200
        self.on.settle()


@contextmanager
def slack_hub(hub: Hub, *lines: Any, socket: bool = False, **options: Any) -> Iterator[SlackHub]:
    with run_slack() as slack:
        settings = dataclasses.replace(
            hub.services.settings, slack_bot_token=BOT_TOKEN, slack_api_url=slack.api_url, slack_app_token=APP_TOKEN if socket else "",
            slack_signing_secret="" if socket else SECRET,
        )  # fmt: skip
        made: list[Bridged] = []
        services = dataclasses.replace(hub.services, settings=settings)
        opened = open_slack(services, lambda incoming, done=None: made[0].bridges.accept(incoming, done))
        app = FastAPI()
        if opened.routes is not None:
            app.include_router(opened.routes)
        app.include_router(link_router(hub.services))
        app.add_middleware(RequestMiddleware)
        add_error_handlers(app)
        with bridged(hub, *lines, channels=[opened.channel], **options) as on, serve(app) as url:
            made.append(on)
            if socket:
                wait_until(lambda: bool(slack.sockets))
            yield SlackHub(on, slack, url)
