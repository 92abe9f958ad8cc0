"""Setting budgets, and the check that everything asks which would cost something.

A budget is set twice at most for an owner and a period: by an administrator of the site, and by the owner (the person, or an
administrator of the organisation), who cannot set more than the site's. The lower one counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts import policy
from hub_core.accounts.lookup import fold, locked, role_of
from hub_core.accounts.tables import Membership, Namespace, Org, User
from hub_core.authz import SYSTEM, Actor, CredentialKind, Permission, Role
from hub_core.budgets.states import BudgetPeriod, BudgetState, Level, states, used_by, window
from hub_core.budgets.tables import Budget
from hub_core.db import Database, utcnow
from hub_core.errors import InvalidInput, PermissionDenied, UserNotFound
from hub_core.repos.tables import Repo
from hub_core.running_errors import BudgetSpent

MAX_AMOUNT = 1e9


@dataclass(frozen=True, slots=True)
class BudgetChange:
    """What setting a budget would do. Amounts are None where there is no limit; `before` and `after` are of the caller's own level."""

    owner_id: int
    owner: str
    period: BudgetPeriod
    level: Level
    before: float | None
    after: float | None
    counted: float | None  # what counts now, of both levels
    counts: float | None  # what would count
    used: float

    @property
    def loosens(self) -> bool:
        """Whether more may be spent than before."""
        return self.counted is not None and (self.counts is None or self.counts > self.counted)

    @property
    def stops(self) -> bool:
        """Whether what runs would be stopped because of it."""
        return self.counts is not None and self.used >= self.counts and (self.counted is None or self.used < self.counted)


class BudgetService:
    """Budgets in the currency of the hardware catalogue."""

    def __init__(self, db: Database, currency: str) -> None:
        self._db = db
        self._currency = currency

    def plan(self, actor: Actor, owner: str, amount: float, period: BudgetPeriod) -> BudgetChange:
        """What `set_amount` would change; raises like it."""
        with self._db.read() as session:
            return self._change(session, actor, owner, amount, period)

    def set_amount(self, actor: Actor, owner: str, amount: float, period: BudgetPeriod) -> BudgetChange:
        """Set the caller's level of an owner's budget; 0 removes it.

        Raises:
            UserNotFound: no such user or organisation.
            PermissionDenied: neither the owner, nor an administrator of the organisation or of the site.
            InvalidInput: not an amount, or more than the site's.
        """
        with self._db.write() as session:
            change = self._change(session, actor, owner, amount, period)
            key = {"namespace_id": change.owner_id, "period": str(period), "level": str(change.level)}
            session.execute(sa.delete(Budget).filter_by(**key))
            if change.after is not None:
                session.add(Budget(**key, amount=change.after, set_by=actor.user_id, set_at=utcnow()))
            audit.record(
                session,
                actor,
                "budget.set",
                change.owner,
                period=str(period),
                level=str(change.level),
                before=change.before,
                after=change.after,
            )
        return change

    def of(self, actor: Actor, owner_ids: list[int]) -> list[BudgetState]:
        """The budgets of those of some owners that the caller answers for."""
        with self._db.read() as session:
            mine = [owner for owner in owner_ids if answers_for(session, actor, owner)]
            return states(session, self._currency, mine) if mine else []

    def left(self, owner_id: int, session: Session | None = None) -> BudgetState | None:
        """The budget of an owner of which the least is left; None where there is none."""
        if session is None:
            with self._db.read() as own:
                return self.left(owner_id, own)
        return min(states(session, self._currency, [owner_id]), key=lambda one: one.left, default=None)

    def left_of_repo(self, repo_id: int) -> BudgetState | None:
        """The same for the owner of a repo."""
        with self._db.read() as session:
            owner = session.scalar(sa.select(Repo.namespace_id).where(Repo.id == repo_id))
            return self.left(owner, session) if owner is not None else None

    def check(self, owner_id: int, session: Session | None = None, *, open_to_all: bool = False) -> BudgetState | None:
        """Refuse what would begin to cost something when the budget of its owner is used up; also for jobs, before and while they run.

        Args:
            session: the caller's transaction, if there is one.
            open_to_all: whoever is told may be anybody, so nothing is said about the owner's amounts.

        Returns:
            The tightest budget of the owner; None where there is none.

        Raises:
            BudgetSpent: nothing is left.
        """
        state = self.left(owner_id, session)
        if state is None or not state.spent:
            return state
        until = f"{state.ends_at:%Y-%m-%d} (UTC)"
        if open_to_all:
            raise BudgetSpent("The budget of its owner is used up, so it is not started.", hint=f"Ask its owner, or come back on {until}.")
        raise BudgetSpent(
            f"The budget of {state.owner} is used up: {state.used:,.2f} of {state.amount:,.2f} {state.currency} per {state.period}.",
            hint=f"Ask an administrator to raise it with set_budget, or wait until {until}.",
            owner=state.owner, period=str(state.period), amount=state.amount, used=round(state.used, 4), currency=state.currency,
            until=state.ends_at.isoformat(),
        )  # fmt: skip

    def watch(self, people: dict[int, set[int]]) -> list[BudgetState]:
        """Tell people, once in a period, that most or all of a budget is used.

        Args:
            people: owner -> ids of further people whose work runs on it.

        Returns:
            The budgets of which nothing is left.
        """
        with self._db.read() as session:
            found = states(session, self._currency)
        for state in found:
            if state.spent and not state.told:
                self._tell(state, "budget.spent", people)
            elif state.nearly and not state.spent and not state.warned:
                self._tell(state, "budget.warn", people)
        return [state for state in found if state.spent]

    def _tell(self, state: BudgetState, action: str, people: dict[int, set[int]]) -> None:
        now = utcnow()
        values = {"warned_at": now} | ({"ended_at": now} if action == "budget.spent" else {})
        with self._db.write() as session:
            mine = sa.update(Budget).where(Budget.namespace_id == state.owner_id, Budget.period == str(state.period))
            session.execute(mine.values(**values), execution_options={"synchronize_session": False})
            told = sorted(_admins(session, state.owner_id) | people.get(state.owner_id, set()))
            title = f"{state.owner}: {state.used:,.2f} / {state.amount:,.2f} {state.currency} ({state.period})"
            audit.record(
                session, SYSTEM, action, state.owner, users=told, title=title, period=str(state.period), amount=state.amount,
                spent=round(state.used, 4), currency=state.currency,
            )  # fmt: skip

    def _change(self, session: Session, actor: Actor, said: str, amount: float, period: BudgetPeriod) -> BudgetChange:
        if not 0 <= amount <= MAX_AMOUNT:
            raise InvalidInput(f"A budget is an amount from 0 to {MAX_AMOUNT:,.0f}.", hint="0 removes it.")
        owner = find_owner(session, said)
        level = _level(session, actor, owner)
        rows = session.scalars(locked(sa.select(Budget).where(Budget.namespace_id == owner.id, Budget.period == str(period))))
        amounts = {Level(row.level): row.amount for row in rows}
        site, after = amounts.get(Level.SITE), round(amount, 4) or None
        if level is Level.OWN and after is not None and site is not None and after > site:
            raise InvalidInput(
                f"An administrator of the hub gave {owner.name} {site:,.2f} {self._currency} per {period}; its own budget cannot be larger.",
                hint="Set a smaller one, or ask an administrator of the hub.",
            )
        wanted = {key: value for key, value in amounts.items() if key is not level} | ({level: after} if after is not None else {})
        now = next((one for one in states(session, self._currency, [owner.id]) if one.period is period), None)
        return BudgetChange(
            owner.id, owner.name, period, level, amounts.get(level), after, min(amounts.values(), default=None),
            min(wanted.values(), default=None), now.used if now else self._used(session, owner.id, period),
        )  # fmt: skip

    def _used(self, session: Session, owner_id: int, period: BudgetPeriod) -> float:
        return used_by(session, [owner_id], window(period)[0]).get(owner_id, 0.0)


def find_owner(session: Session, said: str) -> Namespace:
    """The user or organisation of that name.

    Raises:
        UserNotFound: there is none, or it was deleted.
    """
    row = session.scalar(sa.select(Namespace).where(Namespace.name == fold(said)))
    if row is not None:
        there = sa.select(User.id).where(User.id == row.id, User.status != "deleted")
        if session.scalar(there.union_all(sa.select(Org.id).where(Org.id == row.id, Org.deleted_at.is_(None)))) is not None:
            return row
    raise UserNotFound(f"There is no user or organisation '{said[:64]}'.", hint="Check the name.", username=said[:64])


def answers_for(session: Session, actor: Actor, owner_id: int) -> bool:
    """Whether the caller may see all that an owner uses: the owner, an administrator of the organisation, or of the site."""
    if actor.repo_id is not None or actor.is_anonymous:
        return False
    if actor.is_admin or actor.credential is CredentialKind.SYSTEM or actor.user_id == owner_id:
        return True
    return role_of(session, owner_id, actor.user_id) is Role.ADMIN


def _level(session: Session, actor: Actor, owner: Namespace) -> Level:
    policy.check(actor, Permission.BUDGET_SET)
    if actor.is_admin or actor.credential is CredentialKind.SYSTEM:
        return Level.SITE
    if answers_for(session, actor, owner.id):
        return Level.OWN
    raise PermissionDenied(
        f"Only an administrator of {owner.name} or of the hub sets its budget.",
        hint="Ask one of them.",
        permission=str(Permission.BUDGET_SET),
    )


def _admins(session: Session, owner_id: int) -> set[int]:
    people = sa.select(Membership.user_id).where(Membership.org_id == owner_id, Membership.role == str(Role.ADMIN))
    return {*session.scalars(people), *session.scalars(sa.select(User.id).where(User.id == owner_id))}
