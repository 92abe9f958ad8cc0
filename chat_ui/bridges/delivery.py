"""Gets answers to where they belong: in the shape that the platform shows, to the eyes they are for, and later when it cannot be now."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from agent.answer.changes import act_of
from agent.schema import Answer
from chat_ui.bridges.plots import plots_of
from chat_ui.bridges.port import Capabilities, Channel, ChannelError, Outgoing, Place, Undeliverable
from chat_ui.bridges.privacy import is_for_all
from chat_ui.bridges.text import fitted, split
from hub_core.authz import Actor, Permission
from hub_core.bridges.outbox import OutboxView
from hub_core.errors import ApprovalNotFound, HubError
from hub_core.services import Services
from prompts import message

log = logging.getLogger(__name__)
PATIENCE_S = 3.0
"""The longest that a thread waits for a platform that asks for a pause; longer ones are the outbox's."""
TRIES = 3
FILE = "answer.md"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Attached:
    """A part of an answer that is sent as a file."""

    filename: str
    content: bytes
    comment: str


Part = Outgoing | Attached


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer goes: a place, and there perhaps to one person only. `note` is said where it was asked."""

    place: Place
    only_for: str = ""
    note: str = ""


class Delivery:
    """Sends for one process. Threads may share it."""

    def __init__(self, services: Services, channels: Mapping[str, Channel], stop: threading.Event) -> None:
        self._services = services
        self._channels = channels
        self._stop = stop

    def channel(self, place: Place) -> Channel:
        """The channel of a place."""
        return self._channels[place.platform]

    def now(self, act: Callable[[], Result]) -> Result:
        """Do something on a platform, with patience for a short pause that it asks for.

        Raises:
            ChannelError: not now. Undeliverable: never.
        """
        for attempt in range(1, TRIES + 1):
            try:
                return act()
            except Undeliverable:
                raise
            except ChannelError as error:
                pause = error.retry_after
                if pause is None or pause > PATIENCE_S or attempt == TRIES or self._stop.wait(pause):
                    raise
        raise ChannelError("unreachable")

    def say(self, place: Place, text: str, language: str, *, only_for: str = "", later: bool = False) -> str:
        """A sentence of the bridge's own; returns the message's id, empty when it could not be said.

        Args:
            only_for: in a group, the person that it is for: as a message that only they see, or in private; to all where there is neither.
            later: keep it if the platform does not take it now.
        """
        channel = self.channel(place)
        only = only_for if place.group and channel.capabilities.ephemeral else ""
        private = bool(only_for) and place.group and not only and channel.capabilities.direct
        text = fitted(text, channel.capabilities)
        try:
            if private:
                place = self.now(partial(channel.direct, place.workspace, only_for))
            return self.now(lambda: channel.send(place, Outgoing(text, language, only_for=only)))
        except ChannelError as error:
            log.info("a sentence could not be said on %s: %s", place.platform, error)
            if later and not (private and place.group):
                target = {"place": place.as_json(), "only_for": only, "language": language}
                self._services.bridges.put_out(place.platform, place.key, target, text=text, delay_s=error.retry_after or 5)
            return ""

    def target(self, actor: Actor, place: Place, person: str, answer: Answer, *, private: bool = False) -> Target | None:
        """Where an answer may be shown; None when there is no way to show it to its person alone.

        Args:
            private: show it to its person alone in any case.

        Raises:
            ChannelError: the private conversation cannot be opened now.
        """
        if not place.group or (not private and is_for_all(self._services, actor, answer)):
            return Target(place)
        channel = self.channel(place)
        abilities = channel.capabilities
        fits = answer.pending is None and len(parts(self._services, answer, abilities)) == 1
        if abilities.ephemeral and (fits or not abilities.direct):
            return Target(place, only_for=person)
        if abilities.direct:
            opened = self.now(lambda: channel.direct(place.workspace, person))
            return Target(opened, note=message(answer.language, "bridge.in_private"))
        return None

    def answer(self, actor: Actor, target: Target, answer: Answer, *, replaces: str = "") -> None:
        """Deliver an answer, or keep what cannot be delivered now.

        Args:
            replaces: a message at the place that the first part takes the place of.
        """
        bridges, place = self._services.bridges, target.place
        made = self._made(target, answer)
        if not made:
            return
        done, wait = 0, 0.0
        if not bridges.is_waiting(place.key):
            try:
                for part in made:
                    self.now(partial(self._send, target, part, replaces if done == 0 else ""))
                    done += 1
                return
            except ChannelError as error:
                log.info("an answer is kept for later on %s: %s", place.platform, error)
                wait = 0.0 if isinstance(error, Undeliverable) else error.retry_after or 5.0
        kept = {"place": place.as_json(), "only_for": target.only_for}
        bridges.put_out(
            place.platform, place.key, kept, user_id=actor.user_id, thread_id=answer.thread_id, message_id=answer.message_id, done=done,
            delay_s=wait,
        )  # fmt: skip

    def deliver_kept(self, place_key: str) -> int:
        """Deliver what was kept for a place, as far as it goes; returns how many deliveries were settled."""
        bridges, settled = self._services.bridges, 0
        while not self._stop.is_set() and (kept := bridges.first_out(place_key)) is not None:
            done = kept.done
            try:
                target, made = self._kept(kept)
                for part in made[done:]:
                    self.now(partial(self._send, target, part, ""))
                    done += 1
            except (ChannelError, HubError) as error:
                final = isinstance(error, Undeliverable | HubError)
                after = error.retry_after if isinstance(error, ChannelError) else None
                if not bridges.not_sent(kept.id, str(error) or type(error).__name__, done=done, after_s=after, final=final):
                    return settled
            else:
                bridges.sent(kept.id)
            settled += 1
        return settled

    def _kept(self, kept: OutboxView) -> tuple[Target, list[Part]]:
        """Raises `HubError` where its person may not read it any more."""
        place = Place(**kept.target["place"])
        target = Target(place, kept.target.get("only_for", ""))
        if kept.message_id is None or kept.thread_id is None:
            return target, [Outgoing(kept.text, kept.target.get("language", "en"), only_for=target.only_for)]
        actor = self._services.sessions.person(kept.user_id, Permission.CHAT, kept.platform)
        found = self._services.conversations.get_message(actor, kept.thread_id, kept.message_id)
        answer = Answer.model_validate(found.payload) if found is not None else None
        return target, self._made(target, answer) if answer else []

    def _made(self, target: Target, answer: Answer) -> list[Part]:
        """The messages of an answer. Files are seen by everybody at a place, so what is for one person there has none."""
        abilities = self.channel(target.place).capabilities
        return parts(self._services, answer, replace(abilities, files_out=False, pictures=False) if target.only_for else abilities)

    def _send(self, target: Target, part: Part, replaces: str) -> str:
        channel = self.channel(target.place)
        if isinstance(part, Attached):
            channel.send_file(target.place, part.filename, part.content, part.comment)
            return ""
        part = replace(part, only_for=target.only_for)
        return channel.update(target.place, replaces, part) if replaces else channel.send(target.place, part)


def parts(services: Services, answer: Answer, abilities: Capabilities) -> list[Part]:
    """An answer in messages, its plots behind them; what asks for approval is a card and not among them."""
    text, plots = fitted(words(services, answer), abilities).strip(), plots_of(answer)
    if not text:
        return []
    if abilities.pictures:
        pictures = [Attached(plot.filename, plot.chart.png(), plot.caption) for plot in plots]
        return [*_texts(services, answer, abilities, text), *pictures]
    return _texts(services, answer, abilities, "\n\n".join([text, *(plot.line for plot in plots if plot.line)]))


def _texts(services: Services, answer: Answer, abilities: Capabilities, text: str) -> list[Part]:
    choices = tuple(answer.choices) if answer.outcome == "needs_input" and abilities.buttons else ()
    pieces = split(text, abilities.max_text, counts_bytes=abilities.counts_bytes)
    if len(pieces) <= abilities.max_messages:
        last = len(pieces) - 1
        return [Outgoing(piece, answer.language, choices if number == last else ()) for number, piece in enumerate(pieces)]
    if abilities.files_out:
        note = message(answer.language, "bridge.rest_in_file", name=FILE)
        return [Outgoing(pieces[0], answer.language), Attached(FILE, answer.reply.encode(), note)]
    cut = message(answer.language, "bridge.cut", url=f"{base_address(services)}/chat/thread/{answer.thread_id}")
    return [*(Outgoing(piece, answer.language) for piece in pieces[: abilities.max_messages - 1]), Outgoing(cut, answer.language)]


def words(services: Services, answer: Answer) -> str:
    """What an answer says before the approval that it asks for."""
    pending = answer.pending
    if pending is None:
        return answer.reply
    try:
        plan: dict[str, Any] = _plan_of(services, pending.approval_id)
    except ApprovalNotFound:
        return answer.reply
    phrase = act_of(answer.language, pending.tool, plan, pending.args)
    asked = [answer.reply.find(message(answer.language, key, act=phrase)) for key in ("approve.ask", "approve.next")]
    begins = min((at for at in asked if at >= 0), default=-1)
    return answer.reply[:begins] if begins >= 0 else answer.reply


def base_address(services: Services) -> str:
    """The hub's address as people reach it, without a slash at the end."""
    settings = services.settings
    return settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"


def _plan_of(services: Services, approval_id: str) -> dict[str, Any]:
    from hub_core.approvals.tables import Approval

    with services.db.read() as session:
        row = session.get(Approval, approval_id)
        if row is None:
            raise ApprovalNotFound("There is no such request.", hint="")
        return dict(row.plan)
