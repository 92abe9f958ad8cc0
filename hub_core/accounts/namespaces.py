"""Where a person may make things: their own namespace, and organisations where they have the role write."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Membership, Namespace, Org, User
from hub_core.authz import Actor, Role
from hub_core.errors import NotFound, PermissionDenied


def live_namespace(session: Session, name: str) -> Namespace:
    """The namespace of a user or organisation that is not deleted.

    Raises:
        NotFound: there is none.
    """
    row = session.scalar(sa.select(Namespace).where(Namespace.name == name))
    deleted = row and (
        session.scalar(sa.select(Org.deleted_at).where(Org.id == row.id))
        or session.scalar(sa.select(User.deleted_at).where(User.id == row.id))
    )
    if row is None or deleted:
        raise NotFound(f"There is no user or organisation '{name}'.", hint="Check the name.")
    return row


def namespace_to_create_in(session: Session, actor: Actor, name: str, things: str = "repos") -> Namespace:
    """The namespace, if the caller may make `things` there.

    Raises:
        NotFound: there is none of that name.
        PermissionDenied: it is somebody else's, the role there is too small, or the token is limited to one repo.
    """
    if actor.repo_id is not None:
        raise PermissionDenied("This token is limited to one repo.", hint="Use a token that is not limited to a repo.")
    namespace = live_namespace(session, name)
    if actor.is_admin or namespace.id == actor.user_id:
        return namespace
    role = session.scalar(sa.select(Membership.role).where(Membership.org_id == namespace.id, Membership.user_id == actor.user_id))
    if role is None or Role(role).rank < Role.WRITE.rank:
        raise PermissionDenied(
            f"You may not make {things} in '{name}'.", hint="Use your own namespace, or ask an admin there for the role write."
        )
    return namespace
