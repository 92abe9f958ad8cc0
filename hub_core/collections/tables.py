"""Tables of collections."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class Collection(Base):
    """A list of repos. `key` is the folded title, unique per namespace; `name` is the title as it stands in the slug."""

    __tablename__ = "collections"
    __table_args__ = (
        sa.UniqueConstraint("namespace_id", "key"),
        sa.Index("ix_collections_key", "key"),
        sa.Index("ix_collections_name", "name"),
        sa.Index("ix_collections_updated", "updated_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    namespace_id: Mapped[int] = mapped_column(sa.ForeignKey("namespaces.id"))
    namespace: Mapped[str] = mapped_column(sa.String(39))  # copy of the namespace's name, which never changes
    title: Mapped[str] = mapped_column(sa.String(200))
    key: Mapped[str] = mapped_column(sa.String(400))
    name: Mapped[str] = mapped_column(sa.String(200))
    description: Mapped[str] = mapped_column(sa.Text, default="")
    visibility: Mapped[str] = mapped_column(sa.String(8))
    theme: Mapped[str] = mapped_column(sa.String(16), default="")
    position: Mapped[int] = mapped_column(default=0)  # among the owner's, as clients set it
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]

    @property
    def slug(self) -> str:
        """`namespace/title-slug-24hex`; the digits alone tell which collection it is, so that a new title breaks no link."""
        return f"{self.namespace}/{self.name}-{self.id:024x}"


class CollectionItem(Base):
    """A repo in a collection. `position` is its place among all items."""

    __tablename__ = "collection_items"
    __table_args__ = (sa.UniqueConstraint("collection_id", "repo_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    collection_id: Mapped[int] = mapped_column(sa.ForeignKey("collections.id", ondelete="CASCADE"))
    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), index=True)
    note: Mapped[str] = mapped_column(sa.Text, default="")
    position: Mapped[int]
    added_at: Mapped[dt.datetime]
