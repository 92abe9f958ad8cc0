"""Organisations and their members."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts import policy
from hub_core.accounts.lookup import find_org, find_user, fold, role_of, storable
from hub_core.accounts.tables import Membership, Namespace, Org, User
from hub_core.accounts.views import Member, MemberChange, OrgView, Page
from hub_core.authz import Actor, Permission, Role
from hub_core.db import Database, utcnow
from hub_core.errors import AlreadyExists, Conflict, MemberNotFound, OrgNotFound
from hub_core.names import check_namespace
from hub_core.repos.tables import Repo

MAX_PAGE = 200


class OrgService:
    """Organisations; a person's role in one is `admin`, `write` or `read`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def role_of(self, session: Session, org_id: int, user_id: int | None) -> Role | None:
        """The person's role in a live organisation, or None."""
        return role_of(session, org_id, user_id)

    def check_create(self, actor: Actor, name: str) -> str:
        """The name that `create` would give; changes nothing.

        Raises:
            InvalidName, AlreadyExists: it cannot be used.
        """
        policy.check(actor, Permission.ORG_CREATE)
        policy.own_id(actor)
        name = check_namespace(fold(name))
        with self._db.read() as session:
            if session.scalar(sa.select(Namespace.id).where(Namespace.name == name)) is not None:
                raise _taken(name)
        return name

    def create(self, actor: Actor, name: str, description: str = "") -> OrgView:
        """Make an organisation; who makes it is its first admin.

        Raises:
            InvalidName, AlreadyExists: the name cannot be used.
        """
        name = self.check_create(actor, name)
        try:
            with self._db.write() as session:
                namespace = Namespace(name=name, kind="org")
                session.add(namespace)
                session.flush()
                org = Org(id=namespace.id, name=name, description=description[:2000], created_at=utcnow())
                session.add(org)
                session.flush()
                session.add(Membership(org_id=org.id, user_id=policy.own_id(actor), role=str(Role.ADMIN)))
                audit.record(session, actor, "org.create", name)
                return _view(org, Role.ADMIN, [Member(actor.username, Role.ADMIN)])
        except sa.exc.IntegrityError as error:
            raise _taken(name) from error

    def get(self, actor: Actor, name: str) -> OrgView:
        """An organisation with its members, admins first.

        Raises:
            OrgNotFound: there is none of that name.
        """
        policy.check(actor, Permission.ORG_READ)
        with self._db.read() as session:
            org = find_org(session, name)
            return _view(org, role_of(session, org.id, actor.user_id), _members(session, org))

    def list_orgs(self, actor: Actor, *, cursor: str | None = None, limit: int = 50) -> Page[OrgView]:
        """All organisations by name, those one is in first."""
        policy.check(actor, Permission.ORG_READ)
        limit = max(1, min(limit, MAX_PAGE))
        own = sa.and_(Membership.org_id == Org.id, Membership.user_id == actor.user_id)
        rank = sa.case((Membership.role.is_not(None), 0), else_=1)
        query = sa.select(Org, Membership.role).outerjoin(Membership, own).where(Org.deleted_at.is_(None))
        if cursor:
            group, _, after = cursor.partition(":")
            query = query.where(
                sa.or_(rank > (0 if group == "0" else 1), sa.and_(rank == (0 if group == "0" else 1), Org.name > storable(after)))
            )
        with self._db.read() as session:
            rows = session.execute(query.order_by(rank, Org.name).limit(limit + 1)).all()
        views = [_view(org, Role(role) if role else None) for org, role in rows]
        last = views[limit - 1] if len(views) > limit else None
        return Page(views[:limit], f"{0 if last.role else 1}:{last.name}" if last else None)

    def check_delete(self, actor: Actor, name: str) -> OrgView:
        """The organisation that `delete` would take away; changes nothing. Raises what it would raise."""
        with self._db.read() as session:
            org = _for_delete(session, actor, name, lock=False)
            return _view(org, role_of(session, org.id, actor.user_id), _members(session, org))

    def delete(self, actor: Actor, name: str) -> OrgView:
        """Delete an organisation softly; its name stays taken.

        Raises:
            PermissionDenied: not an admin of it.
            Conflict: it still owns repos.
        """
        with self._db.write() as session:
            org = _for_delete(session, actor, name, lock=True)
            members = _members(session, org)
            org.deleted_at = utcnow()
            audit.record(session, actor, "org.delete", org.name)
            return _view(org, None, members)

    def restore(self, actor: Actor, name: str) -> OrgView:
        """Bring a deleted organisation back with its members.

        Raises:
            OrgNotFound: none of that name was deleted, or one was not its admin.
        """
        policy.check(actor, Permission.ORG_ADMIN)
        with self._db.write() as session:
            org = session.scalar(sa.select(Org).where(Org.name == fold(name), Org.deleted_at.is_not(None)))
            if org is None:
                raise OrgNotFound(f"No organisation '{name[:64]}' was deleted.", hint="list_orgs shows all.", org=name[:64])
            org.deleted_at = None
            session.flush()
            policy.check_org_admin(session, actor, org)
            audit.record(session, actor, "org.restore", org.name)
            return _view(org, role_of(session, org.id, actor.user_id), _members(session, org))

    def check_member(self, actor: Actor, org: str, username: str, role: Role | None, *, must_be_in: bool = False) -> MemberChange:
        """What `set_member` (or, with None, `remove_member`) would change; changes nothing. Raises what they would raise."""
        policy.check(actor, Permission.ORG_READ)
        with self._db.read() as session:
            return _for_member(session, actor, find_org(session, org), username, role, must_be_in)

    def set_member(self, actor: Actor, org: str, username: str, role: Role, *, must_be_in: bool = False) -> MemberChange:
        """Give a person a role in an organisation, whether they were in or not; with `must_be_in` only to members.

        Raises:
            PermissionDenied: not an admin of it. OrgNotFound, UserNotFound: no such name.
            MemberNotFound: `must_be_in`, and the person is not. LastAdmin: no admin would be left.
            Conflict: the person is disabled and was not a member.
        """
        policy.check(actor, Permission.ORG_READ)
        with self._db.write() as session:
            found = find_org(session, org, lock=True)
            change = _for_member(session, actor, found, username, role, must_be_in)
            if change.before is None:
                session.add(Membership(org_id=change.org_id, user_id=change.user_id, role=str(role)))
            elif change.before is not role:
                _membership(session, change).role = str(role)
            if change.before is not role:
                _record(session, actor, "org.member", change)
            return change

    def remove_member(self, actor: Actor, org: str, username: str) -> MemberChange:
        """Take a person out of an organisation; oneself needs no role.

        Raises:
            PermissionDenied: somebody else, and not an admin. MemberNotFound: not in it. LastAdmin: no admin would be left.
        """
        policy.check(actor, Permission.ORG_READ)
        with self._db.write() as session:
            change = _for_member(session, actor, find_org(session, org, lock=True), username, None, True)
            session.delete(_membership(session, change))
            _record(session, actor, "org.member", change)
            return change

    def check_leave(self, actor: Actor, org: str) -> MemberChange:
        """What `leave` would change; changes nothing."""
        policy.own_id(actor)
        return self.check_member(actor, org, actor.username, None, must_be_in=True)

    def leave(self, actor: Actor, org: str) -> MemberChange:
        """Leave an organisation oneself.

        Raises:
            MemberNotFound: not in it. LastAdmin: one is its last admin.
        """
        policy.own_id(actor)
        return self.remove_member(actor, org, actor.username)


def _for_member(session: Session, actor: Actor, org: Org, username: str, role: Role | None, must_be_in: bool) -> MemberChange:
    user = find_user(session, username)
    if role is None and policy.is_self(actor, user):
        policy.check(actor, Permission.USER_SELF)
    else:
        policy.check_org_admin(session, actor, org)
    before = role_of(session, org.id, user.id)
    if before is None and (must_be_in or role is None):
        raise MemberNotFound(
            f"{user.username} is not a member of {org.name}.", hint="get_org shows the members.", org=org.name, username=user.username
        )
    if before is None and user.status != "active":
        raise Conflict(f"{user.username} is disabled.", hint="An administrator can make the account active again.", username=user.username)
    if before is Role.ADMIN and role is not Role.ADMIN:
        policy.keep_org_admin(session, org, user.id)
    return MemberChange(org.id, org.name, user.id, user.username, before, role)


def _for_delete(session: Session, actor: Actor, name: str, *, lock: bool) -> Org:
    policy.check(actor, Permission.ORG_READ)
    org = find_org(session, name, lock=lock)
    policy.check_org_admin(session, actor, org)
    repos = session.scalar(sa.select(sa.func.count()).where(Repo.namespace_id == org.id, Repo.deleted_at.is_(None)))
    if repos:
        raise Conflict(
            f"{org.name} still owns {repos} repo{'s' if repos != 1 else ''}.", hint="Move or delete them first.", org=org.name, repos=repos
        )
    return org


def _membership(session: Session, change: MemberChange) -> Membership:
    return session.get_one(Membership, (change.org_id, change.user_id))


def _record(session: Session, actor: Actor, action: str, change: MemberChange) -> None:
    before, after = (str(role) if role else None for role in (change.before, change.after))
    audit.record(session, actor, action, change.org, username=change.username, before=before, after=after)


def _members(session: Session, org: Org) -> list[Member]:
    query = sa.select(User.username, Membership.role).join(Membership, Membership.user_id == User.id).where(Membership.org_id == org.id)
    members = [Member(username, Role(role)) for username, role in session.execute(query)]
    return sorted(members, key=lambda member: (-member.role.rank, member.username))


def _view(org: Org, role: Role | None, members: list[Member] | None = None) -> OrgView:
    return OrgView(org.id, org.name, org.description, role, org.created_at, members or [])


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"The name '{name}' is taken.", hint="Users and organisations share their names; choose another.", name=name)
