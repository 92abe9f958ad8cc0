"""The page on which a person lets a program in, and the addresses that the program speaks to, on a live server."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI

from chat_ui.device_page import device_router
from hub_core.audit import AuditEvent
from hub_core.authz import Scope
from hub_core.http.errors import add_error_handlers
from hub_core.http.huggingface.device_login import GRANT, add_device_login_routes
from hub_core.services import Services
from tests.common.factories import actor_for, make_user
from tests.common.live import serve

PAGE = "/oauth/login"


@pytest.fixture
def url(services: Services) -> Iterator[str]:
    app, program = FastAPI(), APIRouter()
    add_device_login_routes(program, services)
    app.include_router(device_router(services))
    app.router.routes.extend(program.routes)
    add_error_handlers(app)
    with serve(app) as found:
        yield found


@pytest.fixture
def page(services: Services, url: str) -> Iterator[httpx.Client]:
    alice = actor_for(make_user(services.db, "alice"))
    token = services.tokens.create(alice, "browser", Scope.ADMIN).token
    headers = {"authorization": f"Bearer {token}", "sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


def begin(url: str, program: str = "hf/2 <b>evil</b>") -> dict[str, str]:
    found: dict[str, str] = httpx.post(f"{url}/oauth/device", data={"client_id": "x"}, headers={"user-agent": program}).json()
    return found


def take(url: str, device_code: str) -> httpx.Response:
    return httpx.post(f"{url}/oauth/token", data={"grant_type": GRANT, "device_code": device_code})


def test_a_person_sees_what_asks_and_decides(services: Services, url: str, page: httpx.Client) -> None:
    begun = begin(url)
    assert begun["verification_uri_complete"] == f"{url}{PAGE}?code={begun['user_code']}"
    assert take(url, begun["device_code"]).json()["error"] == "authorization_pending"
    asked = page.get(begun["verification_uri_complete"])
    assert begun["user_code"] in asked.text
    assert "hf/2 &lt;b&gt;evil&lt;/b&gt;" in asked.text
    assert "127.0.0.1" in asked.text
    assert asked.headers["cache-control"] == "no-store"
    assert take(url, begun["device_code"]).status_code == 400, "opening the page decides nothing"
    done = page.post(PAGE, data={"code": begun["user_code"], "decision": "approve", "scope": "write"})
    assert done.status_code == 200
    found = take(url, begun["device_code"])
    assert (found.status_code, found.headers["cache-control"], found.json()["token_type"]) == (200, "no-store", "bearer")
    assert services.tokens.authenticate_token(found.json()["access_token"], "api").scope is Scope.WRITE
    assert page.post(PAGE, data={"code": begun["user_code"], "decision": "approve", "scope": "write"}).status_code == 404
    with services.db.read() as session:
        acts = session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert acts[-2:] == ["login.approve", "token.create"]


def test_a_refusal_is_told_to_the_program(url: str, page: httpx.Client) -> None:
    begun = begin(url)
    page.post(PAGE, data={"code": begun["user_code"], "decision": "refuse", "scope": "write"})
    assert take(url, begun["device_code"]).json()["error"] == "access_denied"


@pytest.mark.parametrize("form", [{"decision": "approve", "scope": "owner"}, {"decision": "approve"}, {"decision": "", "scope": "write"}])
def test_a_form_that_does_not_say_yes_clearly_is_a_no(url: str, page: httpx.Client, form: dict[str, str]) -> None:
    begun = begin(url)
    page.post(PAGE, data={"code": begun["user_code"], **form})
    assert take(url, begun["device_code"]).json()["error"] == "access_denied"


def test_another_site_decides_nothing(url: str, page: httpx.Client) -> None:
    begun = begin(url)
    form = {"code": begun["user_code"], "decision": "approve", "scope": "admin"}
    assert page.post(PAGE, data=form, headers={"sec-fetch-site": "cross-site"}).status_code == 303
    assert httpx.post(f"{url}{PAGE}", data=form, headers={"sec-fetch-site": "same-origin"}).status_code == 303
    assert take(url, begun["device_code"]).json()["error"] == "authorization_pending"


def test_who_is_not_signed_in_does_that_first(url: str) -> None:
    assert httpx.get(f"{url}{PAGE}?code=BCDF-GHJK").headers["location"] == "/login?next=/oauth/login%3Fcode%3DBCDF-GHJK"


def test_a_wrong_code_can_be_typed_again(page: httpx.Client) -> None:
    assert "name='code'" in page.get(PAGE).text
    wrong = page.get(PAGE, params={"code": "<script>"})
    assert wrong.status_code == 404
    assert "<script>" not in wrong.text


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"grant_type=refresh_token&refresh_token=x", b"&".join(b"a=1" for _ in range(50))])
def test_other_grants_and_broken_forms_are_refused(url: str, body: bytes) -> None:
    answer = httpx.post(f"{url}/oauth/token", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 400
