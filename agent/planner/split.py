"""Several orders in one message: cut at connectors, kept only where every part reads as an order of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from agent.planner.document import Document
from agent.planner.lexicon import talk

Scored = tuple[str, float]
Judge = Callable[[Sequence[Document]], list[Scored]]

_SOFT = re.compile(r"^[\s,、.!?。;]*$|^(?:て|で|고)[\s、,]*$")
_VERB_ENDING = re.compile(r"^(?:て|で|고)")
_MOST = 5
_SURE, _SOFT_SURE, _BARE = 0.45, 0.7, 0.85


def boundaries(doc: Document) -> list[tuple[int, int, bool]]:
    """Where a new order may begin: (start, end of the connector, soft). Soft ones are mere commas, full stops and te-forms."""
    masked = doc.masked.replace("\x1f", "x")
    found: list[tuple[int, int, bool]] = []
    for match in talk("connector", doc.language).finditer(masked):
        start, end = match.span()
        if end == start or any(span.start < end and start < span.end for span in doc.spans):
            continue
        if not doc.text[:start].strip() or not doc.text[end:].strip(" .!?。"):
            continue
        found.append((start, end, bool(_SOFT.match(match.group()))))
    merged: list[tuple[int, int, bool]] = []
    for cut in sorted(found):
        if merged and not doc.text[merged[-1][1] : cut[0]].strip(" ,、."):
            # "…て、それから": one connector, and an explicit one.
            merged[-1] = (merged[-1][0], max(cut[1], merged[-1][1]), merged[-1][2] and cut[2])
        else:
            merged.append(cut)
    return merged[: _MOST - 1]


def split(doc: Document, whole: Scored, judge: Judge, is_read: Callable[[str], bool]) -> list[Document]:
    """The orders of a message in turn; the message itself when it is one order."""
    cuts = boundaries(doc)
    while cuts:
        edges = [0, *(cut[1] for cut in cuts), len(doc.text)]
        ends = [*(cut[0] if not _keeps_ending(doc, cut) else cut[1] for cut in cuts), len(doc.text)]
        parts = [doc.cut(start, end) for start, end in zip(edges, ends, strict=False)]
        scores = judge(parts)
        weak = _weakest(doc, parts, scores, cuts, whole, is_read)
        if weak is None:
            return parts
        del cuts[weak]
    return [doc]


def _keeps_ending(doc: Document, cut: tuple[int, int, bool]) -> bool:
    """True for connectors that are the ending of the verb before them (`して`, `하고`)."""
    return bool(re.match(r"(?:して|て|で|고|줘|주세요|해|라)", doc.text[cut[0] : cut[1]]))


def _weakest(
    doc: Document,
    parts: list[Document],
    scores: list[Scored],
    cuts: list[tuple[int, int, bool]],
    whole: Scored,
    is_read: Callable[[str], bool],
) -> int | None:
    """The cut to give up, or None when all parts stand."""
    tools = [tool for tool, _ in scores]
    if whole[0] not in tools and whole[1] > max(p for _, p in scores) and any(soft for *_, soft in cuts):
        return 0
    for at, (part, (tool, p)) in enumerate(zip(parts, scores, strict=True)):
        near = [index for index in (at - 1, at) if 0 <= index < len(cuts)]
        soft = [index for index in near if cuts[index][2]]
        needed = _SURE if not soft else _SOFT_SURE
        objects = bool(part.spans) or bool(talk("pronoun_repo", part.language).search(part.low))
        if not objects and tool not in ("undo", "whoami", "list_orgs", "list_users", "search_repos"):
            needed = max(needed, _SURE if not soft else _BARE)
        if tool in ("out_of_scope", "small_talk", "not_available", "help") or p < needed:
            return (soft or near)[0]
        commas = [index for index in soft if not _VERB_ENDING.match(doc.text[cuts[index][0] : cuts[index][1]])]
        if commas and not objects and whole[1] >= 0.6 and whole[0] in tools:
            return soft[0]
        if soft and at < len(parts) - 1 and whole[1] >= 0.6 and whole[0] in tools and whole[0] != tool and (is_read(tool) or not objects):
            return soft[-1]
    return None
