"""What the person may see, for the built-in planner: names of repos, users, organisations, own tokens and keys.

Only names from here can be linked in a message, so this is a security boundary too. Lists are cached per person and
dropped when the audit trail shows that names or access may have changed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from agent.planner.types import Entity
from hub_core.accounts.tables import Org, SshKey, Token, User
from hub_core.audit import AuditEvent
from hub_core.authz import Actor, Role
from hub_core.errors import HubError
from hub_core.repos.access import visible, with_role
from hub_core.repos.lookup import find_repo
from hub_core.repos.tables import Repo
from hub_core.services import Services

MAX_ENTITIES = 20_000
MAX_NAMES = 500
CACHED_PEOPLE = 16
# Changes that neither make nor rename anything, nor change who sees what.
_HARMLESS = (
    "approval.request", "approval.approve", "approval.reject", "approval.withdraw", "approval.expire", "attachment.create",
    "thread.delete", "session.login", "repo.like", "repo.unlike", "repo.watch", "repo.tags", "repo.update", "repo.push", "repo.commit",
    "git.push", "user.password",
)  # fmt: skip

_Key = tuple[int | None, bool, int | None]


class WorldCache:
    """Entity lists per person, valid for one version of the hub."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[_Key, tuple[int, Sequence[Entity]]] = OrderedDict()

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

    def _repo(self, said: str) -> Repo | None:
        try:
            with self._services.db.read() as session:
                return find_repo(session, self._actor, said)
        except HubError:
            return None


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
    return found


def _aliases(session: Session, actor: Actor) -> dict[str, tuple[str, ...]]:
    """What the person calls things, by the real name."""
    held = session.scalar(sa.select(User.preferences).where(User.id == actor.user_id)) or {}
    found: dict[str, tuple[str, ...]] = {}
    for key, value in held.items():
        if key.startswith("alias."):
            real = str(value).lower()
            found[real] = (*found.get(real, ()), key.removeprefix("alias."))
    return found
