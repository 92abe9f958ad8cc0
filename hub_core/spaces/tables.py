"""The environment of Spaces."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from hub_core.db import Base


class SpaceSetting(Base):
    """A variable (`value`) or a secret (`sealed`, encrypted; see `hub_core.secretbox`) of a Space. The two share their names."""

    __tablename__ = "space_settings"

    repo_id: Mapped[int] = mapped_column(sa.ForeignKey("repos.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    value: Mapped[str] = mapped_column(sa.Text, default="")
    sealed: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    description: Mapped[str] = mapped_column(sa.Text, default="")
    updated_at: Mapped[dt.datetime]


def copy_variables(session: Session, source_id: int, repo_id: int) -> None:
    """Give a copy of a Space its source's variables, in the caller's transaction. Secrets stay where they are."""
    query = sa.select(SpaceSetting).where(SpaceSetting.repo_id == source_id, SpaceSetting.sealed.is_(None))
    session.add_all(
        SpaceSetting(repo_id=repo_id, name=row.name, value=row.value, description=row.description, updated_at=row.updated_at)
        for row in session.scalars(query).all()
    )
    session.flush()
