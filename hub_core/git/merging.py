"""Three-way merging: by entry, and by line where both sides changed a text."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from difflib import SequenceMatcher

from dulwich.objects import Blob

from hub_core.git.objects import SnapshotStore
from hub_core.git.writing import Draft
from hub_core.lfs.pointer import parse_pointer

_MAX_TEXT = 1024 * 1024
_MAX_LINES = 20_000
Item = tuple[int, str] | None


def merge_into(draft: Draft, base: str | None, theirs: str | None) -> list[str]:
    """Bring what changed from tree `base` to tree `theirs` into the draft; returns the paths in conflict."""
    conflicts: list[str] = []
    pending = [("", _folder(base), _folder(draft.base_tree), _folder(theirs))]
    while pending:
        path, was, ours, new = pending.pop()
        if new in (was, ours):
            continue
        if all(item is None or stat.S_ISDIR(item[0]) for item in (was, ours, new)) and ours and new:
            pending.extend(_children(draft.store, path, was, ours, new))
        elif ours == was:
            _take(draft, path, new)
        else:
            merged = _merge_files(draft.store, was, ours, new)
            if merged is None:
                conflicts.append(path)
            else:
                blob = Blob.from_string(merged)
                draft.add(blob)
                _take(draft, path, (ours[0] if ours else 0o100644, blob.id.decode()))
    return sorted(conflicts)


def _folder(sha: str | None) -> Item:
    return None if sha is None else (stat.S_IFDIR, sha)


def _take(draft: Draft, path: str, item: Item) -> None:
    draft.root.take(path)
    if item is not None:
        draft.root.put(path, item)
    draft.changed.append(path)


def _children(store: SnapshotStore, path: str, was: Item, ours: Item, new: Item) -> Iterator[tuple[str, Item, Item, Item]]:
    listings = [_entries(store, item) for item in (was, ours, new)]
    for name in sorted(set().union(*listings)):
        below = f"{path}/{name}" if path else name
        yield below, listings[0].get(name), listings[1].get(name), listings[2].get(name)


def _entries(store: SnapshotStore, item: Item) -> dict[str, tuple[int, str]]:
    if item is None:
        return {}
    return {entry.path.decode("utf-8", "surrogateescape"): (entry.mode, entry.sha.decode()) for entry in store.tree(item[1]).iteritems()}


def _merge_files(store: SnapshotStore, was: Item, ours: Item, new: Item) -> bytes | None:
    if was is None or ours is None or new is None:
        return None
    texts = []
    for mode, sha in (was, ours, new):
        if not stat.S_ISREG(mode) or store.blob_size(sha) > _MAX_TEXT:
            return None
        data = store.blob(sha)
        if b"\0" in data or parse_pointer(data) is not None:
            return None
        texts.append(data.splitlines(keepends=True))
    return merge_lines(*texts)


def merge_lines(base: list[bytes], ours: list[bytes], theirs: list[bytes]) -> bytes | None:
    """Both sides' changes of a text in one; None when they touch the same lines."""
    if max(len(base), len(ours), len(theirs)) > _MAX_LINES:
        return None
    out: list[bytes] = []
    at_base = at_ours = at_theirs = 0
    for start, end, ours_start, theirs_start in _common(base, ours, theirs):
        part = _settle(base[at_base:start], ours[at_ours:ours_start], theirs[at_theirs:theirs_start])
        if part is None:
            return None
        out += part + base[start:end]
        length = end - start
        at_base, at_ours, at_theirs = end, ours_start + length, theirs_start + length
    return b"".join(out)


def _settle(base: list[bytes], ours: list[bytes], theirs: list[bytes]) -> list[bytes] | None:
    if theirs in (base, ours):
        return ours
    return theirs if ours == base else None


def _common(base: list[bytes], ours: list[bytes], theirs: list[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """Stretches of the base that both sides kept, as (start, end, start in ours, start in theirs), and the end of all."""
    left = SequenceMatcher(None, base, ours, autojunk=False).get_matching_blocks()
    right = SequenceMatcher(None, base, theirs, autojunk=False).get_matching_blocks()
    first = second = 0
    while first < len(left) and second < len(right):
        one, other = left[first], right[second]
        start, end = max(one.a, other.a), min(one.a + one.size, other.a + other.size)
        if start < end:
            yield start, end, one.b + start - one.a, other.b + start - other.a
        if one.a + one.size < other.a + other.size:
            first += 1
        else:
            second += 1
    yield len(base), len(base), len(ours), len(theirs)
