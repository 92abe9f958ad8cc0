"""What the person may see, for the built-in planner: names of repos, users, organisations, own tokens and keys.

Only names from here can be linked in a message, so this is a security boundary too. Lists are cached per person and
dropped when the audit trail shows that names or access may have changed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from agent.planner.question_columns import ColumnInfo
from agent.planner.threads import Thread
from agent.planner.types import Entity
from hub_core.accounts.tables import Org, SshKey, Token, User
from hub_core.audit import AuditEvent
from hub_core.authz import Actor, Role
from hub_core.collections.access import visible_collections
from hub_core.collections.tables import Collection
from hub_core.datasets.describe import DatasetFacts, describe
from hub_core.datasets.formats import data_files
from hub_core.datasets.loaded import Budget
from hub_core.deployments.access import visible_deployments
from hub_core.deployments.tables import Deployment
from hub_core.discussions.reading import DiscussionQuery
from hub_core.discussions.views import Status
from hub_core.errors import HubError
from hub_core.repos.access import visible, with_role
from hub_core.repos.kinds import RepoKind
from hub_core.repos.lookup import find_repo
from hub_core.repos.tables import Repo
from hub_core.services import Services

MAX_ENTITIES = 20_000
MAX_NAMES = 500
MAX_THREADS = 50
CACHED_PEOPLE = 16
CACHED_TABLES = 64
# What is looked at of a table to know its columns and their values, so that a question never waits long.
LOOK = Budget(rows=50_000, max_bytes=16 << 20)
MAX_VALUES = 200
MAX_VALUE = 100
# Changes that neither make nor rename anything, nor change who sees what.
_HARMLESS = (
    "approval.request", "approval.approve", "approval.reject", "approval.withdraw", "approval.expire",
    "approval.execute", "approval.fail", "bridge.link", "bridge.unlink", "bridge.undelivered", "attachment.create",
    "thread.delete", "session.login", "repo.like", "repo.unlike", "repo.watch", "repo.tags", "repo.update", "repo.push", "repo.commit",
    "git.push", "user.password",
)  # fmt: skip

_Key = tuple[int | None, bool, int | None]


class WorldCache:
    """Entity lists per person, valid for one version of the hub."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[_Key, tuple[int, Sequence[Entity]]] = OrderedDict()
        self._tables: OrderedDict[tuple[int, str], Sequence[ColumnInfo]] = OrderedDict()

    def entities(self, services: Services, actor: Actor) -> Sequence[Entity]:
        """All entities the person may see; the same object as long as nothing changed."""
        key = (actor.user_id, actor.is_admin, actor.repo_id)
        with services.db.read() as session:
            version = _version(session)
            with self._lock:
                held = self._held.get(key)
                if held is not None and held[0] == version:
                    self._held.move_to_end(key)
                    return held[1]
            found = tuple(_load(session, actor))
        with self._lock:
            self._held[key] = (version, found)
            while len(self._held) > CACHED_PEOPLE:
                self._held.popitem(last=False)
        return found

    def columns(self, services: Services, actor: Actor, repo: Repo) -> Sequence[ColumnInfo]:
        """The columns of the first data file of a repo; kept for as long as the repo's head stays.

        Raises:
            HubError: the person may not read it, it is empty, or its data cannot be read.
        """
        services.files.check_readable(actor, repo)  # what is kept may have been read by somebody with more rights
        key = (repo.id, services.history.resolve(actor, repo))
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key]
        found = _look(services, actor, repo, key[1])
        with self._lock:
            self._tables[key] = found
            while len(self._tables) > CACHED_TABLES:
                self._tables.popitem(last=False)
        return found


class HubWorld:
    """The world of one turn. Names inside a repo are read when asked for, at most 500 each."""

    def __init__(self, actor: Actor, services: Services, attachments: Sequence[str], cache: WorldCache) -> None:
        self.username = actor.username
        self.attachments: Sequence[str] = tuple(attachments)
        self._actor = actor
        self._services = services
        self._cache = cache

    def entities(self) -> Sequence[Entity]:
        """See `WorldCache.entities`."""
        return self._cache.entities(self._services, self._actor)

    def branches(self, repo: str) -> Sequence[str]:
        """Branch names of a repo; none when it cannot be read."""
        row = self._repo(repo)
        return list(self._services.history.branches(self._actor, row))[:MAX_NAMES] if row else ()

    def git_tags(self, repo: str) -> Sequence[str]:
        """Git tags of a repo; none when it cannot be read."""
        row = self._repo(repo)
        return list(self._services.history.git_tags(self._actor, row))[:MAX_NAMES] if row else ()

    def files(self, repo: str) -> Sequence[str]:
        """Paths at the head of a repo; none when it cannot be read."""
        row = self._repo(repo)
        try:
            return self._services.files.paths(self._actor, row)[:MAX_NAMES] if row else ()
        except HubError:
            return ()

    def threads(self, repo: str) -> Sequence[Thread]:
        """The newest discussions and pull requests of a repo; none when it cannot be read."""
        row = self._repo(repo)
        try:
            page = self._services.discussions.page(self._actor, row, DiscussionQuery(limit=MAX_THREADS)) if row else None
        except HubError:
            return ()
        return [
            Thread(view.number, view.title, view.author, view.is_pull_request, view.status in (Status.OPEN, Status.DRAFT))
            for view in (page.items if page else ())
        ]

    def columns(self, repo: str) -> Sequence[ColumnInfo]:
        """The columns of a dataset's table; none when there is no table that can be read."""
        row = self._repo(repo, RepoKind.DATASET)
        try:
            return self._cache.columns(self._services, self._actor, row) if row else ()
        except HubError:
            return ()

    def _repo(self, said: str, kind: RepoKind | None = None) -> Repo | None:
        try:
            with self._services.db.read() as session:
                return find_repo(session, self._actor, said, kind)
        except HubError:
            return None


def _look(services: Services, actor: Actor, repo: Repo, commit: str) -> Sequence[ColumnInfo]:
    paths = data_files(services.files.paths(actor, repo, commit))
    if not paths:
        return ()
    return columns_of(describe(paths[0], services.files.reader(actor, repo, paths[0], commit), LOOK, every=MAX_VALUES))


def columns_of(facts: DatasetFacts) -> tuple[ColumnInfo, ...]:
    """The columns of a described table, with all their values where those are short texts and few."""
    return tuple(
        ColumnInfo(
            column.name,
            column.type,
            tuple(value for value, _ in column.top if isinstance(value, str) and len(value) <= MAX_VALUE),
            column.min,
            column.max,
            column.distinct,
        )
        for column in facts.columns
    )


def _version(session: Session) -> int:
    query = sa.select(AuditEvent.id).where(AuditEvent.action.not_in(_HARMLESS)).order_by(AuditEvent.id.desc()).limit(1)
    return session.scalar(query) or 0


def _load(session: Session, actor: Actor) -> list[Entity]:
    aliases = _aliases(session, actor)
    found: list[Entity] = []
    columns = (Repo.namespace, Repo.name, Repo.kind, Repo.namespace_id)
    live = sa.select(*columns).where(visible(actor), Repo.deleted_at.is_(None)).order_by(Repo.id.desc()).limit(MAX_ENTITIES)
    for namespace, name, kind, owner in session.execute(live):
        value = f"{namespace}/{name}"
        found.append(Entity("repo", value, kind, own=owner == actor.user_id, aliases=aliases.get(value.lower(), ())))
    gone = (
        sa.select(*columns)
        .where(with_role(actor, Role.ADMIN), Repo.deleted_at.is_not(None))
        .order_by(Repo.deleted_at.desc())
        .limit(MAX_NAMES)
    )
    for namespace, name, kind, owner in session.execute(gone):
        found.append(Entity("repo", f"{namespace}/{name}", kind, deleted=True, own=owner == actor.user_id))
    users = sa.select(User.username).where(User.status != "deleted").limit(MAX_ENTITIES)
    found += [Entity("user", name, own=name == actor.username, aliases=aliases.get(name, ())) for name in session.scalars(users)]
    orgs = sa.select(Org.name).where(Org.deleted_at.is_(None)).limit(MAX_ENTITIES)
    found += [Entity("org", name, aliases=aliases.get(name, ())) for name in session.scalars(orgs)]
    found += [Entity("token", name, own=True) for name in session.scalars(sa.select(Token.name).where(Token.user_id == actor.user_id))]
    keys = sa.select(SshKey.title).where(SshKey.user_id == actor.user_id)
    found += [Entity("ssh_key", title, own=True) for title in session.scalars(keys)]
    return [*found, *_collections(session, actor), *_deployments(session, actor)]


def _collections(session: Session, actor: Actor) -> Iterator[Entity]:
    query = sa.select(Collection).where(visible_collections(actor)).order_by(Collection.id.desc()).limit(MAX_NAMES)
    for row in session.scalars(query):
        yield Entity("collection", row.slug, own=row.namespace_id == actor.user_id, aliases=(row.title,))


def _deployments(session: Session, actor: Actor) -> Iterator[Entity]:
    columns = (Repo.namespace, Deployment.name, Repo.name, Repo.namespace_id)
    query = sa.select(*columns).join(Repo, Repo.id == Deployment.repo_id).where(visible_deployments(actor))
    for namespace, name, model, owner in session.execute(query.order_by(Deployment.id.desc()).limit(MAX_NAMES)):
        yield Entity("deployment", f"{namespace}/{name}", own=owner == actor.user_id, aliases=(name, f"{namespace}/{model}"))


def _aliases(session: Session, actor: Actor) -> dict[str, tuple[str, ...]]:
    """What the person calls things, by the real name."""
    held = session.scalar(sa.select(User.preferences).where(User.id == actor.user_id)) or {}
    found: dict[str, tuple[str, ...]] = {}
    for key, value in held.items():
        if key.startswith("alias."):
            real = str(value).lower()
            found[real] = (*found.get(real, ()), key.removeprefix("alias."))
    return found
