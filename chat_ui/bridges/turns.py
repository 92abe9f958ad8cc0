"""One event of a platform, from who it is to what they are told."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from agent.answer.errors import error_text
from agent.consent import read_consent
from agent.language import detect_language
from agent.nodes.work import error_json
from agent.schema import Answer
from chat_ui.bridges.delivery import Delivery, base_address
from chat_ui.bridges.desk import CardDesk
from chat_ui.bridges.live import LiveReply
from chat_ui.bridges.port import Channel, ChannelError, Incoming, KnowsNames, Outgoing, Place, Undeliverable
from chat_ui.texts import language_of
from hub_core.authz import Actor
from hub_core.bridges.inbox import EventView
from hub_core.bridges.links import LINK_TTL, LinkView, Person
from hub_core.errors import (
    ApprovalExpired,
    ApprovalNotFound,
    ApprovalSettled,
    HubError,
    ThreadBusy,
    ThreadNotFound,
    TooLarge,
    Unauthenticated,
)
from hub_core.services import Services
from prompts import LANGUAGES, message

if TYPE_CHECKING:
    from agent.agent import Agent

BUSY_S = 60.0
LINK_PAGE = "/bridges/link"
_CODE = re.compile(r"(?P<words>[^\d]{1,40}?)\s*[#「“\"]?(?P<code>\d{4})[」”\"]?[\s.!。！]*")


@dataclass(frozen=True, slots=True)
class Heard:
    """An event with everything that is known of it."""

    event: EventView
    incoming: Incoming
    channel: Channel
    actor: Actor
    link: LinkView
    language: str
    cancel: threading.Event

    @property
    def place(self) -> Place:
        """Where it was said."""
        return self.incoming.place


class Turns:
    """Turns events into turns of the agent."""

    def __init__(self, services: Services, agent: Callable[[], Agent], delivery: Delivery, desk: CardDesk) -> None:
        self._services = services
        self._agent = agent
        self._delivery = delivery
        self._desk = desk

    def handle(self, event: EventView, cancel: threading.Event) -> None:
        """Do what an event asks for and tell what came of it.

        Raises:
            ChannelError, Unavailable: not now. The event may be handled again: what was done is not done twice.
        """
        incoming = Incoming.from_json(event.payload)
        place = incoming.place
        channel = self._delivery.channel(place)
        who = Person(place.platform, place.workspace, incoming.person, incoming.name)
        fallback = language_of(incoming.language)
        language = detect_language(incoming.text, fallback) if incoming.text else ""
        link = self._services.bridges.link_of(who, language)
        if link is None:
            self._invite(channel, incoming, who, language or fallback)
            return
        language = language or language_of(link.language or incoming.language)
        try:
            actor = self._services.bridges.person_of(link, place.platform)
        except Unauthenticated:
            self._delivery.say(place, message(language, "bridge.disabled"), language, only_for=incoming.person)
            return
        language = str(self._services.users.preferences(actor).get("language") or language)
        heard = Heard(event, incoming, channel, actor, link, language, cancel)
        if incoming.decision:
            self._decide(heard, incoming.approval_id, incoming.decision)
        elif not self._said_to_bridge(heard) and not self._said_code(heard):
            self._turn(heard)

    def broke(self, event: EventView) -> None:
        """Tell the person that their event failed for good, as far as that is possible."""
        incoming = Incoming.from_json(event.payload)
        language = detect_language(incoming.text, language_of(incoming.language))
        self._delivery.say(incoming.place, message(language, "bridge.failed"), language, only_for=incoming.person)

    def _invite(self, channel: Channel, incoming: Incoming, who: Person, language: str) -> None:
        """The link, to this person alone. They learn nothing else."""
        place, abilities = incoming.place, channel.capabilities
        if not who.name and isinstance(channel, KnowsNames):
            name, tag = channel.name_of(who.person)
            who = replace(who, name=name)
            language = detect_language(incoming.text, language_of(tag or incoming.language))
        if place.group and not abilities.ephemeral:
            if not abilities.direct:
                self._delivery.say(place, message(language, "bridge.invite_privately"), language)
                return
            place = self._delivery.now(lambda: channel.direct(place.workspace, incoming.person))
        url = f"{base_address(self._services)}{LINK_PAGE}?code={self._services.bridges.invite(who, language)}&lang={language}"
        minutes = int(LINK_TTL.total_seconds() // 60)
        text = message(language, "bridge.invite", name=who.name or who.person, minutes=minutes, url=url)
        self._delivery.say(place, text, language, only_for=incoming.person)

    def _said_to_bridge(self, heard: Heard) -> bool:
        """The few phrases that are about the bridge itself."""
        said = " ".join(heard.incoming.text.split()).strip(" .!。！").casefold()
        bridges, language = self._services.bridges, heard.language
        if heard.incoming.files or not said:
            return False
        if _is_phrase("unlink", said):
            bridges.unlink(heard.actor, heard.link.id)
            self._tell(heard, message(language, "bridge.unlinked", username=heard.actor.username))
        elif _is_phrase("links", said):
            links = [f"- {link.platform}: {link.name or link.person}" for link in bridges.links(heard.actor)]
            self._tell(heard, "\n".join([message(language, "bridge.links", username=heard.actor.username), *links]))
        elif _is_phrase("new", said):
            bridges.forget_thread(heard.actor, heard.place.key)
            self._tell(heard, message(language, "bridge.new_conversation"))
        else:
            return False
        return True

    def _said_code(self, heard: Heard) -> bool:
        """`yes 4831`: the answer to a card where there are no buttons."""
        found = _CODE.fullmatch(heard.incoming.text.strip())
        consent = read_consent(found["words"]) if found else None
        if found is None or consent is None:
            return False
        card = self._services.bridges.card_by_code(heard.link.user_id or 0, found["code"])
        if card is None:
            self._tell(heard, message(heard.language, "bridge.no_approval"))
        else:
            self._decide(heard, card.approval_id, consent)
        return True

    def _turn(self, heard: Heard) -> None:
        thread_id = heard.event.thread_id or self._thread(heard)
        answer = self._before(heard, thread_id)
        if answer is None:
            files = self._take_in(heard)
            if files is None:
                return
            self._mark(heard, thread_id)
            streams = self._services.settings.llm != "builtin"
            live = LiveReply(heard.channel, heard.place, heard.language, streams=streams)
            text, agent = heard.incoming.text, self._agent()
            if heard.place.group:
                answer = self._run(heard, lambda: agent.turn(heard.actor, thread_id, text, files, cancel=heard.cancel))
            else:
                with live:
                    answer = self._run(
                        heard, lambda: agent.turn(heard.actor, thread_id, text, files, emit=live.emit, cancel=heard.cancel), live
                    )
            if answer is None:
                return
            self._deliver(heard, answer, live.taken())
            return
        self._deliver(heard, answer)

    def _decide(self, heard: Heard, approval_id: str, decision: Literal["approve", "reject"]) -> None:
        """Settle an approval as the person who answered. Cards show what became of it, here and everywhere."""
        try:
            approval = self._services.approvals.get(heard.actor, approval_id)
        except ApprovalNotFound:
            self._tell(heard, message(heard.language, "bridge.not_yours"))
            return
        thread_id = approval.thread_id or self._thread(heard)
        answer = self._before(heard, thread_id) if heard.event.thread_id else None
        if answer is None:
            self._mark(heard, thread_id)
            agent = self._agent()
            answer = self._run(heard, lambda: agent.decide(heard.actor, thread_id, approval_id, decision, cancel=heard.cancel))
        self._desk.refresh(approval_id)
        if answer is not None:
            self._deliver(heard, answer)

    def _run(self, heard: Heard, act: Callable[[], Answer], live: LiveReply | None = None) -> Answer | None:
        """Run a turn once the one before it in its conversation is over; None when it was refused, which is told."""
        waited = 0.0
        while True:
            try:
                return act()
            except ThreadBusy:
                if waited >= BUSY_S or heard.cancel.wait(0.2):
                    self._tell(heard, message(heard.language, "bridge.busy"))
                    return None
                waited += 0.2
            except (ApprovalSettled, ApprovalExpired) as error:
                self._tell(heard, error_text(heard.language, error_json(error), {}))
                return None
            except HubError as error:
                if error.code in ("unavailable", "storage_full"):
                    raise
                text = error_text(heard.language, error_json(error), {})
                shown = live.taken() if live is not None else ""
                self._tell(heard, text) if not shown else self._replace(heard, shown, text)
                return None

    def _before(self, heard: Heard, thread_id: str) -> Answer | None:
        """The answer that this event was given already, where its turn was cut off after it or in the middle.

        What the agent was doing when it was cut off is not done again: that is said, and the person decides.
        """
        event = heard.event
        if event.thread_id is None or event.seen is None:
            return None
        try:
            after = self._services.conversations.list_messages(heard.actor, thread_id, after=event.seen)
        except ThreadNotFound:
            return None
        given = next((item for item in after if item.role == "assistant" and item.payload), None)
        if given is not None:
            return Answer.model_validate(given.payload)
        began = bool(after) or (heard.incoming.decision and not self._still_pending(heard))
        if not began:
            return None
        return Answer(
            thread_id=thread_id, message_id="", reply=message(heard.language, "bridge.interrupted"), language=language_of(heard.language),
            outcome="done", error=None,
        )  # fmt: skip

    def _still_pending(self, heard: Heard) -> bool:
        return self._services.approvals.get(heard.actor, heard.incoming.approval_id).status == "pending"

    def _thread(self, heard: Heard) -> str:
        """The conversation that goes on at the place, or a new one."""
        bridges, conversations = self._services.bridges, self._services.conversations
        known = bridges.thread_at(heard.actor, heard.place.key)
        if known is not None:
            return known
        made = conversations.create_thread(heard.actor).id
        bridges.go_on_at(heard.actor, heard.place.key, made)
        return made

    def _mark(self, heard: Heard, thread_id: str) -> None:
        """Remember where the turn begins, so that it is known after a crash how far it came."""
        messages = self._services.conversations.list_messages(heard.actor, thread_id, limit=5000)
        self._services.bridges.begin_turn(heard.event.id, thread_id, messages[-1].seq if messages else 0)

    def _take_in(self, heard: Heard) -> list[str] | None:
        """The files of the event as attachments; None when one could not be kept, which is told."""
        kept = []
        limit = self._services.settings.max_attachment_mb * 2**20
        for file in heard.incoming.files:
            try:
                if file.size > limit:
                    raise TooLarge(f"A file in a conversation has at most {limit // 2**20} MiB.", hint="Push larger files with Git LFS.")
                kept.append(self._services.conversations.store_attachment(heard.actor, file.name, heard.channel.fetch_file(file)).id)
            except (HubError, ChannelError) as error:
                if isinstance(error, ChannelError) and not isinstance(error, Undeliverable) and heard.event.attempts < 2:
                    raise
                reason = error_text(heard.language, error_json(error), {}) if isinstance(error, HubError) else str(error)
                self._tell(heard, message(heard.language, "bridge.file_failed", name=file.name, reason=reason))
                return None
        return kept

    def _deliver(self, heard: Heard, answer: Answer, replaces: str = "") -> None:
        delivery, place = self._delivery, heard.place
        if not answer.message_id:
            self._tell(heard, answer.reply)
            return
        person = heard.incoming.person
        target = delivery.target(heard.actor, place, person, answer, private=heard.incoming.ephemeral)
        if target is None:
            delivery.say(place, message(answer.language, "bridge.ask_in_private"), answer.language)
            return
        if target.note:
            delivery.say(place, target.note, answer.language, only_for=person if heard.channel.capabilities.ephemeral else "")
        delivery.answer(heard.actor, target, answer, replaces=replaces)
        if answer.pending is not None:
            self._desk.ask(heard.link, answer.pending.approval_id, answer.language, target.place)
        for step in answer.steps:
            # A plain "yes" in words may have settled what a card somewhere still asks.
            if step.effect in ("destructive", "spend") and step.status in ("ok", "error", "rejected"):
                self._refresh_settled(heard)
                break

    def _refresh_settled(self, heard: Heard) -> None:
        latest = self._services.approvals.latest(heard.actor, self._thread(heard))
        if latest is not None:
            self._desk.refresh(latest.id)

    def _tell(self, heard: Heard, text: str) -> None:
        self._delivery.say(heard.place, text, heard.language, only_for=heard.incoming.person, later=True)

    def _replace(self, heard: Heard, shown: str, text: str) -> None:
        try:
            self._delivery.now(lambda: heard.channel.update(heard.place, shown, Outgoing(text, heard.language)))
        except ChannelError:
            self._tell(heard, text)


def _is_phrase(name: str, said: str) -> bool:
    return any(
        said == phrase.strip().casefold() for language in LANGUAGES for phrase in message(language, f"bridge.phrase.{name}").split("|")
    )
