"""What goes wrong between a question and its answer, on each platform: the person, the hub, or the platform is gone meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hub_core.accounts.tables import Membership, User
from hub_core.bridges import cards, outbox, service
from hub_core.bridges.tables import BridgeOutbox
from hub_core.db import utcnow
from tests.common.platforms import PLATFORMS, Around, around
from tests.common.working import wait_until
from tests.functional.agent.conftest import Hub, call
from tests.functional.bridges.everywhere import Everywhere, everywhere

PUBLISH = call("set_visibility", repo="acme/vision", visibility="public")
ADA = "alice"
MINUTE = dt.timedelta(minutes=1)

on_each = pytest.mark.parametrize("platform", PLATFORMS)


@pytest.fixture
def platforms() -> Iterator[Around]:
    with around() as found:
        yield found


class Clock:
    """The time of deliveries and cards, which a test moves."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.now = utcnow()
        for module in (outbox, cards, service):
            patched.setattr(module, "utcnow", lambda: self.now)

    def pass_by(self, on: Everywhere, time: dt.timedelta, step: dt.timedelta) -> None:
        """Let time pass; the hub looks after its work at every step."""
        until = self.now + time
        while self.now < until:
            self.now += step
            on.on.round()


def ask(on: Everywhere, platform: str, text: str = "make acme/vision public", number: str = "1") -> None:
    """Say something, and wait until the hub is done with it."""
    on.platforms.tell(platform, ADA, text, number)
    wait_until(lambda: kept(on) >= int(number))
    on.settle()


def kept(on: Everywhere) -> int:
    from hub_core.bridges.tables import BridgeEvent

    with on.on.services.db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(BridgeEvent)) or 0


def approve(on: Everywhere, platform: str) -> None:
    before = kept(on)
    on.platforms.approve(platform, ADA)
    wait_until(lambda: kept(on) > before)
    on.settle()


@on_each
@pytest.mark.parametrize("status", ["disabled", "deleted"])
def test_who_is_locked_out_or_deleted_meanwhile_approves_nothing(hub: Hub, platforms: Around, platform: str, status: str) -> None:
    with everywhere(hub, platforms, PUBLISH, call("whoami"), chosen=(platform,)) as on:
        on.link(platform, ADA)
        ask(on, platform)
        with hub.services.db.write() as session:
            session.execute(sa.update(User).where(User.username == "alice").values(status=status))
        approve(on, platform)
        assert (hub.audit("approval.approve"), hub.audit("repo.visibility")) == (0, 0)
        assert "cannot be used any more" in platforms.texts(platform, ADA)[-1]
        ask(on, platform, "who am I?", "3")
        assert "acme" not in platforms.texts(platform, ADA)[-1], "nor is anything told"


@on_each
def test_rights_that_were_lost_meanwhile_count(hub: Hub, platforms: Around, platform: str) -> None:
    with everywhere(hub, platforms, PUBLISH, chosen=(platform,)) as on:
        on.link(platform, ADA)
        ask(on, platform)
        approval = hub.services.approvals.pending(hub.alice)[0].id
        with hub.services.db.write() as session:
            session.execute(sa.delete(Membership).where(Membership.user_id == hub.alice_row.id))
        approve(on, platform)
        assert hub.services.approvals.get(hub.alice, approval).status == "failed"
        assert hub.audit("repo.visibility") == 0


@on_each
def test_a_link_that_was_taken_back_meanwhile_approves_nothing(hub: Hub, platforms: Around, platform: str) -> None:
    with everywhere(hub, platforms, PUBLISH, chosen=(platform,)) as on:
        on.link(platform, ADA)
        ask(on, platform)
        (link,) = hub.services.bridges.links(hub.alice)
        hub.services.bridges.unlink(hub.alice, link.id)
        approve(on, platform)
        assert hub.services.approvals.pending(hub.alice)[0].status == "pending"
        shown = on.platforms.slack.at("Dalice", ADA)[-1].words if platform == "slack" else platforms.texts(platform, ADA)[-1]
        assert "/bridges/link?code=" in shown


@on_each
def test_the_hub_is_restarted_between_question_and_approval(hub: Hub, platforms: Around, platform: str) -> None:
    with everywhere(hub, platforms, PUBLISH, chosen=(platform,)) as before:
        before.link(platform, ADA)
        ask(before, platform)
    with hub.restarted() as again, everywhere(again, platforms, chosen=(platform,)) as on:
        approve(on, platform)
        assert again.visibility("acme/vision") == "public"
        assert (again.audit("approval.approve"), again.audit("repo.visibility")) == (1, 1)


@on_each
def test_a_platform_that_is_down_for_ten_minutes_gets_answers_and_approvals_then(
    hub: Hub, platforms: Around, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat_ui.bridges.wecom.connection.FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("chat_ui.bridges.wecom.connection.LONGEST_PAUSE_S", 0.02)
    with everywhere(hub, platforms, call("whoami"), call("list_orgs"), PUBLISH, chosen=(platform,)) as on:
        on.link(platform, ADA)
        clock = Clock(monkeypatch)
        for number, text in enumerate(("who am I?", "which organisations?", "make acme/vision public"), 1):
            if platform != "wecom_bot" or number == 1:
                platforms.break_down(platform)
            heard(on, platform, text, number)
        clock.pass_by(on, 10 * MINUTE, dt.timedelta(seconds=15))
        assert platforms.texts(platform, ADA) == [] and not platforms.asks(platform, ADA)
        platforms.break_down(platform, down=False)
        if platform == "wecom_bot":
            platforms.bot.wait(lambda bot: bot._live)
            wait_until(lambda: on.on.channels[0].connection.ready)  # type: ignore[attr-defined]
        clock.pass_by(on, 10 * MINUTE, MINUTE)
        shown = [text for text in platforms.texts(platform, ADA) if "yes " not in text]
        assert ["alice" in shown[0], "acme" in shown[1], len(shown)] == [True, True, 2]
        assert platforms.asks(platform, ADA)
        with hub.services.db.read() as session:
            assert set(session.scalars(sa.select(BridgeOutbox.status))) == {"sent"}
            assert max(session.scalars(sa.select(BridgeOutbox.attempts))) <= 8, "pauses grow"


@on_each
def test_an_answer_to_a_platform_that_stays_down_is_given_up_with_a_record(
    hub: Hub, platforms: Around, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with everywhere(hub, platforms, call("whoami"), chosen=(platform,)) as on:
        on.link(platform, ADA)
        clock = Clock(monkeypatch)
        platforms.break_down(platform)
        heard(on, platform, "who am I?", 1)
        clock.pass_by(on, dt.timedelta(hours=7), 20 * MINUTE)
        assert hub.audit("bridge.undelivered") == 1
        (thread,) = hub.services.conversations.list_threads(hub.alice).items
        assert "alice" in hub.services.conversations.list_messages(hub.alice, thread.id)[-1].text, "it stays readable on the hub"


def heard(on: Everywhere, platform: str, text: str, number: int) -> None:
    """What was said just before the platform went down; a bot's connection is down with it, so it was taken in before."""
    if platform != "wecom_bot":
        ask(on, platform, text, str(number))
        return
    from chat_ui.bridges.port import Incoming, Place
    from tests.common.fake_aibot import BOT

    place = Place("wecom_bot", BOT, ADA, reply=f"request-{number}")
    on.on.hear(Incoming(f"msg-{number}", place, ADA, text=text))
