"""Who can do what on a repo, and why; giving and taking roles on it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core import audit
from hub_core.accounts.tables import Membership, User
from hub_core.authz import Actor, Permission, Role, Visibility
from hub_core.db import Database
from hub_core.errors import Conflict, InvalidInput, UserNotFound
from hub_core.gating.tables import AccessRequest, Gating, RequestStatus
from hub_core.repos.access import require_repo
from hub_core.repos.tables import Collaborator, Repo

_AUDIENCE = {
    Visibility.PUBLIC: ("everyone", "public"),
    Visibility.INTERNAL: ("every signed-in user", "internal"),
}


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """One person (or audience) with the strongest role there and where it comes from."""

    username: str
    role: str
    reason: str
    is_audience: bool = False


class AccessService:
    """Roles of people on repos."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def entries(self, actor: Actor, repo: Repo) -> list[AccessEntry]:
        """Who can do what. People who see the repo only because it is public or internal are told just that and their own role."""
        with self._db.read() as session:
            mine = require_repo(session, actor, Permission.REPO_READ, repo)
            found: dict[str, AccessEntry] = {}
            if repo.visibility in _AUDIENCE:
                name, reason = _AUDIENCE[Visibility(repo.visibility)]
                found[name] = AccessEntry(name, "read", reason, is_audience=True)
            if not mine.given:
                return list(found.values())
            for entry in _people(session, repo):
                known = found.get(entry.username)
                if known is None or Role(entry.role).rank > Role(known.role).rank:
                    found[entry.username] = entry
            return sorted(found.values(), key=lambda entry: (not entry.is_audience, -Role(entry.role).rank, entry.username))

    def direct_role(self, repo: Repo, username: str) -> Role | None:
        """The role given to this person on this repo itself.

        Raises:
            UserNotFound: no such active user.
        """
        with self._db.read() as session:
            user = _user(session, username)
            row = session.get(Collaborator, (repo.id, user.id))
            return Role(row.role) if row else None

    def grant(self, actor: Actor, repo: Repo, username: str, role: Role) -> None:
        """Set a person's role on the repo, whether they had one or not."""
        with self._db.write() as session:
            require_repo(session, actor, Permission.REPO_ADMIN, repo)
            user = _user(session, username)
            if user.id == repo.namespace_id:
                raise InvalidInput(f"{username} owns this repo.", hint="Owners have every right already.")
            set_role(session, actor, repo, user, role)

    def check_revocable(self, repo: Repo, username: str) -> Role:
        """The role that `revoke` would take away.

        Raises:
            UserNotFound: no such user. Conflict: the person has no role of their own here; the hint says where it comes from.
        """
        role = self.direct_role(repo, username)
        if role is not None:
            return role
        with self._db.read() as session:
            source = next((entry for entry in _people(session, repo) if entry.username == username), None)
        hint = f"Their access comes from: {source.reason}. Change it there." if source else "They have no access to take away."
        raise Conflict(f"{username} has no role of their own on {repo.full_name}.", hint=hint)

    def revoke(self, actor: Actor, repo: Repo, username: str) -> None:
        """Take a person's own role on the repo away; raises like `check_revocable`."""
        self.check_revocable(repo, username)
        with self._db.write() as session:
            require_repo(session, actor, Permission.REPO_ADMIN, repo)
            set_role(session, actor, repo, _user(session, username), None)


def set_role(session: Session, actor: Actor, repo: Repo, user: User, role: Role | None) -> None:
    """Give a person a role on a repo, or take it (None), in the caller's transaction; whether the caller may was checked before."""
    row = session.get(Collaborator, (repo.id, user.id))
    before = row.role if row else None
    if role is None:
        if row is not None:
            audit.record(session, actor, "repo.revoke", repo.full_name, repo_id=repo.id, user=user.username, before=before)
            session.delete(row)
        return
    if row is None:
        session.add(Collaborator(repo_id=repo.id, user_id=user.id, role=str(role)))
    else:
        row.role = str(role)
    audit.record(session, actor, "repo.grant", repo.full_name, repo_id=repo.id, user=user.username, before=before, after=str(role))


def _people(session: Session, repo: Repo) -> list[AccessEntry]:
    found = []
    owner = session.get(User, repo.namespace_id)
    if owner:
        found.append(AccessEntry(owner.username, "admin", "owner"))
    members = sa.select(User.id, User.username, Membership.role).join(Membership, Membership.user_id == User.id)
    for user_id, username, role in session.execute(members.where(Membership.org_id == repo.namespace_id, User.status == "active")):
        found.append(AccessEntry(username, role, f"{role} in {repo.namespace}"))
        if user_id == repo.created_by and role == Role.WRITE:
            found.append(AccessEntry(username, "admin", "creator"))
    granted = sa.select(User.username, Collaborator.role).join(Collaborator, Collaborator.user_id == User.id)
    for username, role in session.execute(granted.where(Collaborator.repo_id == repo.id, User.status == "active")):
        found.append(AccessEntry(username, role, f"{role} on this repo"))
    return found + (_let_in(session, repo) if repo.gated != Gating.OFF and repo.visibility in _AUDIENCE else [])


def _let_in(session: Session, repo: Repo) -> list[AccessEntry]:
    """Who may read the files of a gated repo because they asked; it is no role of their own."""
    asked = sa.select(User.username).join(AccessRequest, AccessRequest.user_id == User.id)
    accepted = asked.where(
        AccessRequest.repo_id == repo.id, AccessRequest.status == RequestStatus.ACCEPTED, AccessRequest.role == str(Role.READ)
    )
    return [AccessEntry(username, "read", "accepted request") for username in session.scalars(accepted.where(User.status == "active"))]


def _user(session: Session, username: str) -> User:
    user = session.scalar(sa.select(User).where(User.username == username.lower(), User.status != "deleted"))
    if user is None:
        raise UserNotFound(f"There is no user '{username}'.", hint="Check the name; list_users shows them.")
    return user
