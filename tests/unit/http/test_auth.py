from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from hub_core.accounts.passwords import Passwords
from hub_core.authz import Actor, CredentialKind, Scope
from hub_core.errors import HubError, PermissionDenied, Unauthenticated
from hub_core.http.auth import SESSION_COOKIE, actor_dependency, authenticate_request
from hub_core.services import Services
from tests.common.factories import actor_for, make_user


@pytest.fixture
def token(services: Services) -> str:
    alice = make_user(services.db, "alice", password_hash=Passwords(1, 8).hash("correct horse"))
    return services.tokens.create(actor_for(alice), "ci", Scope.WRITE).token


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ask(services: Services, headers: dict[str, str], cookies: dict[str, str] | None = None, method: str = "GET") -> Actor:
    return authenticate_request(services, headers, cookies or {}, channel="git", method=method)


def test_nothing_sent_is_anonymous(services: Services) -> None:
    actor = ask(services, {})
    assert actor.is_anonymous and actor.channel == "git"


def test_a_token_comes_as_bearer_or_as_basic_password_with_any_name(services: Services, token: str) -> None:
    for headers in (
        {"authorization": f"Bearer {token}"},
        {"authorization": f"bearer  {token} "},
        basic("anything", token),
        basic("", token),
        basic(token, ""),
    ):
        actor = ask(services, headers)
        assert (actor.username, actor.credential, actor.scope, actor.channel) == ("alice", CredentialKind.TOKEN, Scope.WRITE, "git")


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Digest x",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Basic Og==",
        "x" * 9000,
    ],
)
def test_what_is_sent_and_wrong_is_refused(services: Services, token: str, authorization: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        ask(services, {"authorization": authorization})
    assert caught.value.hint


def test_an_account_password_is_refused_with_a_hint_to_use_a_token(services: Services, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        ask(services, basic("alice", "correct horse"))
    assert "token as the password" in caught.value.hint


def test_a_wrong_token_is_refused_even_with_a_good_cookie(services: Services, token: str) -> None:
    cookies = {SESSION_COOKIE: services.sessions.login("alice", "correct horse")}
    assert ask(services, {}, cookies).credential is CredentialKind.SESSION
    with pytest.raises(Unauthenticated):
        ask(services, {"authorization": "Bearer wrong"}, cookies)
    with pytest.raises(Unauthenticated):
        ask(services, {}, {SESSION_COOKIE: "wrong"})


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "http://hub.test", "host": "hub.test"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"origin": "http://hub.test", "host": "hub.test"}, True),
        ({"origin": "http://evil.test", "host": "hub.test"}, False),
        ({"origin": "null", "host": "hub.test"}, False),
        ({"host": "hub.test"}, False),
        ({}, False),
    ],
)
def test_a_cookie_changes_things_from_the_hubs_own_pages_only(
    services: Services, token: str, headers: dict[str, str], allowed: bool
) -> None:
    cookies = {SESSION_COOKIE: services.sessions.login("alice", "correct horse")}
    assert ask(services, headers, cookies, "GET").username == "alice"
    if allowed:
        assert ask(services, headers, cookies, "POST").username == "alice"
    else:
        with pytest.raises(PermissionDenied):
            ask(services, headers, cookies, "POST")


def test_a_token_needs_no_origin(services: Services, token: str) -> None:
    assert ask(services, {"authorization": f"Bearer {token}", "sec-fetch-site": "cross-site"}, method="DELETE").username == "alice"


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    app = FastAPI()
    dependency = Depends(actor_dependency(services, "api"))

    @app.exception_handler(HubError)
    async def refused(_request, error: HubError):
        from fastapi.responses import JSONResponse

        return JSONResponse({"code": error.code}, 401)

    @app.api_route("/who", methods=["GET", "POST"])
    async def who(actor: Actor = dependency, again: Actor = dependency) -> dict[str, str]:
        assert actor is again
        return {"username": actor.username, "channel": actor.channel}

    with TestClient(app, base_url="http://hub.test") as opened:
        yield opened


def test_the_dependency_gives_routes_the_sender(client: TestClient, token: str, services: Services) -> None:
    assert client.get("/who").json() == {"username": "", "channel": "api"}
    assert client.get("/who", headers={"Authorization": f"Bearer {token}"}).json() == {"username": "alice", "channel": "api"}
    assert client.get("/who", headers={"Authorization": "Bearer wrong"}).status_code == 401
    client.cookies.set(SESSION_COOKIE, services.sessions.login("alice", "correct horse"))
    assert client.post("/who").status_code == 401
    assert client.post("/who", headers={"Origin": "http://hub.test"}).json()["username"] == "alice"
