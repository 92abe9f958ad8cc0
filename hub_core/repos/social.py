"""Likes and watches: small marks people put on repos they can see."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

import sqlalchemy as sa

from hub_core import audit
from hub_core.accounts.lookup import find_user
from hub_core.accounts.tables import User
from hub_core.accounts.views import Page
from hub_core.authz import Actor, Permission, require_scope
from hub_core.db import Database, utcnow
from hub_core.repos.access import require_repo, visible
from hub_core.repos.tables import Like, Repo, Watch


class WatchLevel(enum.StrEnum):
    """How much a person wants to hear of a repo."""

    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LikedRepo:
    """A repo that somebody likes, since when."""

    id: str
    kind: str
    since: dt.datetime


class SocialService:
    """Likes and watches of the caller."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def liked(self, actor: Actor, repo: Repo) -> bool:
        """Whether the caller likes the repo."""
        with self._db.read() as session:
            return session.get(Like, (repo.id, actor.user_id)) is not None

    def likers(self, actor: Actor, repo: Repo, *, cursor: int = 0, limit: int = 1000) -> Page[str]:
        """Names of those who like a repo; `cursor` is the `next` of the page before."""
        query = (
            sa.select(User.id, User.username)
            .join(Like, Like.user_id == User.id)
            .where(Like.repo_id == repo.id, User.id > cursor, User.status == "active")
            .order_by(User.id)
            .limit(limit + 1)
        )
        with self._db.read() as session:
            require_repo(session, actor, Permission.REPO_READ, repo)
            rows = session.execute(query).all()
        return Page([name for _, name in rows[:limit]], str(rows[limit - 1][0]) if len(rows) > limit else None)

    def likes_of(self, actor: Actor, username: str, *, cursor: int = 0, limit: int = 1000) -> Page[LikedRepo]:
        """What somebody likes, of what the caller may see; `cursor` is the `next` of the page before.

        Raises:
            UserNotFound: no such user. Unauthenticated: nobody is signed in.
        """
        require_scope(actor, Permission.USER_READ)
        with self._db.read() as session:
            user = find_user(session, username)
            query = (
                sa.select(Repo, Like.created_at)
                .join(Like, Like.repo_id == Repo.id)
                .where(Like.user_id == user.id, Repo.id > cursor, Repo.deleted_at.is_(None), visible(actor))
                .order_by(Repo.id)
                .limit(limit + 1)
            )
            rows = session.execute(query).all()
        liked = [LikedRepo(repo.full_name, repo.kind, moment) for repo, moment in rows[:limit]]
        return Page(liked, str(rows[limit - 1][0].id) if len(rows) > limit else None)

    def set_like(self, actor: Actor, repo: Repo, liked: bool) -> int:
        """Like or unlike; returns the number of likes. Doing it twice changes nothing."""
        require_scope(actor, Permission.USER_SELF)
        with self._db.write() as session:
            require_repo(session, actor, Permission.REPO_READ, repo)
            row = session.get(Like, (repo.id, actor.user_id))
            if liked and row is None:
                session.add(Like(repo_id=repo.id, user_id=actor.user_id, created_at=utcnow()))
            elif not liked and row is not None:
                session.delete(row)
            session.flush()
            count = session.scalar(sa.select(sa.func.count()).select_from(Like).where(Like.repo_id == repo.id)) or 0
            session.execute(sa.update(Repo).where(Repo.id == repo.id).values(likes=count))
            if liked != (row is not None):
                audit.record(session, actor, "repo.like" if liked else "repo.unlike", repo.full_name, repo_id=repo.id)
            return count

    def watch_level(self, actor: Actor, repo: Repo) -> WatchLevel:
        """The caller's watch level; `none` when they never said."""
        with self._db.read() as session:
            row = session.get(Watch, (repo.id, actor.user_id))
            return WatchLevel(row.level) if row else WatchLevel.NONE

    def watch(self, actor: Actor, repo: Repo, level: WatchLevel) -> None:
        """Set the watch level; `none` removes the watch."""
        require_scope(actor, Permission.USER_SELF)
        with self._db.write() as session:
            require_repo(session, actor, Permission.REPO_READ, repo)
            row = session.get(Watch, (repo.id, actor.user_id))
            if level is WatchLevel.NONE:
                if row is not None:
                    session.delete(row)
            elif row is None:
                session.add(Watch(repo_id=repo.id, user_id=actor.user_id, level=str(level)))
            else:
                row.level = str(level)
            audit.record(session, actor, "repo.watch", repo.full_name, repo_id=repo.id, level=str(level))
