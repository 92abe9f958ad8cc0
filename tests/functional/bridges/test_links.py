"""Who is who: a link is made by its person, signed in to the hub, once and in time; it can be taken back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from chat_ui.bridges.link_page import link_router
from hub_core.authz import Actor
from hub_core.bridges.links import Person
from hub_core.bridges.tables import BridgeLink
from hub_core.db import utcnow
from hub_core.errors import ChatLinkNotFound
from hub_core.http.errors import add_error_handlers
from tests.common.fake_channel import POOR, RICH, FakeChannel, said
from tests.common.live import serve
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.conftest import bridged

ADA = Person("fake", "W1", "U1", "Ada <b>")


@pytest.fixture
def url(hub: Hub) -> Iterator[str]:
    app = FastAPI()
    app.include_router(link_router(hub.services))
    add_error_handlers(app)
    with serve(app) as found:
        yield found


def browser(hub: Hub, url: str, who: Actor | None = None) -> httpx.Client:
    token = hub.services.tokens.create(who or hub.alice, "browser", hub.alice.scope).token
    return httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}", "sec-fetch-site": "same-origin"}, timeout=60)


def test_opening_the_link_changes_nothing_and_confirming_it_links_once(hub: Hub, url: str) -> None:
    secret = hub.services.bridges.invite(ADA)
    with browser(hub, url) as page:
        asked = page.get("/bridges/link", params={"code": secret})
        assert "Ada &lt;b&gt;" in asked.text
        assert "alice" in asked.text
        assert hub.services.bridges.link_of(ADA) is None
        assert page.post("/bridges/link", data={"code": secret}).status_code == 200
        assert page.post("/bridges/link", data={"code": secret}).status_code == 404
    link = hub.services.bridges.link_of(ADA)
    assert link is not None
    assert link.user_id == hub.alice.user_id
    assert hub.audit("bridge.link") == 1


def test_somebody_who_is_not_signed_in_signs_in_first(url: str, hub: Hub) -> None:
    answer = httpx.get(f"{url}/bridges/link?code=abc")
    assert answer.headers["location"].startswith("/login?next=/bridges/link")


def test_another_site_cannot_confirm(hub: Hub, url: str) -> None:
    secret = hub.services.bridges.invite(ADA)
    with browser(hub, url) as page:
        page.post("/bridges/link", data={"code": secret}, headers={"sec-fetch-site": "cross-site"})
    assert hub.services.bridges.link_of(ADA) is None


def test_an_old_link_and_one_that_was_replaced_are_worth_nothing(hub: Hub) -> None:
    first, second = hub.services.bridges.invite(ADA), hub.services.bridges.invite(ADA)
    with pytest.raises(ChatLinkNotFound):
        hub.services.bridges.accept(hub.alice, first)
    with hub.services.db.write() as session:
        session.execute(sa.update(BridgeLink).values(expires_at=utcnow() - dt.timedelta(seconds=1)))
    with pytest.raises(ChatLinkNotFound):
        hub.services.bridges.accept(hub.alice, second)


def test_links_are_listed_and_taken_back_by_their_owner_only(hub: Hub, url: str) -> None:
    hub.services.bridges.accept(hub.alice, hub.services.bridges.invite(ADA))
    (link,) = hub.services.bridges.links(hub.alice)
    with browser(hub, url, hub.bob) as other:
        other.post(f"/bridges/links/{link.id}/unlink")
    assert hub.services.bridges.links(hub.alice) == [link]
    with browser(hub, url) as page:
        assert "Ada &lt;b&gt;" in page.get("/bridges/links").text
        page.post(f"/bridges/links/{link.id}/unlink")
    assert hub.services.bridges.links(hub.alice) == []
    assert hub.audit("bridge.unlink") == 1


@pytest.mark.parametrize("ephemeral", [True, False], ids=["seen by one", "in private"])
def test_nobody_else_in_a_group_learns_what_somebody_is_linked_with(hub: Hub, ephemeral: bool) -> None:
    with bridged(hub, channels=[FakeChannel(capabilities=replace(RICH, ephemeral=ephemeral))]) as on:
        on.link()
        on.hear(said("links", conversation="C1", group=True), said("unlink", conversation="C1", group=True))
        on.hear(said("who am I?", conversation="C1", group=True))
        assert on.fake.at("C1") == []
        told = on.fake.at("C1", "U1") if ephemeral else on.fake.at("direct-U1")
        assert ["alice" in told[0], "not linked" in told[1], "/bridges/link?code=" in told[2]] == [True] * 3


@pytest.mark.parametrize("phrase", ["unlink", "解除绑定", "連携解除", "연결 해제"])
def test_a_phrase_takes_the_link_back(hub: Hub, phrase: str) -> None:
    with bridged(hub, call("whoami")) as on:
        on.link()
        on.hear(said(phrase))
        on.hear(said("who am I?"))
        assert "/bridges/link?code=" in on.fake.at("direct-U1")[-1]


def test_an_unlinked_person_in_a_group_gets_the_link_alone_or_is_asked_to_write_in_private(hub: Hub) -> None:
    poor = FakeChannel("poor", POOR)
    with bridged(hub, channels=[FakeChannel(), poor]) as on:
        on.hear(said("hello", conversation="C1", group=True))
        assert on.fake.at("C1") == []
        assert "/bridges/link?code=" in on.fake.at("C1", "U1")[0]
        event = said("hello", conversation="C1", group=True)
        on.hear(replace(event, place=replace(event.place, platform="poor")))
        (text,) = poor.at("C1")
        assert "code=" not in text
