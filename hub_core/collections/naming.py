"""Titles and texts of collections, their slugs, and finding one collection by what somebody says."""

from __future__ import annotations

import re
import unicodedata

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.lookup import storable
from hub_core.authz import Actor
from hub_core.collections.access import collection_not_found, visible_collections
from hub_core.collections.tables import Collection
from hub_core.errors import AmbiguousCollection, InvalidInput

MAX_TITLE, MAX_DESCRIPTION, MAX_NOTE = 100, 1000, 500
THEMES = ("orange", "blue", "green", "purple", "pink", "indigo")  # the client's
_MAX_SLUG = 60
_MAX_ID = 2**31 - 1
_SLUG = re.compile(r"(?:(?P<namespace>[A-Za-z0-9_-]{1,39})/)?(?:[^/]*-)?(?P<digits>[0-9a-f]{24})")


def check_title(title: str) -> str:
    """The title without blanks around it.

    Raises:
        InvalidInput: empty, longer than 100 characters, or with control characters.
    """
    clean = " ".join(title.split())
    if not clean or len(clean) > MAX_TITLE or any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in clean):
        raise InvalidInput(f"A title has 1 to {MAX_TITLE} characters.", hint="For example: Models for support")
    return clean


def check_text(text: str, most: int, what: str) -> str:
    """A description or note without blanks around it.

    Raises:
        InvalidInput: it is too long.
    """
    clean = storable(text).strip()
    if len(clean) > most:
        raise InvalidInput(f"A {what} has at most {most} characters.", hint="Use a shorter text.")
    return clean


def check_theme(theme: str) -> str:
    """A colour that clients know, or none.

    Raises:
        InvalidInput: another word.
    """
    if theme and theme not in THEMES:
        raise InvalidInput(f"The theme '{theme[:40]}' is not known here.", hint=f"One of {', '.join(THEMES)}.")
    return theme


def key_of(title: str) -> str:
    """What two titles share that are the same to people."""
    return " ".join(unicodedata.normalize("NFKC", storable(title)).casefold().split())


def name_of(title: str) -> str:
    """The title as it stands in a slug."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_MAX_SLUG].strip("-") or "collection"


def find_collection(session: Session, actor: Actor, said: str) -> Collection:
    """The one collection that `said` names: a slug, or a title (with or without `namespace/`) that fits one visible collection (own first).

    Raises:
        CollectionNotFound: none that the caller may see.
        AmbiguousCollection: several; the caller must say which.
    """
    said = storable(said).strip()
    found = _by_slug(session, actor, said) or _by_title(session, actor, said)
    if not found:
        raise collection_not_found(said)
    if len(found) > 1:
        choices = [row.slug for row in found]
        raise AmbiguousCollection(f"'{said}' can be {', '.join(choices)}.", hint="Say which one.", collection=said, choices=choices)
    return found[0]


def _by_slug(session: Session, actor: Actor, said: str) -> list[Collection]:
    match = _SLUG.fullmatch(said)
    if match is None or int(match["digits"], 16) > _MAX_ID:
        return []
    query = sa.select(Collection).where(Collection.id == int(match["digits"], 16), visible_collections(actor))
    if match["namespace"]:
        query = query.where(Collection.namespace == match["namespace"].lower())
    return list(session.scalars(query))


def _by_title(session: Session, actor: Actor, said: str) -> list[Collection]:
    def called(title: str) -> sa.ColumnElement[bool]:
        return sa.or_(Collection.key == key_of(title), Collection.name == title.lower())

    meant = called(said)
    namespace, slash, rest = said.partition("/")
    if slash:
        meant = sa.or_(meant, sa.and_(Collection.namespace == namespace.lower(), called(rest)))
    query = sa.select(Collection).where(meant, visible_collections(actor)).order_by(Collection.namespace, Collection.id).limit(20)
    found = list(session.scalars(query))
    return [row for row in found if row.namespace_id == actor.user_id] or found
