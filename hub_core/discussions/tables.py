"""Tables of discussions, pull requests and what happened in them."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class Discussion(Base):
    """A discussion or pull request. The commits of pull request `number` are at the ref `refs/pr/<number>` of the repo."""

    __tablename__ = "discussions"
    __table_args__ = (sa.UniqueConstraint("repo_id", "number"), sa.Index("ix_discussions_branch", "repo_id", "branch"))

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"))
    number: Mapped[int]
    title: Mapped[str] = mapped_column(sa.String(200))
    is_pull_request: Mapped[bool]
    status: Mapped[str] = mapped_column(sa.String(8))  # open | draft | closed | merged
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    comments: Mapped[int] = mapped_column(default=0)
    base: Mapped[str] = mapped_column(sa.String(200), default="")  # the branch that a pull request goes into
    branch: Mapped[str] = mapped_column(sa.String(200), default="")  # the branch that its ref follows; empty: the ref is pushed to itself
    merge_commit: Mapped[str] = mapped_column(sa.String(40), default="")


class DiscussionEvent(Base):
    """Something that happened in a discussion.

    `kind` says what `text` and `detail` are: `comment` (its newest text), `status` (the new one), `title` (the new and the old
    one), `commit` (the first line of its message, and its id).
    """

    __tablename__ = "discussion_events"
    __table_args__ = (sa.Index("ix_discussion_events_of", "discussion_id", "id"),)

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    discussion_id: Mapped[int] = mapped_column(sa.ForeignKey("discussions.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(sa.String(8))
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    created_at: Mapped[dt.datetime]
    text: Mapped[str] = mapped_column(sa.Text, default="")
    detail: Mapped[str] = mapped_column(sa.String(200), default="")
    hidden: Mapped[bool] = mapped_column(default=False)
    edited_at: Mapped[dt.datetime | None]


class CommentVersion(Base):
    """A text that a comment had before it was edited; `at` is when that text was written."""

    __tablename__ = "comment_versions"

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("discussion_events.id", ondelete="CASCADE"), index=True)
    at: Mapped[dt.datetime]
    text: Mapped[str] = mapped_column(sa.Text)
