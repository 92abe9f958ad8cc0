"""Who pays for a job's hardware: metered while its program runs, and ended when the budget is used up."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass

import sqlalchemy as sa

from hub_core.accounts.tables import Namespace
from hub_core.authz import Actor
from hub_core.db import Database, utcnow
from hub_core.deployments.hardware import Hardware
from hub_core.errors import InvalidInput
from hub_core.jobs.context import JobContext
from hub_core.metering.compute import Ran

EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Payer:
    """A namespace: a person or an organisation."""

    id: int
    name: str


def payer_of(db: Database, name: str) -> Payer:
    """The namespace of that name."""
    with db.read() as session:
        found = session.scalar(sa.select(Namespace).where(Namespace.name == name))
    if found is None:
        raise InvalidInput(f"There is no namespace '{name}'.")
    return Payer(found.id, found.name)


def payer_for(actor: Actor) -> Payer:
    """The person who asks, for what makes nothing."""
    if actor.user_id is None:
        raise InvalidInput("Nobody would pay for it.", hint="Sign in.")
    return Payer(actor.user_id, actor.username)


class Meter:
    """Counts the time of a program, and asks the budget now and then."""

    def __init__(self, ctx: JobContext, hardware: Hardware) -> None:
        self._ctx = ctx
        self._began: dt.datetime | None = utcnow()
        self._due = time.monotonic() + EVERY_S
        args = ctx.args
        name = str(args.get("output") or args["model_name"])
        self._what = Ran(
            kind="job", target_id=ctx.job_id, name=f"{ctx.kind} {name}", owner_id=int(args["payer"]), owner=str(args["payer_name"]),
            user_id=ctx.owner_id or 0, repo_id=None, hardware=str(hardware), price=hardware.price, started_at=utcnow(),
        )  # fmt: skip
        ctx.services.budgets.check(self._what.owner_id)

    def waits(self) -> None:
        """From now on the program takes no hardware."""
        self.close()
        self._began = None

    def runs(self, since: dt.datetime | None = None) -> None:
        """It takes its hardware, and has since then; what was counted before does not count again."""
        if self._began is None or (since is not None and since < self._began):
            self._began = since or utcnow()

    def tick(self) -> None:
        """Count, if it is time to.

        Raises:
            BudgetSpent: nothing is left to pay with.
        """
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY_S
            self.close()
            self._ctx.services.budgets.check(self._what.owner_id)

    def close(self) -> None:
        """Count up to now."""
        if self._began is not None:
            self._ctx.services.compute.ran(self._what, self._began)
