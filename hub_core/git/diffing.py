"""What changed between two commits."""

from __future__ import annotations

import difflib
import itertools
import stat
from typing import Literal

from dulwich.diff_tree import TreeChange, tree_changes
from dulwich.objects import ObjectID

from hub_core.errors import LimitExceeded
from hub_core.git.objects import SnapshotStore
from hub_core.git.types import FileDiff

MAX_FILES = 3_000
_MAX_TEXT = 512 * 1024
_MAX_LINES = 6_000
_MAX_PATCH = 64 * 1024
_MAX_TOTAL = 1024 * 1024
_Side = tuple[str, int, str] | None


def diff(store: SnapshotStore, base: str | None, head: str) -> list[FileDiff]:
    """The files that differ, with patches of limited length; a file that moved unchanged is `renamed`.

    Raises:
        RevisionNotFound: no such commit.
        LimitExceeded: more than 3,000 files differ.
    """
    old_tree = ObjectID(store.commit(base).tree) if base else None
    changes = list(itertools.islice(tree_changes(store, old_tree, store.commit(head).tree), MAX_FILES + 1))
    if len(changes) > MAX_FILES:
        raise LimitExceeded(f"More than {MAX_FILES:,} files differ.", hint="Compare a folder or a smaller range.")
    pairs = _renames([(_side(change, 0), _side(change, 1)) for change in changes])
    budget = _MAX_TOTAL
    found: list[FileDiff] = []
    for old, new in sorted(pairs, key=lambda pair: (pair[1] or pair[0] or ("",))[0]):
        item = _file(store, old, new, budget)
        budget -= len(item.patch)
        found.append(item)
    return found


def _side(change: TreeChange, index: int) -> _Side:
    entry = (change.old, change.new)[index]
    if entry is None or entry.path is None or entry.sha is None:
        return None
    return entry.path.decode("utf-8", "replace"), int(entry.mode or 0), entry.sha.decode()


def _renames(pairs: list[tuple[_Side, _Side]]) -> list[tuple[_Side, _Side]]:
    gone = {old[1:]: old for old, new in pairs if old and new is None}
    result: list[tuple[_Side, _Side]] = []
    used: set[str] = set()
    for old, new in pairs:
        if old is None and new and new[1:] in gone and gone[new[1:]][0] not in used:
            old = gone[new[1:]]
            used.add(old[0])
        result.append((old, new))
    return [(old, new) for old, new in result if not (new is None and old and old[0] in used)]


def _file(store: SnapshotStore, old: _Side, new: _Side, budget: int) -> FileDiff:
    path, old_path = (new or old or ("",))[0], (old or new or ("",))[0]
    status: Literal["added", "modified", "deleted", "renamed"] = "modified"
    if old is None:
        status = "added"
    elif new is None:
        status = "deleted"
    elif path != old_path:
        status = "renamed"
    before, after = _text(store, old), _text(store, new)
    additions = deletions = 0
    patch, truncated = "", False
    binary = before is None or after is None
    if before is not None and after is not None and before != after:
        additions, deletions, patch, truncated = _patch(before, after, old_path if old else None, path if new else None, budget)
    return FileDiff(path, old_path, status, additions, deletions, patch, binary, truncated, old[2] if old else "", new[2] if new else "")


def _text(store: SnapshotStore, side: _Side) -> list[str] | None:
    """The lines of a text file; nothing for an absent one; None for what is not text or too long to compare."""
    if side is None:
        return []
    if not (stat.S_ISREG(side[1]) or stat.S_ISLNK(side[1])) or store.blob_size(side[2]) > _MAX_TEXT:
        return None
    data = store.blob(side[2])
    if b"\0" in data[:8000]:
        return None
    return data.decode("utf-8", "replace").splitlines(keepends=True)


def _patch(before: list[str], after: list[str], old_path: str | None, path: str | None, budget: int) -> tuple[int, int, str, bool]:
    if len(before) > _MAX_LINES or len(after) > _MAX_LINES:
        return len(after), len(before), "", True
    names = (f"a/{old_path}" if old_path else "/dev/null", f"b/{path}" if path else "/dev/null")
    lines = [
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in difflib.unified_diff(before, after, *names)
    ]
    additions = sum(line.startswith("+") for line in lines[2:])
    deletions = sum(line.startswith("-") for line in lines[2:])
    text = "".join(lines)
    limit = min(_MAX_PATCH, max(budget, 0))
    return additions, deletions, text[:limit], len(text) > limit
