"""What people do with repos beside their files, in the seeded hub: collections, discussions, webhooks, gates, secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from hub_core.accounts.tables import User
from hub_core.authz import Actor, Visibility
from hub_core.collections.tables import Collection, CollectionItem
from hub_core.discussions.tables import Discussion
from hub_core.gating.tables import AccessRequest, Gating
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.spaces.service import Setting
from hub_core.spaces.tables import SpaceSetting
from hub_core.webhooks.tables import Webhook


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CommentSpec(_Strict):
    """A comment."""

    by: str
    body: str


class DiscussionSpec(_Strict):
    """A discussion, or a pull request when it has a branch; numbered in order."""

    by: str
    title: str
    body: str = ""
    branch: str = ""
    comments: list[CommentSpec] = Field(default_factory=list)


class CommunitySpec(_Strict):
    """What hangs on one repo."""

    discussions: list[DiscussionSpec] = Field(default_factory=list)
    webhooks: list[str] = Field(default_factory=list)
    gated: Gating = Gating.OFF
    requests: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)


class CollectionSpec(_Strict):
    """A collection; `items` are `kind:namespace/name`."""

    owner: str
    title: str
    description: str = ""
    visibility: Visibility = Visibility.PRIVATE
    items: list[str] = Field(default_factory=list)


def seed_repo(services: Services, actors: Mapping[str, Actor], owner: Actor, repo: Repo, spec: CommunitySpec) -> None:
    """Put what hangs on a repo there, each in the name of the person it belongs to."""
    for thread in spec.discussions:
        by = actors[thread.by]
        if thread.branch:
            made = services.pulls.open_from_branch(by, repo, thread.title, thread.branch, thread.body)
        else:
            made = services.discussions.open(by, repo, thread.title, thread.body)
        for comment in thread.comments:
            services.discussions.comment(actors[comment.by], repo, made.number, comment.body)
    for url in spec.webhooks:
        services.webhooks.create_for_repo(owner, repo, url)
    if spec.gated is not Gating.OFF:
        services.gating.set_gating(owner, repo, spec.gated)
    for name, reason in spec.requests.items():
        services.gating.ask(actors[name], repo, reason)
    if spec.secrets:
        services.spaces.set(owner, repo, [Setting(name, value, secret=True) for name, value in spec.secrets.items()])


def collection_prefix(collection: Collection) -> str:
    """Where a collection stands in the state."""
    return f"collections/{collection.namespace}/{collection.title}"


def seed_collection(services: Services, owner: Actor, spec: CollectionSpec) -> None:
    """Make a collection with its items."""
    made = services.collections.create(owner, spec.title, spec.owner, description=spec.description, visibility=spec.visibility)
    services.collections.add(owner, made.id, [services.repos.find(owner, item) for item in spec.items])


def community_state(session: Session, prefixes: Mapping[int, str]) -> Iterator[tuple[str, Any]]:
    """State paths of all of it; `prefixes` has the path of each repo."""
    names = {user.id: user.username for user in session.scalars(sa.select(User))}
    for thread in session.scalars(sa.select(Discussion)):
        prefix = f"{prefixes[thread.repo_id]}/discussions/{thread.number}"
        yield f"{prefix}/title", thread.title
        yield f"{prefix}/status", thread.status
        yield f"{prefix}/comments", thread.comments
    for webhook in session.scalars(sa.select(Webhook).where(Webhook.repo_id.is_not(None))):
        yield f"{prefixes[webhook.repo_id or 0]}/webhooks/{webhook.url}", True
    for request in session.scalars(sa.select(AccessRequest)):
        yield f"{prefixes[request.repo_id]}/requests/{names[request.user_id]}", request.status
    for repo in session.scalars(sa.select(Repo).where(Repo.gated != Gating.OFF)):
        yield f"{prefixes[repo.id]}/gated", repo.gated
    for setting in session.scalars(sa.select(SpaceSetting)):
        sealed = hashlib.sha256(setting.sealed or setting.value.encode()).hexdigest()[:12]
        yield f"{prefixes[setting.repo_id]}/{'secrets' if setting.sealed else 'variables'}/{setting.name}", sealed
    for collection in session.scalars(sa.select(Collection)):
        prefix = collection_prefix(collection)
        yield f"{prefix}/visibility", collection.visibility
        yield f"{prefix}/description", collection.description
        inside = sa.select(CollectionItem.repo_id).where(CollectionItem.collection_id == collection.id)
        for repo_id in session.scalars(inside):
            yield f"{prefix}/items/{prefixes[repo_id].removeprefix('repos/')}", True
