"""Descriptive tags of repos: set by hand, or read from the card."""

from __future__ import annotations

import enum
import re
import time
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.authz import Actor, Permission
from hub_core.db import Database, utcnow
from hub_core.errors import InvalidInput
from hub_core.memo import Memo
from hub_core.repos.access import require_repo, visible
from hub_core.repos.narrowing import hub_size
from hub_core.repos.tables import Repo, RepoTag

MAX_TAGS = 100
# In a hub of so many repos a fraction of a second is enough.
_SOON_COUNTED = 20_000
_TAG = re.compile(r"[^\s,;\x00-\x1f][^,;\x00-\x1f]{0,95}")


class TagMode(enum.StrEnum):
    """How given tags meet the ones that are there."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


def check_tags(tags: Iterable[str]) -> list[str]:
    """The tags in normal form (trimmed, lower case), without duplicates.

    Raises:
        InvalidInput: an empty tag, one over 96 characters or with control characters or commas, or more than 100.
    """
    clean = list(dict.fromkeys(tag.strip().lower() for tag in tags))
    if not clean or len(clean) > MAX_TAGS or not all(_TAG.fullmatch(tag) for tag in clean):
        raise InvalidInput("A tag has 1 to 96 characters and no comma; a repo at most 100 tags.", hint="For example: text-generation")
    return clean


class TagService:
    """Tags of one repo, and the tags in use."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._counted: Memo[tuple[Any, ...], list[tuple[str, int]]] = Memo(1_000)

    def of(self, repo: Repo) -> list[str]:
        """All tags of a repo, from both sources."""
        with self._db.read() as session:
            return _tags(session, repo.id)

    def set(self, actor: Actor, repo: Repo, tags: Iterable[str], mode: TagMode) -> list[str]:
        """Add, remove or replace tags; returns what is there then. A tag removed by hand is removed even if the card gave it."""
        clean = check_tags(tags)
        with self._db.write() as session:
            require_repo(session, actor, Permission.REPO_WRITE, repo)
            before = _tags(session, repo.id)
            after = next_tags(before, clean, mode)
            gone = set(before) - set(after)
            drop_tags(session, repo.id, RepoTag.tag.in_(gone))
            for tag in set(after) - set(before):
                session.add(RepoTag(repo_id=repo.id, tag=tag, source="user"))
            session.execute(sa.update(Repo).where(Repo.id == repo.id).values(updated_at=utcnow()))
            audit.record(session, actor, "repo.tags", repo.full_name, repo_id=repo.id, before=before, after=after)
        return after

    def in_use(self, actor: Actor, category: str | None = None, limit: int = 100) -> list[tuple[str, int]]:
        """Tags on repos the caller may see, with how many carry them, most used first. `category` is the part before ':' or a repo kind.

        In a large hub counting takes seconds, so that what is given is up to a minute old there.
        """
        with self._db.read() as session:
            if hub_size(session) <= _SOON_COUNTED:
                return _in_use(session, actor, category, limit)
            minute = int(time.monotonic() / 60)
            key = actor.user_id, actor.is_admin, actor.repo_id, category, limit, minute
            return list(self._counted.get(key, lambda: _in_use(session, actor, category, limit)))


def _in_use(session: Session, actor: Actor, category: str | None, limit: int) -> list[tuple[str, int]]:
    query = (
        sa.select(RepoTag.tag, sa.func.count(sa.distinct(RepoTag.repo_id)).label("n"))
        .join(Repo, Repo.id == RepoTag.repo_id)
        .where(visible(actor), Repo.deleted_at.is_(None))
        .group_by(RepoTag.tag)
        .order_by(sa.desc("n"), RepoTag.tag)
        .limit(limit)
    )
    if category:
        query = query.where(sa.or_(Repo.kind == category, RepoTag.tag.startswith(f"{category}:", autoescape=True)))
    return [(tag, count) for tag, count in session.execute(query)]


def next_tags(before: list[str], tags: list[str], mode: TagMode) -> list[str]:
    """What a repo's tags become."""
    match mode:
        case TagMode.ADD:
            return sorted({*before, *tags})
        case TagMode.REMOVE:
            return sorted(set(before) - set(tags))
        case TagMode.REPLACE:
            return sorted(set(tags))


def drop_tags(session: Session, repo_id: int, *which: sa.ColumnElement[bool]) -> None:
    """Remove tags of a repo as objects, so that the search index hears of it."""
    for tag in session.scalars(sa.select(RepoTag).where(RepoTag.repo_id == repo_id, *which)):
        session.delete(tag)


def _tags(session: Session, repo_id: int) -> list[str]:
    return sorted(set(session.scalars(sa.select(RepoTag.tag).where(RepoTag.repo_id == repo_id))))
