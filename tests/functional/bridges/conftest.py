"""A hub with its agent on a script, behind bridges to platforms of the test."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from agent.agent import Agent
from chat_ui.bridges.core import Bridges
from chat_ui.bridges.jobs import BridgeJobs
from chat_ui.bridges.port import Channel, Incoming
from hub_core.authz import Actor
from hub_core.bridges.links import Person
from hub_core.bridges.tables import BridgeEvent
from hub_core.jobs.worker import Worker
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.fake_channel import FakeChannel
from tests.common.quick_tls import one_certificate as one_certificate
from tests.common.working import wait_until
from tests.functional.agent.conftest import Hub, make_hub


@dataclass
class Bridged:
    """A hub with bridges. `hear` plays events and waits until they are over."""

    hub: Hub
    services: Services
    agent: Agent
    bridges: Bridges
    channels: list[Channel] = field(default_factory=list)

    @property
    def fake(self) -> FakeChannel:
        """The first platform, where that is one inside the test."""
        channel = self.channels[0]
        assert isinstance(channel, FakeChannel)
        return channel

    def link(self, person: str = "U1", actor: Actor | None = None, platform: str = "fake", workspace: str = "W1") -> None:
        """As by opening the link on the hub."""
        secret = self.services.bridges.invite(Person(platform, workspace, person, person.lower()))
        self.services.bridges.accept(actor or self.hub.alice, secret)

    def hear(self, *events: Incoming) -> None:
        for event in events:
            self.bridges.accept(event)
        self.settle()

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until every event is over."""
        over = sa.select(sa.func.count()).select_from(BridgeEvent).where(BridgeEvent.due_at.is_not(None))

        def done() -> bool:
            with self.services.db.read() as session:
                return self.bridges.idle and not session.scalar(over)

        wait_until(done, seconds)

    def round(self) -> None:
        """One round of looking after things, and all jobs."""
        self.bridges.tick()
        Worker(self.services).run_until_idle()


@contextmanager
def bridged(
    hub: Hub, *lines: Any, channels: list[Any] | None = None, speaks: bool = False, announce_s: float = 0.0, **options: Any
) -> Iterator[Bridged]:
    """Bridges whose keeper does nothing by itself: `round` does."""
    used = channels or [FakeChannel()]
    jobs = BridgeJobs()
    services = jobs.known_to(hub.services)
    with hub.agent(*lines, speaks=speaks) as agent:
        bridges = Bridges(services, lambda: agent, used, jobs, announce_s=announce_s, tick_s=3600.0, **options)
        bridges.start()
        try:
            yield Bridged(hub, services, agent, bridges, used)
        finally:
            bridges.close()


@pytest.fixture(scope="package")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Hub]:
    """The hub of the tests as it is before each, to copy: making it takes longer than most of them."""
    folder = tmp_path_factory.mktemp("hub")
    with open_services(Settings(data_dir=folder, demo=False)) as services:
        return folder, make_hub(services)


@pytest.fixture
def hub(made_once: tuple[Path, Hub], settings: Settings) -> Iterator[Hub]:
    folder, made = made_once
    shutil.copytree(folder, settings.data_dir, dirs_exist_ok=True)
    with open_services(settings) as services:
        yield dataclasses.replace(made, services=services)


@pytest.fixture
def any_hub(settings: Settings, db_url: str) -> Iterator[Hub]:
    """The same on both kinds of database."""
    with open_services(dataclasses.replace(settings, database_url=db_url)) as services:
        yield make_hub(services)
