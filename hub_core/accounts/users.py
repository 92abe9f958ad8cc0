"""Users: made, disabled and deleted by site administrators; everybody's own password and preferences."""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts import policy
from hub_core.accounts.bootstrap import bootstrap
from hub_core.accounts.lookup import find_user, fold, locked, orgs_of, storable
from hub_core.accounts.passwords import Passwords, generate_password
from hub_core.accounts.preferences import changed
from hub_core.accounts.tables import Membership, Namespace, Org, SshKey, Token, User, WebSession
from hub_core.accounts.views import NewUser, Page, UserRemoval, UserStatus, UserView
from hub_core.authz import Actor, Permission
from hub_core.db import Database, utcnow
from hub_core.errors import AlreadyExists, Conflict, InvalidInput, UserNotFound
from hub_core.gating.tables import AccessRequest
from hub_core.names import check_namespace
from hub_core.repos.tables import Collaborator, Repo
from hub_core.settings import Settings

MAX_PAGE = 200
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")


class UserService:
    """Everything about users except signing in."""

    def __init__(self, db: Database, settings: Settings, passwords: Passwords | None = None) -> None:
        self._db = db
        self._settings = settings
        self._passwords = passwords or Passwords()

    def bootstrap(self, *, follow_token: bool = True) -> str | None:
        """Make the user `admin` at first start and let its token follow the settings; returns a generated password once."""
        return bootstrap(self._db, self._settings, self._passwords, follow_token=follow_token)

    def by_name(self, session: Session, username: str) -> User:
        """The row of a user who is not deleted.

        Raises:
            UserNotFound: there is none.
        """
        return find_user(session, username)

    def get(self, actor: Actor, username: str | None = None) -> UserView:
        """A person with their organisations; oneself without `username`.

        Raises:
            UserNotFound: there is no such user.
        """
        policy.check(actor, Permission.USER_READ)
        with self._db.read() as session:
            user = self._user(session, actor, username)
            return _view(actor, user, session)

    def list_users(
        self, actor: Actor, *, query: str = "", status: UserStatus | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[UserView]:
        """Users by name, disabled ones included, deleted ones not."""
        policy.check(actor, Permission.USER_READ)
        limit = max(1, min(limit, MAX_PAGE))
        select = sa.select(User).where(User.status != "deleted").order_by(User.username).limit(limit + 1)
        if query:
            select = select.where(User.username.contains(fold(query), autoescape=True))
        if status:
            select = select.where(User.status == str(status))
        if cursor:
            select = select.where(User.username > storable(cursor))
        with self._db.read() as session:
            users = list(session.scalars(select))
        return Page([_view(actor, user) for user in users[:limit]], users[limit - 1].username if len(users) > limit else None)

    def check_create(self, actor: Actor, username: str, email: str = "") -> str:
        """The name that `create` would give; changes nothing.

        Raises:
            PermissionDenied: not a site administrator.
            InvalidName, InvalidInput, AlreadyExists: the name or address cannot be used.
        """
        policy.check(actor, Permission.USER_ADMIN)
        name = check_namespace(fold(username))
        if email and (len(email) > 254 or not _EMAIL.fullmatch(email)):
            raise InvalidInput("This is not an e-mail address.", hint="For example: alice@example.com")
        with self._db.read() as session:
            if session.scalar(sa.select(Namespace.id).where(Namespace.name == name)) is not None:
                raise _taken(name)
        return name

    def create(self, actor: Actor, username: str, *, email: str = "", password: str | None = None, is_admin: bool = False) -> NewUser:
        """Make a user. Without `password` one is generated and returned once.

        Raises:
            PermissionDenied, InvalidName, InvalidInput, AlreadyExists: see `check_create`.
        """
        name = self.check_create(actor, username, email)
        generated = None if password else generate_password()
        stored = self._passwords.hash(password or generated or "")
        try:
            with self._db.write() as session:
                namespace = Namespace(name=name, kind="user")
                session.add(namespace)
                session.flush()
                user = User(
                    id=namespace.id,
                    username=name,
                    email=email,
                    password_hash=stored,
                    is_admin=is_admin,
                    preferences={},
                    created_at=utcnow(),
                )
                session.add(user)
                session.flush()
                audit.record(session, actor, "user.create", name, site_admin=is_admin)
                return NewUser(_view(actor, user), generated)
        except sa.exc.IntegrityError as error:
            raise _taken(name) from error

    def check_status(self, actor: Actor, username: str, status: UserStatus) -> UserView:
        """The user as they are now, if `set_status` may be called; changes nothing."""
        with self._db.read() as session:
            return _view(actor, self._for_status(session, actor, username, status, lock=False))

    def set_status(self, actor: Actor, username: str, status: UserStatus) -> UserView:
        """Disable a user (sessions end, tokens are refused at once) or let them in again.

        Raises:
            PermissionDenied: not a site administrator.
            Conflict: it is oneself. LastAdmin: nobody could administer the hub any more.
        """
        with self._db.write() as session:
            user = self._for_status(session, actor, username, status, lock=True)
            if user.status != status:
                audit.record(session, actor, "user.status", user.username, before=user.status, after=str(status))
                user.status = str(status)
                session.execute(sa.delete(WebSession).where(WebSession.user_id == user.id))
            return _view(actor, user)

    def check_reset_password(self, actor: Actor, username: str | None = None) -> UserView:
        """The user whose password `reset_password` would replace; changes nothing."""
        policy.check(actor, Permission.CREDENTIALS)
        with self._db.read() as session:
            user = self._user(session, actor, username)
            policy.check_password_of(actor, user)
            return _view(actor, user)

    def reset_password(self, actor: Actor, username: str | None = None, password: str | None = None) -> str | None:
        """Give a new password to oneself or, as site administrator, to somebody; ends that person's sessions.

        Returns:
            The new password if it was generated (show it once), else None.
        """
        policy.check(actor, Permission.CREDENTIALS)
        generated = None if password else generate_password()
        stored = self._passwords.hash(password or generated or "")
        with self._db.write() as session:
            user = self._user(session, actor, username)
            policy.check_password_of(actor, user)
            _set_password(session, actor, user, stored)
        return generated

    def check_delete(self, actor: Actor, username: str) -> UserRemoval:
        """What `delete` would take away; changes nothing. Raises what it would raise."""
        with self._db.read() as session:
            return self._for_delete(session, actor, username, lock=False)[1]

    def delete(self, actor: Actor, username: str) -> UserRemoval:
        """Delete a user softly: the name stays taken; tokens, keys, sessions, memberships and repo roles are removed.

        Raises:
            PermissionDenied: not a site administrator.
            Conflict: it is oneself, or the person still owns repos.
            LastAdmin: an organisation or the hub would be left without an administrator.
        """
        with self._db.write() as session:
            user, removal = self._for_delete(session, actor, username, lock=True)
            user.status, user.deleted_at, user.password_hash = "deleted", utcnow(), ""
            for table in (Token, SshKey, WebSession, Membership, Collaborator, AccessRequest):
                session.execute(sa.delete(table).where(table.user_id == user.id))
            audit.record(session, actor, "user.delete", user.username, orgs={held.name: str(held.role) for held in removal.orgs})
            return removal

    def restore_user(self, actor: Actor, username: str) -> str:
        """Bring a deleted user back, without credentials and memberships.

        Returns:
            A new password, to be shown once.

        Raises:
            UserNotFound: nobody of that name was deleted.
        """
        policy.check(actor, Permission.USER_ADMIN)
        generated = generate_password()
        stored = self._passwords.hash(generated)
        with self._db.write() as session:
            user = session.scalar(sa.select(User).where(User.username == fold(username), User.status == "deleted"))
            if user is None:
                raise UserNotFound(f"No user '{username[:64]}' was deleted.", hint="list_users shows who is there.", username=username[:64])
            user.status, user.deleted_at, user.password_hash = str(UserStatus.ACTIVE), None, stored
            audit.record(session, actor, "user.restore", user.username)
        return generated

    def preferences(self, actor: Actor) -> dict[str, str]:
        """One's own preferences."""
        policy.check(actor, Permission.USER_READ)
        with self._db.read() as session:
            return dict(self._user(session, actor, None).preferences)

    def set_preference(self, actor: Actor, key: str, value: str | None) -> dict[str, str]:
        """Set one of one's own preferences (`language`, `hardware`, `alias.NAME`), or remove it with None; returns all.

        Raises:
            InvalidInput: no such preference, or a value that it cannot have.
        """
        policy.check(actor, Permission.USER_SELF)
        with self._db.write() as session:
            user = self._user(session, actor, None, lock=True)
            before = dict(user.preferences)
            user.preferences = changed(before, key, value)
            if user.preferences != before:
                audit.record(session, actor, "user.preference", user.username, key=key.strip().lower()[:70])
            return dict(user.preferences)

    def _user(self, session: Session, actor: Actor, username: str | None, *, lock: bool = False) -> User:
        if username:
            return find_user(session, username, lock=lock)
        query = sa.select(User).where(User.id == policy.own_id(actor), User.status != "deleted")
        user = session.scalar(locked(query) if lock else query)
        if user is None:
            raise UserNotFound("This account is no longer there.", hint="Sign in again.")
        return user

    def _for_status(self, session: Session, actor: Actor, username: str, status: UserStatus, *, lock: bool) -> User:
        policy.check(actor, Permission.USER_ADMIN)
        user = find_user(session, username)
        if status is UserStatus.DISABLED and user.status == UserStatus.ACTIVE:
            policy.refuse_self(actor, user, "disable")
            if user.is_admin:
                policy.keep_site_admin(session, user, lock=lock)
        return user

    def _for_delete(self, session: Session, actor: Actor, username: str, *, lock: bool) -> tuple[User, UserRemoval]:
        policy.check(actor, Permission.USER_ADMIN)
        user = find_user(session, username)
        policy.refuse_self(actor, user, "delete")
        if user.is_admin:
            policy.keep_site_admin(session, user, lock=lock)
        repos = session.scalar(sa.select(sa.func.count()).where(Repo.namespace_id == user.id, Repo.deleted_at.is_(None)))
        if repos:
            raise Conflict(
                f"{user.username} still owns {repos} repo{'s' if repos != 1 else ''}.",
                hint="Move or delete them first.",
                username=user.username,
                repos=repos,
            )
        orgs = sa.select(Org).join(Membership).where(Membership.user_id == user.id, Org.deleted_at.is_(None)).order_by(Org.id)
        for org in list(session.scalars(orgs.with_for_update(of=Org) if lock else orgs)):
            policy.keep_org_admin(session, org, user.id)
        tokens, keys = (session.scalar(sa.select(sa.func.count()).where(table.user_id == user.id)) or 0 for table in (Token, SshKey))
        return user, UserRemoval(_view(actor, user), orgs_of(session, user.id), tokens, keys)


def _set_password(session: Session, actor: Actor, user: User, stored: str) -> None:
    user.password_hash = stored
    session.execute(sa.delete(WebSession).where(WebSession.user_id == user.id))
    audit.record(session, actor, "user.password", user.username)


def _view(actor: Actor, user: User, session: Session | None = None) -> UserView:
    email = user.email if policy.sees_email(actor, user.id) else ""
    orgs = orgs_of(session, user.id) if session else []
    return UserView(user.id, user.username, email, user.is_admin, user.status, user.created_at, orgs)


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"The name '{name}' is taken.", hint="Users and organisations share their names; choose another.", name=name)
