"""Tables of repos and what hangs on them (Git refs and packs are in `hub_core.git.tables`)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Repo(Base):
    """A repo of any kind. `key` is the lower-case name, unique per namespace and kind among repos that are not deleted."""

    __tablename__ = "repos"
    __table_args__ = (
        sa.Index(
            "uq_repos_live_name",
            "namespace_id",
            "kind",
            "key",
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        ),
        sa.Index("ix_repos_key", "key", "namespace"),
        # The orders of lists, with and without a kind.
        sa.Index("ix_repos_updated", "updated_at", "id"),
        sa.Index("ix_repos_downloads", "downloads", "id"),
        sa.Index("ix_repos_kind_updated", "kind", "updated_at", "id"),
        sa.Index("ix_repos_kind_downloads", "kind", "downloads", "id"),
        sa.Index("ix_repos_likes", "likes", "id"),
        sa.Index("ix_repos_created", "created_at", "id"),
        sa.Index("ix_repos_name", "key", "id"),
        sa.Index(
            "ix_repos_deleted",
            "deleted_at",
            sqlite_where=sa.text("deleted_at IS NOT NULL"),
            postgresql_where=sa.text("deleted_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    namespace_id: Mapped[int] = mapped_column(sa.ForeignKey("namespaces.id"), index=True)
    namespace: Mapped[str] = mapped_column(sa.String(39))  # copy of the namespace's name, which never changes
    name: Mapped[str] = mapped_column(sa.String(96))
    key: Mapped[str] = mapped_column(sa.String(96))
    kind: Mapped[str] = mapped_column(sa.String(8))
    visibility: Mapped[str] = mapped_column(sa.String(8))
    gated: Mapped[str] = mapped_column(sa.String(8), default="off", server_default="off")  # a `Gating` of hub_core.gating.tables
    description: Mapped[str] = mapped_column(sa.Text, default="")
    license: Mapped[str] = mapped_column(sa.String(64), default="")
    default_branch: Mapped[str] = mapped_column(sa.String(200), default="main")
    card: Mapped[dict[str, Any]] = mapped_column(default=dict)  # front matter of README.md at the default branch
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    deleted_at: Mapped[dt.datetime | None]
    likes: Mapped[int] = mapped_column(default=0)
    downloads: Mapped[int] = mapped_column(default=0)
    initial_commit: Mapped[str] = mapped_column(sa.String(40), default="")  # made by the hub; a push may replace it
    refs_version: Mapped[int] = mapped_column(default=0)  # grows with every change of refs; names read snapshots
    last_discussion: Mapped[int] = mapped_column(default=0, server_default="0")  # the highest number given to a discussion or pull request

    @property
    def full_name(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


class RepoTag(Base):
    """A descriptive tag; `source` is `user` (set by hand) or `card` (from the README's front matter)."""

    __tablename__ = "repo_tags"
    __table_args__ = (sa.Index("ix_repo_tags_tag", "tag", "repo_id"),)

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(sa.String(96), primary_key=True)
    source: Mapped[str] = mapped_column(sa.String(8), primary_key=True)


class RepoText(Base):
    """What a repo can be found by, in the form of `hub_core.repos.terms`; the index over it is `hub_core.repos.search_index`'s."""

    __tablename__ = "repo_texts"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    text: Mapped[str] = mapped_column(sa.Text)
    facets: Mapped[str] = mapped_column(sa.Text)


class RepoRedirect(Base):
    """An old name that leads to a repo, left by a rename or transfer."""

    __tablename__ = "repo_redirects"

    namespace: Mapped[str] = mapped_column(sa.String(39), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(96), primary_key=True)
    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), index=True)


class Collaborator(Base):
    """A role given to one person on one repo."""

    __tablename__ = "collaborators"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(sa.String(8))


class Like(Base):
    """A person likes a repo."""

    __tablename__ = "likes"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    created_at: Mapped[dt.datetime]


class Watch(Base):
    """A person follows a repo; `level` is all, mentions or none."""

    __tablename__ = "watches"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    level: Mapped[str] = mapped_column(sa.String(12))


class LineageEdge(Base):
    """`repo` comes from `source`: base_model, dataset (from the card) or fork. `source` is text: it may live elsewhere."""

    __tablename__ = "lineage"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    relation: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    source: Mapped[str] = mapped_column(sa.String(200), primary_key=True, index=True)
