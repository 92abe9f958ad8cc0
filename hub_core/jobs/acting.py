"""In whose name a job runs: its owner, with the credential's limits of when it was asked for and the rights of now."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from hub_core.accounts.tables import User
from hub_core.authz import SYSTEM, Actor, CredentialKind, Permission, Scope
from hub_core.errors import PermissionDenied

CHANNEL = "job"


def limits_of(actor: Actor) -> dict[str, Any]:
    """What a job row remembers of the credential."""
    return {"credential": str(actor.credential), "scope": str(actor.scope), "repo_id": actor.repo_id, "token": actor.token_name}


def actor_of(session: Session, owner_id: int | None, limits: dict[str, Any]) -> Actor:
    """The actor for a job's row.

    Raises:
        PermissionDenied: the owner is not let in any more.
    """
    if limits["credential"] == CredentialKind.SYSTEM:
        return SYSTEM
    user = session.get(User, owner_id) if owner_id is not None else None
    if user is None or user.status != "active":
        raise PermissionDenied("Who started this job is not let in any more.", permission=str(Permission.JOB_MANAGE))
    return Actor(
        user_id=user.id, username=user.username, is_admin=user.is_admin, credential=CredentialKind(limits["credential"]),
        scope=Scope(limits["scope"]), repo_id=limits["repo_id"], token_name=limits["token"], channel=CHANNEL,
    )  # fmt: skip


def reader_for(user: User) -> Actor:
    """The person as somebody who is told something: with their rights of now, and only to read."""
    return Actor(
        user_id=user.id,
        username=user.username,
        is_admin=user.is_admin,
        credential=CredentialKind.SESSION,
        scope=Scope.READ,
        channel=CHANNEL,
    )
