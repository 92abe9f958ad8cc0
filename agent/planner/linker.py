"""Known names in a text: a token dictionary over the visible world, exact first, then joined words, then one typing error."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz import process
from rapidfuzz.distance import OSA

from agent.planner.types import Entity

RUN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.\-/]*[A-Za-z0-9_])?")
_PREFIX = re.compile(r"^(?:models|datasets|spaces|codes|prompts|mcps|skills)/", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_SEPARATORS = re.compile(r"[-_. ]+")
_KEPT = 64


@dataclass(frozen=True, slots=True)
class Link:
    """A name found at text[start:end]. `how` is exact, joined or fuzzy; `rest` is what follows a repo in `repo/path`."""

    start: int
    end: int
    entities: tuple[Entity, ...]
    how: str
    rest: tuple[int, int] | None = None


def squash(name: str) -> str:
    """A name without case and separators."""
    return _SEPARATORS.sub("", name.lower())


class Index:
    """All names of one world."""

    def __init__(self, entities: Sequence[Entity]) -> None:
        self._exact: dict[str, list[Entity]] = {}
        self._squashed: dict[str, list[Entity]] = {}
        for entity in entities:
            if entity.type == "collection":  # its name is a sentence: `spans_community` finds it
                continue
            for name in _names(entity):
                _add(self._exact, name.lower(), entity)
                if "/" not in name:
                    _add(self._squashed, squash(name), entity)
        self._pool = [name for name in self._exact if len(name) >= 4]
        self._by_initial: dict[str, list[str]] = {}
        for name in self._pool:
            self._by_initial.setdefault(name[0], []).append(name)
        self._squashed_pool = [name for name in self._squashed if len(name) >= 6]
        self.namespaces = {e.value.lower() for e in entities if e.type in ("user", "org")} | {
            e.value.partition("/")[0].lower() for e in entities if e.type == "repo"
        }

    def exact(self, name: str) -> tuple[Entity, ...]:
        """Entities of exactly this name (any case)."""
        return tuple(self._exact.get(name.lower(), ()))

    def joined(self, words: str) -> tuple[Entity, ...]:
        """Entities whose name is these words with other separators."""
        return tuple(self._squashed.get(squash(words), ()))

    def starting(self, part: str) -> tuple[Entity, ...]:
        """Repos whose own name starts with these letters."""
        low = part.lower()
        repos = (e for name, found in self._exact.items() if "/" not in name and name.startswith(low) for e in found)
        return tuple(dict.fromkeys(e for e in repos if e.type == "repo"))

    def fuzzy(self, name: str) -> tuple[Entity, ...]:
        """Entities whose name is one edit away (two from eight letters on), with equal digits."""
        low = name.lower()
        if len(low) < 4:
            return ()
        limit = 1 if len(low) < 8 else 2
        pool = self._by_initial.get(low[0], ()) if len(low) < 7 else self._pool
        return self._best(low, pool, self._exact, limit)

    def fuzzy_joined(self, words: str) -> tuple[Entity, ...]:
        """As `fuzzy`, for a name said in several words."""
        flat = squash(words)
        return self._best(flat, self._squashed_pool, self._squashed, 1) if len(flat) >= 6 else ()

    @staticmethod
    def _best(name: str, pool: Sequence[str], table: dict[str, list[Entity]], limit: int) -> tuple[Entity, ...]:
        hits = process.extract(name, pool, scorer=OSA.distance, score_cutoff=limit, limit=4)
        digits = _DIGITS.findall(name)
        hits = [hit for hit in hits if _DIGITS.findall(hit[0]) == digits]
        if not hits:
            return ()
        nearest = min(hit[1] for hit in hits)
        return tuple(dict.fromkeys(entity for hit in hits if hit[1] == nearest for entity in table[hit[0]]))


def _names(entity: Entity) -> list[str]:
    names = [entity.value, *entity.aliases]
    if entity.type == "repo" and "/" in entity.value:
        names.append(entity.value.partition("/")[2])
    return names


def _add(table: dict[str, list[Entity]], name: str, entity: Entity) -> None:
    bucket = table.setdefault(name, [])
    if entity not in bucket:
        bucket.append(entity)


_indexes: OrderedDict[int, tuple[Sequence[Entity], Index]] = OrderedDict()
_lock = threading.Lock()


def index_of(entities: Sequence[Entity]) -> Index:
    """The index of a world's entities, kept while the same sequence object is handed in."""
    key = id(entities)
    with _lock:
        hit = _indexes.get(key)
        if hit is not None and hit[0] is entities:
            _indexes.move_to_end(key)
            return hit[1]
    index = Index(entities)
    with _lock:
        # The sequence is kept beside its index, so its id cannot be given to another one meanwhile.
        _indexes[key] = (entities, index)
        while len(_indexes) > _KEPT:
            _indexes.popitem(last=False)
    return index


def link(text: str, index: Index, is_word: Callable[[str], bool], taken: Callable[[int, int], bool]) -> list[Link]:
    """All names in the text. `is_word` says which tokens are ordinary words (never fuzzy); `taken` which ranges are spoken for."""
    runs = [m.span() for m in RUN.finditer(text) if not taken(*m.span())]
    links: list[Link] = []
    position = 0
    while position < len(runs):
        found, width = _at(text, runs, position, index, is_word)
        if found:
            links.append(found)
        position += width
    return links


def _at(text: str, runs: list[tuple[int, int]], at: int, index: Index, is_word: Callable[[str], bool]) -> tuple[Link | None, int]:
    start, end = runs[at]
    name = _PREFIX.sub("", text[start:end])
    for width in (4, 3, 2):
        if joined := _join(text, runs, at, width, index, is_word):
            return joined, width
    if entities := index.exact(name):
        return Link(start, end, entities, "exact"), 1
    if name.count("/") >= 1 and (inside := _repo_and_path(text, start, end, index)):
        return inside, 1
    if entities := index.joined(name):
        return Link(start, end, entities, "joined"), 1
    if not is_word(name.lower()) and (entities := index.fuzzy(name)):
        return Link(start, end, entities, "fuzzy"), 1
    return None, 1


def _join(text: str, runs: list[tuple[int, int]], at: int, width: int, index: Index, is_word: Callable[[str], bool]) -> Link | None:
    if at + width > len(runs):
        return None
    part = runs[at : at + width]
    if any(text[a[1] : b[0]] not in (" ", " - ", "- ", " -", "/ ", " /", " / ") for a, b in pairwise(part)):
        return None
    start, end = part[0][0], part[-1][1]
    words = text[start:end]
    if "/" in words:
        entities = index.exact(words.replace(" ", "")) if " /" in words or "/ " in words else ()
        return Link(start, end, entities, "joined") if entities else None
    # One word that is a name by itself must not swallow its neighbours ("acme models").
    entities = tuple(e for e in index.joined(words) if squash(words) != squash(text[part[0][0] : part[0][1]]))
    if entities:
        return Link(start, end, entities, "joined")
    tokens = [text[a:b] for a, b in part]
    if width == 2 and not all(is_word(token.lower()) or index.exact(token) for token in tokens) and not any(index.exact(t) for t in tokens):
        entities = index.fuzzy_joined(words)
        if entities:
            return Link(start, end, entities, "fuzzy")
    return None


def _repo_and_path(text: str, start: int, end: int, index: Index) -> Link | None:
    """`repo/dir/file`: the longest leading part that names a repo, and the rest as a path."""
    cut = end
    while (cut := text.rfind("/", start, cut)) > start:
        repos = tuple(e for e in index.exact(_PREFIX.sub("", text[start:cut])) if e.type == "repo")
        if repos and cut + 1 < end:
            return Link(start, cut, repos, "exact", (cut + 1, end))
    return None
