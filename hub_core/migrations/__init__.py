"""Alembic environment and versions, shipped in the package."""
