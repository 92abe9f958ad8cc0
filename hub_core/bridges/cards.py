"""Which message on which platform shows which approval, so that a decision made anywhere shows everywhere."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hub_core.approvals.tables import Approval
from hub_core.bridges.links import LinkView
from hub_core.bridges.tables import BridgeCard, BridgeLink
from hub_core.db import Database, utcnow

OPEN = ("pending", "approved")
RETRY = dt.timedelta(seconds=30)
MAX_TRIES = 20


@dataclass(frozen=True, slots=True)
class CardView:
    """A card and the approval it is about, as both stand now. `target` is empty until its place was opened."""

    id: int
    approval_id: str
    platform: str
    workspace: str
    person: str
    user_id: int
    target: dict[str, Any]
    message: str
    language: str
    code: str
    shown: str
    tool: str
    args: dict[str, Any]
    plan: dict[str, Any]
    effect: str
    status: str
    expires_at: dt.datetime


class Cards:
    """The cards part of `BridgeService`."""

    _db: Database

    def add_card(
        self, link: LinkView, approval_id: str, language: str, target: dict[str, Any] | None = None, *, due: bool = False
    ) -> CardView | None:
        """A card for a person who is about to be asked, not sent yet; None where one of this approval is on that platform already.

        Args:
            due: a job shall send it; else the caller does, and a job only if that fails.
        """
        now = utcnow()
        row = BridgeCard(
            approval_id=approval_id, platform=link.platform, workspace=link.workspace, person=link.person, user_id=link.user_id,
            target=target or {}, language=language, code=f"{secrets.randbelow(9000) + 1000}", created_at=now, due_at=now if due else now + RETRY,
        )  # fmt: skip
        try:
            with self._db.write() as session:
                session.add(row)
        except IntegrityError:
            return None
        return self.card(row.id)

    def card(self, card_id: int) -> CardView | None:
        """One card; None when it is not there any more."""
        with self._db.read() as session:
            found = session.execute(_cards().where(BridgeCard.id == card_id)).one_or_none()
            return None if found is None else _view(*found)

    def cards_of(self, approval_id: str) -> list[CardView]:
        """All cards of an approval."""
        with self._db.read() as session:
            return [_view(*row) for row in session.execute(_cards().where(BridgeCard.approval_id == approval_id))]

    def card_by_code(self, user_id: int, code: str) -> CardView | None:
        """The person's open card that is answered with this code; None for none, or when two have the same."""
        with self._db.read() as session:
            found = session.execute(
                _cards().where(BridgeCard.user_id == user_id, BridgeCard.code == code, Approval.status == "pending")
            ).all()
            return _view(*found[0]) if len({row[1].id for row in found}) == 1 else None

    def shows(self, card_id: int, status: str, *, message: str | None = None, target: dict[str, Any] | None = None) -> None:
        """A card shows a state now."""
        values: dict[str, Any] = {"shown": status, "attempts": 0, "due_at": utcnow() if status in OPEN else None}
        values |= {name: value for name, value in (("message", message), ("target", target)) if value is not None}
        with self._db.write() as session:
            session.execute(sa.update(BridgeCard).where(BridgeCard.id == card_id).values(values))

    def card_failed(self, card_id: int, *, after_s: float | None, final: bool) -> None:
        """A card could not be sent or changed; it is tried again some times."""
        with self._db.write() as session:
            row = session.get_one(BridgeCard, card_id, with_for_update=True)
            row.attempts += 1
            wait = max(dt.timedelta(seconds=after_s or 0), RETRY * min(row.attempts, 10))
            row.due_at = None if final or row.attempts >= MAX_TRIES else utcnow() + wait

    def due_cards(self, platforms: Collection[str]) -> list[int]:
        """Cards that do not show how their approval stands."""
        stale = (
            sa.select(BridgeCard.id)
            .join(Approval, Approval.id == BridgeCard.approval_id)
            .where(BridgeCard.due_at <= utcnow(), BridgeCard.shown != Approval.status, BridgeCard.platform.in_(platforms))
        )
        with self._db.connection() as connection:
            return list(connection.scalars(stale.limit(100)))

    def unannounced(self, platforms: Collection[str], after_s: float) -> list[tuple[str, LinkView]]:
        """Approvals that have waited for `after_s` seconds, and the platforms on which their requester could answer but was not asked."""
        from hub_core.bridges.links import _view as link_view

        asked = sa.select(BridgeCard.id).where(
            BridgeCard.approval_id == Approval.id, BridgeCard.platform == BridgeLink.platform,
            BridgeCard.workspace == BridgeLink.workspace, BridgeCard.person == BridgeLink.person,
        )  # fmt: skip
        now = utcnow()
        found = (
            sa.select(Approval.id, BridgeLink)
            .join(BridgeLink, BridgeLink.user_id == Approval.requester_id)
            .where(
                BridgeLink.platform.in_(platforms),
                Approval.status == "pending",
                Approval.expires_at > now,
                Approval.created_at <= now - dt.timedelta(seconds=after_s),
                ~asked.exists(),
            )
        )
        with self._db.read() as session:
            return [(approval_id, link_view(link)) for approval_id, link in session.execute(found.limit(100))]


def _cards() -> sa.Select[BridgeCard, Approval]:
    return sa.select(BridgeCard, Approval).join(Approval, Approval.id == BridgeCard.approval_id)


def _view(row: BridgeCard, approval: Approval) -> CardView:
    from hub_core.vault import shown

    return CardView(
        id=row.id, approval_id=row.approval_id, platform=row.platform, workspace=row.workspace, person=row.person, user_id=row.user_id,
        target=dict(row.target), message=row.message, language=row.language, code=row.code, shown=row.shown, tool=approval.tool,
        args=shown(dict(approval.args)), plan=shown(dict(approval.plan)), effect=approval.effect, status=approval.status,
        expires_at=approval.expires_at,
    )  # fmt: skip
