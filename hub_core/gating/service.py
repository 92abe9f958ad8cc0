"""Asking for access to a repo, and saying yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.lookup import find_user
from hub_core.accounts.tables import User
from hub_core.authz import SYSTEM, Access, Actor, Permission, Role, require_scope
from hub_core.db import Database, utcnow
from hub_core.errors import Conflict, InvalidInput, NotFound, PermissionDenied, RequestNotFound
from hub_core.gating.tables import AccessRequest, Gating, RequestStatus
from hub_core.gating.views import RequestPage, RequestView, view_of
from hub_core.repos.access import require_repo
from hub_core.repos.people import set_role
from hub_core.repos.tables import Collaborator, Repo

MAX_REASON = 2000
MAX_PAGE = 500
_VERBS = {RequestStatus.ACCEPTED: "accept", RequestStatus.REJECTED: "reject", RequestStatus.PENDING: "reopen"}


@dataclass(frozen=True, slots=True)
class Ask:
    """What asking would do: for which role, how the caller's request stands (None: there is none) and how it would stand."""

    role: Role
    before: RequestStatus | None
    after: RequestStatus


class GateService:
    """The gate of repos: who asked, and who decided what."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- the gate --------------------------------------------------------------------------------------------------

    def set_gating(self, actor: Actor, repo: Repo, gating: Gating) -> None:
        """Close or open the gate. Requests stay as they are: who was let in once need not ask again when it is closed another time.

        Raises:
            PermissionDenied: the role admin is needed.
        """
        with self._db.write() as session:
            row = _row(session, actor, repo, Permission.REPO_ADMIN)[0]
            before, row.gated = row.gated, str(gating)
            if before != gating:
                audit.record(session, actor, "access.gate", row.full_name, repo_id=row.id, before=before, after=str(gating))

    # -- asking ----------------------------------------------------------------------------------------------------

    def plan_ask(self, actor: Actor, repo: Repo) -> Ask:
        """What `ask` would do; changes nothing and raises what it would raise."""
        with self._db.read() as session:
            return _asking(session, actor, *_row(session, actor, repo))[0]

    def ask(self, actor: Actor, repo: Repo, reason: str = "", fields: dict[str, Any] | None = None) -> RequestView:
        """Ask for the files of a gated repo, or, where these are open to the caller already, for the role write.

        A gate that lets everybody in who asks accepts at once. Asking again changes nothing but the reason.

        Raises:
            Unauthenticated, PermissionDenied: nobody is signed in, the token may not, or an earlier request was rejected.
            Conflict: the caller has what could be asked for. InvalidInput: the reason is too long.
        """
        if len(reason) > MAX_REASON:
            raise InvalidInput(f"A reason has at most {MAX_REASON:,} characters.", hint="Say it shorter.")
        for attempt in range(2):
            try:
                with self._db.write() as session:
                    return _ask(session, actor, repo, reason.strip(), fields or {})
            except IntegrityError:
                # The same person asked twice at once.
                if attempt:
                    raise
        raise AssertionError("unreachable")

    def check_withdraw(self, actor: Actor, repo: Repo) -> RequestView:
        """The request that `withdraw` would take back.

        Raises:
            RequestNotFound: the caller has none that waits or was accepted.
        """
        with self._db.read() as session:
            row, _ = _row(session, actor, repo)
            return view_of(_own(session, actor, row), row, actor.username)

    def withdraw(self, actor: Actor, repo: Repo) -> RequestView:
        """Take one's own request back, or give up access to the files of a gated repo; raises like `check_withdraw`."""
        with self._db.write() as session:
            row, _ = _row(session, actor, repo)
            request = _own(session, actor, row)
            before, request.status = request.status, str(RequestStatus.WITHDRAWN)
            audit.record(session, actor, "access.withdraw", row.full_name, repo_id=row.id, role=request.role, before=before)
            return view_of(request, row, actor.username)

    # -- deciding --------------------------------------------------------------------------------------------------

    def check_decide(self, actor: Actor, repo: Repo, username: str, status: RequestStatus) -> RequestView:
        """The request that `decide` would decide, as it stands; raises what it would raise."""
        with self._db.read() as session:
            row, _ = _row(session, actor, repo, Permission.REPO_ADMIN)
            user = find_user(session, username)
            return view_of(_to_decide(session, row, user, status), row, user.username)

    def decide(self, actor: Actor, repo: Repo, username: str, status: RequestStatus, answer: str = "") -> RequestView:
        """Accept or reject a person's request, or let it wait again. The one that waits is meant, else the one for the files.

        Raises:
            PermissionDenied: the role admin is needed. UserNotFound: no such user.
            RequestNotFound: that person has not asked.
            Conflict: the person has a larger role by now than the one that was asked for.
        """
        with self._db.write() as session:
            row, _ = _row(session, actor, repo, Permission.REPO_ADMIN)
            user = find_user(session, username)
            request = _to_decide(session, row, user, status)
            if request.status != status:
                _settle(session, actor, row, request, user, status, answer.strip()[:MAX_REASON])
            return view_of(request, row, user.username)

    def let_in(self, actor: Actor, repo: Repo, username: str) -> RequestView:
        """Open the files of a gated repo to somebody who has not asked.

        Raises:
            Conflict: they were let in already.
        """
        with self._db.write() as session:
            row, _ = _row(session, actor, repo, Permission.REPO_ADMIN)
            user = find_user(session, username)
            request = _find(session, row, user.id, Role.READ) or _new(session, row, user.id, Role.READ)
            if request.status == RequestStatus.ACCEPTED:
                raise Conflict(f"{user.username} has access to the files of {row.full_name} already.")
            _settle(session, actor, row, request, user, RequestStatus.ACCEPTED, "")
            return view_of(request, row, user.username)

    # -- reading ---------------------------------------------------------------------------------------------------

    def requests(self, actor: Actor, repo: Repo) -> list[RequestView]:
        """What waits for an answer, oldest first, for who may answer; others get their own requests, however these stand."""
        with self._db.read() as session:
            row, access = _row(session, actor, repo)
            answers = access.role is Role.ADMIN
            mine = AccessRequest.status == RequestStatus.PENDING if answers else AccessRequest.user_id == actor.user_id
            return _views(session, row, [mine], MAX_PAGE)

    def page(self, actor: Actor, repo: Repo, status: RequestStatus, *, cursor: int = 0, limit: int = MAX_PAGE) -> RequestPage:
        """One page of the requests for the files of a repo.

        Raises:
            PermissionDenied: the role admin is needed.
        """
        with self._db.read() as session:
            row, _ = _row(session, actor, repo, Permission.REPO_ADMIN)
            chosen = [AccessRequest.status == status, AccessRequest.role == str(Role.READ), AccessRequest.id > cursor]
            found = _views(session, row, chosen, limit + 1)
        return RequestPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def username_of(self, actor: Actor, repo: Repo, request_id: int) -> str:
        """Who sent the request of that number.

        Raises:
            RequestNotFound: the repo has no such request.
        """
        with self._db.read() as session:
            row, _ = _row(session, actor, repo, Permission.REPO_ADMIN)
            found = _views(session, row, [AccessRequest.id == request_id], 1)
        if not found:
            raise _none("This person")
        return found[0].username


def _row(session: Session, actor: Actor, repo: Repo, permission: Permission = Permission.REPO_READ) -> tuple[Repo, Access]:
    row = session.get(Repo, repo.id)
    if row is None:
        raise NotFound("The repo is gone.")
    return row, require_repo(session, actor, permission, row)


def _asking(session: Session, actor: Actor, row: Repo, access: Access) -> tuple[Ask, AccessRequest | None]:
    require_scope(actor, Permission.USER_SELF)
    if actor.user_id is None or actor.repo_id not in (None, row.id):
        raise PermissionDenied(
            "This credential cannot ask for access.", hint="Use a token of your own that is not limited to another repo."
        )
    role = Role.READ if row.gated != Gating.OFF and not access.given else Role.WRITE
    request = _find(session, row, actor.user_id, role)
    before = RequestStatus(request.status) if request else None
    if before is RequestStatus.REJECTED:
        raise PermissionDenied(f"Your request for {row.full_name} was rejected.", hint="Speak to an administrator of the repo.")
    if (role is Role.WRITE and access.role is not Role.READ) or (role is Role.READ and before is RequestStatus.ACCEPTED):
        has = f"the role {access.role} on" if role is Role.WRITE else "access to the files of"
        raise Conflict(f"You have {has} {row.full_name} already.", hint="An administrator of the repo can give you a larger role.")
    at_once = role is Role.READ and row.gated == Gating.AUTO
    return Ask(role, before, RequestStatus.ACCEPTED if at_once else RequestStatus.PENDING), request


def _ask(session: Session, actor: Actor, repo: Repo, reason: str, fields: dict[str, Any]) -> RequestView:
    row, access = _row(session, actor, repo)
    ask, request = _asking(session, actor, row, access)
    assert actor.user_id is not None
    request = request or _new(session, row, actor.user_id, ask.role)
    request.reason, request.fields = reason or request.reason, fields or request.fields
    if ask.before is not RequestStatus.PENDING:
        request.status, request.requested_at, request.decided_at, request.decided_by = str(RequestStatus.PENDING), utcnow(), None, None
        audit.record(session, actor, "access.request", row.full_name, repo_id=row.id, user=actor.username, role=request.role)
    if ask.after is RequestStatus.ACCEPTED:
        _settle(session, SYSTEM, row, request, session.get_one(User, actor.user_id), ask.after, "")
    session.flush()
    return view_of(request, row, actor.username)


def _settle(session: Session, actor: Actor, row: Repo, request: AccessRequest, user: User, status: RequestStatus, answer: str) -> None:
    before, request.status = request.status, str(status)
    request.answer, request.decided_by = answer, actor.user_id
    request.decided_at = None if status is RequestStatus.PENDING else utcnow()
    details = {"user": user.username, "role": request.role, "before": before, **({"answer": answer} if answer else {})}
    audit.record(session, actor, f"access.{_VERBS[status]}", row.full_name, repo_id=row.id, **details)
    if request.role == Role.WRITE and RequestStatus.ACCEPTED in {before, status}:
        _set_write(session, actor, row, request, user, given=status is RequestStatus.ACCEPTED)


def _set_write(session: Session, actor: Actor, row: Repo, request: AccessRequest, user: User, *, given: bool) -> None:
    """Give the role write, unless the person has a larger one, or give back what they had before."""
    held = session.get(Collaborator, (row.id, user.id))
    if given:
        request.held = held.role if held else None
        if held is None or Role(held.role).rank < Role.WRITE.rank:
            set_role(session, actor, row, user, Role.WRITE)
    elif held is not None and held.role == Role.WRITE:
        set_role(session, actor, row, user, Role(request.held) if request.held else None)


def _find(session: Session, row: Repo, user_id: int, role: Role) -> AccessRequest | None:
    here = (AccessRequest.repo_id == row.id, AccessRequest.user_id == user_id, AccessRequest.role == str(role))
    return session.scalar(sa.select(AccessRequest).where(*here).with_for_update())


def _new(session: Session, row: Repo, user_id: int, role: Role) -> AccessRequest:
    made = AccessRequest(
        repo_id=row.id, user_id=user_id, role=str(role), status=str(RequestStatus.PENDING), reason="", fields={}, answer="", requested_at=utcnow()
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def _own(session: Session, actor: Actor, row: Repo) -> AccessRequest:
    require_scope(actor, Permission.USER_SELF)
    if actor.repo_id in (None, row.id) and actor.user_id is not None:
        for request in _all_of(session, row, actor.user_id):
            if request.status == RequestStatus.PENDING or (request.status == RequestStatus.ACCEPTED and request.role == Role.READ):
                return request
    raise RequestNotFound(f"You have no request for {row.full_name} to take back.", hint="list_access shows your requests.")


def _to_decide(session: Session, row: Repo, user: User, status: RequestStatus) -> AccessRequest:
    found = [request for request in _all_of(session, row, user.id) if request.status != RequestStatus.WITHDRAWN]
    if not found:
        raise _none(user.username)
    request = found[0]
    held = session.get(Collaborator, (row.id, user.id)) if request.role == Role.WRITE and request.status != status else None
    if request.status == RequestStatus.ACCEPTED and held is not None and Role(held.role) is Role.ADMIN:
        raise Conflict(f"{user.username} has the role admin on {row.full_name} by now.", hint="revoke_access takes a role away.")
    return request


def _all_of(session: Session, row: Repo, user_id: int) -> Sequence[AccessRequest]:
    """A person's requests: the one that waits first, then the one for the files."""
    waits = sa.case((AccessRequest.status == RequestStatus.PENDING, 0), else_=1)
    here = sa.select(AccessRequest).where(AccessRequest.repo_id == row.id, AccessRequest.user_id == user_id)
    return session.scalars(here.order_by(waits, AccessRequest.role).with_for_update()).all()


def _views(session: Session, row: Repo, chosen: list[sa.ColumnElement[bool]], limit: int) -> list[RequestView]:
    query = (
        sa.select(AccessRequest, User.username)
        .join(User, User.id == AccessRequest.user_id)
        .where(AccessRequest.repo_id == row.id, User.status != "deleted", *chosen)
        .order_by(AccessRequest.id)
        .limit(limit)
    )
    return [view_of(request, row, username) for request, username in session.execute(query)]


def _none(who: str) -> RequestNotFound:
    return RequestNotFound(
        f"{who} has not asked for access to this repo.", hint="list_access shows who asks; grant_access gives a role unasked."
    )
