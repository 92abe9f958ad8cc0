"""The database fixtures: both kinds are real, migrated and fresh."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from hub_core import tables
from hub_core.accounts.tables import User
from hub_core.db import Base, Database
from hub_core.repos import search_index
from tests.common.factories import make_org, make_repo, make_user

assert tables


def test_the_migrations_make_exactly_the_declared_tables(db: Database) -> None:
    made = set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}
    assert made == set(Base.metadata.tables) | search_index.TABLES[db.engine.dialect.name]


@pytest.mark.parametrize("_again", [1, 2])
def test_each_test_starts_with_an_empty_database(db: Database, _again: int) -> None:
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(User)) == 0
    user = make_user(db, "alice")
    make_repo(db, make_org(db, "acme", {user: "admin"}), "model")


def test_a_transaction_that_raises_leaves_nothing(db: Database) -> None:
    user = make_user(db, "alice")
    with pytest.raises(RuntimeError), db.write() as session:
        session.execute(sa.update(User).where(User.id == user.id).values(email="x@y.z"))
        raise RuntimeError
    with db.read() as session:
        assert session.scalar(sa.select(User.email)) == ""
