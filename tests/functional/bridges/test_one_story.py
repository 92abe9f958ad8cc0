"""The whole hub, with the built-in planner, on every platform at once: one conversation goes on wherever its person is."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from chat_ui.bridges.core import Bridges
from chat_ui.bridges.registry import examine
from chat_ui.bridges.wechat.http import wechat_router
from chat_ui.server import create_app
from hub_core.settings import Settings
from tests.common import fake_slack
from tests.common.fake_aibot import FakeBot, fake_aibot
from tests.common.fake_slack import FakeSlack, deliver, run_slack
from tests.common.fake_wechat import FakeWeChat, fake_wechat
from tests.common.fake_wecom import FakeWeCom, fake_wecom
from tests.common.live import serve
from tests.common.loops import finish
from tests.common.working import wait_until
from tests.functional.bridges.tencent import bot_settings, wechat_settings, wecom_settings

TOKEN = "hub_an-admin-token-for-the-test-0123456789"
PERSON = "oAdmin-0123456789"


@dataclass
class World:
    """The hub, and the platforms around it."""

    url: str
    settings: Settings
    slack: FakeSlack
    wechat: FakeWeChat
    wecom: FakeWeCom
    bot: FakeBot

    def post(self, path: str, /, **body: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}{path}", json=body, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def tool(self, name: str, /, **args: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.post(f"/api/v1/tools/{name}", **args)["result"]
        return found

    def accept(self, text: str) -> None:
        """Open the link that a platform showed, signed in, and confirm it."""
        found = re.search(r"code=([\w-]+)", text)
        assert found, text
        headers = {"authorization": f"Bearer {TOKEN}", "origin": self.url}
        answer = httpx.post(f"{self.url}/bridges/link", data={"code": found[1]}, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text

    async def over_mcp(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        async with (
            httpx.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"}, timeout=60) as http,
            streamable_http_client(f"{self.url}/mcp", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            found: dict[str, Any] | None = (await session.call_tool(name, args)).structuredContent
            assert found is not None
            return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        slack, wechat, wecom, bot = (
            stack.enter_context(run_slack()),
            stack.enter_context(fake_wechat(aes=True, patience_s=30.0)),
            stack.enter_context(fake_wecom(patience_s=30.0)),
            stack.enter_context(fake_aibot()),
        )
        settings = Settings(data_dir=Path(tmp_path_factory.mktemp("hub")), demo=False, admin_token=TOKEN, public_url="http://127.0.0.1")
        settings = dataclasses.replace(
            settings, slack_bot_token=fake_slack.BOT_TOKEN, slack_signing_secret=fake_slack.SECRET, slack_api_url=slack.api_url
        )
        settings = bot_settings(wecom_settings(wechat_settings(settings, wechat), wecom), bot)
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setitem(Bridges.__init__.__kwdefaults__, "announce_s", 0.5)  # type: ignore[arg-type]
        patched.setitem(wechat_router.__kwdefaults__, "patience_s", 30.0)  # type: ignore[arg-type]
        url = stack.enter_context(serve(create_app(settings)))
        wechat.hub = wecom.hub = url
        wait_until(lambda: httpx.get(f"{url}/readyz", timeout=120).status_code == 200, 240)
        made = World(url, settings, slack, wechat, wecom, bot)
        made.tool("create_repo", name="vision", kind="model", visibility="private")
        yield made


@pytest.fixture(scope="module")
def linked(world: World) -> World:
    """The administrator, known on every platform."""
    assert deliver(world.url, world.slack.say("who am I?")).status_code == 200
    wait_until(lambda: world.slack.at("DU1"))
    world.accept(world.slack.at("DU1")[0].words)
    world.accept(world.wechat.say(PERSON, "who am I?") or "")
    world.wecom.say("alice", "who am I?")
    world.accept(world.wecom.wait(lambda wecom: wecom.texts("alice"))[0])
    world.accept(world.bot.answer(world.bot.say("alice", "who am I?")))
    return world


def test_the_hub_serves_the_address_that_slack_checks_and_its_pages(world: World) -> None:
    assert deliver(world.url, {"type": "url_verification", "challenge": "abc", "token": "x"}).json()["challenge"] == "abc"
    assert httpx.get(f"{world.url}/bridges/links").headers["location"] == "/login?next=/bridges/links"


def test_each_platform_answers_the_person_it_knows(linked: World) -> None:
    answer = linked.wechat.say(PERSON, "who am I?")
    assert answer and "admin" in answer
    linked.wecom.say("alice", "who am I?")
    linked.wecom.wait(lambda wecom: any("admin" in text for text in wecom.texts("alice")[2:]))
    assert "admin" in linked.bot.answer(linked.bot.say("alice", "who am I?"))


def test_asked_on_the_web_approved_in_slack_shown_in_wecom_and_over_mcp_and_told_as_one_story(linked: World) -> None:
    asked = linked.post("/api/v1/chat", message="make admin/vision public")
    approval = asked["pending"]["approval_id"]
    wait_until(lambda: linked.slack.cards("DU1") and linked.wecom.cards and linked.bot.cards, 60)
    assert approval in [item["approval_id"] for item in finish(linked.over_mcp("list_approvals", {}))["items"]]
    linked.wechat.wait(lambda sent: any("admin/vision" in item.text and "yes " in item.text for item in sent), 60)

    assert deliver(linked.url, linked.slack.press(linked.slack.cards("DU1")[-1], "hubtalk_approve")).status_code == 200

    card = linked.wecom.cards[-1]
    linked.wecom.wait(lambda _: card.now.get("replace_text") == "Approved and done", 60)
    assert finish(linked.over_mcp("get_approval", {"approval_id": approval}))["status"] == "executed"
    linked.bot.wait(lambda bot: any("Approved and done" in item["markdown"]["content"] for item in bot.pushed if "markdown" in item), 60)
    assert linked.tool("get_repo", repo="admin/vision")["visibility"] == "public"

    events = linked.tool("list_audit_events", limit=50)["items"]
    story = [(item["action"], item["channel"]) for item in reversed(events) if approval in str(item) or item["action"] == "repo.visibility"]
    assert [action for action, _ in story if action.startswith(("approval.request", "approval.approve", "repo.visibility"))] == [
        "approval.request",
        "approval.approve",
        "repo.visibility",
    ]
    assert dict(story)["approval.request"] in ("api", "web") and dict(story)["approval.approve"] == "slack"
    assert {item["actor"] for item in events if approval in str(item)} == {"admin"}


def test_doctor_finds_nothing_wrong_and_says_what_is(linked: World) -> None:
    public = dataclasses.replace(linked.settings, public_url="https://hub.example.com")
    assert {problem.subject: problem.problem for problem in examine(public) if problem.problem} == {}
    wrong = dataclasses.replace(
        public,
        public_url="",
        wechat_app_secret="",
        wechat_aes_key="short",
        wecom_secret="wrong",
        wecom_agent_id=0,
        wecom_bot_url="ws://127.0.0.1:9",
    )
    found = {problem.subject: problem.problem for problem in examine(wrong) if problem.problem}
    assert "HUB_WECHAT_APP_SECRET" in found["WeChat: settings"] and "40125" in found["WeChat: API"]
    assert "HUB_WECOM_AGENT_ID" in found["WeCom: settings"] and "40001" in found["WeCom: API"]
    assert "HUB_PUBLIC_URL" in found["WeChat: address of the hub"] and "does not answer" in found["WeCom bot: connection"]
