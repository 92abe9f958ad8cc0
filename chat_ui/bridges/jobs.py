"""The jobs of the bridges: deliveries that were kept, and cards that have to be brought up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chat_ui.bridges.delivery import Delivery
from chat_ui.bridges.desk import CardDesk
from hub_core.jobs.context import JobContext
from hub_core.jobs.kinds import JobKind
from hub_core.jobs.service import JobService
from hub_core.services import Services

DELIVER, CARD = "bridge.deliver", "bridge.card"


class BridgeJobs:
    """Known to the queue before the bridges themselves are opened on it."""

    def __init__(self) -> None:
        self._delivery: Delivery | None = None
        self._desk: CardDesk | None = None

    def serve(self, delivery: Delivery, desk: CardDesk) -> None:
        """From now on they can be run here."""
        self._delivery, self._desk = delivery, desk

    def known_to(self, services: Services) -> Services:
        """The same hub with these kinds of jobs beside its own."""
        own = (
            JobKind(DELIVER, self._deliver, attempts=3, backoff=(5, 30), internal=True),
            JobKind(CARD, self._card, attempts=3, backoff=(5, 30), internal=True),
        )
        kinds = {**services.jobs.queue.kinds, **{kind.name: kind for kind in own}}
        return replace(services, jobs=JobService(services.db, kinds))

    def _deliver(self, ctx: JobContext) -> Mapping[str, Any]:
        return {"settled": self._delivery.deliver_kept(str(ctx.args["place"]))} if self._delivery else {}

    def _card(self, ctx: JobContext) -> Mapping[str, Any]:
        if self._desk is not None:
            self._desk.show(int(ctx.args["card"]))
        return {}
