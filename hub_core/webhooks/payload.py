"""What a receiver is told of an event: the payload of the Hugging Face Hub's webhooks, version 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.audit import AuditEvent
from hub_core.authz import Visibility
from hub_core.discussions.tables import Discussion, DiscussionEvent
from hub_core.git import ZERO
from hub_core.git.tables import GitRef
from hub_core.repos.kinds import KINDS, RepoKind
from hub_core.repos.tables import Repo, RepoTag

REPO, DISCUSSION = "repo", "discussion"
DOMAINS = (REPO, DISCUSSION)
_VERSION = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """How an audit event is told: the domain that webhooks choose by, and the payload's `event`."""

    domain: str
    action: str
    scope: str


SHAPES: dict[str, Shape] = {
    "repo.create": Shape(REPO, "create", "repo"),
    "repo.fork": Shape(REPO, "create", "repo"),
    "repo.restore": Shape(REPO, "create", "repo"),
    "repo.delete": Shape(REPO, "delete", "repo"),
    "repo.move": Shape(REPO, "move", "repo"),
    "repo.visibility": Shape(REPO, "update", "repo.config"),
    "repo.update": Shape(REPO, "update", "repo.config"),
    "access.gate": Shape(REPO, "update", "repo.config"),
    **{f"{noun}.{verb}": Shape(REPO, "update", "repo.content") for noun in ("branch", "tag") for verb in ("create", "update", "delete")},
    "discussion.open": Shape(DISCUSSION, "create", "discussion"),
    "pull_request.open": Shape(DISCUSSION, "create", "discussion"),
    "discussion.rename": Shape(DISCUSSION, "update", "discussion"),
    "discussion.status": Shape(DISCUSSION, "update", "discussion"),
    "pull_request.update": Shape(DISCUSSION, "update", "discussion"),
    "pull_request.merge": Shape(DISCUSSION, "update", "discussion"),
    "discussion.comment": Shape(DISCUSSION, "create", "discussion.comment"),
    "discussion.edit": Shape(DISCUSSION, "update", "discussion.comment"),
    "discussion.hide": Shape(DISCUSSION, "update", "discussion.comment"),
}
"""Audit action -> how it is told. What is not here is told to nobody."""


def payload(session: Session, event: AuditEvent, repo: Repo, webhook_uid: str, base_url: str) -> dict[str, Any]:
    """The body for one event of a repo. Names are those of now, but for a move, which tells the old one too."""
    shape = SHAPES[event.action]
    told: dict[str, Any] = {
        "event": {"action": shape.action, "scope": shape.scope},
        "repo": _repo(session, repo, base_url),
        "webhook": {"id": webhook_uid, "version": _VERSION},
    }
    if event.action == "repo.move":
        told["movedTo"] = {"name": event.details["after"], "owner": {"id": _id(repo.namespace_id)}}
        told["repo"]["name"] = event.details["before"]
    if shape.scope == "repo.content":
        told["updatedRefs"] = [
            {"ref": event.details["ref"], "oldSha": _sha(event.details["before"]), "newSha": _sha(event.details["after"])}
        ]
    if shape.scope == "repo.config":
        told["updatedConfig"] = {"private": repo.visibility != Visibility.PUBLIC, "visibility": repo.visibility}
    if shape.domain == DISCUSSION:
        told |= _discussion(session, event, told["repo"])
    return told


def _repo(session: Session, repo: Repo, base_url: str) -> dict[str, Any]:
    info = KINDS[RepoKind(repo.kind)]
    head = session.scalar(sa.select(GitRef.target).where(GitRef.repo_id == repo.id, GitRef.name == f"refs/heads/{repo.default_branch}"))
    tags = session.scalars(sa.select(RepoTag.tag).where(RepoTag.repo_id == repo.id).distinct().order_by(RepoTag.tag))
    return {
        "type": repo.kind, "name": repo.full_name, "id": _id(repo.id), "private": repo.visibility != Visibility.PUBLIC,
        "url": {"web": f"{base_url}/{info.prefix}{repo.full_name}", "api": f"{base_url}/api/{info.plural}/{repo.full_name}"},
        "owner": {"id": _id(repo.namespace_id)}, "tags": list(tags),
        # The documented name, and the one that huggingface_hub's payload class reads.
        "headSha": head, "head_sha": head,
    }  # fmt: skip


def _discussion(session: Session, event: AuditEvent, repo: dict[str, Any]) -> dict[str, Any]:
    number = int(event.details["number"])
    row = session.scalar(sa.select(Discussion).where(Discussion.repo_id == event.repo_id, Discussion.number == number))
    if row is None:
        return {}
    url = {part: f"{address}/discussions/{number}" for part, address in repo["url"].items()}
    told: dict[str, Any] = {
        "discussion": {
            "id": _id(row.id), "num": number, "title": row.title, "status": row.status, "isPullRequest": row.is_pull_request,
            "author": {"id": _id(row.author_id or 0)}, "url": url, "pinned": False,
        }
    }  # fmt: skip
    if row.is_pull_request:
        told["discussion"]["changes"] = {"base": f"refs/heads/{row.base}"} | (
            {"mergeCommitId": row.merge_commit} if row.merge_commit else {}
        )
    said = event.details.get("comment") or (_first_comment(session, row) if event.action.endswith(".open") else 0)
    comment = session.get(DiscussionEvent, said)
    if comment is not None:
        told["comment"] = {
            "id": _id(comment.id), "author": {"id": _id(comment.author_id or 0)}, "hidden": comment.hidden,
            "url": {"web": f"{url['web']}#{_id(comment.id)}"},
        } | ({} if comment.hidden else {"content": comment.text})  # fmt: skip
    return told


def _first_comment(session: Session, row: Discussion) -> int:
    first = sa.select(sa.func.min(DiscussionEvent.id)).where(DiscussionEvent.discussion_id == row.id, DiscussionEvent.kind == "comment")
    return session.scalar(first) or 0


def _id(number: int) -> str:
    return f"{number:024x}"


def _sha(commit: str) -> str | None:
    return None if commit == ZERO else commit
