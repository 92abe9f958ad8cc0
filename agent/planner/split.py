"""Several orders in one message: cut at connectors, kept only where every part reads as an order of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from agent.planner.answers import padding_left
from agent.planner.asides import attribute_at, takes
from agent.planner.document import Document
from agent.planner.lexicon import follow, spot, talk
from agent.planner.types import ToolSpec

Scored = tuple[str, float]
Range = tuple[int, int]
Judge = Callable[[Sequence[Document]], list[Scored]]

_SOFT = re.compile(r"^[\s,、.!?。;()]*$|^(?:て|で|고|서)[\s、,]*$")
_VERB_ENDING = re.compile(r"^(?:て|で|고|서)")
_MOST = 5
_SURE, _SOFT_SURE, _BARE = 0.45, 0.7, 0.85
_OWN_TOPIC = re.compile(r"(?:描述|简介|说明|标签|许可证?|协议|默认分支|可见性)(?:也|都|就)?(?:改|换|设|加|写|打|调|用)")
_TAKING_AWAY = ("delete", "remove", "revoke")
_OWN_OBJECT = ("repo", "org", "repo_ref")
# What may stand beside a value in a clause that only adds it to the act before ("give him write", "给write", "readで").
_BESIDE_A_VALUE = re.compile(
    r"\b(?:as|with|give|gets?|him|her|them|it|the|a|an|access|role|rights?|only|just|please|pls|thx|thanks|keep|is|fine|enough|but|and|for|now|by|be|should)\b"
    r"|权限|就行|就好|就够了|即可|给个?|他|她|它|设成?|设为|是|要|用|先|吧|的|了|谢谢|只|は|が|を|に|で|の|と|も|権限|ください|お願い(?:します)?|おねがい(?:します)?|いい|大丈夫|です|よ|ね|だけ"
    r"|권한|으로|로|은|는|을|를|이|가|만|면|돼요?|됩니다|해줘요?|해주세요|주세요|줘|부탁(?:해요|드려요)?|요|[\s,.!?;:、。()~]+"
)


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
        if follow("corrects").match(doc.masked, end) or re.search(rf"(?:{follow('corrects').pattern})\s*$", doc.masked[:start]):
            continue  # "…, no wait, …": the same order goes on with another value
        if not padding_left(doc.cut(0, start)) and not any(span.end <= start for span in doc.spans):
            continue  # "ok and who made it": nothing has been said yet
        found.append((start, end, bool(_SOFT.match(match.group())) and not _OWN_TOPIC.match(masked[end:])))
    merged: list[tuple[int, int, bool]] = []
    for cut in sorted(found):
        if merged and not doc.text[merged[-1][1] : cut[0]].strip(" ,、."):
            # "…て、それから": one connector, and an explicit one.
            merged[-1] = (merged[-1][0], max(cut[1], merged[-1][1]), merged[-1][2] and cut[2])
        else:
            merged.append(cut)
    return merged[: _MOST - 1]


def split(doc: Document, whole: Scored, judge: Judge, tools: Mapping[str, ToolSpec]) -> list[Range]:
    """Where the orders of a message stand, in turn; the whole message when it is one order."""

    def is_read(tool: str) -> bool:
        return tool in tools and tools[tool].effect == "read"

    def belongs(part: Document, tool: str) -> bool:
        attribute = attribute_at(part, 0)
        return attribute is not None and takes(tools.get(tool), attribute)

    cuts = boundaries(doc)
    while cuts:
        edges = [0, *(cut[1] for cut in cuts), len(doc.text)]
        ends = [*(cut[0] if not _keeps_ending(doc, cut) else cut[1] for cut in cuts), len(doc.text)]
        ranges = list(zip(edges, ends, strict=False))
        parts = [doc.cut(start, end) for start, end in ranges]
        scores = judge(parts)
        weak = next((at for at, part in enumerate(parts[1:]) if belongs(part, scores[at][0])), None)
        if weak is None:
            weak = _weakest(doc, parts, scores, cuts, whole, is_read, frozenset(tools))
        if weak is None:
            return ranges
        del cuts[weak]
    return [(0, len(doc.text))]


def only_value(part: Document) -> bool:
    """True for a clause that is nothing but a role or a visibility: it belongs to the act before it."""
    if part.spans:
        return False
    low = part.masked
    found = False
    for topic in ("role", "visibility", "scope"):
        for start, end, _ in spot(topic, low):
            low, found = low[:start] + " " * (end - start) + low[end:], True
    return found and not _BESIDE_A_VALUE.sub("", low)


def is_remark(part: Document, tool: str) -> bool:
    """True for a clause that only says why: no order, and nothing named."""
    said = follow("corrects").search(part.low) or follow("give_up").search(part.low)
    return tool in ("small_talk", "out_of_scope") and not part.spans and not part.weak and not said


def _same_verb(part: Document, tool: str, whole: Scored) -> bool:
    """True for "…, remove it" after a clause that says what to remove: the pronoun is that thing, not the thread's repo."""
    if part.spans and any(span.how not in ("pronoun", "focus") for span in part.spans):
        return False
    verb, of_whole = tool.partition("_")[0], whole[0].partition("_")[0]
    alike = verb in _TAKING_AWAY and of_whole in _TAKING_AWAY
    return alike and tool != whole[0] and whole[1] >= _SURE


def _keeps_ending(doc: Document, cut: tuple[int, int, bool]) -> bool:
    """True for connectors that are the ending of the verb before them (`して`, `하고`)."""
    return bool(re.match(r"(?:して|て|で|고|서|줘|주세요|해|라)", doc.text[cut[0] : cut[1]]))


def _weakest(
    doc: Document,
    parts: list[Document],
    scores: list[Scored],
    cuts: list[tuple[int, int, bool]],
    whole: Scored,
    is_read: Callable[[str], bool],
    tools_known: frozenset[str],
) -> int | None:
    """The cut to give up, or None when all parts stand."""
    tools = [tool for tool, _ in scores]
    for at, part in enumerate(parts):
        if at and cuts[at - 1][2] and only_value(part) and not _VERB_ENDING.match(doc.text[cuts[at - 1][0] : cuts[at - 1][1]]):
            return at - 1
        if at and _same_verb(part, tools[at], whole):
            return at - 1
    if whole[0] not in tools and whole[1] > max(p for _, p in scores) and any(soft for *_, soft in cuts):
        return 0
    for at, (part, (tool, p)) in enumerate(zip(parts, scores, strict=True)):
        near = [index for index in (at - 1, at) if 0 <= index < len(cuts)]
        soft = [index for index in near if cuts[index][2]]
        needed = _SURE if not soft or part.of(*_OWN_OBJECT) else _SOFT_SURE
        objects = bool(part.spans) or bool(talk("pronoun_repo", part.language).search(part.low))
        if not objects and tool not in ("undo", "whoami", "list_orgs", "list_users", "search_repos"):
            needed = max(needed, _SURE if not soft else _BARE)
        if is_remark(part, tool) and soft and at < len(parts) - 1 and scores[at + 1][1] >= 0.9 and scores[at + 1][0] in tools_known:
            continue
        if tool in ("out_of_scope", "small_talk", "not_available", "help") or p < needed:
            return (soft or near)[0]
        commas = [index for index in soft if not _VERB_ENDING.match(doc.text[cuts[index][0] : cuts[index][1]])]
        # "branch x of y is merged, remove it": the pronoun is what the first half names, so both halves are one order.
        if commas and at and not part.spans and tool.partition("_")[0] == tools[at - 1].partition("_")[0]:
            return commas[0]
        own = p >= 0.9 and tools.count(tool) == 1 and tool != whole[0]
        if commas and not objects and not own and whole[1] >= 0.6 and whole[0] in tools:
            return soft[0]
        if soft and at < len(parts) - 1 and whole[1] >= 0.6 and whole[0] in tools and whole[0] != tool and (is_read(tool) or not objects):
            return soft[-1]
    return None


def whole(doc: Document, ranges: list[Range], judge: Judge, tools: Mapping[str, ToolSpec]) -> list[Range]:
    """The clauses with every one that only states a value ("add boris, just read") put back to the clause before it, if that takes it."""
    kept = ranges[:1]
    for start, end in ranges[1:]:
        part = doc.cut(start, end)
        topics = [topic for topic in ("role", "visibility") if _only_says(topic, part)]
        before = tools.get(judge([doc.cut(*kept[-1])])[0][0]) if topics else None
        if before is not None and any(slot.type in topics for slot in before.slots):
            kept[-1] = (kept[-1][0], end)
        else:
            kept.append((start, end))
    return kept


def _only_says(topic: str, part: Document) -> bool:
    """True for a clause that is a value of the topic and nothing else."""
    low = part.low
    if follow("sets").search(low):
        return False
    for first, last, _ in spot(topic, low) or spot(topic, low, weak=True):
        low = low[:first] + " " * (last - first) + low[last:]
    return low != part.low and not part.spans and not padding_left(Document(part.text, low, [], [], part.language))
