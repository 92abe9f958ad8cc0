"""Who may do what: the one permission check.

An `Actor` is a person together with the credential that stands for them. A permission on a repo follows from the
person's role there (owner, organisation role, collaborator role, visibility), capped by the credential's scope.
Lists filter by the same rule: `visible_repos` is its SQL form.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from hub_core.errors import HubError, PermissionDenied, Unauthenticated


class Role(enum.StrEnum):
    """A role in an organisation or on a repo; each includes the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """1 (read) to 3 (admin)."""
        return ("read", "write", "admin").index(self.value) + 1


class Scope(enum.StrEnum):
    """What a token may do at most; `admin` includes managing people, access and credentials."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """1 (read) to 3 (admin)."""
        return ("read", "write", "admin").index(self.value) + 1


class Visibility(enum.StrEnum):
    """Who sees a repo without being a member: nobody, every signed-in user, everybody."""

    PRIVATE = "private"
    INTERNAL = "internal"
    PUBLIC = "public"

    @property
    def rank(self) -> int:
        """0 (private) to 2 (public)."""
        return ("private", "internal", "public").index(self.value)


class Permission(enum.StrEnum):
    """`resource:act`. Each is documented in `docs/permissions.md`."""

    REPO_READ = "repo:read"
    REPO_FILES = "repo:files"
    REPO_DISCUSS = "repo:discuss"
    REPO_WRITE = "repo:write"
    REPO_ADMIN = "repo:admin"
    REPO_CREATE = "repo:create"
    ORG_READ = "org:read"
    ORG_ADMIN = "org:admin"
    ORG_CREATE = "org:create"
    USER_READ = "user:read"
    USER_SELF = "user:self"
    USER_ADMIN = "user:admin"
    CREDENTIALS = "credentials:manage"
    AUDIT_READ = "audit:read"
    JOB_READ = "job:read"
    JOB_MANAGE = "job:manage"
    DEPLOYMENT_USE = "deployment:use"
    DEPLOYMENT_MANAGE = "deployment:manage"
    USAGE_READ = "usage:read"
    BUDGET_SET = "budget:set"
    CHAT = "chat:use"


PERMISSIONS: dict[Permission, str] = {
    Permission.REPO_READ: "See a repo: its facts, card, names of files, branches and commits. Given by visibility, any role on it, or membership of its organisation.",
    Permission.REPO_FILES: "Read what is in the files of a repo: download, clone, preview, query, compare, copy. Whoever sees a repo has it; on a gated repo only who has a role there (owner, member of the organisation, collaborator, site administrator) or whose request for access was accepted.",
    Permission.REPO_DISCUSS: "Open discussions and pull requests, comment, and push to one's own open pull requests. Whoever sees a repo and is signed in has it.",
    Permission.REPO_WRITE: "Push, commit and change files, branches, Git tags, the card's facts and tags. Needs the role write.",
    Permission.REPO_ADMIN: "Change visibility, access and name, delete and restore. Needs the role admin (owners have it).",
    Permission.REPO_CREATE: "Make a repo in one's own namespace or in an organisation where one has the role write.",
    Permission.ORG_READ: "See an organisation and its members. Every signed-in user has it.",
    Permission.ORG_ADMIN: "Change the members of an organisation or delete it. Needs the role admin in it (site administrators have it).",
    Permission.ORG_CREATE: "Make an organisation. Every signed-in user has it.",
    Permission.USER_READ: "See names of users. Every signed-in user has it.",
    Permission.USER_SELF: "Change one's own preferences, likes and watches.",
    Permission.USER_ADMIN: "Make, disable, delete users and reset their passwords. Site administrators only.",
    Permission.CREDENTIALS: "Make, list and revoke one's own tokens and SSH keys (a site administrator: anybody's tokens).",
    Permission.AUDIT_READ: "Read audit events: of repos where one has the role write, of oneself; a site administrator all.",
    Permission.JOB_READ: "See background jobs: one's own, and those of repos where one has the role write; a site administrator all.",
    Permission.JOB_MANAGE: "Cancel and retry the jobs that one sees.",
    Permission.DEPLOYMENT_USE: "See a deployment and ask it something. On a private deployment whoever was given a role on its model (visibility of the model gives none); on an internal one every signed-in user; on a public one everybody.",
    Permission.DEPLOYMENT_MANAGE: "Deploy a model; start, stop, scale, change and delete its deployments, read their logs. Needs the role write on the model's repo; showing a deployment to more people needs admin.",
    Permission.USAGE_READ: "Read what was used and what it cost: of oneself, of organisations where one has the role admin; a site administrator all.",
    Permission.BUDGET_SET: "Set how much the hardware of an owner may cost: one's own, that of an organisation where one has the role admin, never above what a site administrator set; a site administrator for anybody.",
    Permission.CHAT: "Talk to the hub. Every signed-in user has it; a token that is limited to one repo has not, as conversations tell of others.",
}

# The least token scope that can carry a permission at all.
SCOPE_FOR: dict[Permission, Scope] = {
    Permission.REPO_READ: Scope.READ,
    Permission.REPO_FILES: Scope.READ,
    Permission.REPO_DISCUSS: Scope.WRITE,
    Permission.REPO_WRITE: Scope.WRITE,
    Permission.REPO_ADMIN: Scope.ADMIN,
    Permission.REPO_CREATE: Scope.WRITE,
    Permission.ORG_READ: Scope.READ,
    Permission.ORG_ADMIN: Scope.ADMIN,
    Permission.ORG_CREATE: Scope.ADMIN,
    Permission.USER_READ: Scope.READ,
    Permission.USER_SELF: Scope.WRITE,
    Permission.USER_ADMIN: Scope.ADMIN,
    Permission.CREDENTIALS: Scope.ADMIN,
    Permission.AUDIT_READ: Scope.READ,
    Permission.JOB_READ: Scope.READ,
    Permission.JOB_MANAGE: Scope.WRITE,
    Permission.DEPLOYMENT_USE: Scope.READ,
    Permission.DEPLOYMENT_MANAGE: Scope.WRITE,
    Permission.USAGE_READ: Scope.READ,
    Permission.BUDGET_SET: Scope.ADMIN,
    Permission.CHAT: Scope.READ,
}

ROLE_FOR: dict[Permission, Role] = {
    Permission.REPO_READ: Role.READ,
    Permission.REPO_FILES: Role.READ,
    Permission.REPO_DISCUSS: Role.READ,
    Permission.REPO_WRITE: Role.WRITE,
    Permission.REPO_ADMIN: Role.ADMIN,
    Permission.DEPLOYMENT_USE: Role.READ,
    Permission.DEPLOYMENT_MANAGE: Role.WRITE,
}


# What nobody needs to be signed in for, as far as visibility goes.
OPEN: frozenset[Permission] = frozenset({Permission.REPO_READ, Permission.REPO_FILES})


class CredentialKind(enum.StrEnum):
    """What stands for the person in this call."""

    ANONYMOUS = "anonymous"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    SSH_KEY = "ssh_key"
    LINK = "link"  # an account of a chat platform that the person linked
    PASS = "pass"  # noqa: S105 - of a deployment, for the files of its model
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and by which credential.

    Attributes:
        user_id: None for anonymous callers.
        scope: the most the credential may do (a browser session: admin).
        repo_id: set when the token is limited to one repo.
        channel: where the call came in: `web`, `api`, `git`, `chat`, `cli`, ...; written to the audit trail.
    """

    user_id: int | None = None
    username: str = ""
    is_admin: bool = False
    credential: CredentialKind = CredentialKind.ANONYMOUS
    scope: Scope = Scope.READ
    repo_id: int | None = None
    token_name: str = ""
    channel: str = "api"

    @property
    def is_anonymous(self) -> bool:
        """True when nobody is signed in."""
        return self.user_id is None and self.credential is not CredentialKind.SYSTEM


ANONYMOUS = Actor()
SYSTEM = Actor(username="system", is_admin=True, credential=CredentialKind.SYSTEM, scope=Scope.ADMIN, channel="system")


@dataclass(frozen=True, slots=True)
class Access:
    """The strongest role a person has on a repo, and why. `role` is None for no access.

    `given` tells a role that was given to the person (or that they own the repo) from what visibility gives everybody.
    """

    role: Role | None
    reason: str
    given: bool = False


class Resource(Protocol):
    """What a permission is asked about: knows the caller's access, and what to say when it may not even be seen."""

    def access(self, actor: Actor) -> Access:
        """The caller's access to this resource."""

    def hidden(self) -> HubError:
        """The error that does not tell whether the thing is there."""

    def closed(self, actor: Actor, access: Access) -> HubError | None:
        """Why the contents of what the caller sees are not open to them; None where they are."""


def require_scope(actor: Actor, permission: Permission) -> None:
    """Check that somebody is signed in and that the credential can carry the permission.

    Raises:
        Unauthenticated: nobody is signed in.
        PermissionDenied: the token's scope is too small, it is limited to one repo, or the act is for site administrators.
    """
    if actor.is_anonymous:
        raise Unauthenticated("Sign in first.", hint="Send a token as 'Authorization: Bearer ...'.")
    if actor.scope.rank < SCOPE_FOR[permission].rank:
        raise PermissionDenied(
            f"This token has the scope '{actor.scope}', and {permission} needs '{SCOPE_FOR[permission]}'.",
            hint="Use a token with a larger scope.",
            permission=str(permission),
        )
    if permission is Permission.CHAT and actor.repo_id is not None:
        raise PermissionDenied(
            "This token is limited to one repo, and conversations tell of others.",
            hint="Use a token that is not limited to a repo, or the tool API.",
            permission=str(permission),
        )
    if permission is Permission.USER_ADMIN and not actor.is_admin:
        raise PermissionDenied("Only a site administrator can do this.", hint="Ask an administrator.", permission=str(permission))


def require(actor: Actor, permission: Permission, resource: Resource) -> Access:
    """Check a permission on a resource: unseen things raise the resource's own 'hidden' error.

    Returns:
        The access in force, with its reason.

    Raises:
        HubError: `resource.hidden()` when the caller may not see it, `resource.closed()` when they may not look inside.
        Unauthenticated: it can be seen, but the act needs somebody signed in.
        PermissionDenied: it can be seen, but the role or the token's scope is too small.
    """
    access = resource.access(actor)
    if access.role is None:
        raise resource.hidden()
    if permission is Permission.REPO_FILES and (closed := resource.closed(actor, access)) is not None:
        raise closed
    needed = ROLE_FOR[permission]
    if needed is Role.READ:
        return access
    require_scope(actor, permission)
    if access.role.rank < needed.rank:
        raise PermissionDenied(
            f"This needs the role '{needed}'; you have '{access.role}' ({access.reason}).",
            hint="Ask somebody with the role admin to grant it.",
            permission=str(permission),
            role=str(access.role),
            needed=str(needed),
        )
    return access
