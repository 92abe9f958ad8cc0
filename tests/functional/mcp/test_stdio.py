"""`hubtalk mcp` as a client starts it: on this machine's hub, and passing on to one elsewhere."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import METHOD_NOT_FOUND

from tests.common.loops import finish
from tests.functional.mcp.conftest import McpHub, asked_for, content, error

START = "import sys; from chat_ui.cli import main; sys.argv = ['hubtalk', 'mcp', *sys.argv[1:]]; main()"


@asynccontextmanager
async def started(folder: Path, *options: str, **environment: str) -> AsyncIterator[ClientSession]:
    own = {"HUB_DATA_DIR": str(folder), "HUB_DEMO": "1", "HUB_ADMIN_PASSWORD": "a-password-for-tests", **environment}
    server = StdioServerParameters(command=sys.executable, args=["-c", START, *options], env=own)
    with (folder / "errors.txt").open("w") as errors:
        async with stdio_client(server, errlog=errors) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            yield session


def test_on_this_machines_hub(tmp_path: Path) -> None:
    async def play() -> tuple[Any, ...]:
        async with started(tmp_path, "--toolsets", "repos,people") as session:
            me = await session.call_tool("whoami", {})
            made = await session.call_tool("create_repo", {"name": "first", "kind": "model"})
            asked = await session.call_tool("delete_repo", {"repo": "first"})
            resources = (await session.list_resources()).resources
            newer = await asked_for(session, "server/discover")
            return me, made, asked, resources, newer, await session.call_tool("list_files", {"repo": "first"})

    me, made, asked, resources, newer, files = finish(play())
    assert newer == METHOD_NOT_FOUND
    assert "server/discover" not in (tmp_path / "errors.txt").read_text()
    assert content(me)["username"] == "admin"
    assert content(made)["id"] == "admin/first"
    assert content(asked)["status"] == "pending_approval"
    assert "hub://model/admin/first" in {str(one.uri) for one in resources}
    assert error(files)["code"] == "tool_not_found"


def test_passed_on_to_a_hub_elsewhere(hub: McpHub, tmp_path: Path) -> None:
    token = hub.token()

    async def play() -> tuple[Any, ...]:
        async with started(tmp_path, "--url", hub.url, "--read-only", HUB_TOKEN=token) as session:
            tools = {tool.name for tool in (await session.list_tools()).tools}
            found = await session.call_tool("get_repo", {"repo": "vision"})
            made = await session.call_tool("create_repo", {"name": "acme/new", "kind": "model"})
            waited: list[float] = []

            async def tell(seconds: float, _total: float | None, _message: str | None) -> None:
                waited.append(seconds)

            approval = hub_asks(hub)
            state = await session.call_tool("get_approval", {"approval_id": approval, "wait_s": 1}, progress_callback=tell)
            hub.services.tokens.revoke(hub.hub.alice, "mcp")
            return tools, found, made, state, waited, await refused(session)

    tools, found, made, state, waited, gone = finish(play())
    assert "get_repo" in tools and "create_repo" not in tools
    assert content(found)["id"] == "acme/vision"
    assert error(made)["code"] == "forbidden"
    assert content(state)["status"] == "pending"
    assert waited
    assert gone == "unauthenticated"


def hub_asks(hub: McpHub) -> str:
    from tools import invoke
    from tools.contract import ToolContext

    waiting = invoke.call(ToolContext(hub.hub.alice, hub.services), "set_visibility", {"repo": "vision", "visibility": "public"}, gate=True)
    assert isinstance(waiting, invoke.Waiting)
    return waiting.approval.id


async def refused(session: ClientSession) -> str:
    from mcp import McpError

    with pytest.raises(McpError) as caught:
        await session.call_tool("whoami", {})
    return str(caught.value.error.data["code"])


@pytest.mark.parametrize(("token", "says"), [("hub_wrong", "does not take this token"), ("", "does not take this token")])
def test_a_token_that_does_not_work_is_said_at_the_terminal(hub: McpHub, tmp_path: Path, token: str, says: str) -> None:
    import subprocess

    own = {"HUB_DATA_DIR": str(tmp_path), "HUB_TOKEN": token}
    ran = subprocess.run(
        [sys.executable, "-c", START, "--url", hub.url],
        env=own,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1
    assert says in ran.stderr
    assert ran.stdout == ""
