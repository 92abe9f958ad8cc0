"""Who on a platform is who on the hub. Only the person can say so: by opening, signed in to the hub, a link that the platform showed them."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hub_core import audit
from hub_core.accounts import policy
from hub_core.accounts.credentials import digest
from hub_core.accounts.tables import User
from hub_core.authz import Actor, CredentialKind, Permission, Scope, require_scope
from hub_core.bridges.tables import BridgeLink
from hub_core.db import Database, utcnow
from hub_core.errors import ChatLinkNotFound, Unauthenticated

LINK_TTL = dt.timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on a platform: the id is the platform's, the name is only for showing."""

    platform: str
    workspace: str
    person: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class LinkView:
    """A person on a platform and the hub account they linked; `user_id` is None where they have not (yet)."""

    id: int
    platform: str
    workspace: str
    person: str
    name: str
    user_id: int | None
    language: str
    linked_at: dt.datetime | None


class Links:
    """The links part of `BridgeService`."""

    _db: Database

    def link_of(self, who: Person, language: str = "") -> LinkView | None:
        """What is known of a person; None when they never linked. A `language` is remembered as the one they speak."""
        with self._db.read() as session:
            row = session.scalar(sa.select(BridgeLink).where(*_is(who)))
            view = _view(row) if row is not None and row.user_id is not None else None
        if view is not None and (language, who.name or view.name) != (view.language, view.name) and language:
            with self._db.write() as session:
                session.execute(
                    sa.update(BridgeLink).where(BridgeLink.id == view.id).values(language=language, name=(who.name or view.name)[:128])
                )
        return view

    def person_of(self, link: LinkView, channel: str) -> Actor:
        """The hub account behind a link, by the state of now: the person themselves, with all they may do.

        Raises:
            Unauthenticated: the account was disabled or deleted, or the link was taken back.
        """
        query = sa.select(User).join(BridgeLink, BridgeLink.user_id == User.id).where(BridgeLink.id == link.id, User.id == link.user_id)
        with self._db.read() as session:
            user = session.scalar(query)
        if user is None or user.status != "active":
            raise Unauthenticated("This account is disabled.", hint="Ask an administrator.")
        return Actor(
            user_id=user.id, username=user.username, is_admin=user.is_admin, credential=CredentialKind.LINK, scope=Scope.ADMIN,
            channel=channel,
        )  # fmt: skip

    def invite(self, who: Person, language: str = "") -> str:
        """A secret that links this person to whoever opens it signed in; the one before it is worth nothing any more."""
        secret, now = secrets.token_urlsafe(24), utcnow()
        values = {"digest": digest(secret), "expires_at": now + LINK_TTL, "name": who.name[:128], "language": language}
        for _ in range(2):
            try:
                with self._db.write() as session:
                    row = session.scalar(sa.select(BridgeLink).where(*_is(who)).with_for_update())
                    if row is None:
                        row = BridgeLink(platform=who.platform, workspace=who.workspace, person=who.person, created_at=now)
                        session.add(row)
                    for name, value in values.items():
                        setattr(row, name, value)
                return secret
            except IntegrityError:
                continue  # the same person's first two messages at once
        raise ChatLinkNotFound("This link could not be made.", hint="Write to the bot again.")

    def invited(self, secret: str) -> LinkView:
        """Who would be linked by a secret that is still good.

        Raises:
            ChatLinkNotFound: it was used, replaced or made up, or it has expired; the answer is the same.
        """
        with self._db.read() as session:
            return _view(_good(session.scalar(_by(secret))))

    def accept(self, actor: Actor, secret: str) -> LinkView:
        """Link the person of a secret to the caller's account. Of several who try at once exactly one wins.

        Raises:
            ChatLinkNotFound: as `invited`.
        """
        require_scope(actor, Permission.CREDENTIALS)
        with self._db.write() as session:
            row = _good(session.scalar(_by(secret).with_for_update()))
            used = sa.update(BridgeLink).where(BridgeLink.id == row.id, BridgeLink.digest == row.digest)
            before, now = row.user_id, utcnow()
            done = session.execute(
                used.values(digest=None, expires_at=None, user_id=actor.user_id, linked_at=now),
                execution_options={"synchronize_session": False},
            )
            if getattr(done, "rowcount", 0) != 1:
                raise _no_link()
            session.refresh(row)
            told: dict[str, Any] = {"platform": row.platform, "workspace": row.workspace, "person": row.person, "name": row.name}
            audit.record(session, actor, "bridge.link", f"{row.platform}:{row.person}", **told, before=before)
            return _view(row)

    def links(self, actor: Actor) -> list[LinkView]:
        """The caller's own, by platform."""
        query = sa.select(BridgeLink).where(BridgeLink.user_id == policy.own_id(actor))
        with self._db.read() as session:
            return [_view(row) for row in session.scalars(query.order_by(BridgeLink.platform, BridgeLink.id))]

    def links_of_user(self, user_id: int) -> list[LinkView]:
        """Every platform on which a person can be reached; for the bridges themselves."""
        with self._db.read() as session:
            return [_view(row) for row in session.scalars(sa.select(BridgeLink).where(BridgeLink.user_id == user_id))]

    def unlink(self, actor: Actor, link_id: int) -> LinkView:
        """Take one of the caller's own links back; the person on the platform is nobody from now on.

        Raises:
            ChatLinkNotFound: none of that number, or somebody else's.
        """
        require_scope(actor, Permission.CREDENTIALS)
        with self._db.write() as session:
            row = session.scalar(sa.select(BridgeLink).where(BridgeLink.id == link_id, BridgeLink.user_id == policy.own_id(actor)))
            if row is None:
                raise ChatLinkNotFound("There is no such link of yours.", hint="/bridges/links shows yours.")
            view = _view(row)
            session.delete(row)
            audit.record(
                session, actor, "bridge.unlink", f"{row.platform}:{row.person}", platform=row.platform, workspace=row.workspace,
                person=row.person, name=row.name,
            )  # fmt: skip
            return view


def _is(who: Person) -> tuple[sa.ColumnElement[bool], ...]:
    return BridgeLink.platform == who.platform, BridgeLink.workspace == who.workspace, BridgeLink.person == who.person


def _by(secret: str) -> sa.Select[BridgeLink]:
    return sa.select(BridgeLink).where(BridgeLink.digest == digest(secret))


def _good(row: BridgeLink | None) -> BridgeLink:
    if row is None or row.expires_at is None or row.expires_at <= utcnow():
        raise _no_link()
    return row


def _no_link() -> ChatLinkNotFound:
    return ChatLinkNotFound("This link was used already, or it has expired.", hint="Write to the bot again to get a new one.")


def _view(row: BridgeLink) -> LinkView:
    return LinkView(row.id, row.platform, row.workspace, row.person, row.name, row.user_id, row.language, row.linked_at)
