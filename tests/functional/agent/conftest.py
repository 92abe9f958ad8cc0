"""A hub with two people, an organisation and a few repos, and an agent that plays a script on it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent.agent import Agent, open_agent
from agent.schema import Answer, Event
from agent.scripted import ScriptedModel
from hub_core.accounts.tables import User
from hub_core.authz import Actor, Visibility
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_org, make_user


@dataclass
class Talk:
    """One person's conversation."""

    agent: Agent
    actor: Actor
    thread: str | None = None
    events: list[Event] = field(default_factory=list)

    def say(self, text: str, **options: Any) -> Answer:
        answer = self.agent.turn(self.actor, self.thread, text, emit=self.events.append, **options)
        self.thread = answer.thread_id
        return answer

    def decide(self, decision: Any, approval_id: str, **options: Any) -> Answer:
        assert self.thread is not None
        return self.agent.decide(self.actor, self.thread, approval_id, decision, emit=self.events.append, **options)


@dataclass
class Hub:
    """The world of a test. `restarted()` opens the same data again, as after a restart."""

    services: Services
    alice_row: User
    bob_row: User

    @property
    def alice(self) -> Actor:
        return actor_for(self.alice_row, channel="chat")

    @property
    def bob(self) -> Actor:
        return actor_for(self.bob_row, channel="chat")

    @contextmanager
    def talk(self, *lines: Any, speaks: bool = False, actor: Actor | None = None) -> Iterator[Talk]:
        with self.agent(*lines, speaks=speaks) as agent:
            yield Talk(agent, actor or self.alice)

    @contextmanager
    def agent(self, *lines: Any, speaks: bool = False) -> Iterator[Agent]:
        with open_agent(self.services, ScriptedModel(lines=list(lines), speaks=speaks)) as agent:
            yield agent

    @contextmanager
    def restarted(self) -> Iterator[Hub]:
        with open_services(self.services.settings) as services:
            yield Hub(services, self.alice_row, self.bob_row)

    def visibility(self, repo: str) -> str:
        return self.services.repos.get(self.alice, repo).visibility

    def exists(self, repo: str) -> bool:
        return any(view.id == repo for view in self.search())

    def search(self) -> Any:
        from hub_core.repos.search import RepoQuery

        return self.services.search.search(self.alice, RepoQuery(limit=50)).items

    def audit(self, action: str) -> int:
        import sqlalchemy as sa

        from hub_core.audit import AuditEvent

        with self.services.db.read() as session:
            return session.scalar(sa.select(sa.func.count()).where(AuditEvent.action == action)) or 0


def make_hub(services: Services) -> Hub:
    alice, bob = make_user(services.db, "alice"), make_user(services.db, "bob")
    make_org(services.db, "acme", {alice: "admin", bob: "write"})
    hub = Hub(services, alice, bob)
    for name, kind in (("acme/support-7b", RepoKind.MODEL), ("acme/vision", RepoKind.MODEL), ("acme/tickets", RepoKind.DATASET)):
        services.repos.create(hub.alice, name, kind, Visibility.PRIVATE, "", "")
    return hub


@pytest.fixture
def hub(services: Services) -> Hub:
    return make_hub(services)


@pytest.fixture
def any_hub(settings: Settings, db_url: str) -> Iterator[Hub]:
    """The same on both kinds of database."""
    with open_services(dataclasses.replace(settings, database_url=db_url)) as services:
        yield make_hub(services)


def call(tool: str, /, **args: Any) -> dict[str, Any]:
    """A line of a script: one call."""
    return {"tool": tool, "args": args}


def both(*acts: Any) -> list[Any]:
    """Run functions at the same moment; gives their results or errors."""
    barrier = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = acts[index]()
        except Exception as error:  # noqa: BLE001 - handed to the test
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results
