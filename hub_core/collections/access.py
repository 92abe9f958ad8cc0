"""A person's access to a collection, as one rule in two forms: for one row (`CollectionResource`) and for lists (`visible_collections`).

Nobody is given a role on a collection by itself: it comes from the namespace, and for readers from the visibility.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.lookup import role_of
from hub_core.accounts.tables import Membership, User
from hub_core.authz import Access, Actor, Permission, Role, Visibility, require
from hub_core.collections.tables import Collection
from hub_core.errors import CollectionNotFound, HubError
from hub_core.repos.access import live_orgs


def access(session: Session, actor: Actor, collection: Collection) -> Access:
    """The strongest access of `actor`, and why. A token that is limited to one repo sees what everybody sees."""
    public = collection.visibility == Visibility.PUBLIC
    if actor.is_anonymous or actor.repo_id is not None:
        return Access(Role.READ, "public") if public else Access(None, "no access")
    if collection.namespace_id == actor.user_id:
        return Access(Role.ADMIN, "owner")
    if actor.is_admin:
        return Access(Role.ADMIN, "site administrator")
    role = role_of(session, collection.namespace_id, actor.user_id)
    if role is not None:
        return Access(role, f"{role} in {collection.namespace}")
    if public or collection.visibility == Visibility.INTERNAL:
        return Access(Role.READ, collection.visibility)
    return Access(None, "no access")


def visible_collections(actor: Actor) -> sa.ColumnElement[bool]:
    """The SQL form of 'may see it'. What belongs to a deleted person or organisation is not there until they are restored."""
    return sa.and_(_owner_is_there(), _seen_by(actor))


def _seen_by(actor: Actor) -> sa.ColumnElement[bool]:
    public = Collection.visibility == Visibility.PUBLIC
    if actor.is_anonymous or actor.repo_id is not None:
        return public
    if actor.is_admin:
        return sa.true()
    orgs = sa.select(Membership.org_id).where(Membership.user_id == actor.user_id, Membership.org_id.in_(live_orgs()))
    internal = Collection.visibility == Visibility.INTERNAL
    return sa.or_(public, internal, Collection.namespace_id == actor.user_id, Collection.namespace_id.in_(orgs))


def _owner_is_there() -> sa.ColumnElement[bool]:
    people = sa.select(User.id).where(User.status != "deleted")
    return sa.or_(Collection.namespace_id.in_(live_orgs()), Collection.namespace_id.in_(people))


@dataclass(frozen=True, slots=True)
class CollectionResource:
    """A row as `authz.require` wants it. `said` is the name the caller used: the error repeats only that."""

    session: Session
    collection: Collection
    said: str

    def access(self, actor: Actor) -> Access:
        """See `access`."""
        return access(self.session, actor, self.collection)

    def hidden(self) -> HubError:
        """The same error as for a collection that is not there."""
        return collection_not_found(self.said)

    def closed(self, actor: Actor, access: Access) -> HubError | None:
        """A collection has no gate."""


def collection_not_found(said: str) -> CollectionNotFound:
    """The one answer for 'not there' and 'not yours'."""
    return CollectionNotFound(
        f"There is no collection '{said[:200]}' that you can see.", hint="list_collections shows what is there.", collection=said[:200]
    )


def require_collection(session: Session, actor: Actor, permission: Permission, collection: Collection, said: str = "") -> Access:
    """Check a permission of repos on a collection, where it means the same.

    Raises:
        CollectionNotFound: the caller may not see it.
        PermissionDenied, Unauthenticated: the caller sees it, but may not do this.
    """
    return require(actor, permission, CollectionResource(session, collection, said or collection.slug))
