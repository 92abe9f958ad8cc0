"""Cards of approvals: asked where the person is, and showing everywhere how they stand."""

from __future__ import annotations

import logging

from agent.answer.changes import summary
from chat_ui.bridges.delivery import Delivery, base_address
from chat_ui.bridges.port import ApprovalCard, ChannelError, Place, Undeliverable
from chat_ui.bridges.text import unmarked
from hub_core.bridges.cards import CardView
from hub_core.bridges.links import LinkView
from hub_core.http.paths import approval_address
from hub_core.services import Services
from prompts import message

log = logging.getLogger(__name__)


class CardDesk:
    """Sends cards and keeps them true."""

    def __init__(self, services: Services, delivery: Delivery) -> None:
        self._services = services
        self._delivery = delivery

    def ask(self, link: LinkView, approval_id: str, language: str, place: Place) -> None:
        """Show an approval at a place. One that this person has on this platform already is shown there anew."""
        bridges = self._services.bridges
        card = bridges.add_card(link, approval_id, language, place.as_json())
        if card is None:
            known = [card for card in bridges.cards_of(approval_id) if (card.platform, card.person) == (link.platform, link.person)]
            for card in known:
                bridges.shows(card.id, "", message="", target=place.as_json())
                self.show(card.id)
            return
        self.show(card.id, reply=place.reply)

    def refresh(self, approval_id: str) -> None:
        """Bring every card of an approval up to date."""
        for card in self._services.bridges.cards_of(approval_id):
            if card.shown != card.status:
                self.show(card.id)

    def show(self, card_id: int, reply: str = "") -> None:
        """Send or change one card so that it shows how its approval stands. What fails is tried again by the jobs."""
        bridges = self._services.bridges
        card = bridges.card(card_id)
        if card is None or card.shown == card.status:
            return
        if not card.message and card.shown == "" and card.status not in ("pending", "approved"):
            bridges.shows(card.id, card.status)  # it was settled before it was ever shown
            return
        try:
            self._draw(card, reply)
        except ChannelError as error:
            log.info("a card on %s could not be brought up to date: %s", card.platform, error)
            bridges.card_failed(card.id, after_s=error.retry_after, final=isinstance(error, Undeliverable))

    def _draw(self, card: CardView, reply: str) -> None:
        bridges = self._services.bridges
        if card.target:
            place = Place(**{**card.target, "reply": reply})
            channel = self._delivery.channel(place)
        else:
            channel = self._delivery.channel(Place(card.platform, card.workspace, ""))
            place = self._delivery.now(lambda: channel.direct(card.workspace, card.person))
        drawn = drawing(self._services, card)
        if not card.shown:
            told = self._delivery.now(lambda: channel.ask_approval(place, drawn))
            bridges.shows(card.id, card.status, message=told, target=place.as_json())
        elif card.message:
            told = self._delivery.now(lambda: channel.update_approval(place, card.message, drawn))
            bridges.shows(card.id, card.status, message=told)
        else:
            bridges.shows(card.id, card.status)


def drawing(services: Services, card: CardView) -> ApprovalCard:
    """A card as channels draw it, in its own language."""
    language = card.language
    first, *rest = summary(language, card.tool, {**card.plan, "args": card.plan.get("args") or card.args}).split("\n")
    title = unmarked(first)
    state = message(language, f"bridge.card.state.{card.status}", when=card.expires_at.strftime("%Y-%m-%d %H:%M"))
    words = {name: message(language, f"bridge.card.{name}") for name in ("approve", "reject", "cancel")}
    return ApprovalCard(
        approval_id=card.approval_id, language=language, effect=card.effect, title=title,
        lines=tuple(unmarked(line.removeprefix("- ")) for line in rest if line.strip()), status=card.status, state=state, code=card.code,
        how=message(language, "bridge.card.how", code=card.code), confirm=message(language, "bridge.card.confirm", act=title),
        url=approval_address(base_address(services), card.approval_id), person=card.person, workspace=card.workspace, **words,
    )  # fmt: skip
