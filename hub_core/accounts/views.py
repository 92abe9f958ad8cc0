"""What account services answer with: plain values, detached from the database, without secrets."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hub_core.authz import Role, Scope

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; `next` is the cursor of the next part, or None."""

    items: list[T]
    next: str | None = None


class UserStatus(enum.StrEnum):
    """Whether a person is let in."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class OrgRole:
    """An organisation and one person's role in it."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class UserView:
    """A person. `email` is empty for callers who may not see it; `orgs` is filled by `UserService.get` only."""

    id: int
    username: str
    email: str
    is_admin: bool
    status: str
    created_at: dt.datetime
    orgs: list[OrgRole] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user that was just made. `password` is set when it was generated: it is shown once."""

    user: UserView
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an organisation."""

    username: str
    role: Role


@dataclass(frozen=True, slots=True)
class OrgView:
    """An organisation. `role` is the caller's, None for others; `members` is filled by `OrgService.get` only."""

    id: int
    name: str
    description: str
    role: Role | None
    created_at: dt.datetime
    members: list[Member] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MemberChange:
    """A person's role in an organisation before and after; None is 'not a member'."""

    org_id: int
    org: str
    user_id: int
    username: str
    before: Role | None
    after: Role | None

    @property
    def lowers(self) -> bool:
        """True when the person loses something."""
        return (self.before.rank if self.before else 0) > (self.after.rank if self.after else 0)


@dataclass(frozen=True, slots=True)
class UserRemoval:
    """What deleting a person takes away."""

    user: UserView
    orgs: list[OrgRole]
    tokens: int
    ssh_keys: int


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token without its secret. `repo` is `namespace/name` when it is limited to one repo."""

    username: str
    name: str
    scope: Scope
    repo: str | None
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made; `token` is the secret, shown once."""

    token: str = field(repr=False)
    view: TokenView


@dataclass(frozen=True, slots=True)
class SshKeyView:
    """A public key of the caller."""

    title: str
    type: str
    fingerprint: str
    created_at: dt.datetime
