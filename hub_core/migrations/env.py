"""Alembic environment: the connection is handed in by `Database.upgrade`."""

from __future__ import annotations

from alembic import context

from hub_core import tables
from hub_core.db import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=Base.metadata, render_as_batch=connection.dialect.name == "sqlite", compare_type=True
)
with context.begin_transaction():
    context.run_migrations()

__all__ = ["tables"]
