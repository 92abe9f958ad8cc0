"""The bridges of one process: events are kept first, then worked on in the background, by whichever process of the hub is free."""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from chat_ui.bridges.delivery import Delivery
from chat_ui.bridges.desk import CardDesk
from chat_ui.bridges.jobs import CARD, DELIVER, BridgeJobs
from chat_ui.bridges.port import Channel, ChannelError, Incoming
from chat_ui.bridges.turns import Turns
from chat_ui.texts import language_of
from hub_core.bridges.inbox import LEASE, MAX_ATTEMPTS, EventView
from hub_core.bridges.links import LinkView
from hub_core.errors import HubError, Unavailable
from hub_core.services import Services
from prompts import message

if TYPE_CHECKING:
    from agent.agent import Agent

log = logging.getLogger(__name__)
WORKERS = 32
WORKERS_BUILTIN = 8
"""The built-in planner waits for nothing, and more threads would only keep events that come in waiting for the database."""
TICK_S = 1.0
ANNOUNCE_S = 20.0
"""How long an approval waits where it was asked before its person is asked on the platforms that they linked."""
CLOSE_S = 10.0
AGAIN_S = 10.0


class Bridges:
    """Takes events in and sees to it that each is answered once.

    Args:
        services: with the kinds of jobs that `jobs` knows.
        announce_s: see `ANNOUNCE_S`.
        workers: how many events this process works on at once; None: as fits the agent's model.
    """

    def __init__(
        self,
        services: Services,
        agent: Callable[[], Agent],
        channels: Sequence[Channel],
        jobs: BridgeJobs | None = None,
        *,
        announce_s: float = ANNOUNCE_S,
        tick_s: float = TICK_S,
        workers: int | None = None,
    ) -> None:
        self._services = services
        self.channels = {channel.platform: channel for channel in channels}
        self._stop = threading.Event()
        self.delivery = Delivery(services, self.channels, self._stop)
        self.desk = CardDesk(services, self.delivery)
        self._turns = Turns(services, agent, self.delivery, self.desk)
        if jobs is not None:
            jobs.serve(self.delivery, self.desk)
        self._announce_s, self._tick_s = announce_s, tick_s
        self._holder = str(uuid.uuid4())
        self._queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._queued: set[int] = set()
        self._running: dict[int, threading.Event] = {}
        self._told: dict[int, Callable[[], None]] = {}
        self._renewed = time.monotonic()
        if workers is None:
            workers = WORKERS_BUILTIN if services.settings.llm == "builtin" else WORKERS
        names = [("bridge-keeper", self._keep), *((f"bridge-{number}", self._work) for number in range(workers))]
        self._threads = [threading.Thread(target=target, name=name, daemon=True) for name, target in names]

    def start(self) -> None:
        """Begin to work, and to listen."""
        for thread in self._threads:
            thread.start()
        for channel in self.channels.values():
            channel.start()

    def close(self) -> None:
        """Stop listening; turns end at their next safe point, and what is left is taken up by another process or after a restart."""
        for channel in self.channels.values():
            channel.close()
        self._stop.set()
        with self._lock:
            for cancel in self._running.values():
                cancel.set()
        deadline = time.monotonic() + CLOSE_S
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(max(0.05, deadline - time.monotonic()))
        self._services.bridges.release_events(self._holder)

    def accept(self, incoming: Incoming, done: Callable[[], None] | None = None) -> bool:
        """Keep an event and work on it later; False when it was told before. Only after this may the platform be told that it arrived.

        Args:
            done: called once it was worked on, if it was here.

        Raises:
            Unavailable: the database takes nothing now; the platform shall send it again.
        """
        place = incoming.place
        kept = self._services.bridges.receive(place.platform, place.workspace, incoming.event_id, place.key, incoming.as_json())
        if kept is None:
            return False
        if done is not None:
            with self._lock:
                self._told[kept] = done
        self._submit(kept)
        return True

    def tick(self) -> None:
        """Look for what nobody works on: events of a process that is gone, deliveries, cards, approvals that nobody was asked about."""
        bridges, platforms = self._services.bridges, list(self.channels)
        self._renew()
        for event_id in bridges.due_events(platforms):
            self._submit(event_id)
        proactive = [name for name, channel in self.channels.items() if channel.capabilities.proactive and channel.capabilities.direct]
        for approval_id, link in bridges.unannounced(proactive, self._announce_s) if proactive else ():
            language = self._services.users.preferences(bridges.person_of(link, link.platform)).get("language") or link.language or "en"
            bridges.add_card(link, approval_id, str(language), due=True)
        wanted: list[tuple[str, dict[str, str | int], str]] = [
            (DELIVER, {"place": place}, place) for place in bridges.due_places(platforms)
        ]
        wanted += [(CARD, {"card": card_id}, str(card_id)) for card_id in bridges.due_cards(platforms)]
        if wanted:
            with self._services.db.write() as session:
                for kind, args, key in wanted:
                    self._services.jobs.queue.enqueue(session, kind, args, key=f"{kind}:{key}")

    def linked(self, link: LinkView) -> None:
        """Tell a person where they talk that they are known from now on."""
        channel = self.channels.get(link.platform)
        if channel is None or not channel.capabilities.direct:
            return
        try:
            actor = self._services.bridges.person_of(link, link.platform)
            place = self.delivery.now(lambda: channel.direct(link.workspace, link.person))
        except (ChannelError, HubError) as error:
            log.info("a linked person could not be told: %s", error)
            return
        language = language_of(str(self._services.users.preferences(actor).get("language") or link.language))
        self.delivery.say(place, message(language, "bridge.linked", username=actor.username), language, later=True)

    @property
    def idle(self) -> bool:
        """Whether this process works on nothing and has nothing in hand."""
        with self._lock:
            return not self._queued and not self._running

    def _submit(self, event_id: int) -> None:
        with self._lock:
            if event_id in self._queued or event_id in self._running or self._stop.is_set():
                return
            self._queued.add(event_id)
        self._queue.put(event_id)

    def _work(self) -> None:
        while (event_id := self._queue.get()) is not None:
            cancel = threading.Event()
            with self._lock:
                self._queued.discard(event_id)
                if self._stop.is_set():
                    return
                self._running[event_id] = cancel
            following = None
            try:
                following = self._one(event_id, cancel)
            except (HubError, sa.exc.SQLAlchemyError) as error:
                log.warning("an event of a chat platform waits: %s", error)
            finally:
                with self._lock:
                    del self._running[event_id]
            if following is not None:
                self._submit(following)

    def _one(self, event_id: int, cancel: threading.Event) -> int | None:
        """Work on one event; returns the one that waited behind it."""
        bridges = self._services.bridges
        event = bridges.claim(event_id, self._holder)
        if event is None:
            return None
        if event.attempts > MAX_ATTEMPTS:
            return self._give_up(event)
        try:
            self._turns.handle(event, cancel)
        except (ChannelError, Unavailable) as error:
            log.warning("an event of %s is worked on again later: %s", event.platform, error)
            bridges.postpone(event.id, AGAIN_S * event.attempts)
            return None
        except Exception:
            log.exception("an event of %s failed", event.platform)
            return self._give_up(event)
        return self._finish(event.id, "done")

    def _give_up(self, event: EventView) -> int | None:
        try:
            self._turns.broke(event)
        except (ChannelError, HubError) as error:
            log.info("nobody could be told: %s", error)
        return self._finish(event.id, "failed")

    def _finish(self, event_id: int, status: str) -> int | None:
        following = self._services.bridges.finish_event(event_id, status)
        with self._lock:
            done = self._told.pop(event_id, None)
        if done is not None:
            done()
        return following

    def _keep(self) -> None:
        while not self._stop.wait(self._tick_s):
            try:
                self.tick()
            except (HubError, sa.exc.SQLAlchemyError) as error:
                log.warning("the bridges could not look after their work: %s", type(error).__name__)

    def _renew(self) -> None:
        if time.monotonic() - self._renewed < LEASE.total_seconds() / 3:
            return
        self._renewed = time.monotonic()
        with self._lock:
            held = list(self._running)
        if held:
            self._services.bridges.keep_events(held, self._holder)
