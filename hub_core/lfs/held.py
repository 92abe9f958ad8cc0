"""Which LFS objects a repo holds, whether a branch names them or not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from hub_core.db import Database
from hub_core.lfs.tables import LfsLink, LfsObject


@dataclass(frozen=True, slots=True)
class HeldObject:
    """An object of a repo; `since` is when the repo came to hold it."""

    oid: str
    size: int
    since: dt.datetime


def held_objects(db: Database, repo_id: int, after: str, limit: int) -> list[HeldObject]:
    """Up to `limit` objects after the id `after`, by id. Whether the caller may read the repo was checked before."""
    query = (
        sa.select(LfsObject.oid, LfsObject.size, LfsLink.created_at)
        .join(LfsLink, LfsLink.oid == LfsObject.oid)
        .where(LfsLink.repo_id == repo_id, LfsObject.oid > after)
        .order_by(LfsObject.oid)
        .limit(limit)
    )
    with db.read() as session:
        return [HeldObject(*row) for row in session.execute(query)]
