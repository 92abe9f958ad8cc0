"""How many bytes a repo, and all repos of one owner together, may take.

A repo takes the packs of its history and the large files that it refers to: what several repos share counts for each of them, though
it is stored once. What lies in the trash does not count for its owner.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Namespace
from hub_core.errors import QuotaExceeded
from hub_core.git.tables import GitPack
from hub_core.lfs.tables import LfsLink, LfsObject
from hub_core.repos.tables import Repo

GIB = 1024**3
_HINT = "Delete repos or ask an administrator of the hub for more room."


def used(session: Session, repo_ids: Sequence[int]) -> dict[int, int]:
    """Bytes that repos take, by their ids."""
    parts = _parts(Repo.id.in_(repo_ids))
    found = dict(session.execute(sa.select(parts.c.repo_id, sa.func.sum(parts.c.size)).group_by(parts.c.repo_id)).all())
    return {repo_id: int(found.get(repo_id, 0)) for repo_id in repo_ids}


def _parts(which: sa.ColumnElement[bool]) -> sa.Subquery:
    packs = (
        sa.select(GitPack.repo_id, GitPack.size.label("size"))
        .join(Repo, Repo.id == GitPack.repo_id)
        .where(GitPack.retired_at.is_(None), which)
    )
    objects = (
        sa.select(LfsLink.repo_id, LfsObject.size).join(LfsObject, LfsObject.oid == LfsLink.oid).join(Repo, Repo.id == LfsLink.repo_id)
    )
    return sa.union_all(packs, objects.where(which)).subquery()


class Quotas:
    """The limits in bytes; 0 is none. Where there are none, nothing is asked of the database."""

    def __init__(self, repo_bytes: int = 0, owner_bytes: int = 0) -> None:
        self._repo_bytes = max(repo_bytes, 0)
        self._owner_bytes = max(owner_bytes, 0)

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self._repo_bytes or self._owner_bytes)

    def check(self, session: Session, repo_id: int, incoming: int = 0) -> None:
        """Check that so many bytes more fit. Within a transaction others that add to the same repo or owner wait until it ends.

        Raises:
            QuotaExceeded: they do not.
        """
        if self._repo_bytes:
            # In this order everywhere; a push holds the lock of its repo already.
            session.execute(sa.select(Repo.id).where(Repo.id == repo_id).with_for_update(key_share=True))
            held = used(session, [repo_id])[repo_id]
            if held + incoming > self._repo_bytes:
                name = session.execute(sa.select(Repo.namespace, Repo.name).where(Repo.id == repo_id)).one()
                raise QuotaExceeded(
                    f"The repo {name[0]}/{name[1]} may take {size_text(self._repo_bytes)} and has {size_text(held)}{_more(incoming)}.",
                    hint=_HINT,
                    limit=self._repo_bytes,
                )
        self.check_owner(session, repo_id, incoming)

    def check_owner(self, session: Session, repo_id: int, incoming: int = 0) -> None:
        """The same for the owner of the repo alone; what others of their repos take is told to nobody."""
        if not self._owner_bytes:
            return
        if not self._repo_bytes:
            session.execute(sa.select(Repo.id).where(Repo.id == repo_id).with_for_update(key_share=True))
        owner = sa.select(Repo.namespace_id).where(Repo.id == repo_id).scalar_subquery()
        name = session.scalar(sa.select(Namespace.name).where(Namespace.id == owner).with_for_update(key_share=True))
        if self._of_owner(session, repo_id) + incoming > self._owner_bytes:
            raise QuotaExceeded(
                f"All repos of {name} together may take {size_text(self._owner_bytes)}; there is no room{_more(incoming, ' for')}.",
                hint=_HINT,
                limit=self._owner_bytes,
            )

    def left(self, session: Session, repo_id: int) -> int | None:
        """How many bytes more fit at this moment, without waiting for anybody; None for any number."""
        rooms = []
        if self._repo_bytes:
            rooms.append(self._repo_bytes - used(session, [repo_id])[repo_id])
        if self._owner_bytes:
            rooms.append(self._owner_bytes - self._of_owner(session, repo_id))
        return max(min(rooms), 0) if rooms else None

    def percent(self, held: int) -> int:
        """How much of a repo's quota so many bytes are; 0 where there is none."""
        return round(100 * held / self._repo_bytes) if self._repo_bytes else 0

    @staticmethod
    def _of_owner(session: Session, repo_id: int) -> int:
        owner = sa.select(Repo.namespace_id).where(Repo.id == repo_id).scalar_subquery()
        # A repo in the making looks like one in the trash, and counts.
        parts = _parts(sa.and_(Repo.namespace_id == owner, sa.or_(Repo.deleted_at.is_(None), Repo.id == repo_id)))
        return int(session.scalar(sa.select(sa.func.sum(parts.c.size))) or 0)


def size_text(count: int) -> str:
    """A number of bytes for people: `1.5 GiB`."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"


def _more(incoming: int, word: str = "; there is no room for") -> str:
    return f"{word} {size_text(incoming)} more" if incoming else ""
