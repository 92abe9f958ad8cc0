"""Tables of refs and packs. Objects themselves are in packs in the blob store."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from hub_core.db import Base


class GitRef(Base):
    """A ref of a repo: full name (`refs/heads/main`) and object id in hex. HEAD is the repo's `default_branch`."""

    __tablename__ = "git_refs"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(400), primary_key=True)
    target: Mapped[str] = mapped_column(sa.String(40))
    peeled: Mapped[str] = mapped_column(sa.String(40), default="")  # commit behind an annotated tag


class GitPack(Base):
    """An immutable pack of a repo in the blob store (`git/<repo_id>/<name>.pack` and `.idx`)."""

    __tablename__ = "git_packs"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    objects: Mapped[int]
    created_at: Mapped[dt.datetime]
    retired_at: Mapped[dt.datetime | None]  # replaced by a consolidated pack; removed after a grace period
