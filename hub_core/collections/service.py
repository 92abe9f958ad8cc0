"""Life of a collection: made, described, shown to more or fewer people, filled, deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.lookup import locked
from hub_core.accounts.namespaces import namespace_to_create_in
from hub_core.authz import Actor, Permission, Visibility, require_scope
from hub_core.collections.access import collection_not_found, require_collection, visible_collections
from hub_core.collections.naming import (
    MAX_DESCRIPTION,
    MAX_NOTE,
    check_text,
    check_theme,
    check_title,
    find_collection,
    key_of,
    name_of,
)
from hub_core.collections.search import CollectionPage, CollectionQuery, search
from hub_core.collections.tables import Collection, CollectionItem
from hub_core.collections.views import CollectionView, collection_views
from hub_core.db import Database, utcnow
from hub_core.errors import AlreadyExists, InvalidInput, LimitExceeded, NotFound
from hub_core.repos.access import require_repo
from hub_core.repos.tables import Repo

MAX_ITEMS = 1000
MAX_POSITION = 10**6


class CollectionService:
    """Collections of people and organisations. In an organisation the role write changes them; admin deletes them and shows them to others."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- finding ---------------------------------------------------------------------------------------------------

    def get(self, actor: Actor, said: str, permission: Permission = Permission.REPO_READ) -> CollectionView:
        """The collection that `said` names (slug or title), with the items that the caller may see, and `permission` checked.

        Raises:
            CollectionNotFound, AmbiguousCollection, PermissionDenied, Unauthenticated.
        """
        return self._seen(actor, permission, said, lambda session: find_collection(session, actor, said))

    def open_collection(self, actor: Actor, collection_id: int, permission: Permission = Permission.REPO_READ) -> CollectionView:
        """The collection with that number; raises like `get`."""
        return self._seen(actor, permission, str(collection_id), lambda session: _numbered(session, actor, collection_id))

    def _seen(self, actor: Actor, permission: Permission, said: str, find: Callable[[Session], Collection]) -> CollectionView:
        with self._db.read() as session:
            row = find(session)
            require_collection(session, actor, permission, row, said)
            return collection_views(session, actor, [row])[0]

    def search(self, actor: Actor, query: CollectionQuery) -> CollectionPage:
        """One page of the collections that the caller may see.

        Raises:
            InvalidInput: a limit out of range or a cursor that was not given out here.
        """
        with self._db.read() as session:
            return search(session, actor, query)

    # -- making ----------------------------------------------------------------------------------------------------

    def plan_create(self, actor: Actor, title: str, namespace: str | None = None) -> tuple[str, str]:
        """Namespace and title of a new collection; without a namespace it is the caller's own.

        Raises:
            InvalidInput, AlreadyExists, PermissionDenied, NotFound: it cannot be made.
        """
        require_scope(actor, Permission.REPO_CREATE)
        clean, owner = check_title(title), (namespace or actor.username).lower()
        with self._db.read() as session:
            row = namespace_to_create_in(session, actor, owner, "collections")
            _check_free(session, row.id, clean)
        return owner, clean

    def create(
        self,
        actor: Actor,
        title: str,
        namespace: str | None = None,
        *,
        description: str = "",
        visibility: Visibility = Visibility.PRIVATE,
        theme: str = "",
    ) -> CollectionView:
        """Make an empty collection; raises like `plan_create`. `details["body"]["slug"]` of AlreadyExists is the one that has the title."""
        owner, clean = self.plan_create(actor, title, namespace)
        description, theme = check_text(description, MAX_DESCRIPTION, "description"), check_theme(theme)
        now = utcnow()
        with self._db.write() as session:
            row = namespace_to_create_in(session, actor, owner, "collections")
            _check_free(session, row.id, clean)
            made = Collection(
                namespace_id=row.id, namespace=row.name, title=clean, key=key_of(clean), name=name_of(clean), description=description,
                visibility=str(visibility), theme=theme, created_by=actor.user_id, created_at=now, updated_at=now,
            )  # fmt: skip
            session.add(made)
            _flush_unique(session, clean)
            audit.record(session, actor, "collection.create", made.slug, title=clean, visibility=made.visibility)
            return collection_views(session, actor, [made])[0]

    # -- changing --------------------------------------------------------------------------------------------------

    def check_update(self, actor: Actor, collection_id: int, **given: Any) -> dict[str, Any]:
        """The fields that `update` would set, in their stored form; changes nothing. Raises what it would raise."""
        with self._db.read() as session:
            row = _numbered(session, actor, collection_id)
            return _changes(session, actor, row, given)

    def update(self, actor: Actor, collection_id: int, **given: Any) -> CollectionView:
        """Set `title`, `description`, `visibility`, `theme` or `position`, each unless None.

        Raises:
            CollectionNotFound: not there, or not visible to the caller.
            PermissionDenied: the role write is needed, and admin to change who sees it.
            InvalidInput, AlreadyExists: a value cannot be had.
        """
        with self._db.write() as session:
            row = _numbered(session, actor, collection_id, lock=True)
            changes = _changes(session, actor, row, given)
            before = {field: getattr(row, field) for field in changes}
            for field, value in changes.items():
                setattr(row, field, value)
            if changes:
                row.key, row.name, row.updated_at = key_of(row.title), name_of(row.title), utcnow()
                _flush_unique(session, row.title)
                audit.record(session, actor, "collection.update", row.slug, before=before, after=changes)
            return collection_views(session, actor, [row])[0]

    def delete(self, actor: Actor, collection_id: int) -> None:
        """Delete a collection for good; the repos in it stay."""
        with self._db.write() as session:
            row = _for_change(session, actor, collection_id, Permission.REPO_ADMIN)
            audit.record(session, actor, "collection.delete", row.slug, title=row.title)
            session.delete(row)

    # -- items -----------------------------------------------------------------------------------------------------

    def add(
        self, actor: Actor, collection_id: int, repos: Sequence[Repo], notes: dict[int, str] | None = None, *, position: int | None = None
    ) -> CollectionView:
        """Put repos that the caller may read at the end, or at a place among the items that the caller sees; `notes` by the repo's number.

        Raises:
            AlreadyExists: one is in it.
            LimitExceeded: it would have more than 1,000 items.
        """
        clean = {repo_id: check_text(note, MAX_NOTE, "note") for repo_id, note in (notes or {}).items()}
        with self._db.write() as session:
            row = _for_change(session, actor, collection_id)
            items, seen = _items(session, row), _seen_ids(session, actor, row)
            for repo in repos:
                require_repo(session, actor, Permission.REPO_READ, repo)
                self._check_new(row, items, repo)
                item = CollectionItem(
                    collection_id=row.id, repo_id=repo.id, note=clean.get(repo.id, ""), position=len(items), added_at=utcnow()
                )
                session.add(item)
                items.append(item)
                if position is not None:
                    _move(items, seen, repo.id, _position(position))
                audit.record(session, actor, "collection.add", row.slug, repo=f"{repo.kind}:{repo.full_name}")
            row.updated_at = utcnow()
            session.flush()
            return collection_views(session, actor, [row])[0]

    def _check_new(self, row: Collection, items: Sequence[CollectionItem], repo: Repo) -> None:
        if any(item.repo_id == repo.id for item in items):
            raise AlreadyExists(f"{repo.full_name} is in this collection already.", hint="Nothing to do.", collection=row.slug)
        if len(items) >= MAX_ITEMS:
            raise LimitExceeded(f"A collection has at most {MAX_ITEMS:,} items.", hint="Make another collection.")

    def remove(self, actor: Actor, collection_id: int, repo_ids: Sequence[int]) -> CollectionView:
        """Take repos out.

        Raises:
            NotFound: one is not in it, or the caller may not see it.
        """
        with self._db.write() as session:
            row = _for_change(session, actor, collection_id)
            seen = {item.repo.repo_id: item for item in collection_views(session, actor, [row])[0].items}
            for repo_id in repo_ids:
                if repo_id not in seen:
                    raise _no_item(row)
                session.execute(sa.delete(CollectionItem).where(CollectionItem.id == seen[repo_id].id))
                view = seen[repo_id].repo
                audit.record(session, actor, "collection.remove", row.slug, repo=f"{view.kind}:{view.id}")
            row.updated_at = utcnow()
            _number(_items(session, row))
            session.flush()
            return collection_views(session, actor, [row])[0]

    def change_item(
        self, actor: Actor, collection_id: int, repo_id: int, *, note: str | None = None, position: int | None = None
    ) -> CollectionView:
        """Set an item's note, or its place among the items that the caller sees.

        Raises:
            NotFound: it is not in the collection, or the caller may not see it.
            InvalidInput: a note that is too long, or a negative position.
        """
        if position is not None:
            _position(position)
        with self._db.write() as session:
            row = _for_change(session, actor, collection_id)
            seen = _seen_ids(session, actor, row)
            if repo_id not in seen:
                raise _no_item(row)
            items = _items(session, row)
            if note is not None:
                next(item for item in items if item.repo_id == repo_id).note = check_text(note, MAX_NOTE, "note")
            if position is not None:
                _move(items, [other for other in seen if other != repo_id], repo_id, position)
            row.updated_at = utcnow()
            session.flush()
            audit.record(session, actor, "collection.item", row.slug, item=repo_id)
            return collection_views(session, actor, [row])[0]


def _numbered(session: Session, actor: Actor, collection_id: int, *, lock: bool = False) -> Collection:
    query = sa.select(Collection).where(Collection.id == collection_id, visible_collections(actor))
    row = session.scalar(locked(query) if lock else query)
    if row is None:
        raise collection_not_found(str(collection_id))
    return row


def _for_change(session: Session, actor: Actor, collection_id: int, permission: Permission = Permission.REPO_WRITE) -> Collection:
    """The row, locked: its lock is that of its items."""
    row = _numbered(session, actor, collection_id, lock=True)
    require_collection(session, actor, permission, row)
    return row


def _items(session: Session, row: Collection) -> list[CollectionItem]:
    order = (CollectionItem.position, CollectionItem.id)
    return list(session.scalars(sa.select(CollectionItem).where(CollectionItem.collection_id == row.id).order_by(*order)))


def _seen_ids(session: Session, actor: Actor, row: Collection) -> list[int]:
    return [item.repo.repo_id for item in collection_views(session, actor, [row])[0].items]


def _number(items: Sequence[CollectionItem]) -> None:
    for position, item in enumerate(items):
        item.position = position


def _move(items: list[CollectionItem], others: Sequence[int], repo_id: int, position: int) -> None:
    """Put an item before the one that is at `position` of what the caller sees, which may be less than all."""
    moved = next(item for item in items if item.repo_id == repo_id)
    items.remove(moved)
    before = others[position] if position < len(others) else None
    at = next((index for index, item in enumerate(items) if item.repo_id == before), len(items))
    items.insert(at, moved)
    _number(items)


def _changes(session: Session, actor: Actor, row: Collection, given: dict[str, Any]) -> dict[str, Any]:
    """The fields that really change, checked, with the permission that they need."""
    checks: dict[str, Callable[[Any], Any]] = {
        "title": check_title,
        "description": lambda text: check_text(text, MAX_DESCRIPTION, "description"),
        "visibility": lambda value: str(Visibility(value)),
        "theme": check_theme,
        "position": _position,
    }
    require_collection(session, actor, Permission.REPO_WRITE, row)
    wanted = {field: checks[field](value) for field, value in given.items() if value is not None}
    changes = {field: value for field, value in wanted.items() if value != getattr(row, field)}
    if "visibility" in changes:
        require_collection(session, actor, Permission.REPO_ADMIN, row)
    if "title" in changes and key_of(changes["title"]) != row.key:
        _check_free(session, row.namespace_id, changes["title"])
    return changes


def _position(value: int) -> int:
    if not 0 <= value <= MAX_POSITION:
        raise InvalidInput("A position is a number from 0.", hint="0 is the first place.")
    return value


def _check_free(session: Session, namespace_id: int, title: str) -> None:
    taken = session.scalar(sa.select(Collection).where(Collection.namespace_id == namespace_id, Collection.key == key_of(title)))
    if taken is not None:
        raise _taken(title, taken.slug)


def _taken(title: str, slug: str = "") -> AlreadyExists:
    body = {"body": {"slug": slug}} if slug else {}
    return AlreadyExists(f"There is a collection '{title}' there already.", hint="Choose another title.", collection=slug, **body)


def _flush_unique(session: Session, title: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise _taken(title) from error


def _no_item(row: Collection) -> NotFound:
    return NotFound("This collection has no such item.", hint="get_collection shows what is in it.", collection=row.slug)
