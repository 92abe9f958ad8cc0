"""From what a person says (`namespace/name` or a bare name) to one repo row."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.authz import Actor
from hub_core.errors import AmbiguousRepo, InvalidName
from hub_core.names import RepoId, parse_repo_id
from hub_core.repos.access import access, repo_not_found, visible
from hub_core.repos.kinds import PREFIX_TO_KIND, RepoKind
from hub_core.repos.tables import Repo, RepoRedirect


def find_repo(session: Session, actor: Actor, said: str, kind: RepoKind | None = None, *, deleted: bool = False) -> Repo:
    """The one repo that `said` names: `namespace/name`, `kind:namespace/name`, `datasets/namespace/name` or a bare name (own first).

    Args:
        deleted: look in the trash instead of among live repos.

    Raises:
        RepoNotFound: none that the caller may see.
        AmbiguousRepo: several; the caller must say which.
    """
    said = said.strip()
    bare, kind = split_kind(said, kind)
    candidates = _by_id(session, actor, bare, kind, deleted) if "/" in bare else _by_name(session, actor, bare, kind, deleted)
    if not candidates:
        raise repo_not_found(said)
    if len(candidates) > 1:
        choices = [f"{repo.kind}:{repo.full_name}" for repo in candidates]
        raise AmbiguousRepo(f"'{said}' can be {', '.join(choices)}.", hint="Say which one.", repo=said, choices=choices)
    return candidates[0]


def split_kind(said: str, kind: RepoKind | None) -> tuple[str, RepoKind | None]:
    """The name without the kind that may stand before it (`dataset:acme/faq`, `datasets/acme/faq`), and the kind."""
    head, colon, rest = said.partition(":")
    if colon and head in list(RepoKind):
        return rest, RepoKind(head)
    first, slash, rest = said.partition("/")
    if slash and "/" in rest and first in PREFIX_TO_KIND:
        return rest, PREFIX_TO_KIND[first]
    return said, kind


def _by_id(session: Session, actor: Actor, said: str, kind: RepoKind | None, deleted: bool) -> list[Repo]:
    try:
        repo_id = parse_repo_id(said)
    except InvalidName:
        return []
    found = _deleted(session, repo_id, kind) if deleted else live_repos(session, repo_id, kind)
    if not found and not deleted:
        moved = sa.select(RepoRedirect.repo_id).where(RepoRedirect.namespace == repo_id.namespace, RepoRedirect.key == repo_id.name.lower())
        if kind:
            moved = moved.where(RepoRedirect.kind == kind)
        found = _of_kind(session, sa.select(Repo).where(Repo.id.in_(moved)), kind, deleted)
    seen = [repo for repo in found if access(session, actor, repo).role is not None]
    # In the trash one name can lie several times; the newest is meant.
    return seen[:1] if deleted and len({repo.kind for repo in seen}) == 1 else seen


# Asked by every request that names a repo: built once, compiled once.
_LIVE = (
    sa.select(Repo)
    .where(Repo.key == sa.bindparam("key"), Repo.namespace == sa.bindparam("namespace"), Repo.deleted_at.is_(None))
    .order_by(Repo.kind)
)


def live_repos(session: Session, repo_id: RepoId, kind: RepoKind | None = None) -> list[Repo]:
    """The live repos of exactly this name, one of each kind at most. Access is the caller's to check."""
    found = session.scalars(_LIVE, {"key": repo_id.name.lower(), "namespace": repo_id.namespace})
    return [repo for repo in found if kind in (None, repo.kind)]


def _deleted(session: Session, repo_id: RepoId, kind: RepoKind | None) -> list[Repo]:
    query = sa.select(Repo).where(Repo.namespace == repo_id.namespace, Repo.key == repo_id.name.lower())
    return _of_kind(session, query, kind, deleted=True)


def _by_name(session: Session, actor: Actor, said: str, kind: RepoKind | None, deleted: bool) -> list[Repo]:
    query = sa.select(Repo).where(Repo.key == said.lower())
    if not deleted:
        query = query.where(visible(actor))
    found = [repo for repo in _of_kind(session, query.limit(50), kind, deleted) if access(session, actor, repo).role is not None]
    if not found and not deleted:
        moved = sa.select(RepoRedirect.repo_id).where(RepoRedirect.key == said.lower())
        old = _of_kind(session, sa.select(Repo).where(Repo.id.in_(moved), visible(actor)).limit(50), kind, deleted)
        found = [repo for repo in old if access(session, actor, repo).role is not None]
    own = [repo for repo in found if repo.namespace_id == actor.user_id]
    return own or found


def _of_kind(session: Session, query: sa.Select[Repo], kind: RepoKind | None, deleted: bool) -> list[Repo]:
    # What a crash left of a repo in the making has a time of deletion from before it was made.
    query = query.where(Repo.deleted_at >= Repo.created_at if deleted else Repo.deleted_at.is_(None))
    if kind:
        query = query.where(Repo.kind == kind)
    return list(session.scalars(query.order_by(Repo.deleted_at.desc(), Repo.namespace, Repo.kind)))


def redirect_target(session: Session, namespace: str, name: str, kind: RepoKind) -> Repo | None:
    """The live repo that once had this name, if any (for HTTP redirects); the caller still checks access."""
    moved = session.get(RepoRedirect, (namespace, str(kind), name.lower()))
    repo = session.get(Repo, moved.repo_id) if moved else None
    return repo if repo and repo.deleted_at is None else None
