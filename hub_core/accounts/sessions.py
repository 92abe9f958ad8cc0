"""Signing in with a password, and browser sessions."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import sqlalchemy as sa

from hub_core import audit
from hub_core.accounts.credentials import digest, make_session_secret
from hub_core.accounts.lookup import fold
from hub_core.accounts.passwords import Passwords
from hub_core.accounts.tables import User, WebSession
from hub_core.accounts.throttle import Throttle
from hub_core.authz import SCOPE_FOR, Actor, CredentialKind, Permission, Scope
from hub_core.db import Database, utcnow
from hub_core.errors import Unauthenticated

LIFETIME = dt.timedelta(days=15)

_sessions, _users = WebSession.__table__.c, User.__table__.c
_BY_DIGEST = (
    sa.select(_sessions.expires_at, _users.id, _users.username, _users.is_admin, _users.status)
    .select_from(sa.join(WebSession.__table__, User.__table__, _sessions.user_id == _users.id))
    .where(_sessions.digest == sa.bindparam("digest"))
)
_BY_ID = sa.select(_users.id, _users.username, _users.is_admin, _users.status).where(_users.id == sa.bindparam("id"))


class SessionService:
    """Turns a name and password into a secret for a cookie, and that secret into an `Actor`."""

    def __init__(self, db: Database, passwords: Passwords | None = None, throttle: Throttle | None = None) -> None:
        self._db = db
        self._passwords = passwords or Passwords()
        self._throttle = throttle or Throttle()

    def login(self, username: str, password: str, *, address: str = "", channel: str = "web") -> str:
        """Check the password and open a session of 15 days; returns the secret for the cookie.

        Raises:
            Unauthenticated: wrong name or password, or the account is disabled; the answer is the same.
            TooManyAttempts: 10 failures in 5 minutes for this name from this address.
        """
        actor = self.check_password(username, password, address=address, channel=channel)
        secret, now = make_session_secret(), utcnow()
        with self._db.write() as session:
            session.execute(sa.delete(WebSession).where(WebSession.expires_at <= now))
            session.add(WebSession(digest=digest(secret), user_id=actor.user_id, created_at=now, expires_at=now + LIFETIME))
            audit.record(session, actor, "session.login", actor.username)
        return secret

    def check_password(self, username: str, password: str, *, address: str = "", channel: str = "web") -> Actor:
        """Who a name and password stand for, without opening a session. Raises what `login` raises."""
        name = fold(username)[:64]
        self._throttle.attempt((name, address))
        with self._db.read() as session:
            user = session.scalar(sa.select(User).where(User.username == name))
        stored = user.password_hash if user is not None and user.status == "active" else None
        if not self._passwords.verify(stored, password) or user is None:
            raise Unauthenticated("The name or the password is wrong.", hint="Try again, or ask an administrator to reset the password.")
        self._throttle.clear((name, address))
        if self._passwords.outdated(user.password_hash):
            with self._db.write() as session:
                same_hash = sa.and_(User.id == user.id, User.password_hash == user.password_hash)
                session.execute(sa.update(User).where(same_hash).values(password_hash=self._passwords.hash(password)))
        return _actor(user.id, user.username, user.is_admin, channel)

    def authenticate_session(self, secret: str, channel: str = "web") -> Actor:
        """Who the cookie stands for.

        Raises:
            Unauthenticated: it is unknown or has ended, or its owner is disabled.
        """
        with self._db.connection() as connection:
            row = connection.execute(_BY_DIGEST, {"digest": digest(secret)}).one_or_none()
        if row is None or row.expires_at <= utcnow() or row.status != "active":
            raise Unauthenticated("This session has ended.", hint="Sign in again.")
        return _actor(row.id, row.username, row.is_admin, channel)

    def person(self, user_id: int | None, permission: Permission, channel: str = "git") -> Actor:
        """The person of something that began earlier (None: nobody), by the state of now, with no more scope than `permission` takes.

        Raises:
            Unauthenticated: the account was disabled or deleted since.
        """
        if user_id is None:
            return Actor(channel=channel)
        with self._db.connection() as connection:
            user = connection.execute(_BY_ID, {"id": user_id}).one_or_none()
        if user is None or user.status != "active":
            raise Unauthenticated("This account is disabled.", hint="Ask an administrator.")
        return replace(_actor(user.id, user.username, user.is_admin, channel), credential=CredentialKind.TOKEN, scope=SCOPE_FOR[permission])

    def mark(self, secret: str) -> str:
        """What tells a session from others and does not open it: for what shall end with the session."""
        return digest(secret)[:32]

    def is_open(self, user_id: int | None, mark: str) -> bool:
        """Whether the session of a mark has not ended."""
        own = sa.and_(WebSession.user_id == user_id, WebSession.expires_at > utcnow())
        with self._db.read() as session:
            return any(found.startswith(mark) for found in session.scalars(sa.select(WebSession.digest).where(own)))

    def logout(self, secret: str) -> None:
        """End a session; an unknown one is ended already."""
        with self._db.write() as session:
            session.execute(sa.delete(WebSession).where(WebSession.digest == digest(secret)))


def _actor(user_id: int, username: str, is_admin: bool, channel: str) -> Actor:
    return Actor(
        user_id=user_id, username=username, is_admin=is_admin, credential=CredentialKind.SESSION, scope=Scope.ADMIN, channel=channel
    )
