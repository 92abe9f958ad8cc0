"""Who may see, use and manage a deployment, in two forms: for one row, and for lists. It follows from the model's repo."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.lookup import storable
from hub_core.authz import Access, Actor, Permission, Role, Visibility, require
from hub_core.db import Database
from hub_core.deployments.tables import Deployment
from hub_core.errors import HubError
from hub_core.repos.access import access as repo_access
from hub_core.repos.access import with_role
from hub_core.repos.tables import Repo
from hub_core.running_errors import AmbiguousDeployment, DeploymentNotFound


@dataclass(frozen=True, slots=True)
class DeploymentResource:
    """A deployment as `authz.require` wants it."""

    session: Session | sa.Connection
    deployment: Deployment
    repo: Repo
    said: str

    def access(self, actor: Actor) -> Access:
        """A role that was given on the model counts; that everybody sees the model does not let them use what it runs on."""
        given = repo_access(self.session, actor, self.repo)
        if given.role is not None and given.given:
            return given
        if self.repo.deleted_at is not None:
            return Access(None, "deleted")
        if self.deployment.visibility == Visibility.PUBLIC:
            return Access(Role.READ, "public")
        if self.deployment.visibility == Visibility.INTERNAL and actor.user_id is not None and actor.repo_id is None:
            return Access(Role.READ, "internal")
        return Access(None, "no access")

    def hidden(self) -> HubError:
        """The same error as for a deployment that is not there."""
        return deployment_not_found(self.said)

    def closed(self, actor: Actor, access: Access) -> HubError | None:  # noqa: ARG002 - the protocol's signature
        """Who may use a deployment sees nothing of the model's files."""
        return None


def deployment_not_found(said: str) -> DeploymentNotFound:
    """The one answer for 'not there' and 'not yours'."""
    return DeploymentNotFound(
        f"There is no deployment '{said[:140]}' that you can see.", hint="list_deployments shows them.", deployment=said[:140]
    )


def require_deployment(
    session: Session, actor: Actor, permission: Permission, deployment: Deployment, repo: Repo, said: str = ""
) -> Access:
    """Check a permission on a deployment.

    Raises:
        DeploymentNotFound: the caller may not see it.
        PermissionDenied: the caller sees it, but may not do this.
    """
    return require(actor, permission, DeploymentResource(session, deployment, repo, said or deployment.name))


def visible_deployments(actor: Actor) -> sa.ColumnElement[bool]:
    """The SQL form of 'may see it', for a query that joins `Deployment` and `Repo`."""
    public = sa.and_(Deployment.visibility == Visibility.PUBLIC, Repo.deleted_at.is_(None))
    if actor.is_anonymous:
        return public
    given = sa.and_(with_role(actor, Role.READ), Repo.deleted_at.is_(None))
    internal = sa.and_(Deployment.visibility == Visibility.INTERNAL, Repo.deleted_at.is_(None))
    return sa.or_(public, given) if actor.repo_id is not None else sa.or_(public, internal, given)


# Asked by every request of the gateway: plain Core, with what a request needs, built once and compiled once.
_OF_REPO = ("id", "kind", "name", "namespace", "namespace_id", "visibility", "created_by", "deleted_at")
_CALLED = (
    sa.select(*Deployment.__table__.c, *(Repo.__table__.c[name].label(f"repo__{name}") for name in _OF_REPO))
    .join(Repo, Repo.id == Deployment.repo_id)
    .where(Deployment.key == sa.bindparam("key"), Repo.namespace == sa.bindparam("namespace"))
)


def called_deployment(db: Database, actor: Actor, said: str) -> tuple[Deployment, Repo]:
    """What `find_deployment` finds, sooner where the namespace is said too; raises like it.

    Of both there may be no more than what a request takes: of the repo, what access follows from.
    """
    namespace, slash, name = storable(said).strip().lower().rpartition("/")
    with db.connection() as connection:
        rows = connection.execute(_CALLED, {"key": name, "namespace": namespace}).all() if slash else []
        if slash and not rows:
            raise deployment_not_found(said)
        if len(rows) == 1:
            deployment = cast(Any, rows[0])
            repo = cast(Any, SimpleNamespace(**{name: getattr(deployment, f"repo__{name}") for name in _OF_REPO}))
            if DeploymentResource(connection, deployment, repo, said).access(actor).role is None:
                raise deployment_not_found(said)
            return deployment, repo
    # A bare name, or two of the same name since a repo was moved to where there was one already.
    with db.read() as session:
        return find_deployment(session, actor, said)


def find_deployment(session: Session, actor: Actor, said: str) -> tuple[Deployment, Repo]:
    """The one visible deployment that `said` names: `namespace/name`, a bare name (own first), or its number.

    Raises:
        DeploymentNotFound: none that the caller may see.
        AmbiguousDeployment: several; the caller must say which.
    """
    text = storable(said).strip().lower()
    namespace, slash, name = text.rpartition("/")
    query = sa.select(Deployment, Repo).join(Repo, Repo.id == Deployment.repo_id).where(visible_deployments(actor)).order_by(Deployment.id)
    found = session.execute(query.where(Deployment.key == name).limit(50)).all()
    if slash:
        found = [row for row in found if row[1].namespace == namespace]
    elif not found and text.isdecimal() and len(text) < 18:
        found = session.execute(query.where(Deployment.id == int(text))).all()
    own = [row for row in found if row[1].namespace_id == actor.user_id]
    chosen = [(deployment, repo) for deployment, repo in own or found]
    if not chosen:
        raise deployment_not_found(said)
    if len(chosen) > 1:
        names = [f"{repo.namespace}/{deployment.name}" for deployment, repo in chosen]
        choices = names if len(set(names)) == len(names) else [str(deployment.id) for deployment, _ in chosen]
        raise AmbiguousDeployment(f"'{said}' can be {', '.join(choices)}.", hint="Say which one.", deployment=said, choices=choices)
    return chosen[0]
