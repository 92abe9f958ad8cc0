"""A person's access to a repo, as one rule in two forms: for one row (`RepoResource`) and for lists (`visible`, `readable`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Membership, Org
from hub_core.authz import Access, Actor, CredentialKind, Permission, Role, Visibility, require
from hub_core.errors import GatedRepo, GatedSignIn, HubError, RepoNotFound
from hub_core.gating.tables import AccessRequest, Gating, RequestStatus
from hub_core.repos.tables import Collaborator, Repo


def access(session: Session | sa.Connection, actor: Actor, repo: Repo) -> Access:
    """The strongest access of `actor` on `repo`, and why.

    A deleted repo is only there for those who may restore it (admins). A token that is limited to another repo sees what everybody sees.
    """
    best = _best(session, actor, repo)
    if repo.deleted_at is not None and best.role is not Role.ADMIN:
        return Access(None, "deleted")
    return best


def _best(session: Session | sa.Connection, actor: Actor, repo: Repo) -> Access:
    visible_to_all = Access(Role.READ, "public") if repo.visibility == Visibility.PUBLIC else Access(None, "no access")
    if actor.credential is CredentialKind.PASS and actor.repo_id == repo.id:
        return Access(Role.READ, "deployed", given=True)
    if actor.is_anonymous or actor.repo_id not in (None, repo.id):
        return visible_to_all
    if repo.namespace_id == actor.user_id:
        return Access(Role.ADMIN, "owner", given=True)
    if actor.is_admin:
        return Access(Role.ADMIN, "site administrator" if actor.credential is not CredentialKind.SYSTEM else "system", given=True)
    found = [visible_to_all, Access(Role.READ, "internal") if repo.visibility == Visibility.INTERNAL else visible_to_all]
    return max((*found, *_given(session, actor, repo)), key=lambda access: (access.role.rank if access.role else 0, access.given))


def _given(session: Session | sa.Connection, actor: Actor, repo: Repo) -> list[Access]:
    """Roles by membership and by hand, with one query."""
    found = []
    for source, role in session.execute(_ROLES, {"user_id": actor.user_id, "org_id": repo.namespace_id, "repo_id": repo.id}):
        found.append(Access(Role(role), f"{role} in {repo.namespace}" if source == "org" else f"{role} on this repo", given=True))
        if source == "org" and role == Role.WRITE and repo.created_by == actor.user_id:
            found.append(Access(Role.ADMIN, "creator", given=True))
    return found


def request_status(session: Session | sa.Connection, actor: Actor, repo: Repo) -> RequestStatus | None:
    """How the caller's request for the files of a repo stands; None where there is none, or the token is for another repo."""
    if actor.user_id is None or actor.repo_id not in (None, repo.id):
        return None
    asked = sa.select(AccessRequest.status).where(AccessRequest.repo_id == repo.id, AccessRequest.user_id == actor.user_id, _FOR_FILES)
    found = session.execute(asked).scalar_one_or_none()
    return None if found is None else RequestStatus(found)


_FOR_FILES = AccessRequest.role == str(Role.READ)
_HINTS: dict[RequestStatus | None, str] = {
    RequestStatus.PENDING: "Your request waits for an answer.",
    RequestStatus.REJECTED: "Your request was rejected; speak to an administrator of the repo.",
}


@dataclass(frozen=True, slots=True)
class RepoResource:
    """A repo row as `authz.require` wants it. `said` is the name the caller used: the error repeats only that."""

    session: Session
    repo: Repo
    said: str

    def access(self, actor: Actor) -> Access:
        """See `access`."""
        return access(self.session, actor, self.repo)

    def hidden(self) -> HubError:
        """The same error as for a repo that is not there."""
        return repo_not_found(self.said)

    def closed(self, actor: Actor, access: Access) -> HubError | None:
        """A gated repo is open to who was given a role and to who was let in; of others nothing is asked of the database."""
        if self.repo.gated == Gating.OFF or access.given:
            return None
        name = self.repo.full_name
        text = f"The repo {name} is gated: its files are open to people whose request for access was accepted."
        if actor.is_anonymous:
            return GatedSignIn(text, hint="Sign in, and ask for access.", repo=name)
        status = request_status(self.session, actor, self.repo)
        if status is RequestStatus.ACCEPTED:
            return None
        hint = _HINTS.get(status, f"Ask for it: 'request access to {name}', or POST .../{name}/ask-access.")
        return GatedRepo(text, hint=hint, permission=str(Permission.REPO_FILES), repo=name, request=status and str(status))


def repo_not_found(said: str) -> RepoNotFound:
    """The one answer for 'not there' and 'not yours'."""
    return RepoNotFound(f"There is no repo '{said}' that you can see.", hint="Check the name, or search for it.", repo=said)


def require_repo(session: Session, actor: Actor, permission: Permission, repo: Repo, said: str = "") -> Access:
    """Check a permission on a repo row.

    Raises:
        RepoNotFound: the caller may not see it.
        PermissionDenied: the caller sees it, but may not do this.
    """
    return require(actor, permission, RepoResource(session, repo, said or repo.full_name))


def visible(actor: Actor) -> sa.ColumnElement[bool]:
    """The SQL form of 'may see it' for repos that are not deleted."""
    everybody = Repo.visibility == Visibility.PUBLIC
    if actor.is_anonymous:
        return everybody
    if actor.repo_id is not None:
        return sa.or_(everybody, sa.and_(Repo.id == actor.repo_id, _mine(actor)))
    return sa.or_(everybody, _mine(actor))


def readable(actor: Actor) -> sa.ColumnElement[bool]:
    """The SQL form of 'may read what is in its files' (`REPO_FILES`) for repos that are not deleted."""
    is_open = Repo.gated == Gating.OFF
    if actor.is_anonymous:
        return sa.and_(visible(actor), is_open)
    if actor.is_admin and actor.repo_id is None:
        return visible(actor)
    let_in = sa.select(AccessRequest.repo_id).where(
        AccessRequest.user_id == actor.user_id, AccessRequest.status == RequestStatus.ACCEPTED, _FOR_FILES
    )
    let_in = let_in if actor.repo_id is None else let_in.where(AccessRequest.repo_id == actor.repo_id)
    return sa.and_(visible(actor), sa.or_(is_open, with_role(actor, Role.READ), Repo.id.in_(let_in)))


def permission_for(repo: Repo, path: str, revision: str) -> Permission:
    """What reading a file needs. The card of a gated repo is there for everybody, to be read before one asks for the rest.

    The card is what the default branch has: on other refs people who may not read the repo could have put anything under its name.
    """
    is_card = path == CARD and revision in {"", "HEAD", repo.default_branch}
    return Permission.REPO_READ if repo.gated == Gating.OFF or is_card else Permission.REPO_FILES


CARD = "README.md"


def live_orgs() -> sa.Select[int]:
    """Ids of organisations that are not deleted."""
    return sa.select(Org.id).where(Org.deleted_at.is_(None))


# Asked by nearly every request: built once, compiled once.
_ROLES = sa.union_all(
    sa.select(sa.literal("org"), Membership.role).where(
        Membership.org_id == sa.bindparam("org_id"), Membership.user_id == sa.bindparam("user_id"), Membership.org_id.in_(live_orgs())
    ),
    sa.select(sa.literal("repo"), Collaborator.role).where(
        Collaborator.repo_id == sa.bindparam("repo_id"), Collaborator.user_id == sa.bindparam("user_id")
    ),
)


def with_role(actor: Actor, least: Role) -> sa.ColumnElement[bool]:
    """The SQL form of 'has at least this role there', not counting visibility; a limited token has one on its repo at most."""
    if actor.repo_id is not None:
        return sa.and_(Repo.id == actor.repo_id, with_role(replace(actor, repo_id=None), least))
    if actor.is_admin:
        return sa.true()
    roles = [str(role) for role in Role if role.rank >= least.rank]
    orgs = sa.select(Membership.org_id).where(Membership.user_id == actor.user_id, Membership.org_id.in_(live_orgs()))
    granted = sa.select(Collaborator.repo_id).where(Collaborator.user_id == actor.user_id, Collaborator.role.in_(roles))
    creator = sa.and_(Repo.created_by == actor.user_id, Repo.namespace_id.in_(orgs.where(Membership.role == Role.WRITE)))
    member = Repo.namespace_id.in_(orgs.where(Membership.role.in_(roles)))
    return sa.or_(Repo.namespace_id == actor.user_id, member, creator, Repo.id.in_(granted))


def roles_of(session: Session, actor: Actor, repo_ids: Sequence[int]) -> dict[int, str]:
    """The caller's role on repos that they may see, with one query: the list form of `access`."""
    role = sa.case(*((with_role(actor, role), str(role)) for role in (Role.ADMIN, Role.WRITE)), else_=str(Role.READ))
    return dict(session.execute(sa.select(Repo.id, role).where(Repo.id.in_(repo_ids))).all())


def _mine(actor: Actor) -> sa.ColumnElement[bool]:
    if actor.is_admin:
        return sa.true()
    orgs = sa.select(Membership.org_id).where(Membership.user_id == actor.user_id, Membership.org_id.in_(live_orgs()))
    granted: sa.Select[Any] = sa.select(Collaborator.repo_id).where(Collaborator.user_id == actor.user_id)
    return sa.or_(
        Repo.visibility == Visibility.INTERNAL, Repo.namespace_id == actor.user_id, Repo.namespace_id.in_(orgs), Repo.id.in_(granted)
    )
