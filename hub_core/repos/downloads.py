"""How often a repo was downloaded.

One download is one person (or one address) that fetches whole files of a repo; all files within an hour are one. So a model
of a hundred files costs one write. Which nodes the requests reach can count a download once on each of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict

import sqlalchemy as sa

from hub_core.db import Database
from hub_core.errors import StorageFull, Unavailable
from hub_core.repos.tables import Repo

log = logging.getLogger(__name__)

_WINDOW_S = 3600.0
_MAX_SENDERS = 50_000


class DownloadCounter:
    """Counts downloads into the repo's row."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._seen: OrderedDict[tuple[int, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def is_new(self, repo_id: int, sender: str) -> bool:
        """Whether this is the first file in an hour that the sender fetches of the repo; asking makes it known."""
        now = time.monotonic()
        with self._lock:
            since = self._seen.get((repo_id, sender))
            if since is not None and now - since < _WINDOW_S:
                return False
            self._seen[repo_id, sender] = now
            self._seen.move_to_end((repo_id, sender))
            if len(self._seen) > _MAX_SENDERS:
                self._seen.popitem(last=False)
        return True

    def count(self, repo_id: int) -> None:
        """Add one; a database that cannot take it now is no reason to refuse a file."""
        try:
            with self._db.write() as session:
                session.execute(sa.update(Repo).where(Repo.id == repo_id).values(downloads=Repo.downloads + 1))
        except (Unavailable, StorageFull):
            log.warning("a download was not counted", exc_info=True)
