"""The search index, filled for the repos that are there."""

from __future__ import annotations

from alembic import op

from hub_core.repos import search_index

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    search_index.create(op.get_bind())


def downgrade() -> None:
    """Take back."""
    search_index.drop(op.get_bind())
