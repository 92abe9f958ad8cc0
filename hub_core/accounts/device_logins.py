"""Programs that sign in by a browser: the program shows a short code, a person approves it signed in, and the program fetches a token.

The protocol is RFC 8628 (device authorization grant), as `hf auth login` speaks it.
"""

from __future__ import annotations

import datetime as dt
import enum
import secrets
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts import policy
from hub_core.accounts.credentials import digest
from hub_core.accounts.sessions import SessionService
from hub_core.accounts.tables import DeviceLogin
from hub_core.accounts.tokens import TokenService
from hub_core.accounts.views import NewToken
from hub_core.authz import Actor, Permission, Scope, require_scope
from hub_core.db import Database, utcnow
from hub_core.errors import DeviceLoginNotFound, RateLimited, Unauthenticated

LIFETIME = dt.timedelta(minutes=15)
TOKEN_DAYS = 30
MAX_OPEN, MAX_OPEN_OF_ADDRESS = 1000, 50
CHANNEL = "oauth"
# No vowels, so that no words come out, and nothing that is taken for another letter: 34 bits in eight of them.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_USER_CODE = 8


class Waiting(enum.StrEnum):
    """Why there is no token (yet), in the words of RFC 8628, section 3.5."""

    PENDING = "authorization_pending"
    DENIED = "access_denied"
    EXPIRED = "expired_token"


@dataclass(frozen=True, slots=True)
class Begun:
    """What a program gets: a secret to ask with, and the code that the person sees."""

    device_code: str
    user_code: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A program that waits, as the person who is to approve it sees it."""

    user_code: str
    program: str
    address: str
    began_at: dt.datetime


class DeviceLogins:
    """Logins that wait for a person. A code is good for 15 minutes and for one token."""

    def __init__(self, db: Database, tokens: TokenService, sessions: SessionService) -> None:
        self._db, self._tokens, self._sessions = db, tokens, sessions

    def begin(self, program: str, address: str) -> Begun:
        """A program wants to sign in.

        Args:
            program: what it says of itself; only for showing.
            address: where it asks from.

        Raises:
            RateLimited: too many wait already.
        """
        now, device_code = utcnow(), secrets.token_urlsafe(32)
        user_code = "".join(secrets.choice(_LETTERS) for _ in range(_USER_CODE))
        with self._db.write() as session:
            session.execute(sa.delete(DeviceLogin).where(DeviceLogin.expires_at <= now))
            own = sa.func.count().filter(DeviceLogin.address == address[:64])
            waiting, own_waiting = session.execute(sa.select(sa.func.count(), own).select_from(DeviceLogin)).one()
            if waiting >= MAX_OPEN or own_waiting >= MAX_OPEN_OF_ADDRESS:
                raise RateLimited(
                    "Too many programs wait to be signed in.", hint="Try again in a quarter of an hour, or sign in with a token.",
                    retry_after=int(LIFETIME.total_seconds()),
                )  # fmt: skip
            session.add(
                DeviceLogin(
                    digest=digest(device_code), user_code=user_code, program=_printable(program), address=address[:64],
                    created_at=now, expires_at=now + LIFETIME,
                )
            )  # fmt: skip
        return Begun(device_code, shown(user_code))

    def asked(self, user_code: str) -> Asked:
        """What waits under the code that a person typed or opened.

        Raises:
            DeviceLoginNotFound: nothing, or nothing any more.
        """
        with self._db.read() as session:
            row = _waiting(session, user_code)
            return Asked(shown(row.user_code), row.program, row.address, row.created_at)

    def approve(self, actor: Actor, user_code: str, scope: Scope) -> None:
        """Let the program have a token of the caller's with a scope; of several decisions the first one counts.

        Raises:
            DeviceLoginNotFound: as `asked`. PermissionDenied: the caller's own credential allows less.
        """
        require_scope(actor, Permission.CREDENTIALS)
        policy.check_token_scope(actor, scope)
        self._decide(actor, user_code, scope)

    def refuse(self, actor: Actor, user_code: str) -> None:
        """Send the program away. Raises what `asked` raises."""
        self._decide(actor, user_code, None)

    def take(self, device_code: str) -> NewToken | Waiting:
        """The token, once; or why there is none."""
        with self._db.read() as session:
            row = session.get(DeviceLogin, digest(device_code))
            state = _state(row)
        if row is None or state is not None:
            return state or Waiting.EXPIRED
        try:
            person = self._sessions.person(row.user_id, Permission.CREDENTIALS, CHANNEL)
        except Unauthenticated:
            return Waiting.DENIED
        with self._db.write() as session:
            gone = session.execute(sa.delete(DeviceLogin).where(DeviceLogin.digest == row.digest))
            if getattr(gone, "rowcount", 0) != 1:
                return Waiting.EXPIRED
            name = f"login {shown(row.user_code)}"
            return self._tokens.add(session, person, name, Scope(str(row.scope)), expires=f"{TOKEN_DAYS}d")

    def _decide(self, actor: Actor, user_code: str, scope: Scope | None) -> None:
        with self._db.write() as session:
            row = _waiting(session, user_code)
            unmade = sa.and_(DeviceLogin.digest == row.digest, DeviceLogin.user_id.is_(None))
            values = {"user_id": policy.own_id(actor), "scope": str(scope) if scope else None}
            done = session.execute(sa.update(DeviceLogin).where(unmade).values(values), execution_options={"synchronize_session": False})
            if getattr(done, "rowcount", 0) != 1:
                raise _not_found()
            audit.record(
                session, actor, "login.approve" if scope else "login.refuse", shown(row.user_code), program=row.program,
                address=row.address, scope=values["scope"],
            )  # fmt: skip


def shown(user_code: str) -> str:
    """A code as people read it: `BCDF-GHJK`."""
    return f"{user_code[:4]}-{user_code[4:]}"


def _state(row: DeviceLogin | None) -> Waiting | None:
    """Why a login gives no token; None for one that does."""
    if row is None or row.expires_at <= utcnow():
        return Waiting.EXPIRED
    if row.user_id is None:
        return Waiting.PENDING
    return None if row.scope else Waiting.DENIED


def _waiting(session: Session, user_code: str) -> DeviceLogin:
    code = "".join(letter for letter in user_code.upper() if letter in _LETTERS)[: _USER_CODE + 1]
    row = session.scalar(sa.select(DeviceLogin).where(DeviceLogin.user_code == code))
    if row is None or _state(row) is not Waiting.PENDING:
        raise _not_found()
    return row


def _not_found() -> DeviceLoginNotFound:
    return DeviceLoginNotFound("No program waits under this code.", hint="Codes are good for 15 minutes; let the program begin again.")


def _printable(program: str) -> str:
    return "".join(letter for letter in program if letter.isprintable())[:120]
