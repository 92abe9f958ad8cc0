"""Access tokens: made, listed, revoked, and turned into an `Actor` on every request."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts import policy
from hub_core.accounts.bootstrap import PRESET_TOKEN
from hub_core.accounts.credentials import digest, looks_mistyped, make_token
from hub_core.accounts.expiry import parse_expiry
from hub_core.accounts.lookup import find_user, storable
from hub_core.accounts.tables import Token, User
from hub_core.accounts.views import NewToken, TokenView
from hub_core.authz import Actor, CredentialKind, Permission, Scope
from hub_core.db import Database, utcnow
from hub_core.errors import AlreadyExists, Conflict, InvalidName, TokenNotFound, Unauthenticated, Unavailable
from hub_core.repos.lookup import find_repo
from hub_core.repos.tables import Repo

log = logging.getLogger(__name__)

MAX_TOKENS = 200
PASS_MARK = "hubpass-"  # noqa: S105 - what passes begin with
TOUCH_EVERY = dt.timedelta(minutes=1)

_tokens, _users = Token.__table__.c, User.__table__.c
# The hot path of every request: plain Core, compiled once.
_BY_DIGEST = (
    sa.select(
        _tokens.id.label("token_id"), _tokens.name, _tokens.scope, _tokens.repo_id, _tokens.expires_at, _tokens.last_used_at,
        _users.id.label("user_id"), _users.username, _users.is_admin, _users.status,
    )
    .select_from(sa.join(Token.__table__, User.__table__, _tokens.user_id == _users.id))
    .where(_tokens.digest == sa.bindparam("digest"))
)  # fmt: skip


class Passes(Protocol):
    """Credentials that are signed and not stored."""

    def actor(self, secret: str, channel: str) -> Actor:
        """Who a pass stands for; raises Unauthenticated."""


class TokenService:
    """One's own tokens; a site administrator manages anybody's.

    Args:
        passes: reads what begins with `PASS_MARK`; without, such credentials are not known.
    """

    def __init__(self, db: Database, passes: Passes | None = None) -> None:
        self._db = db
        self._passes = passes

    def check_create(
        self, actor: Actor, name: str, scope: Scope, *, username: str | None = None, repo: str | None = None, expires: str | None = None
    ) -> TokenView:
        """The token that `create` would make; changes nothing. Raises what it would raise."""
        with self._db.read() as session:
            return self._for_create(session, actor, name, scope, username, repo, expires)[1]

    def create(
        self, actor: Actor, name: str, scope: Scope, *, username: str | None = None, repo: str | None = None, expires: str | None = None
    ) -> NewToken:
        """Make a token; its secret is in the answer and nowhere else.

        It is one's own unless `username` names somebody (site administrators only), for everything unless `repo` limits it to one
        repo, and without end unless `expires` says when (`30d`, `12h`, a date).

        Raises:
            PermissionDenied: somebody else's, or a larger scope than one's own credential has.
            AlreadyExists: the person has a token of that name. InvalidName, InvalidInput: a bad name or time.
        """
        try:
            with self._db.write() as session:
                return self.add(session, actor, name, scope, username=username, repo=repo, expires=expires)
        except sa.exc.IntegrityError as error:
            raise _taken(name) from error

    def add(
        self,
        session: Session,
        actor: Actor,
        name: str,
        scope: Scope,
        *,
        username: str | None = None,
        repo: str | None = None,
        expires: str | None = None,
    ) -> NewToken:
        """What `create` does, as part of a transaction. Raises what it raises."""
        secret = make_token()
        user, view, repo_id = self._for_create(session, actor, name, scope, username, repo, expires)
        session.add(
            Token(
                user_id=user.id, name=view.name, digest=digest(secret), scope=str(scope), repo_id=repo_id, created_at=view.created_at,
                expires_at=view.expires_at,
            )
        )  # fmt: skip
        session.flush()
        ends = view.expires_at.isoformat() if view.expires_at else None
        audit.record(session, actor, "token.create", f"{user.username}/{view.name}", repo_id=repo_id, scope=str(scope), expires=ends)
        return NewToken(secret, view)

    def list_tokens(self, actor: Actor, username: str | None = None) -> list[TokenView]:
        """The tokens of oneself or, for site administrators, of somebody; never their secrets."""
        with self._db.read() as session:
            user = self._owner(session, actor, username)
            query = sa.select(Token, Repo).outerjoin(Repo, Repo.id == Token.repo_id).where(Token.user_id == user.id).order_by(Token.name)
            return [_view(user, token, repo) for token, repo in session.execute(query)]

    def current(self, actor: Actor) -> TokenView | None:
        """The token that the caller sent; None for who came in otherwise."""
        if actor.credential is not CredentialKind.TOKEN:
            return None
        with self._db.read() as session:
            user = session.get_one(User, policy.own_id(actor))
            token = _find(session, user, actor.token_name)
            return _view(user, token, session.get(Repo, token.repo_id) if token.repo_id else None)

    def check_revoke(self, actor: Actor, name: str, username: str | None = None) -> TokenView:
        """The token that `revoke` would take away; changes nothing."""
        with self._db.read() as session:
            user = self._owner(session, actor, username)
            token = _find(session, user, name)
            return _view(user, token, session.get(Repo, token.repo_id) if token.repo_id else None)

    def revoke(self, actor: Actor, name: str, username: str | None = None) -> None:
        """Remove a token; it is refused from the next request on.

        Raises:
            TokenNotFound: the person has none of that name.
        """
        with self._db.write() as session:
            user = self._owner(session, actor, username)
            token = _find(session, user, name)
            session.delete(token)
            audit.record(session, actor, "token.revoke", f"{user.username}/{token.name}", scope=token.scope)

    def authenticate_token(self, plaintext: str, channel: str) -> Actor:
        """Who the token stands for.

        Raises:
            Unauthenticated: it is unknown, has ended, or its owner is disabled.
        """
        if self._passes is not None and plaintext.startswith(PASS_MARK):
            return self._passes.actor(plaintext, channel)
        with self._db.connection() as connection:
            row = connection.execute(_BY_DIGEST, {"digest": digest(plaintext)}).one_or_none()
        now = utcnow()
        if row is None:
            hint = "It looks cut off or mistyped." if looks_mistyped(plaintext) else "It may have been revoked; make a new one."
            raise Unauthenticated("This token is not known.", hint=hint)
        if row.expires_at is not None and row.expires_at <= now:
            raise Unauthenticated("This token has ended.", hint="Make a new one.")
        if row.status != "active":
            raise Unauthenticated("This account is disabled.", hint="Ask an administrator.")
        if row.last_used_at is None or now - row.last_used_at >= TOUCH_EVERY:
            self._touch(row.token_id, now)
        return Actor(
            user_id=row.user_id, username=row.username, is_admin=row.is_admin, credential=CredentialKind.TOKEN,
            scope=Scope(row.scope), repo_id=row.repo_id, token_name=row.name, channel=channel,
        )  # fmt: skip

    def _touch(self, token_id: int, now: dt.datetime) -> None:
        stale = sa.or_(Token.last_used_at.is_(None), Token.last_used_at <= now - TOUCH_EVERY)
        try:
            with self._db.write() as session:
                session.execute(sa.update(Token).where(Token.id == token_id, stale).values(last_used_at=now))
        except Unavailable:
            # A full disk or a busy database must not keep people out.
            log.warning("could not note the use of token %d", token_id, exc_info=True)

    def _owner(self, session: Session, actor: Actor, username: str | None) -> User:
        policy.check(actor, Permission.CREDENTIALS)
        user = find_user(session, username) if username else session.get_one(User, policy.own_id(actor))
        policy.check_credentials_of(actor, user)
        return user

    def _for_create(
        self, session: Session, actor: Actor, name: str, scope: Scope, username: str | None, repo: str | None, expires: str | None
    ) -> tuple[User, TokenView, int | None]:
        user = self._owner(session, actor, username)
        policy.check_token_scope(actor, scope)
        if user.status != "active":
            raise Conflict(f"{user.username} is disabled.", hint="A token of a disabled account would not work.")
        name = _check_name(name)
        held = set(session.scalars(sa.select(Token.name).where(Token.user_id == user.id)))
        if name in held:
            raise _taken(name)
        if len(held) >= MAX_TOKENS:
            raise Conflict(f"{user.username} has {len(held)} tokens already.", hint="Revoke some first.")
        now = utcnow()
        limited_to = find_repo(session, actor, repo) if repo else None
        row = Token(name=name, scope=str(scope), created_at=now, expires_at=parse_expiry(expires, now))
        return user, _view(user, row, limited_to), limited_to.id if limited_to else None


def _check_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 96 or not name.isprintable() or name == PRESET_TOKEN:
        raise InvalidName(f"A token's name has 1 to 96 printable characters and is not '{PRESET_TOKEN}'.", hint="For example: ci")
    return name


def _find(session: Session, user: User, name: str) -> Token:
    token = session.scalar(sa.select(Token).where(Token.user_id == user.id, Token.name == storable(name).strip()))
    if token is None:
        raise TokenNotFound(f"{user.username} has no token '{name[:96]}'.", hint="list_tokens shows them.", name=name[:96])
    return token


def _view(user: User, token: Token, repo: Repo | None) -> TokenView:
    limited_to = repo.full_name if repo else None
    return TokenView(user.username, token.name, Scope(token.scope), limited_to, token.created_at, token.expires_at, token.last_used_at)


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"There is a token '{name[:96]}' already.", hint="Choose another name, or revoke that one first.", name=name[:96])
