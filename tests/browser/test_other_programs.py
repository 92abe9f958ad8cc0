"""What other programs ask for, a person decides on the page: over MCP and over the OpenAI API, on a hub as people run it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from playwright.sync_api import Page, expect

from tests.browser.chat import Chat
from tests.common.hub_process import TOKEN, HubProcess

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("browser")]  # one worker starts the hubs and the browser


def over_mcp(hub: HubProcess, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool with the official client; in a thread, as Playwright keeps this one's event loop."""

    async def play() -> Any:
        async with (
            httpx.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"}, timeout=60) as http,
            streamable_http_client(f"{hub.url}/mcp", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await session.call_tool(tool, arguments)

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(asyncio.run, play()).result()
    assert not result.isError, result.content
    found: dict[str, Any] = result.structuredContent
    return found


def test_an_act_asked_over_mcp_is_approved_by_its_link(hub: HubProcess, open_page: Callable[..., Page]) -> None:
    over_mcp(hub, "create_repo", name="admin/by-mcp", kind="model")
    asked = over_mcp(hub, "delete_repo", repo="admin/by-mcp")
    assert asked["status"] == "pending_approval"
    chat = Chat(open_page(), "")
    chat.sign_in("admin", hub.password, asked["approve_url"])
    card = chat.approvals.last
    expect(card).to_contain_text("admin/by-mcp")
    assert hub.tool("get_repo", repo="admin/by-mcp")["id"] == "admin/by-mcp"
    card.get_by_test_id("approve").click()
    expect(chat.approvals.last).to_have_attribute("data-status", "executed")
    assert over_mcp(hub, "get_approval", approval_id=asked["approval_id"], wait_s=10)["status"] == "executed"
    assert hub.request("POST", "/api/v1/tools/get_repo", json={"repo": "admin/by-mcp"}).status_code == 404


def test_an_act_asked_by_an_openai_client_is_approved_by_its_link(hub: HubProcess, open_page: Callable[..., Page]) -> None:
    over_mcp(hub, "create_repo", name="admin/by-openai", kind="model")
    with openai.OpenAI(base_url=f"{hub.url}/v1", api_key=TOKEN, max_retries=0) as client:
        asked: Any = {"model": "hubtalk", "messages": [{"role": "user", "content": "delete admin/by-openai"}]}
        pieces = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**asked, stream=True)]
    text = "".join(pieces)
    link = next(word for word in text.split() if "/approvals/" in word)
    chat = Chat(open_page(), "")
    chat.sign_in("admin", hub.password, link)
    chat.approvals.last.get_by_test_id("reject").click()
    expect(chat.approvals.last).to_have_attribute("data-status", "rejected")
    assert hub.tool("get_repo", repo="admin/by-openai")["id"] == "admin/by-openai"
