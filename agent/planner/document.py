"""A message with its typed spans: what the classifier sees delexicalised and the slot filler takes values from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from agent.planner.types import Entity


@dataclass(slots=True)
class Span:
    """A typed part of the text.

    Attributes:
        type: repo, user, org, token, ssh_key (linked); ident (a name that is not known), repo_ref (unknown `ns/name`), path, branch, git_tag, revision,
            sql, text, email, url, public_key, attachment, license, when, number, collection (linked), discussion (the number of one).
        value: canonical value. entities: candidates of a linked name, best first.
        how: exact, joined, fuzzy, pronoun, ordinal, focus, quoted. weak: an ordinary word that happens to be a name.
    """

    start: int
    end: int
    type: str
    value: Any
    entities: tuple[Entity, ...] = ()
    how: str = "exact"
    weak: bool = False

    @property
    def kind(self) -> str | None:
        """The repo kind all candidates share."""
        kinds = {entity.kind for entity in self.entities}
        return kinds.pop() if len(kinds) == 1 else None

    @property
    def linked(self) -> bool:
        """True for something that exists in the world."""
        return bool(self.entities)


@dataclass(slots=True)
class Document:
    """`text` is folded; `low` the same in lower case; `spans` do not overlap and are in order; `weak` are possible names that were not linked."""

    text: str
    low: str
    spans: list[Span] = field(default_factory=list)
    weak: list[Span] = field(default_factory=list)
    language: str = "en"

    def of(self, *types: str) -> list[Span]:
        """Spans of the types, in order."""
        return [span for span in self.spans if span.type in types]

    def taken(self, start: int, end: int) -> bool:
        """True when a span overlaps the range."""
        return any(span.start < end and start < span.end for span in self.spans)

    def add(self, span: Span) -> bool:
        """Insert a span unless its place is taken."""
        if span.start >= span.end or self.taken(span.start, span.end):
            return False
        self.spans.append(span)
        self.spans.sort(key=lambda item: item.start)
        return True

    @property
    def masked(self) -> str:
        """Lower-case text with all spans blanked out, of the same length."""
        chars = list(self.low)
        for span in self.spans:
            chars[span.start : span.end] = "\x1f" * (span.end - span.start)
        return "".join(chars)

    def cut(self, start: int, end: int) -> Document:
        """The part from start to end as a document of its own (spans across the cut are dropped)."""
        while start < end and self.text[start] in " ,、。;.!\n":
            start += 1
        while end > start and self.text[end - 1] in " ,、;\n":
            end -= 1

        def moved(spans: list[Span]) -> list[Span]:
            return [replace(s, start=s.start - start, end=s.end - start) for s in spans if s.start >= start and s.end <= end]

        return Document(self.text[start:end], self.low[start:end], moved(self.spans), moved(self.weak), self.language)
