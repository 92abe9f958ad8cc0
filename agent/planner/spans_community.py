"""Finding collections by their titles, and the numbers of discussions and pull requests."""

from __future__ import annotations

import re

from agent.planner import patterns as pat
from agent.planner.document import Document, Span
from agent.planner.lexicon import cue, talk
from agent.planner.types import Focus, World

MAX_COLLECTIONS = 300
THREAD_TOOLS = ("open_discussion", "get_discussion", "comment_discussion", "close_discussion", "reopen_discussion", "list_discussions")
# A title without the word for a collection is taken for one only where something goes into it or comes out of it.
_INTO = re.compile(r"(?:\b(?:to|into|in|from|out of|off|onto)\s+(?:my |the |our )?|[到进从在入]|里的?)\s*$")
_PUT = re.compile(r"\s*(?:[にへ]|から|へ|에서|에|(?:으)?로|里|中)")
_NUMBER_BEFORE = re.compile(r"\s*(?:number|no\.?|nr\.?|#|号|番号|번호)?\s*$")
_COUNTED = re.compile(r"^\s*(?:号|号的|番目?の?|번째?(?: ?의)?|th|st|nd|rd)\s*")


def find_collections(doc: Document, world: World) -> None:
    """Titles of collections that the person may see, the longest first."""
    known = [entity for entity in world.entities() if entity.type == "collection"][:MAX_COLLECTIONS]
    spoken = bool(cue("collection_noun").search(doc.low))
    names = [(name, entity) for entity in known for name in (entity.value, *entity.aliases) if len(name) >= 2]
    for name, entity in sorted(names, key=lambda pair: -len(pair[0])):
        for match in re.finditer(
            rf"(?<![A-Za-z0-9_./-]){re.escape(name.lower())}(?![A-Za-z0-9_/-])" if name.isascii() else re.escape(name.lower()), doc.low
        ):
            placed = _INTO.search(doc.low[: match.start()]) or _PUT.match(doc.low, match.end())
            quoted = [
                span
                for span in doc.of("text")
                if span.start < match.end() and match.start() < span.end and str(span.value).lower() == name.lower()
            ]
            if not (spoken or placed or quoted):
                continue
            doc.spans = [span for span in doc.spans if span not in quoted]
            start, end = (quoted[0].start, quoted[0].end) if quoted else match.span()
            same = tuple(other for title, other in names if title.lower() == name.lower())
            doc.add(Span(start, end, "collection", entity.value, same or (entity,)))


def find_thread(doc: Document, focus: Focus) -> bool:
    """`it` right after a discussion was shown, opened or commented on: `merge it`, `把它关掉`."""
    if focus.tool not in THREAD_TOOLS or not focus.discussion or doc.of("discussion", "number", "repo", "repo_ref"):
        return False
    if cue("repo_noun").search(doc.masked):
        return False
    for match in talk("pronoun_repo").finditer(doc.low):
        if doc.add(Span(match.start(), match.end(), "discussion", focus.discussion, (), "pronoun")):
            return True
    return False


def find_numbers(doc: Document) -> None:
    """`#3`, `discussion 3`, `3番のプルリク`, `第3个讨论`: the number of a discussion or pull request."""
    noun = cue("discussion_noun")
    for match in pat.NUMBER.finditer(doc.text):
        before, after = doc.low[: match.start()], doc.low[match.end() :]
        lead = _NUMBER_BEFORE.search(before)
        stem = before[: lead.start() if lead else None].rstrip()
        named = any(found.end() == len(stem) for found in noun.finditer(stem, max(0, len(stem) - 16)))
        counted = _COUNTED.match(after)
        follows = bool(counted and noun.match(after[counted.end() :])) or (
            before.rstrip().endswith("第") and bool(noun.match(re.sub(r"^\s*(?:个|号|条)", "", after)))
        )
        if match.group().startswith("#") or named or follows:
            doc.add(Span(match.start(), match.end(), "discussion", int(match.group().lstrip("#"))))
