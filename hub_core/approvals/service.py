"""Approvals: gated acts that wait for a person, moved by one compare-and-set; and the record of what ran under which key."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.lookup import storable
from hub_core.approvals.tables import Approval, Execution
from hub_core.authz import Actor, Permission, require_scope
from hub_core.db import Database, utcnow
from hub_core.errors import ApprovalExpired, ApprovalNotFound, ApprovalSettled, Conflict, SecretNotKept
from hub_core.secrecy import redact, secrets_in
from hub_core.vault import Vault, has_lost_secret, shown

Decision = Literal["approve", "reject"]
Outcome = Literal["executed", "failed"]
# Longer than any tool runs: queries end after seconds, and the largest attachment is copied within minutes. After it the process
# that ran the call is taken for dead. A key is rarely used again so soon, so no heartbeat keeps this shorter.
EXECUTION_LEASE = dt.timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """An approval as others see it. `plan` is what was shown to the person; secrets in it and in the arguments are replaced."""

    id: str
    requester_id: int
    thread_id: str | None
    channel: str
    tool: str
    args: dict[str, Any]
    effect: str
    plan: dict[str, Any]
    status: str
    created_at: dt.datetime
    expires_at: dt.datetime
    decided_at: dt.datetime | None


class ApprovalService:
    """The only authority on whether a gated act may run."""

    def __init__(self, db: Database, ttl_s: int, vault: Vault | None = None) -> None:
        self._db = db
        self._vault = vault or Vault(ttl_s)
        self._ttl = dt.timedelta(seconds=ttl_s)

    def request(
        self, actor: Actor, thread_id: str | None, tool: str, args: dict[str, Any], effect: str, plan: dict[str, Any]
    ) -> ApprovalView:
        """Park an act. The very same act that already waits in this thread is not asked twice: its clock starts anew.

        Secrets among the arguments are kept in memory only, see `revealed`.
        """
        require_scope(actor, Permission.CHAT)
        now = utcnow()
        scope = _scope(actor.user_id, thread_id)
        self._vault.learn(scope, secrets_in(args))
        args = self._vault.seal(scope, args)
        plan = self._vault.seal(scope, json.loads(json.dumps(plan, default=str)))
        digest = act_digest(tool, args)
        with self._db.write() as session:
            waiting = [row for row in _waiting(session, actor, thread_id) if row.digest == digest]
            same = next((row for row in waiting if row.plan == plan), None)
            for row in waiting:
                if row is not same:
                    _move(session, row.id, "pending", "withdrawn")
            if same is not None:
                same.expires_at = now + self._ttl
                return _view(same)
            row = Approval(
                id=str(uuid.uuid4()), requester_id=actor.user_id, thread_id=thread_id, channel=actor.channel, tool=tool, args=args,
                digest=digest, effect=effect, plan=plan, status="pending", created_at=now, expires_at=now + self._ttl,
            )  # fmt: skip
            session.add(row)
            audit.record(session, actor, "approval.request", tool, approval=row.id, digest=digest)
            return _view(row)

    def get(self, actor: Actor, approval_id: str) -> ApprovalView:
        """One of the caller's own.

        Raises:
            ApprovalNotFound: none of that id, or somebody else's.
        """
        with self._db.read() as session:
            return _view(_own(session, actor, approval_id))

    def revealed(self, actor: Actor, approval_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments and the plan with their secrets, to run the act.

        Raises:
            ApprovalNotFound: none of that id, or somebody else's.
            SecretNotKept: the hub was restarted since they were said, or this is another node.
        """
        with self._db.read() as session:
            row = _own(session, actor, approval_id)
        args, plan = self._vault.open(_scope(row.requester_id, row.thread_id), (dict(row.args), dict(row.plan)))
        if has_lost_secret(args):
            raise SecretNotKept("The password in this request is no longer known, so nothing was done.", hint="Ask again and say it again.")
        return args, plan

    def pending(self, actor: Actor, thread_id: str | None = None) -> list[ApprovalView]:
        """The caller's approvals that wait for an answer and have not expired, oldest first."""
        query = sa.select(Approval).where(
            Approval.requester_id == actor.user_id, Approval.status == "pending", Approval.expires_at > utcnow()
        )
        if thread_id is not None:
            query = query.where(Approval.thread_id == thread_id)
        with self._db.read() as session:
            return [_view(row) for row in session.scalars(query.order_by(Approval.created_at, Approval.id))]

    def latest(self, actor: Actor, thread_id: str) -> ApprovalView | None:
        """The newest approval of a thread, whatever became of it."""
        query = sa.select(Approval).where(Approval.requester_id == actor.user_id, Approval.thread_id == thread_id)
        with self._db.read() as session:
            row = session.scalar(query.order_by(Approval.created_at.desc()).limit(1))
            return None if row is None else _view(row)

    def unsettled(self, actor: Actor, thread_id: str) -> list[ApprovalView]:
        """What of a thread waits for an answer (`pending`), or was approved and has not reported back (`approved`), oldest first."""
        query = sa.select(Approval).where(
            Approval.requester_id == actor.user_id, Approval.thread_id == thread_id, Approval.status.in_(("pending", "approved"))
        )
        now = utcnow()
        with self._db.read() as session:
            found = session.scalars(query.order_by(Approval.created_at, Approval.id))
            return [_view(row) for row in found if row.status == "approved" or row.expires_at > now]

    def decide(self, actor: Actor, approval_id: str, decision: Decision) -> ApprovalView:
        """Settle a pending approval; of several answers at once exactly one wins.

        Raises:
            ApprovalNotFound: none of that id, or somebody else's.
            ApprovalExpired: it waited too long.
            ApprovalSettled: it was answered, executed or withdrawn before.
        """
        require_scope(actor, Permission.CHAT)
        target = "approved" if decision == "approve" else "rejected"
        now = utcnow()
        with self._db.write() as session:
            row = _own(session, actor, approval_id)
            expired = row.expires_at <= now
            values = {"decided_at": now} if expired else {"decided_by": actor.user_id, "decided_channel": actor.channel, "decided_at": now}
            won = _move(session, approval_id, "pending", "expired" if expired else target, **values)
            session.refresh(row)
            view = _view(row)
            if won:
                verb = "expire" if expired else decision
                audit.record(session, actor, f"approval.{verb}", row.tool, approval=row.id, digest=row.digest)
        if view.status == "expired":
            raise ApprovalExpired("This request waited too long for an answer, so nothing was done.", hint="Ask for it again.")
        if not won:
            raise ApprovalSettled(
                f"This request is already {view.status}.", hint="Ask again if you want it done now.", status=view.status, tool=view.tool
            )
        return view

    def finish(self, actor: Actor, approval_id: str, outcome: Outcome) -> None:
        """Say what became of an approved act of the caller's."""
        with self._db.write() as session:
            row = _own(session, actor, approval_id)
            if _move(session, approval_id, "approved", outcome):
                verb = "execute" if outcome == "executed" else "fail"
                facts: dict[str, Any] = {"effect": row.effect, "asked_on": row.channel, "answered_on": row.decided_channel}
                audit.record(session, actor, f"approval.{verb}", row.tool, approval=row.id, digest=row.digest, **facts)

    def withdraw(self, actor: Actor, approval_id: str) -> bool:
        """Take a pending request back; False when it was settled before."""
        with self._db.write() as session:
            row = _own(session, actor, approval_id)
            won = _move(session, approval_id, "pending", "withdrawn", decided_at=utcnow())
            if won:
                audit.record(session, actor, "approval.withdraw", row.tool, approval=row.id)
            return won

    def expire_due(self) -> int:
        """Close everything that waited too long; returns how many. Called now and then by housekeeping."""
        now = utcnow()
        statement = sa.update(Approval).where(Approval.status == "pending", Approval.expires_at <= now)
        with self._db.write() as session:
            return _count(session, statement.values(status="expired", decided_at=now))

    def begin_execution(self, actor: Actor, key: str, tool: str, digest: str) -> dict[str, Any] | None:
        """Claim an idempotency key. A claim that neither finished nor failed within `EXECUTION_LEASE` is free again.

        Returns:
            The stored result when this very call ran before; None when the caller shall run it now.

        Raises:
            Conflict: the key was used for something else, or its call is still running.
        """
        with self._db.write() as session:
            try:
                with session.begin_nested():
                    session.add(
                        Execution(
                            key=key, user_id=actor.user_id, tool=tool, digest=digest, status="running", result={}, started_at=utcnow()
                        )
                    )
                return None
            except IntegrityError:
                row = session.get_one(Execution, key)
            if (row.user_id, row.tool, row.digest) != (actor.user_id, tool, digest):
                raise Conflict("This idempotency key was used for another call.", hint="Use a new key for each call.")
            if row.status == "ok":
                return dict(row.result)
            now = utcnow()
            free = sa.or_(
                Execution.status == "error", sa.and_(Execution.status == "running", Execution.started_at <= now - EXECUTION_LEASE)
            )
            if _count(session, sa.update(Execution).where(Execution.key == key, free).values(status="running", started_at=now)) == 0:
                minutes = int(EXECUTION_LEASE.total_seconds() // 60)
                raise Conflict(
                    "This very call is still running.",
                    hint=f"Wait for it to finish. If the hub stopped meanwhile, the key is free again {minutes} minutes after the call began.",
                )
            return None

    def finish_execution(self, key: str, result: dict[str, Any]) -> None:
        """Store the result of a call that ran; secrets in it are not kept."""
        self._close(key, "ok", redact(result))

    def fail_execution(self, key: str) -> None:
        """A call raised: it may be tried again under the same key."""
        self._close(key, "error", {}, Execution.status == "running")

    def execution(self, key: str) -> str | None:
        """`running`, `ok` or `error`; None when the key was never used."""
        with self._db.read() as session:
            return session.scalar(sa.select(Execution.status).where(Execution.key == key))

    def execution_result(self, actor: Actor, key: str) -> dict[str, Any] | None:
        """The stored result of a call of the caller's that ran under this key; None when it did not run to its end."""
        with self._db.read() as session:
            row = session.get(Execution, key)
            return dict(row.result) if row is not None and row.user_id == actor.user_id and row.status == "ok" else None

    def _close(self, key: str, status: str, result: dict[str, Any], *conditions: sa.ColumnElement[bool]) -> None:
        with self._db.write() as session:
            statement = sa.update(Execution).where(Execution.key == key, *conditions)
            session.execute(statement.values(status=status, result=result, finished_at=utcnow()))


def act_digest(tool: str, args: dict[str, Any]) -> str:
    """sha256 of a tool and its canonical arguments."""
    text = json.dumps([tool, args], sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _scope(user_id: int | None, thread_id: str | None) -> str:
    """Whose secrets an approval may hold: its conversation's, or its requester's own outside of conversations."""
    return thread_id or f"user:{user_id}"


def _own(session: Session, actor: Actor, approval_id: str) -> Approval:
    row = session.get(Approval, storable(approval_id))
    if row is None or row.requester_id != actor.user_id or actor.user_id is None:
        raise ApprovalNotFound("There is no such request of yours.", hint="list_approvals shows what waits for your answer.")
    return row


def _waiting(session: Session, actor: Actor, thread_id: str | None) -> list[Approval]:
    query = sa.select(Approval).where(
        Approval.requester_id == actor.user_id,
        Approval.thread_id == thread_id,
        Approval.status == "pending",
        Approval.expires_at > utcnow(),
    )
    return list(session.scalars(query))


def _move(session: Session, approval_id: str, before: str, after: str, **values: Any) -> bool:
    statement = sa.update(Approval).where(Approval.id == approval_id, Approval.status == before)
    return _count(session, statement.values(status=after, **values)) == 1


def _count(session: Session, statement: Any) -> int:
    result: Any = session.execute(statement, execution_options={"synchronize_session": False})
    return int(result.rowcount)


def _view(row: Approval) -> ApprovalView:
    return ApprovalView(
        row.id, row.requester_id, row.thread_id, row.channel, row.tool, shown(dict(row.args)), row.effect, shown(dict(row.plan)), row.status,
        row.created_at, row.expires_at, row.decided_at,
    )  # fmt: skip
