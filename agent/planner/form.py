"""Filling in a tool's arguments: the state that the slot fillers share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.planner.document import Document, Span
from agent.planner.lexicon import cue
from agent.planner.linker import Index
from agent.planner.spans import Lexis
from agent.planner.types import Entity, Focus, SlotSpec, ToolSpec, World


@dataclass
class Form:
    """A tool being filled from a document. `used` are spans that have found their slot."""

    spec: ToolSpec
    doc: Document
    world: World
    focus: Focus
    index: Index
    lexis: Lexis
    args: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    used: list[Span] = field(default_factory=list)
    inherit: bool = True

    def free(self, *types: str) -> list[Span]:
        """Unused spans of the types, in order."""
        return [span for span in self.doc.spans if span.type in types and span not in self.used]

    def use(self, span: Span) -> Any:
        """Mark a span as used; returns its value."""
        self.used.append(span)
        return span.value

    def said(self, span: Span) -> str:
        """The span's own words."""
        return self.doc.text[span.start : span.end]

    def before(self, span: Span, width: int = 16) -> str:
        """Lower-case text right before a span."""
        return self.doc.low[max(0, span.start - width) : span.start]

    def after(self, span: Span, width: int = 16) -> str:
        """Lower-case text right after a span."""
        return self.doc.low[span.end : span.end + width]

    def near(self, topic: str, span: Span, width: int = 12) -> bool:
        """True when a word of the cue topic stands right before or after the span."""
        pattern = cue(topic)
        before = self.before(span, width)
        if any(re.fullmatch(r"[\s:「\"'`]*(?:is |the |a |an |は|が|为|是)?\s*", before[m.end() :]) for m in pattern.finditer(before)):
            return True
        return bool(
            re.match(r"[\s\"'`」』]*(?:的|の|이라는|라는|という|って|이라는 이름의)?\s*(?:git |ssh )?", self.after(span, width))
            and pattern.match(re.sub(r"^[\s\"'`」』]*(?:的|の|이라는|라는|という|って)?\s*", "", self.after(span, width)))
        )


Filler = Callable[[Form, SlotSpec], Any]


def owner_hint(form: Form, span: Span) -> str | None:
    """An owner said beside an ambiguous name ("the X of acme", "acmeのX")."""
    owners = {entity.value.partition("/")[0].lower() for entity in span.entities}
    for other in form.free("org", "user"):
        if str(other.value).lower() in owners:
            form.use(other)
            return str(other.value).lower()
    return None


def pick_entity(form: Form, span: Span, kinds: tuple[str, ...], *, deleted: bool) -> tuple[Entity | None, list[Entity]]:
    """The one entity meant by a span, or None and the candidates to ask about."""
    found = list(span.entities)
    if len(found) > 1 and (kept := [e for e in found if e.deleted == deleted]):
        found = kept
    if len(found) > 1 and (said := kind_said(form, span)) and (kept := [e for e in found if e.kind == said]):
        found = kept
    if len(found) > 1 and kinds and (kept := [e for e in found if e.kind in kinds]):
        found = kept
    if len(found) > 1 and (owner := owner_hint(form, span)) and (kept := [e for e in found if e.value.lower().startswith(owner + "/")]):
        found = kept
    if len(found) > 1 and (kept := [e for e in found if e.own or e.value.lower().startswith(form.world.username.lower() + "/")]):
        found = kept
    return (found[0], []) if len(found) == 1 else (None, found)


def kind_said(form: Form, span: Span) -> str | None:
    """The kind of repo named right beside a span."""
    from agent.planner.lexicon import spot

    near = form.before(span, 14) + "\x1f" + form.after(span, 14)
    cut = near.index("\x1f")
    hits = spot("kind", near)
    close = [(min(abs(cut - end), abs(start - cut)), value) for start, end, value in hits if abs(cut - end) <= 3 or abs(start - cut) <= 4]
    return min(close)[1] if close else None
