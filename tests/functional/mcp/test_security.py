"""Who may speak MCP, as whom, from where, and how much of it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from chat_ui.mcp_local import summary
from hub_core.authz import Scope
from tests.common.live import serve
from tests.common.loops import finish
from tests.common.waiting import until
from tests.functional.agent.conftest import both
from tests.functional.mcp.conftest import McpHub, content, error, listed
from tools.mcp import http as edge
from tools.mcp.http import mcp_routes

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
START = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
def test_nothing_is_answered_without_a_token(hub: McpHub, method: str, path: str) -> None:
    answer = httpx.request(method, hub.url + path, json=PING, headers={"accept": "application/json, text/event-stream"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="hubtalk"'
    assert answer.json()["error"]["code"] == "unauthenticated"


def test_a_wrong_token_is_called_wrong(hub: McpHub) -> None:
    answer = hub.post(PING, "hub_wrong")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_browsers_cookie_is_no_token(hub: McpHub) -> None:
    hub.services.users.reset_password(hub.hub.alice, password="a-long-password-1")
    secret = hub.services.sessions.login("alice", "a-long-password-1", address="127.0.0.1", channel="web")
    answer = hub.post(PING, cookie=f"hubtalk_session={secret}")
    assert answer.status_code == 401


def test_a_token_that_was_revoked_ends_a_session_in_the_middle(hub: McpHub) -> None:
    async def play() -> None:
        async with hub.client(hub.token(name="soon-gone")) as session:
            content(await session.call_tool("whoami", {}))
            await asyncio.to_thread(hub.services.tokens.revoke, hub.hub.alice, "soon-gone")
            await session.call_tool("whoami", {})

    with pytest.raises(ExceptionGroup) as caught:
        finish(play())
    (cause,) = _leaves(caught.value)
    assert isinstance(cause, httpx.HTTPStatusError)
    assert cause.response.status_code == 401


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [leaf for one in group.exceptions for leaf in (_leaves(one) if isinstance(one, BaseExceptionGroup) else [one])]


def test_somebody_elses_session_gives_nothing(hub: McpHub) -> None:
    """An id of a session is a label: who holds it acts with their own rights, in their own conversation."""
    alice, bob = hub.token(), hub.token(hub.hub.bob)
    session = hub.post(START, alice).headers["mcp-session-id"]
    changed = hub.post(listed("update_repo", repo="vision", description="mine"), alice, **{"mcp-session-id": session})
    assert '"isError":false' in changed.text
    stolen = {"mcp-session-id": session}
    assert '"username\\":\\"bob' in hub.post(listed("whoami"), bob, **stolen).text
    assert "nothing_to_undo" in hub.post(listed("undo"), bob, **stolen).text
    hub.post(listed("set_visibility", repo="vision", visibility="public"), alice, **{"mcp-session-id": session})
    assert '"items":[]' in hub.post(listed("list_approvals"), bob, **stolen).text
    assert hub.services.repos.get(hub.hub.alice, "acme/vision").description == "mine"


def test_a_session_that_was_never_given_out_is_no_ones(hub: McpHub) -> None:
    token = hub.token()
    for label in ("made-up", "x" * 500, "../../etc", "a b"):
        assert '"id":"acme/vision"' in hub.post(listed("get_repo", repo="vision"), token, **{"mcp-session-id": label}).text


def test_somebody_else_cannot_cancel_a_call(hub: McpHub, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = hub.token(), hub.token(hub.hub.bob)
    session = {"mcp-session-id": hub.post(START, alice).headers["mcp-session-id"]}
    began, release = slow_whoami(hub, monkeypatch)
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}

    def others() -> None:
        began.wait(20)
        assert hub.post(cancel, bob, **session).status_code == 202
        assert hub.post(cancel, alice).status_code == 202  # without the session it names nothing
        release.set()

    answer, _ = both(lambda: hub.post(listed("whoami"), alice, **session), others)
    assert '"isError":false' in answer.text


def test_a_call_is_cancelled_by_its_own_client(hub: McpHub, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = hub.token()
    session = {"mcp-session-id": hub.post(START, alice).headers["mcp-session-id"]}
    began, release = slow_whoami(hub, monkeypatch)
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}

    def stop() -> None:
        began.wait(20)
        hub.post(cancel, alice, **session)

    answer, _ = both(lambda: hub.post(listed("whoami"), alice, **session), stop)
    release.set()
    assert "Request cancelled" in answer.text


def slow_whoami(hub: McpHub, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    from tools.registry import default_registry

    began, release = threading.Event(), threading.Event()
    tool: Any = default_registry().get("whoami")
    run = tool.run

    def slow(*args: Any) -> Any:
        began.set()
        release.wait(20)
        return run(*args)

    monkeypatch.setattr(tool, "run", slow, raising=False)
    return began, release


def test_so_many_calls_of_a_person_run_at_once_and_no_more(hub: McpHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MAX_PER_PERSON", 1)
    alice, bob = hub.token(), hub.token(hub.hub.bob)
    began, release = slow_whoami(hub, monkeypatch)

    def more() -> tuple[httpx.Response, httpx.Response]:
        began.wait(20)
        found = hub.post(listed("get_repo", repo="vision"), alice), hub.post(PING, bob)
        release.set()
        return found

    _, (second, other) = both(lambda: hub.post(listed("whoami"), alice), more)
    assert (second.status_code, second.json()["id"], second.json()["error"]["data"]["code"]) == (200, 1, "too_busy")
    assert other.status_code == 200
    assert hub.post(PING, alice).status_code == 200


def test_many_calls_at_once_wait_for_their_turn(hub: McpHub) -> None:
    async def play() -> list[Any]:
        async with hub.client(hub.token()) as session:
            return list(await asyncio.gather(*[session.call_tool("get_repo", {"repo": "vision"}) for _ in range(60)]))

    assert {content(result)["id"] for result in finish(play())} == {"acme/vision"}


def test_a_private_repo_is_not_there_for_strangers(hub: McpHub) -> None:
    from tests.common.factories import actor_for, make_user

    carol = actor_for(make_user(hub.services.db, "carol"))

    async def play() -> tuple[Any, Any, list[Any], list[str]]:
        async with hub.client(hub.token(carol)) as session:
            calls = [await session.call_tool("get_repo", {"repo": name}) for name in ("acme/vision", "acme/nothing")]
            return *calls, (await session.list_resources()).resources, [await unread(session, name) for name in ("vision", "nothing")]

    hidden, missing, resources, reads = finish(play())
    assert error(hidden)["code"] == error(missing)["code"] == "repo_not_found"
    assert resources == []
    assert reads[0].replace("vision", "") == reads[1].replace("nothing", "")


async def unread(session: Any, name: str) -> str:
    from mcp import McpError
    from pydantic import AnyUrl

    with pytest.raises(McpError) as caught:
        await session.read_resource(AnyUrl(f"hub://model/acme/{name}"))
    return str(caught.value.error)


def test_a_token_of_one_repo_sees_that_repo_only(hub: McpHub) -> None:
    async def play() -> list[Any]:
        async with hub.client(hub.token(scope=Scope.READ, repo="acme/vision")) as session:
            return [
                await session.call_tool(*one) for one in (("get_repo", {"repo": "acme/vision"}), ("get_repo", {"repo": "acme/support-7b"}))
            ]

    own, other = finish(play())
    assert content(own)["id"] == "acme/vision"
    assert error(other)["code"] == "repo_not_found"


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"}])
def test_a_page_of_another_site_is_refused(hub: McpHub, headers: dict[str, str]) -> None:
    assert hub.post(PING, hub.token(), **headers).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[", ""])
def test_a_name_that_was_made_to_point_here_is_refused(hub: McpHub, host: str) -> None:
    assert hub.post(PING, hub.token(), host=host).status_code in (400, 403)


def test_the_hubs_own_origin_is_fine(hub: McpHub) -> None:
    assert hub.post(PING, hub.token(), origin=hub.url).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b'{"jsonrpc": "2.0"}', 400),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (b" " * (8 * 1024 * 1024 + 1), 413),
    ],
)
def test_what_is_no_message_is_refused(hub: McpHub, body: bytes, status: int) -> None:
    answer = hub.post(body, hub.token())
    assert answer.status_code == status
    assert hub.post(PING, hub.token(name="after")).status_code == 200


def test_a_broken_tool_shows_nothing_of_the_inside(hub: McpHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.registry import default_registry

    def broken(*_: Any) -> Any:
        raise RuntimeError("postgresql://secret@inside")

    monkeypatch.setattr(default_registry().get("whoami"), "run", broken, raising=False)
    answer = hub.post(listed("whoami"), hub.token())
    assert "internal_error" in answer.text
    assert "secret" not in answer.text


def test_a_client_that_leaves_ends_its_call(hub: McpHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MAX_PER_PERSON", 1)
    token = hub.token()
    began, release = slow_whoami(hub, monkeypatch)
    with pytest.raises(httpx.TimeoutException):
        httpx.post(
            f"{hub.url}/mcp",
            json=listed("whoami"),
            timeout=0.5,
            headers={"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"},
        )
    assert began.is_set()
    until(lambda: hub.post(PING, token).status_code == 200)  # its place is free again, though the thread still runs
    release.set()


def test_a_session_goes_on_at_another_node(hub: McpHub) -> None:
    """Nothing of it lies in a process: requests may go to any, one after the other."""
    app = FastAPI()
    app.router.routes.extend(mcp_routes(hub.services, summary))
    token = hub.token()
    session = {"mcp-session-id": hub.post(START, token).headers["mcp-session-id"]}
    with serve(app) as url:
        other = McpHub(hub.hub, url)
        assert '"isError":false' in other.post(listed("update_repo", repo="vision", description="eyes"), token, **session).text
        assert '"undone":"update_repo"' in hub.post(listed("undo"), token, **session).text
        asked = [one.post(listed("set_visibility", repo="vision", visibility="public"), token, **session).text for one in (hub, other)]
    assert all("pending_approval" in text for text in asked)
    assert len(hub.services.approvals.pending(hub.hub.alice)) == 1
