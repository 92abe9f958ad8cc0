"""What repeats takes effect once, what is cut off is finished or told, what cannot be delivered is kept."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from chat_ui.bridges.core import Bridges
from chat_ui.bridges.jobs import BridgeJobs
from chat_ui.bridges.port import ChannelError, Undeliverable
from hub_core.approvals.tables import Execution
from hub_core.audit import AuditEvent
from hub_core.bridges import outbox
from hub_core.bridges.tables import BridgeCard, BridgeEvent, BridgeOutbox
from hub_core.db import utcnow
from hub_core.errors import NotFound
from tests.common.fake_channel import POOR, FakeChannel, said
from tests.common.working import wait_until
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.conftest import Bridged, bridged

PUBLISH = call("set_visibility", repo="acme/vision", visibility="public")


def test_a_thousand_repeated_and_shuffled_events_take_effect_once_each(any_hub: Hub) -> None:
    """As of two processes of a hub that a platform tells everything several times, in any order."""
    people, events = 10, 50
    lines = [call("create_collection", title=f"reading {number}") for number in range(events)]
    told = [said(f"make a list {number}", f"U{number % people}", event=f"e{number}") for number in range(len(lines))]
    repeated = told * 20
    random.Random(7).shuffle(repeated)
    channel = FakeChannel()
    with bridged(any_hub, *lines, channels=[channel]) as one:
        jobs = BridgeJobs()
        other = Bridges(jobs.known_to(any_hub.services), lambda: one.agent, [channel], jobs, tick_s=3600.0, workers=8)
        other.start()
        for person in range(people):
            one.link(f"U{person}")
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda pair: (one.bridges, other)[pair[0] % 2].accept(pair[1]), enumerate(repeated)))
        assert sum(taken) == len(told)
        wait_until(lambda: not _open_events(one) and other.idle and one.bridges.idle, 110)
        other.close()
        assert len(repeated) == 1000
        assert len(channel.shown) == len(told)
        with one.services.db.read() as session:
            made = session.scalar(sa.select(sa.func.count()).select_from(AuditEvent).where(AuditEvent.action == "collection.create"))
            ran = session.scalar(sa.select(sa.func.count()).select_from(Execution).where(Execution.tool == "create_collection"))
        assert (made, ran) == (len(told), len(told)), set(channel.at("direct-U1"))


def test_messages_of_one_conversation_are_worked_on_in_their_order(hub: Hub) -> None:
    lines = [call("write_file", repo="acme/vision", path="n.txt", content=str(number)) for number in range(8)]
    with bridged(hub, *lines) as on:
        on.link()
        on.hear(*[said(f"write {number}", thread="t") for number in range(8)])
        repo = hub.services.repos.find(hub.alice, "acme/vision")
        assert hub.services.files.read_text(hub.alice, repo, "n.txt").content.strip() == "7"


def test_an_event_that_was_accepted_is_worked_on_after_a_restart(hub: Hub) -> None:
    with bridged(hub, call("whoami"), workers=0) as stopped:
        stopped.link()
        assert stopped.bridges.accept(said("who am I?"))
    _make_due(hub)
    with bridged(hub, call("whoami")) as on:
        on.bridges.tick()
        on.settle()
        assert "alice" in on.fake.at("direct-U1")[-1]


def test_an_answer_that_was_worded_but_not_delivered_is_delivered_after_a_restart_and_nothing_is_done_twice(hub: Hub) -> None:
    channel = FakeChannel()
    with bridged(hub, call("set_tags", repo="acme/vision", tags=["x"]), channels=[channel]) as on:
        on.link()
        on.bridges.delivery.answer = _killed  # type: ignore[method-assign, assignment]
        on.bridges.accept(said("tag it"))
        wait_until(lambda: on.bridges.idle)
        on.services.bridges.release_events(on.bridges._holder)
    _make_due(hub)
    with bridged(hub, channels=[channel]) as again:
        again.bridges.tick()
        again.settle()
        assert len(channel.at("direct-U1")) == 1
        assert hub.audit("repo.tags") == 1


def test_a_turn_that_was_cut_off_in_the_middle_is_told_and_not_done_again(hub: Hub) -> None:
    with bridged(hub, call("whoami")) as on:
        on.link()
        kept = on.services.bridges.receive("fake", "W1", "e-cut", "p" * 64, said("who am I?", event="e-cut").as_json())
        assert kept is not None
        thread = on.services.conversations.create_thread(hub.alice).id
        assert on.services.bridges.claim(kept, "a process that died") is not None
        on.services.bridges.begin_turn(kept, thread, 0)
        on.services.conversations.append_message(hub.alice, thread, "user", "who am I?")
        _make_due(hub)
        on.bridges.tick()
        on.settle()
        (text,) = on.fake.at("direct-U1")
        assert "restarted" in text


def test_a_platform_that_is_down_for_ten_minutes_gets_its_answers_then(hub: Hub) -> None:
    with bridged(hub, *[call("whoami")] * 3) as on:
        on.link()
        on.fake.broken = ChannelError("down")
        on.hear(*[said(f"who am I? {number}") for number in range(3)])
        for _ in range(4):
            _make_due(hub)
            on.round()
        on.fake.broken = None
        _make_due(hub)
        on.round()
        assert len(on.fake.at("direct-U1")) == 3
        with on.services.db.read() as session:
            assert set(session.scalars(sa.select(BridgeOutbox.status))) == {"sent"}


def test_what_can_never_be_delivered_is_given_up_with_a_record(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with bridged(hub, call("whoami"), call("whoami")) as on:
        on.link()
        on.fake.broken = Undeliverable("the channel is gone")
        on.hear(said("who am I?"))
        on.round()
        assert hub.audit("bridge.undelivered") == 1
        on.fake.broken = ChannelError("down")
        on.hear(said("who am I?"))
        monkeypatch.setattr(outbox, "GIVE_UP", outbox.GIVE_UP * 0)
        _make_due(hub)
        on.round()
        assert hub.audit("bridge.undelivered") == 2


def test_nothing_secret_waits_in_the_outbox(hub: Hub) -> None:
    with bridged(hub, call("create_token", name="laptop", scope="read")) as on:
        on.link()
        on.fake.broken = ChannelError("down")
        on.hear(said("make a token"))
        on.fake.broken = None
        _make_due(hub)
        on.round()
        (text,) = on.fake.at("direct-U1")
        assert "hub_" not in text
        with on.services.db.read() as session:
            assert "hub_" not in str([(row.text, row.target) for row in session.scalars(sa.select(BridgeOutbox))])


def test_the_pause_that_a_platform_asks_for_is_kept(hub: Hub) -> None:
    with bridged(hub, call("whoami")) as on:
        on.link()
        on.fake.down.append(ChannelError("slow down", 0.2))
        began = time.perf_counter()
        on.hear(said("who am I?"))
        assert time.perf_counter() - began >= 0.2
        on.fake.broken = ChannelError("slow down", 900)
        on.hear(said("links"))
        with on.services.db.read() as session:
            due = session.scalar(sa.select(BridgeOutbox.due_at).where(BridgeOutbox.status == "waiting"))
        assert due is not None and (due - utcnow()).total_seconds() > 600


def test_an_event_that_breaks_the_hub_is_given_up_and_the_next_is_answered(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with bridged(hub, call("whoami")) as on:
        on.link()
        with monkeypatch.context() as patched:
            patched.setattr(on.bridges._turns, "_turn", _broken)
            on.hear(said("break", event="bad"))
        on.hear(said("who am I?"))
        first, second = on.fake.at("direct-U1")
        assert "Something went wrong" in first
        assert "alice" in second


@pytest.mark.slow
def test_a_hundred_conversations_at_once_have_no_error(hub: Hub) -> None:
    people = 100
    rich, poor = FakeChannel(), FakeChannel("other", POOR)
    with bridged(hub, *[call("whoami")] * people, channels=[rich, poor]) as on:
        from dataclasses import replace

        for number in range(people):
            on.link(f"U{number}")
            on.link(f"U{number}", platform="other")
        events = []
        for number in range(people):
            event = said(f"who am I? {number}", f"U{number % people}")
            events.append(replace(event, place=replace(event.place, platform="other")) if number % 2 else event)
        began = time.perf_counter()
        on.hear(*events)
        print(f"{len(events)} turns in {time.perf_counter() - began:.1f} s")
        shown = [item.text for channel in (rich, poor) for item in channel.shown.values()]
        assert len([text for text in shown if "alice" in text]) == len(events)
        with on.services.db.read() as session:
            assert set(session.scalars(sa.select(BridgeEvent.status))) == {"done"}


def test_closing_ends_turns_at_their_next_safe_point(hub: Hub) -> None:
    began = threading.Event()

    def slow(*_: Any, cancel: threading.Event, **__: Any) -> Any:
        began.set()
        assert cancel.wait(20)
        raise NotFound("It was stopped.", hint="")

    with bridged(hub, call("whoami")) as on:
        on.link()
        on.agent.turn = slow  # type: ignore[method-assign]
        on.bridges.accept(said("who am I?"))
        assert began.wait(20)
        started = time.perf_counter()
        on.bridges.close()
        assert time.perf_counter() - started < 10


def _killed(*_: Any, **__: Any) -> None:
    raise ChannelError("the process was killed here")


def _broken(*_: Any, **__: Any) -> None:
    raise RuntimeError("a mistake of ours")


def _open_events(on: Bridged) -> int:
    with on.services.db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(BridgeEvent).where(BridgeEvent.due_at.is_not(None))) or 0


def _make_due(hub: Hub) -> None:
    """As if enough time had passed."""
    with hub.services.db.write() as session:
        for table in (BridgeEvent, BridgeOutbox, BridgeCard):
            session.execute(sa.update(table).where(table.due_at.is_not(None)).values(due_at=utcnow()))
