"""What a webhook watches: from names to rows, back to names, and from an event to the webhooks that watch it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.lookup import find_org, find_user
from hub_core.accounts.tables import Namespace
from hub_core.audit import AuditEvent
from hub_core.authz import Actor, Permission
from hub_core.errors import InvalidInput, RepoNotFound
from hub_core.repos.access import require_repo
from hub_core.repos.kinds import RepoKind
from hub_core.repos.lookup import find_repo
from hub_core.repos.tables import Repo
from hub_core.webhooks.tables import Webhook, WebhookWatch

MAX_WATCHED = 100


@dataclass(frozen=True, slots=True)
class Watched:
    """One thing that is watched: `type` is a kind of repo, `user` or `org`."""

    type: str
    name: str


def resolve(session: Session, actor: Actor, webhook_id: int, watched: Sequence[Watched]) -> list[WebhookWatch]:
    """The rows for what a person wants to watch.

    Raises:
        InvalidInput: nothing, too much, or an unknown type. RepoNotFound, UserNotFound, OrgNotFound: not there, or not for the caller.
    """
    if not 0 < len(watched) <= MAX_WATCHED:
        raise InvalidInput(f"A webhook watches 1 to {MAX_WATCHED} repos, users and organisations.")
    rows: dict[tuple[int | None, int | None], WebhookWatch] = {}
    for item in watched:
        row = WebhookWatch(webhook_id=webhook_id)
        if item.type == "user":
            row.namespace_id = find_user(session, item.name).id
        elif item.type == "org":
            row.namespace_id = find_org(session, item.name).id
        elif item.type in list(RepoKind):
            row.repo_id = _repo(session, actor, item).id
        else:
            raise InvalidInput(f"'{item.type[:32]}' cannot be watched here.", hint="Watch a model, dataset, space, code, user or org.")
        rows[row.repo_id, row.namespace_id] = row
    return list(rows.values())


def _repo(session: Session, actor: Actor, item: Watched) -> Repo:
    if "/" not in item.name:
        raise RepoNotFound(f"There is no repo '{item.name[:200]}' that you can see.", hint="A repo is named 'namespace/name'.")
    repo = find_repo(session, actor, item.name, RepoKind(item.type))
    require_repo(session, actor, Permission.REPO_READ, repo, item.name)
    return repo


def named(session: Session, webhook_id: int) -> list[Watched]:
    """What a webhook watches, by the names of now."""
    query = (
        sa.select(Repo, Namespace)
        .select_from(WebhookWatch)
        .outerjoin(Repo, Repo.id == WebhookWatch.repo_id)
        .outerjoin(Namespace, Namespace.id == WebhookWatch.namespace_id)
        .where(WebhookWatch.webhook_id == webhook_id)
        .order_by(WebhookWatch.id)
    )
    return [Watched(repo.kind, repo.full_name) if repo else Watched(owner.kind, owner.name) for repo, owner in session.execute(query)]


def watching(session: Session, event: AuditEvent, repo: Repo) -> Sequence[Webhook]:
    """The webhooks in force that watch a repo, or its owner (after a move the one before, too)."""
    owners = [repo.namespace]
    if event.action == "repo.move":
        owners.append(str(event.details["before"]).partition("/")[0])
    spaces = sa.select(Namespace.id).where(Namespace.name.in_(owners))
    watches = sa.select(WebhookWatch.webhook_id).where(sa.or_(WebhookWatch.repo_id == repo.id, WebhookWatch.namespace_id.in_(spaces)))
    # What happened before it was made is not told, though the event may still wait.
    in_force = (Webhook.id.in_(watches), Webhook.disabled.is_(False), Webhook.created_at <= event.at)
    return session.scalars(sa.select(Webhook).where(*in_force).order_by(Webhook.id)).all()
