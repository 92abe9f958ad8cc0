"""Which platforms there are, and which of them this hub is configured for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fastapi import APIRouter

from chat_ui.bridges.port import Channel, Incoming, Problem
from hub_core.services import Services
from hub_core.settings import Settings

if TYPE_CHECKING:
    from agent.agent import Agent
    from chat_ui.bridges.core import Bridges


class Accept(Protocol):
    """`Bridges.accept`: keeps an event; False when it was told before. `done` is called once it was worked on."""

    def __call__(self, incoming: Incoming, done: Callable[[], None] | None = None) -> bool:
        """Keep it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A platform in use: its channel, and the routes by which it calls the hub (None where it does not)."""

    channel: Channel
    routes: APIRouter | None = None


@dataclass(frozen=True, slots=True)
class Platform:
    """A kind of chat platform.

    Attributes:
        configured: whether the settings ask for it, be they right or wrong.
        open: opens it; nothing listens yet.
        examine: checks the configuration, calling the platform where that tells something; for `hubtalk doctor`.
    """

    name: str
    configured: Callable[[Settings], bool]
    open: Callable[[Services, Accept], Opened]
    examine: Callable[[Settings], Iterator[Problem]]


def platforms() -> tuple[Platform, ...]:
    """All of them."""
    from chat_ui.bridges.slack.platform import SLACK
    from chat_ui.bridges.wechat.platform import WECHAT
    from chat_ui.bridges.wecom.platform import WECOM, WECOM_BOT

    return SLACK, WECHAT, WECOM, WECOM_BOT


def configured(settings: Settings) -> tuple[Platform, ...]:
    """Those that this hub shall serve."""
    return tuple(platform for platform in platforms() if platform.configured(settings))


def open_bridges(services: Services, agent: Callable[[], Agent], chosen: tuple[Platform, ...]) -> tuple[Services, Bridges, list[APIRouter]]:
    """Open the bridges of these platforms; returns the hub with their jobs, the bridges (not started yet), and the routes to serve."""
    from chat_ui.bridges.core import Bridges
    from chat_ui.bridges.jobs import BridgeJobs

    jobs = BridgeJobs()
    services = jobs.known_to(services)
    made: list[Bridges] = []
    opened = [platform.open(services, lambda incoming, done=None: made[0].accept(incoming, done)) for platform in chosen]
    made.append(Bridges(services, agent, [one.channel for one in opened], jobs))
    return services, made[0], [one.routes for one in opened if one.routes is not None]


def examine(settings: Settings) -> Iterator[Problem]:
    """Check the configuration of every platform that the settings ask for."""
    for platform in configured(settings):
        yield from platform.examine(settings)
