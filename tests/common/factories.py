"""Rows for tests. Each factory opens its own transaction and returns a detached row."""

from __future__ import annotations

from itertools import count
from typing import Any

import sqlalchemy as sa

from hub_core.accounts.tables import Membership, Namespace, Org, Token, User
from hub_core.authz import Actor, CredentialKind, Role, Scope, Visibility
from hub_core.db import Database, utcnow
from hub_core.lfs.tables import LfsLink, LfsObject
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Collaborator, Repo

_numbers = count(1)


def make_user(db: Database, username: str = "", *, is_admin: bool = False, **values: Any) -> User:
    """An active user, without a password unless `password_hash` is given."""
    username = username or f"user{next(_numbers)}"
    with db.write() as session:
        namespace = Namespace(name=username, kind="user")
        session.add(namespace)
        session.flush()
        user = User(id=namespace.id, username=username, is_admin=is_admin, created_at=utcnow(), **{"preferences": {}, **values})
        session.add(user)
    return user


def make_org(db: Database, name: str = "", members: dict[User, Role | str] | None = None, **values: Any) -> Org:
    """An organisation with `members` and their roles."""
    name = name or f"org{next(_numbers)}"
    with db.write() as session:
        namespace = Namespace(name=name, kind="org")
        session.add(namespace)
        session.flush()
        org = Org(id=namespace.id, name=name, created_at=utcnow(), **values)
        session.add(org)
        session.flush()
        session.add_all(Membership(org_id=org.id, user_id=user.id, role=str(role)) for user, role in (members or {}).items())
    return org


def make_repo(
    db: Database,
    owner: User | Org,
    name: str = "",
    kind: RepoKind = RepoKind.MODEL,
    visibility: Visibility = Visibility.PRIVATE,
    collaborators: dict[User, Role | str] | None = None,
    **values: Any,
) -> Repo:
    """A repo's row (no Git data)."""
    name = name or f"repo{next(_numbers)}"
    now = utcnow()
    with db.write() as session:
        repo = Repo(
            namespace_id=owner.id,
            namespace=namespace_of(owner),
            name=name,
            key=name.lower(),
            kind=str(kind),
            visibility=str(visibility),
            **{"card": {}, "created_at": now, "updated_at": now, **values},
        )
        session.add(repo)
        session.flush()
        session.add_all(Collaborator(repo_id=repo.id, user_id=user.id, role=str(role)) for user, role in (collaborators or {}).items())
    return repo


def make_token_row(db: Database, user: User, name: str = "", scope: Scope = Scope.WRITE, **values: Any) -> Token:
    """A token's row whose secret nobody knows."""
    name = name or f"token{next(_numbers)}"
    with db.write() as session:
        token = Token(user_id=user.id, name=name, digest=f"{next(_numbers):064x}", scope=str(scope), created_at=utcnow(), **values)
        session.add(token)
    return token


def lfs_bytes(db: Database, repo: Repo) -> int:
    """Bytes of all large files that a repo holds."""
    held = sa.select(sa.func.sum(LfsObject.size)).join(LfsLink, LfsLink.oid == LfsObject.oid).where(LfsLink.repo_id == repo.id)
    with db.read() as session:
        return int(session.scalar(held) or 0)


def namespace_of(owner: User | Org) -> str:
    """The namespace's name of a user or organisation."""
    return owner.username if isinstance(owner, User) else owner.name


def actor_for(user: User, scope: Scope = Scope.ADMIN, *, credential: CredentialKind | None = None, **values: Any) -> Actor:
    """The user signed in by a browser session, or by a token when `scope` is smaller than admin."""
    kind = credential or (CredentialKind.SESSION if scope is Scope.ADMIN else CredentialKind.TOKEN)
    return Actor(user_id=user.id, username=user.username, is_admin=user.is_admin, credential=kind, scope=scope, **values)
