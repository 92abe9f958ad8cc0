"""Results that many tools share."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from hub_core.repos.view import RepoView
from tools.contract import ToolOutput


class RepoOut(ToolOutput):
    """A repo."""

    id: str = Field(description="`namespace/name`", examples=["acme/support-7b"])
    kind: str = Field(examples=["model"])
    visibility: str = Field(examples=["private"])
    description: str
    license: str
    tags: list[str]
    owner: str = Field(description="The user or organisation that owns it.")
    likes: int
    downloads: int
    created_at: dt.datetime
    updated_at: dt.datetime
    default_branch: str
    head: str | None = Field(description="Commit of the default branch.")
    role: str = Field(description="The caller's role on it.")
    liked: bool = Field(description="Whether the caller likes it.")
    gated: str = Field(default="off", description="off, auto or manual: whether people ask for access before they read its files.")
    deleted_at: dt.datetime | None = None


class Page(ToolOutput):
    """Base of lists: `next` is the cursor of the next page, or null."""

    next: str | None = None


def repo_out(view: RepoView) -> RepoOut:
    """A view as a tool's result."""
    return RepoOut(
        id=view.id, kind=view.kind, visibility=view.visibility, description=view.description, license=view.license, tags=list(view.tags),
        owner=view.owner, likes=view.likes, downloads=view.downloads, created_at=view.created_at, updated_at=view.updated_at,
        default_branch=view.default_branch, head=view.head, role=view.role, liked=view.liked, gated=view.gated, deleted_at=view.deleted_at,
    )  # fmt: skip
