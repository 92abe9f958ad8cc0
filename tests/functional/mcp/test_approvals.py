"""What needs a person's approval is never done over MCP: it waits, tells where it is decided, and what became of it."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import sqlalchemy as sa

from hub_core.audit import AuditEvent
from hub_core.authz import Scope
from tests.common.loops import finish
from tests.functional.agent.conftest import call
from tests.functional.mcp.conftest import McpHub, content, error
from tools.contract import Effect
from tools.registry import default_registry

PUBLISH = {"repo": "vision", "visibility": "public"}


def ask(hub: McpHub, times: int = 1) -> list[dict[str, Any]]:
    async def play() -> list[Any]:
        async with hub.client(hub.token()) as session:
            return [await session.call_tool("set_visibility", PUBLISH) for _ in range(times)]

    return [content(result) for result in finish(play())]


def look(hub: McpHub, approval_id: str, **arguments: Any) -> Any:
    async def play() -> Any:
        async with hub.client(hub.token(name=f"look-{arguments}-{approval_id[:4]}-{uuid.uuid4().hex[:12]}")) as session:
            return await session.call_tool("get_approval", {"approval_id": approval_id, **arguments})

    return finish(play())


def test_a_gated_call_waits_and_says_where_it_is_decided(hub: McpHub) -> None:
    async def play() -> tuple[Any, Any]:
        async with hub.client(hub.token()) as session:
            return await session.call_tool("set_visibility", PUBLISH), await session.call_tool("list_approvals", {})

    result, waiting = finish(play())
    asked = content(result)
    assert asked["status"] == "pending_approval"
    assert asked["tool"] == "set_visibility"
    assert asked["args"]["repo"] == "acme/vision"
    assert asked["changes"] == [{"what": "visibility", "before": "private", "after": "public"}]
    assert "acme/vision" in asked["summary"]
    assert asked["approve_url"] == f"{hub.url}/approvals/{asked['approval_id']}"
    assert asked["approve_url"] in result.content[0].text
    assert "Nothing has changed" in result.content[0].text
    assert [item["approval_id"] for item in content(waiting)["items"]] == [asked["approval_id"]]
    assert hub.hub.visibility("acme/vision") == "private"


def test_asking_twice_in_a_session_asks_once(hub: McpHub) -> None:
    first, again = ask(hub, 2)
    assert first["approval_id"] == again["approval_id"]


def test_an_approval_decided_elsewhere_is_told_with_its_result(hub: McpHub) -> None:
    (asked,) = ask(hub)
    assert content(look(hub, asked["approval_id"]))["status"] == "pending"
    with hub.hub.agent() as agent:
        thread = hub.services.approvals.get(hub.hub.alice, asked["approval_id"]).thread_id
        agent.decide(hub.hub.alice, str(thread), asked["approval_id"], "approve")
    told = content(look(hub, asked["approval_id"], wait_s=30))
    assert told["status"] == "executed"
    assert told["result"]["visibility"] == "public"
    assert hub.hub.visibility("acme/vision") == "public"
    with hub.services.db.read() as session:
        story = session.execute(sa.select(AuditEvent.action, AuditEvent.channel).where(AuditEvent.action.like("approval%"))).all()
    assert [tuple(row) for row in story] == [("approval.request", "mcp"), ("approval.approve", "chat"), ("approval.execute", "chat")]


def test_a_refused_one_is_told_so(hub: McpHub) -> None:
    (asked,) = ask(hub)
    hub.services.approvals.decide(hub.hub.alice, asked["approval_id"], "reject")
    told = content(look(hub, asked["approval_id"]))
    assert (told["status"], told["result"]) == ("rejected", None)


def test_waiting_for_the_person_ends_when_they_answer(hub: McpHub) -> None:
    (asked,) = ask(hub)

    async def play() -> tuple[Any, list[float]]:
        progress: list[float] = []

        async def tell(seconds: float, _total: float | None, _message: str | None) -> None:
            if not progress:
                await asyncio.to_thread(hub.services.approvals.decide, hub.hub.alice, asked["approval_id"], "reject")
            progress.append(seconds)

        async with hub.client(hub.token(name="waits")) as session:
            arguments = {"approval_id": asked["approval_id"], "wait_s": 30}
            return await session.call_tool("get_approval", arguments, progress_callback=tell), progress

    result, progress = finish(play())
    assert content(result)["status"] == "rejected"
    assert progress == sorted(progress)


def test_nobody_else_sees_an_approval(hub: McpHub) -> None:
    (asked,) = ask(hub)

    async def play() -> list[Any]:
        async with hub.client(hub.token(hub.hub.bob)) as session:
            listed = await session.call_tool("list_approvals", {})
            return [listed, *[await session.call_tool("get_approval", {"approval_id": one}) for one in (asked["approval_id"], "nothing")]]

    listed, other, nothing = finish(play())
    assert content(listed)["items"] == []
    assert error(other) == error(nothing)


def test_no_tool_settles_an_approval(hub: McpHub) -> None:
    """The requester's own client, of which nobody knows who drives it, must not be the person who agrees."""
    (asked,) = ask(hub)

    async def play() -> list[Any]:
        async with hub.client(hub.token(name="tries")) as session:
            tools = [tool.name for tool in (await session.list_tools()).tools]
            tries = [name for name in tools if "approv" in name or "decide" in name]
            return [await session.call_tool(name, {"approval_id": asked["approval_id"], "decision": "approve"}) for name in tries]

    assert all(result.isError for result in finish(play()) if "items" not in (result.structuredContent or {}))
    assert hub.services.approvals.get(hub.hub.alice, asked["approval_id"]).status == "pending"
    assert hub.hub.visibility("acme/vision") == "private"


def test_every_gated_tool_says_that_it_waits() -> None:
    from tools.mcp.definitions import definition

    for tool in default_registry():
        waits = "anyOf" in (definition(tool).outputSchema or {})
        assert waits is (tool.effect in (Effect.DESTRUCTIVE, Effect.SPEND)), tool.name


def test_the_link_leads_its_owner_to_the_conversation_and_nobody_else(hub: McpHub) -> None:
    (asked,) = ask(hub)
    nobody = httpx.get(asked["approve_url"])
    assert (nobody.status_code, nobody.headers["location"]) == (303, f"/login?next=/approvals/{asked['approval_id']}")
    own = httpx.get(asked["approve_url"], headers={"authorization": f"Bearer {hub.token(name='own')}"})
    thread = hub.services.approvals.get(hub.hub.alice, asked["approval_id"]).thread_id
    assert (own.status_code, own.headers["location"]) == (303, f"/chat/thread/{thread}")
    assert hub.services.conversations.get_thread(hub.hub.alice, str(thread)).title == "MCP"
    bob = {"authorization": f"Bearer {hub.token(hub.hub.bob, Scope.READ)}"}
    others = [httpx.get(url, headers=bob) for url in (asked["approve_url"], f"{hub.url}/approvals/nothing")]
    assert {answer.status_code for answer in others} == {404}
    assert others[0].text == others[1].text
    assert hub.services.approvals.get(hub.hub.alice, asked["approval_id"]).status == "pending"


def test_the_conversation_shows_what_waits_and_takes_the_answer(hub: McpHub) -> None:
    from chat_ui.history import read_thread

    (asked,) = ask(hub)
    thread = str(hub.services.approvals.get(hub.hub.alice, asked["approval_id"]).thread_id)
    shown = read_thread(hub.services, hub.hub.alice, thread)
    assert asked["approval_id"] in str(shown["elements"])
    with hub.hub.talk(call("whoami")) as talk:
        talk.thread = thread
        assert talk.say("yes").outcome == "done"
    assert hub.hub.visibility("acme/vision") == "public"
