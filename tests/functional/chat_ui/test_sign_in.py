"""Signing in on the page, and what stands before Chainlit: only signed-in people, only our own pages, only our own credential."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from chat_ui.chat_gate import ChatGate
from chat_ui.login import login_router
from hub_core.authz import Actor
from hub_core.http.auth import SESSION_COOKIE
from hub_core.services import Services, open_services
from hub_core.settings import Settings

PASSWORD = "a-password-for-tests"
ORIGIN = {"origin": "http://testserver"}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands where Chainlit is: tells what reached it."""
    request = Request(scope, receive)
    response = JSONResponse({"path": scope["path"], "cookies": request.cookies, "query": dict(request.query_params)})
    response.set_cookie("hubtalk_chat", "must-not-leave")
    response.set_cookie("other", "may-leave")
    await response(scope, receive, send)


@dataclass(frozen=True)
class Stub:
    app: ASGIApp = echo
    html: str = "<html>the page</html>"

    def sign(self, actor: Actor) -> str:
        return f"signed-for-{actor.username}"


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    with open_services(Settings(data_dir=settings.data_dir, demo=False, admin_password=PASSWORD)) as services:
        services.users.bootstrap()
        yield services


@pytest.fixture
def client(services: Services) -> TestClient:
    async def loaded() -> Stub:
        return Stub()

    app = FastAPI()
    app.include_router(login_router(services))
    app.mount("/chat", ChatGate(services, loaded))
    return TestClient(app, follow_redirects=False)


def csrf(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
    assert found is not None
    return found[1]


def sign_in(client: TestClient, **fields: str) -> int:
    form = {"username": "admin", "password": PASSWORD, "csrf": csrf(client)} | fields
    return client.post("/login", data=form, headers=ORIGIN).status_code


def test_a_right_password_opens_a_session_and_signing_out_ends_it(client: TestClient, services: Services) -> None:
    assert sign_in(client) == 303
    secret = client.cookies[SESSION_COOKIE]
    assert services.sessions.authenticate_session(secret).username == "admin"
    assert client.get("/chat/").text == Stub.html
    assert client.post("/logout", headers=ORIGIN).headers["location"] == "/login?out=1"
    client.cookies.set(SESSION_COOKIE, secret)
    assert client.get("/chat/").headers["location"].startswith("/login")


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(client: TestClient) -> None:
    response = client.post("/login", data={"username": "admin", "password": PASSWORD, "csrf": csrf(client)}, headers=ORIGIN)
    cookie = next(value for value in response.headers.get_list("set-cookie") if value.startswith(SESSION_COOKIE)).lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


@pytest.mark.parametrize(("language", "words"), [("en", "Sign in"), ("zh-CN", "登录"), ("ja", "サインイン"), ("ko-KR,en;q=0.5", "로그인")])
def test_the_sign_in_page_speaks_the_browsers_language(client: TestClient, language: str, words: str) -> None:
    page = client.get("/login", headers={"accept-language": language})
    assert f'<button type="submit">{words}</button>' in page.text
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page.text)


def test_a_form_that_is_not_ours_is_refused(client: TestClient) -> None:
    csrf(client)
    assert sign_in(client, csrf="made-up") == 403
    form = {"username": "admin", "password": PASSWORD, "csrf": csrf(client)}
    assert client.post("/login", data=form, headers={"origin": "http://evil.example"}).status_code == 403
    assert SESSION_COOKIE not in client.cookies


def test_guessing_is_slowed_down(client: TestClient) -> None:
    statuses = [sign_in(client, password=f"wrong-{number}") for number in range(11)]
    assert statuses == [401] * 10 + [429]


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\tevil", "/login?next=/login"]
)
def test_signing_in_never_leads_to_another_site(client: TestClient, target: str) -> None:
    form = {"username": "admin", "password": PASSWORD, "csrf": csrf(client), "next": target}
    assert client.post("/login", data=form, headers=ORIGIN).headers["location"] == "/chat"


def test_what_was_typed_is_not_markup(client: TestClient) -> None:
    form = {"username": '"><script>x</script>', "password": "no", "csrf": csrf(client), "next": '/"><b>'}
    assert "<script>" not in client.post("/login", data=form, headers=ORIGIN).text


def test_nobody_gets_through_without_signing_in(client: TestClient) -> None:
    assert client.get("/chat/thread/1").headers["location"] == "/login?next=/chat/thread/1"
    client.cookies.set("hubtalk_chat", "a-chainlit-cookie-of-my-own")
    assert client.get("/chat/user").status_code == 401
    assert client.post("/chat/project/threads", json={}).status_code == 401


def test_chainlit_gets_our_credential_and_never_the_clients(client: TestClient) -> None:
    sign_in(client)
    client.cookies.set("hubtalk_chat", "mine")
    response = client.get("/chat/user")
    assert response.json()["cookies"]["hubtalk_chat"] == "signed-for-admin"
    cookies = response.headers.get_list("set-cookie")
    assert not any("hubtalk_chat" in cookie for cookie in cookies)
    assert any("other" in cookie for cookie in cookies)


def test_a_disabled_person_is_out_at_once(client: TestClient, services: Services) -> None:
    from hub_core.accounts.views import UserStatus
    from hub_core.authz import SYSTEM

    services.users.create(SYSTEM, "bob", password="bobs-long-password")
    assert sign_in(client, username="bob", password="bobs-long-password") == 303
    assert client.get("/chat/user").status_code == 200
    services.users.set_status(SYSTEM, "bob", UserStatus.DISABLED)
    assert client.get("/chat/user").status_code == 401


def test_other_sites_cannot_act_in_a_persons_name(client: TestClient) -> None:
    sign_in(client)
    assert client.post("/chat/project/action", json={}, headers={"origin": "http://evil.example"}).status_code == 403
    assert client.post("/chat/project/action", json={}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post("/chat/project/action", json={}, headers=ORIGIN).status_code == 200


@pytest.mark.parametrize(
    "path", ["/mcp", "/copilot/index.js", "/auth/jwt", "/auth/oauth/github", "/project/share/1", "/project/thread/share", "/slack/events"]
)
def test_parts_of_chainlit_that_are_not_used_are_not_there(client: TestClient, path: str) -> None:
    sign_in(client)
    assert client.get(f"/chat{path}").status_code == 404


def test_pages_may_load_nothing_from_elsewhere_and_uploads_run_nothing(client: TestClient) -> None:
    sign_in(client)
    policy = client.get("/chat/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert "sandbox" in client.get("/chat/project/file/1").headers["content-security-policy"]


def test_the_persons_language_wins_over_the_browsers(client: TestClient, services: Services) -> None:
    assert client.get("/chat/project/translations?language=zh-TW").json()["query"]["language"] == "zh-CN"
    sign_in(client)
    services.users.set_preference(services.sessions.authenticate_session(client.cookies[SESSION_COOKIE]), "language", "ko")
    assert client.get("/chat/project/settings?language=fr-FR").json()["query"]["language"] == "ko"
