"""From a name to the row of a user or organisation. What is deleted is not there."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Membership, Org, User
from hub_core.accounts.views import OrgRole
from hub_core.authz import Role
from hub_core.errors import OrgNotFound, UserNotFound


def fold(name: str) -> str:
    """A name as people write it (`@Alice`) in its stored form."""
    return storable(name).strip().removeprefix("@").lower()


def storable(text: str) -> str:
    """The text with what PostgreSQL cannot hold (NUL, lone surrogates) replaced, so that looking it up finds nothing instead of failing."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def find_user(session: Session, username: str, *, lock: bool = False) -> User:
    """The user of that name, active or disabled.

    Raises:
        UserNotFound: there is none.
    """
    query = sa.select(User).where(User.username == fold(username), User.status != "deleted")
    user = session.scalar(locked(query) if lock else query)
    if user is None:
        raise UserNotFound(
            f"There is no user '{username[:64]}'.", hint="Check the name; list_users shows everybody.", username=username[:64]
        )
    return user


def find_org(session: Session, name: str, *, lock: bool = False) -> Org:
    """The organisation of that name. `lock` makes other changes to it wait (its row is the lock of its member list).

    Raises:
        OrgNotFound: there is none.
    """
    query = sa.select(Org).where(Org.name == fold(name), Org.deleted_at.is_(None))
    org = session.scalar(locked(query) if lock else query)
    if org is None:
        raise OrgNotFound(f"There is no organisation '{name[:64]}'.", hint="Check the name; list_orgs shows all.", org=name[:64])
    return org


def role_of(session: Session, org_id: int, user_id: int | None) -> Role | None:
    """The person's role in a live organisation."""
    query = (
        sa.select(Membership.role)
        .join(Org, Org.id == Membership.org_id)
        .where(Membership.org_id == org_id, Membership.user_id == user_id, Org.deleted_at.is_(None))
    )
    role = session.scalar(query)
    return Role(role) if role else None


def orgs_of(session: Session, user_id: int) -> list[OrgRole]:
    """The live organisations a person is in, by name."""
    query = (
        sa.select(Org.name, Membership.role)
        .join(Membership, Membership.org_id == Org.id)
        .where(Membership.user_id == user_id, Org.deleted_at.is_(None))
        .order_by(Org.name)
    )
    return [OrgRole(name, Role(role)) for name, role in session.execute(query)]


def locked(query: sa.Select[Any]) -> sa.Select[Any]:
    """Lock the rows until the end of the transaction (SQLite has locked everything already)."""
    return query.with_for_update().execution_options(populate_existing=True)
