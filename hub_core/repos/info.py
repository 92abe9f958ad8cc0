"""Facts of a repo at a commit, each worked out once per node: its files, its card, and what its model files say.

Whether the caller may read the repo was checked before, by who found it (`RepoService`, `SearchService`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from hub_core.db import Database
from hub_core.errors import UnsupportedFormat
from hub_core.git import GitStore, TreeEntry
from hub_core.lfs.service import LfsService
from hub_core.memo import Memo
from hub_core.models.facts import ModelFacts
from hub_core.models.inspect import inspect_model, wanted
from hub_core.quotas import used
from hub_core.reading import FileReader
from hub_core.repos.cards import Card, card_of, read_card
from hub_core.repos.files import MAX_GIT, GitReader, Held, LfsReader
from hub_core.repos.kinds import KINDS, RepoKind
from hub_core.repos.view import RepoView
from hub_core.scanning.status import Safety, safety_of

_MAX_ENTRIES = 400_000
_STORAGE_S = 60


class InfoService:
    """Looks repos up in detail. What belongs to a commit is remembered, as a commit never changes."""

    def __init__(self, db: Database, git: GitStore, lfs: LfsService) -> None:
        self._db = db
        self._git = git
        self._lfs = lfs
        self._files: Memo[tuple[int, str], tuple[TreeEntry, ...]] = Memo(_MAX_ENTRIES, len)
        self._models: Memo[tuple[int, str], ModelFacts | None] = Memo(4_000)
        self._cards: Memo[tuple[int, str], Card] = Memo(1_000)
        self._storage: Memo[tuple[int, str, int], int] = Memo(10_000)

    def commit(self, view: RepoView, revision: str = "") -> str:
        """The commit of a revision; without a query for the head of the default branch.

        Raises:
            RevisionNotFound: no such revision.
        """
        if view.head and revision in {"", "HEAD", view.default_branch}:
            return view.head
        return self._git.resolve(view.repo_id, revision)

    def files(self, repo_id: int, commit: str) -> tuple[TreeEntry, ...]:
        """All files, without folders and submodules."""

        def read() -> tuple[TreeEntry, ...]:
            return tuple(item for item in self._git.tree(repo_id, commit, recursive=True) if item.kind == "file")

        return self._files.get((repo_id, commit), read)

    def card(self, view: RepoView, commit: str) -> Card:
        """The card of a commit; that of the default branch is in the row."""
        if not KINDS[RepoKind(view.kind)].has_card:
            return Card()
        if commit == view.head:
            return card_of(view.card.get("front_matter") or {})
        return self._cards.get((view.repo_id, commit), lambda: self._read_card(view.repo_id, commit))

    def _read_card(self, repo_id: int, commit: str) -> Card:
        with self._git.objects(repo_id) as store:
            return read_card(store.file_at(commit, "README.md") or b"")

    def model(self, repo_id: int, commit: str) -> ModelFacts | None:
        """What headers and small configuration files say; None where there are none that can be read."""
        return self._models.get((repo_id, commit), lambda: self._inspect(repo_id, commit))

    def _inspect(self, repo_id: int, commit: str) -> ModelFacts | None:
        files = [item for item in self.files(repo_id, commit) if wanted(item.path)]
        stored = self._lfs.sizes(repo_id, [item.lfs.oid for item in files if item.lfs])
        held = Held()
        readers: dict[str, FileReader] = {}
        for item in files:
            if item.lfs and item.lfs.oid in stored:
                readers[item.path] = LfsReader(self._lfs, repo_id, item.lfs.oid, item.size, item.path)
            elif item.lfs is None and item.size <= MAX_GIT:
                readers[item.path] = GitReader(self._git, repo_id, item.sha, item.size, item.path, held)
        try:
            return inspect_model(readers)
        except UnsupportedFormat:
            return None

    def safety(self, repo_id: int, commit: str) -> Safety:
        """What a scan found of what loading the files can do."""
        return safety_of(self._db, repo_id, commit)

    def storage(self, view: RepoView) -> int:
        """Bytes that the repo takes, as of a minute ago at most."""
        now = int(time.monotonic() / _STORAGE_S)
        return self._storage.get((view.repo_id, view.head or "", now), lambda: self.storages([view.repo_id])[view.repo_id])

    def storages(self, repo_ids: Sequence[int]) -> dict[int, int]:
        """Bytes that repos take: packs of their history and LFS objects (one that several share counts for each)."""
        with self._db.read() as session:
            return used(session, repo_ids)


def shown_tags(view: RepoView, card: Card) -> list[str]:
    """The tags as the Hugging Face Hub lists them: those of the card as they are written there, then those set by hand.

    Tags are kept in lower case and at most 96 characters long; one that was taken away by hand is not shown.
    """
    written = {tag[:96].lower(): tag for tag in card.hub_tags}
    if view.kind == RepoKind.DATASET:
        written.update({code.lower(): f"language:{code}" for code in card.languages})
    kept = set(view.tags)
    return [tag for key, tag in written.items() if key in kept] + [tag for tag in view.tags if tag not in written]
