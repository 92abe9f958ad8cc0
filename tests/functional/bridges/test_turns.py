"""A message on a platform is a turn of the hub's agent, as the hub account that its person linked."""

from __future__ import annotations

from tests.common.fake_channel import said
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.conftest import bridged


def test_a_linked_person_is_answered(hub: Hub) -> None:
    with bridged(hub, call("whoami")) as on:
        on.link()
        on.hear(said("who am I?"))
        assert "alice" in on.fake.at("direct-U1")[-1]


def test_an_unlinked_person_gets_the_link_and_nothing_else(hub: Hub) -> None:
    with bridged(hub, call("whoami")) as on:
        on.hear(said("who am I?"))
        (text,) = on.fake.at("direct-U1")
        assert "/bridges/link?code=" in text
        assert "alice" not in text


def test_an_approval_is_a_card_that_shows_what_became_of_it(hub: Hub) -> None:
    with bridged(hub, call("set_visibility", repo="acme/vision", visibility="public")) as on:
        on.link()
        on.hear(said("make acme/vision public"))
        (card,) = on.fake.cards()
        assert card.pending
        assert hub.visibility("acme/vision") == "private"
        on.hear(said("", approval_id=card.approval_id, decision="approve"))
        assert hub.visibility("acme/vision") == "public"
        assert [card.status for card in on.fake.cards()] == ["executed"]
