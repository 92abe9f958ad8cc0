"""Reading everything a repo stores and holding it against its ids: packs by SHA-1, large files by SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hub_core.errors import HubError
from hub_core.git.tables import GitPack
from hub_core.lfs.tables import LfsLink, LfsObject
from hub_core.scanning.scan import Tell

if TYPE_CHECKING:
    from hub_core.services import Services

MAX_PROBLEMS = 100


@dataclass(slots=True)
class Verified:
    """What was read, and what is wrong with it, as sentences."""

    packs: int = 0
    objects: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)


def stored(services: Services, repo_id: int) -> tuple[list[tuple[str, int]], int, int]:
    """The large files of a repo with their sizes, and the number and bytes of its packs."""
    with services.db.read() as session:
        held = sa.select(LfsObject.oid, LfsObject.size).join(LfsLink, LfsLink.oid == LfsObject.oid).where(LfsLink.repo_id == repo_id)
        objects = [(oid, size) for oid, size in session.execute(held.order_by(LfsObject.oid))]
        packs = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(GitPack.size), 0))
        count, size = session.execute(packs.where(GitPack.repo_id == repo_id, GitPack.retired_at.is_(None))).one()
    return objects, int(count), int(size)


def verify(services: Services, repo_id: int, tell: Tell) -> Verified:
    """Read and check everything. What is damaged is reported, nothing is changed."""
    objects, packs, pack_bytes = stored(services, repo_id)
    total = pack_bytes + sum(size for _, size in objects) or 1
    done = Verified(packs=packs, bytes=pack_bytes)
    tell(0.0, "packs")
    try:
        done.problems += services.git.verify(repo_id)
    except HubError as error:
        done.problems.append(error.message)
    for oid, size in objects:
        check = hashlib.sha256()
        try:
            for chunk in services.lfs.read(repo_id, oid):
                check.update(chunk)
                done.bytes += len(chunk)
                tell(min(1.0, done.bytes / total), f"LFS object {oid[:12]}")
        except HubError as error:
            done.problems.append(f"LFS object {oid[:12]}: {error.message}")
        else:
            if check.hexdigest() != oid:
                done.problems.append(f"LFS object {oid[:12]} ({size:,} bytes) is damaged.")
        done.objects += 1
        if len(done.problems) >= MAX_PROBLEMS:
            break
    return done
