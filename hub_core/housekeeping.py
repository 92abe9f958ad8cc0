"""Work that nobody asks for by name: consolidating packs, emptying the trash, removing what nothing needs.

Every task may run at any time, on several nodes, and be cut off anywhere: it leaves the old or the new state.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from hub_core import audit
from hub_core.authz import SYSTEM
from hub_core.conversations.leases import Leases
from hub_core.db import utcnow
from hub_core.errors import HubError, ThreadBusy
from hub_core.git.tables import GitPack
from hub_core.lfs.parts import sweep_parts
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.storage.local import LocalBlobStore

MANY_PACKS = 20
CACHE_BYTES = 50 * 1024**3
STALE_UPLOAD = dt.timedelta(days=1)
INTERVAL_S = 120.0
_ROUNDS_A_DAY = int(24 * 3600 / INTERVAL_S)
# Whoever holds it knows that no blob is removed meanwhile.
LEASE = "housekeeping"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of housekeeping did."""

    consolidated: int
    purged: int
    removed: int


def run_once(services: Services, turn: int | None = None) -> Round:
    """One round of every task. `turn` says which part of the stored blobs is looked through for what nothing knows of; all in a day."""
    turn = int(time.time() / INTERVAL_S) if turn is None else turn
    consolidated = sum(_consolidate(services, repo_id) for repo_id in _crowded(services))
    purged = sum(_purge(services, repo_id) for repo_id in _overdue(services))
    removed = sum(services.git.gc(repo_id) for repo_id in _collectable(services, turn)) + services.lfs.gc() + services.xet.gc()
    removed += services.lfs.sweep(turn) + services.xet.sweep(turn)
    removed += services.conversations.sweep_attachments() + sweep_parts(services.blobs, STALE_UPLOAD)
    services.approvals.expire_due()
    removed += services.jobs.queue.prune() + services.notices.prune() + services.usage.prune() + services.compute.prune()
    removed += services.bridges.prune()
    services.git.evict_cache(CACHE_BYTES)
    if isinstance(services.blobs, LocalBlobStore):
        removed += services.blobs.sweep_staging(STALE_UPLOAD)
    return Round(consolidated, purged, removed)


class Housekeeper:
    """Runs a round now and then, in a thread, on one node at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._leases = Leases(services.db)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin; the first round comes after an interval."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the task that runs."""
        self._stop.set()
        self._thread.join()
        self._leases.close()

    def _loop(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            try:
                with self._leases.hold(LEASE):
                    done = run_once(self._services)
                log.info("housekeeping", consolidated=done.consolidated, purged=done.purged, removed=done.removed)
            except ThreadBusy:
                continue
            except (HubError, sa.exc.SQLAlchemyError, OSError) as error:
                log.warning("housekeeping failed; the next round tries again", error=type(error).__name__)


def _crowded(services: Services) -> list[int]:
    active = sa.select(GitPack.repo_id).where(GitPack.retired_at.is_(None)).group_by(GitPack.repo_id)
    with services.db.read() as session:
        return list(session.scalars(active.having(sa.func.count() >= MANY_PACKS).limit(100)))


def _collectable(services: Services, turn: int) -> set[int]:
    """Repos with packs that were replaced, and those whose turn it is: a node that died may have left anything."""
    with services.db.read() as session:
        retired = session.scalars(sa.select(GitPack.repo_id).where(GitPack.retired_at.is_not(None)).distinct().limit(100))
        due = session.scalars(sa.select(Repo.id).where(Repo.id % _ROUNDS_A_DAY == turn % _ROUNDS_A_DAY))
        return {*retired, *due}


def _overdue(services: Services) -> list[int]:
    with services.db.read() as session:
        return list(session.scalars(sa.select(Repo.id).where(*_is_overdue(services)).limit(100)))


def _is_overdue(services: Services) -> tuple[sa.ColumnElement[bool], ...]:
    """Too long in the trash, or never finished: a repo that is being made looks like one that was deleted in 1970."""
    now = utcnow()
    return Repo.deleted_at < now - dt.timedelta(days=services.settings.trash_days), Repo.created_at < now - STALE_UPLOAD


def _consolidate(services: Services, repo_id: int) -> bool:
    try:
        services.git.consolidate(repo_id)
    except HubError as error:
        log.warning("consolidate failed", repo_id=repo_id, code=error.code)
        return False
    return True


def _purge(services: Services, repo_id: int) -> bool:
    """Remove a repo for good whose time in the trash is over."""
    with services.db.write() as session:
        row = session.scalar(sa.select(Repo).where(Repo.id == repo_id, *_is_overdue(services)).with_for_update())
        if row is None:
            return False
        audit.record(session, SYSTEM, "repo.purge", row.full_name, repo_id=row.id, kind=row.kind)
        services.git.delete_repo(repo_id)
        session.delete(row)
    return True
