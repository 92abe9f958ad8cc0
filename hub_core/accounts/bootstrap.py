"""The first user of an empty hub, and the token that automation may be given."""

from __future__ import annotations

import contextlib

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.credentials import digest
from hub_core.accounts.passwords import Passwords, generate_password
from hub_core.accounts.tables import Namespace, Token, User
from hub_core.authz import SYSTEM, Scope
from hub_core.db import Database, utcnow
from hub_core.settings import Settings

ADMIN = "admin"
PRESET_TOKEN = "preset"  # noqa: S105 - the name of the token


def bootstrap(db: Database, settings: Settings, passwords: Passwords, *, follow_token: bool = True) -> str | None:
    """Make the user `admin` when it is not there, and make its token follow `settings.admin_token`. Safe to repeat on every node.

    Returns:
        The password, if it was generated just now: show it once.
    """
    try:
        with db.write() as session:
            generated = _ensure_admin(session, settings, passwords)
    except sa.exc.IntegrityError:
        generated = None  # another node was faster
    if follow_token:
        with contextlib.suppress(sa.exc.IntegrityError), db.write() as session:  # another node made the same
            _sync_preset_token(session, settings.admin_token)
    return generated


def _ensure_admin(session: Session, settings: Settings, passwords: Passwords) -> str | None:
    if session.scalar(sa.select(Namespace.id).where(Namespace.name == ADMIN)) is not None:
        return None
    generated = None if settings.admin_password else generate_password()
    namespace = Namespace(name=ADMIN, kind="user")
    session.add(namespace)
    session.flush()
    session.add(
        User(
            id=namespace.id,
            username=ADMIN,
            is_admin=True,
            password_hash=passwords.hash(generated or settings.admin_password),
            preferences={},
            created_at=utcnow(),
        )
    )
    audit.record(session, SYSTEM, "user.create", ADMIN, site_admin=True)
    return generated


def _sync_preset_token(session: Session, wanted: str) -> None:
    admin_id = session.scalar(sa.select(User.id).where(User.username == ADMIN))
    if admin_id is None:
        return
    token = session.scalar(sa.select(Token).where(Token.user_id == admin_id, Token.name == PRESET_TOKEN))
    if token is not None and (not wanted or token.digest != digest(wanted)):
        session.delete(token)
        session.flush()
        audit.record(session, SYSTEM, "token.revoke", f"{ADMIN}/{PRESET_TOKEN}")
        token = None
    if wanted and token is None:
        session.add(Token(user_id=admin_id, name=PRESET_TOKEN, digest=digest(wanted), scope=str(Scope.ADMIN), created_at=utcnow()))
        audit.record(session, SYSTEM, "token.create", f"{ADMIN}/{PRESET_TOKEN}", scope=str(Scope.ADMIN))
