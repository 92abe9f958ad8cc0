"""Who may do what with accounts: every rule beyond `authz.require_scope`, in one place."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.lookup import locked, role_of
from hub_core.accounts.tables import Membership, Org, User
from hub_core.authz import Actor, CredentialKind, Permission, Role, Scope, require_scope
from hub_core.errors import Conflict, LastAdmin, PermissionDenied, Unauthenticated

_READS = frozenset({Permission.USER_READ, Permission.ORG_READ})


def check(actor: Actor, permission: Permission) -> None:
    """`require_scope`, and a token that is limited to one repo may look at accounts but change nothing.

    Raises:
        Unauthenticated, PermissionDenied: see `authz.require_scope`.
    """
    require_scope(actor, permission)
    if actor.repo_id is not None and permission not in _READS:
        raise PermissionDenied(
            "This token is limited to one repo.", hint="Use a token that is not limited to a repo.", permission=str(permission)
        )


def own_id(actor: Actor) -> int:
    """The id of the person who acts.

    Raises:
        Unauthenticated: nobody is signed in.
        PermissionDenied: the hub itself acts; it has no account of its own.
    """
    if actor.is_anonymous:
        raise Unauthenticated("Sign in first.", hint="Send a token as 'Authorization: Bearer ...'.")
    if actor.user_id is None:
        raise PermissionDenied("This is only there for people.", hint="Sign in as a user.")
    return actor.user_id


def is_self(actor: Actor, user: User) -> bool:
    """Whether the person acts on their own account."""
    return actor.user_id == user.id


def sees_email(actor: Actor, user_id: int) -> bool:
    """Addresses are for oneself and for site administrators."""
    return actor.is_admin or actor.user_id == user_id


def check_credentials_of(actor: Actor, user: User) -> None:
    """One's own tokens, or anybody's for site administrators.

    Raises:
        PermissionDenied: somebody else's.
    """
    check(actor, Permission.CREDENTIALS)
    if not is_self(actor, user):
        check(actor, Permission.USER_ADMIN)


def check_token_scope(actor: Actor, scope: Scope) -> None:
    """A credential cannot make a stronger one.

    Raises:
        PermissionDenied: the wanted scope is larger than the caller's.
    """
    if scope.rank > actor.scope.rank:
        raise PermissionDenied(
            f"This credential has the scope '{actor.scope}' and cannot make a token with '{scope}'.", hint="Ask for a smaller scope."
        )


def check_password_of(actor: Actor, user: User) -> None:
    """One's own password, or anybody's for site administrators.

    Raises:
        PermissionDenied: somebody else's.
    """
    check(actor, Permission.CREDENTIALS if is_self(actor, user) else Permission.USER_ADMIN)


def check_org_admin(session: Session, actor: Actor, org: Org) -> None:
    """The role admin in the organisation, or site administrator.

    Raises:
        PermissionDenied: neither.
    """
    check(actor, Permission.ORG_ADMIN)
    role = role_of(session, org.id, actor.user_id)
    if role is Role.ADMIN or actor.is_admin or actor.credential is CredentialKind.SYSTEM:
        return
    have = f"you have '{role}'" if role else "you are not a member"
    raise PermissionDenied(
        f"This needs the role 'admin' in {org.name}; {have}.",
        hint=f"Ask an administrator of {org.name}.",
        permission=str(Permission.ORG_ADMIN),
        role=str(role) if role else None,
    )


def keep_org_admin(session: Session, org: Org, user_id: int) -> None:
    """Refuse to take the last active administrator from an organisation.

    Raises:
        LastAdmin: nobody else who is active has the role admin there.
    """
    admins = (
        sa.select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.org_id == org.id, Membership.role == str(Role.ADMIN), User.status == "active")
    )
    active = set(session.scalars(admins))
    if active == {user_id}:
        raise LastAdmin(f"{org.name} would be left without an administrator.", hint="Make somebody else an admin first.", org=org.name)


def keep_site_admin(session: Session, user: User, *, lock: bool) -> None:
    """Refuse to take the last active site administrator from the hub.

    Raises:
        LastAdmin: nobody else who is active is one.
    """
    query = sa.select(User.id).where(User.is_admin, User.status == "active").order_by(User.id)
    if set(session.scalars(locked(query) if lock else query)) == {user.id}:
        raise LastAdmin("The hub would be left without an administrator.", hint="Make another site administrator first.")


def refuse_self(actor: Actor, user: User, act: str) -> None:
    """People cannot lock themselves out.

    Raises:
        Conflict: the person acts on their own account.
    """
    if is_self(actor, user):
        raise Conflict(f"You cannot {act} your own account.", hint="Ask another administrator.")
