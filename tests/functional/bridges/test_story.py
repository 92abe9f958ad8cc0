"""One approval, asked in one place and answered in another: it is resolved everywhere, and the audit trail tells it as one story."""

from __future__ import annotations

from typing import Any

import httpx
import sqlalchemy as sa
from fastapi import FastAPI

from chat_ui.api import chat_router
from chat_ui.mcp_local import summary
from hub_core.audit import AuditEvent
from hub_core.authz import Scope
from hub_core.http.errors import add_error_handlers
from tests.common.live import serve
from tests.common.loops import finish
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.slack import SlackHub, slack_hub
from tests.functional.mcp.conftest import McpHub, content
from tools.mcp.http import mcp_routes

PUBLISH = call("set_visibility", repo="acme/vision", visibility="public")


def site(on: SlackHub) -> FastAPI:
    """The chat API and MCP of the same hub."""
    app = FastAPI()
    app.router.routes.extend(mcp_routes(on.on.hub.services, summary))
    app.include_router(chat_router(on.on.hub.services, lambda: on.on.agent))
    add_error_handlers(app)
    return app


def test_asked_on_the_web_approved_in_slack_resolved_on_the_web_and_over_mcp(hub: Hub) -> None:
    token = hub.services.tokens.create(hub.alice, "web", Scope.ADMIN).token
    with slack_hub(hub, PUBLISH) as on, serve(site(on)) as url:
        on.link()
        web = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60)
        asked = web.post("/api/v1/chat", json={"message": "make acme/vision public"}).json()
        approval = asked["pending"]["approval_id"]
        assert [item["approval_id"] for item in web.get(f"/api/v1/chat/{asked['thread_id']}").json()["pending"]] == [approval]

        on.on.round()
        (card,) = on.slack.cards("DU1")
        on.hear(on.slack.press(card, "hubtalk_approve"))

        assert hub.visibility("acme/vision") == "public"
        assert on.slack.cards("DU1")[0].buttons == []
        on_web = web.get(f"/api/v1/chat/{asked['thread_id']}").json()
        assert on_web["pending"] == []
        assert on_web["messages"][-1]["answer"]["steps"][0]["status"] == "ok"
        over_mcp = finish(_look(McpHub(hub, url), token, approval))
        assert (over_mcp["status"], over_mcp["result"]["visibility"]) == ("executed", "public")
        assert _story(hub, approval) == [
            ("approval.request", "alice", "api", ""),
            ("approval.approve", "alice", "slack", ""),
            ("repo.visibility", "alice", "slack", ""),
            ("approval.execute", "alice", "slack", "destructive"),
        ]


def test_asked_in_slack_approved_on_the_web_is_shown_in_slack(hub: Hub) -> None:
    token = hub.services.tokens.create(hub.alice, "web", Scope.ADMIN).token
    with slack_hub(hub, PUBLISH) as on, serve(site(on)) as url:
        on.link()
        on.hear(on.slack.say("make acme/vision public"))
        (waiting,) = hub.services.approvals.pending(hub.alice)
        path = f"/api/v1/chat/{waiting.thread_id}/approvals/{waiting.id}"
        answer = httpx.post(f"{url}{path}", json={"decision": "approve"}, headers={"authorization": f"Bearer {token}"}, timeout=60)
        assert answer.json()["outcome"] == "done"
        on.on.round()
        (card,) = on.slack.cards("DU1")
        assert card.buttons == []
        assert "Approved and done" in card.words


def test_a_yes_in_words_settles_the_card(hub: Hub) -> None:
    with slack_hub(hub, PUBLISH) as on:
        on.link()
        on.hear(on.slack.say("make acme/vision public"))
        on.hear(on.slack.say("yes"))
        assert hub.visibility("acme/vision") == "public"
        assert on.slack.cards("DU1")[0].buttons == []


def test_the_hub_is_restarted_between_question_and_approval(hub: Hub) -> None:
    with slack_hub(hub, PUBLISH) as before:
        before.link()
        before.hear(before.slack.say("make acme/vision public"))
        approval = hub.services.approvals.pending(hub.alice)[0].id
        payload = before.slack.press(before.slack.cards()[0], "hubtalk_approve")
    with hub.restarted() as again, slack_hub(again) as on:
        on.hear(payload)
        assert again.services.approvals.get(hub.alice, approval).status == "executed"
        assert again.visibility("acme/vision") == "public"


def test_an_account_that_was_disabled_meanwhile_approves_nothing(hub: Hub) -> None:
    from hub_core.accounts.tables import User

    with slack_hub(hub, PUBLISH) as on:
        on.link()
        on.hear(on.slack.say("make acme/vision public"))
        with hub.services.db.write() as session:
            session.execute(sa.update(User).where(User.username == "alice").values(status="disabled"))
        on.hear(on.slack.press(on.slack.cards()[0], "hubtalk_approve"))
        assert "cannot be used any more" in on.slack.at("DU1")[-1].words
        assert hub.services.approvals.pending(hub.alice)[0].status == "pending"


def test_rights_that_were_lost_meanwhile_count(hub: Hub) -> None:
    from hub_core.accounts.tables import Membership

    with slack_hub(hub, PUBLISH) as on:
        on.link()
        on.hear(on.slack.say("make acme/vision public"))
        approval = hub.services.approvals.pending(hub.alice)[0].id
        with hub.services.db.write() as session:
            session.execute(sa.delete(Membership).where(Membership.user_id == hub.alice_row.id))
        on.hear(on.slack.press(on.slack.cards()[0], "hubtalk_approve"))
        assert hub.services.approvals.get(hub.alice, approval).status == "failed"
        assert "failed" in on.slack.cards()[0].words


async def _look(mcp: McpHub, token: str, approval: str) -> dict[str, Any]:
    async with mcp.client(token) as session:
        return content(await session.call_tool("get_approval", {"approval_id": approval}))


def _story(hub: Hub, approval: str) -> list[tuple[str, str, str, str]]:
    """Everything that the trail says of an approval and of what it changed."""
    with hub.services.db.read() as session:
        rows = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)).all()
    mine = [row for row in rows if row.details.get("approval") == approval or row.action == "repo.visibility"]
    return [(row.action, row.actor, row.channel, str(row.details.get("effect", ""))) for row in mine]
