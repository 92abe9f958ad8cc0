"""On all platforms at once: what repeats takes effect once, and nobody waits for nothing."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from hub_core.approvals.tables import Execution
from hub_core.bridges.tables import BridgeEvent, BridgeOutbox
from tests.common.platforms import PLATFORMS, Around, around
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.everywhere import everywhere

Told = tuple[str, str, str]
"""A platform, a person there, and the number of their message."""


def one_each(count: int, people: int) -> list[Told]:
    """Messages, on all platforms in turn."""
    numbers = itertools.count(1)
    return [(PLATFORMS[at % 4], f"P{at // 4 % people}", str(next(numbers))) for at in range(count)]


@pytest.fixture
def platforms() -> Iterator[Around]:
    with around({f"P{number}" for number in range(100)}) as found:
        yield found


@pytest.mark.parametrize(("messages", "times"), [(8, 6), pytest.param(48, 21, marks=pytest.mark.slow)])
def test_what_every_platform_repeats_in_any_order_takes_effect_once(hub: Hub, platforms: Around, messages: int, times: int) -> None:
    """As of a hub of two processes whose platforms tell everything several times. In all more than 1,000 events where `slow` tests run."""
    told = one_each(messages, 4)
    repeated = told * times
    random.Random(11).shuffle(repeated)
    lines = [call("create_collection", title=f"reading {number}") for number in range(messages)]
    with everywhere(hub, platforms, *lines, processes=2) as on:
        for platform, person in {item[:2] for item in told}:
            on.link(platform, person)
        with ThreadPoolExecutor(6) as pool:
            for _ in pool.map(lambda at: platforms.tell(*_said(repeated[at]), at % 2), range(len(repeated))):
                pass
        on.settle(110)
        with hub.services.db.read() as session:
            kept = session.scalar(sa.select(sa.func.count()).select_from(BridgeEvent))
            ran = session.scalar(sa.select(sa.func.count()).select_from(Execution).where(Execution.tool == "create_collection"))
        assert (kept, ran, hub.audit("collection.create")) == (messages, messages, messages)
        assert _answers(platforms, told) == dict.fromkeys(PLATFORMS, messages // 4)


@pytest.mark.parametrize("people", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_conversations_at_once_on_all_platforms_have_no_error(
    hub: Hub, platforms: Around, people: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred where `slow` tests run."""
    told = one_each(4 * people, people)
    with everywhere(hub, platforms, *[call("whoami")] * len(told)) as on:
        for platform, person, _ in told:
            on.link(platform, person)
        with ThreadPoolExecutor(25) as pool:
            for _ in pool.map(lambda item: platforms.tell(*_said(item)), told):
                pass
        on.settle(110)
        assert _answers(platforms, told) == dict.fromkeys(PLATFORMS, people)
        with hub.services.db.read() as session:
            assert set(session.scalars(sa.select(BridgeEvent.status))) == {"done"}
            assert list(session.scalars(sa.select(BridgeOutbox.error))) == []
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def _said(item: Told) -> tuple[str, str, str, str]:
    platform, person, number = item
    return platform, person, f"do number {number}", number


def _answers(platforms: Around, told: list[Told]) -> dict[str, int]:
    """How many answers each platform showed; a bot's are not told apart by person."""
    found = dict.fromkeys(PLATFORMS, 0)
    for platform, person in {item[:2] for item in told}:
        if platform != "wecom_bot":
            found[platform] += len(platforms.texts(platform, person))
    return found | {"wecom_bot": len(platforms.texts("wecom_bot", "")) + len(platforms.bot.pushed)}
