"""Slot fillers for fine-tunes and evaluations: which model, on which data, called what."""

# All fillers have one signature, and not all need the slot.
# ruff: noqa: ARG001

from __future__ import annotations

from typing import Any

from agent.planner import fill_entities as entities
from agent.planner.document import Span
from agent.planner.fill_names import cued_name
from agent.planner.form import Form
from agent.planner.types import SlotSpec


def repo(form: Form, slot: SlotSpec) -> Any:
    """The model or the dataset, by its kind; what is unknown goes to the slot that nothing known is there for; else the thread's."""
    spans = form.free("repo")
    fitting = [span for span in spans if _fits(span, slot)]
    if fitting:
        others = [span for span in spans if span is not fitting[0] and span not in form.used]
        form.used.extend(others)
        value = entities.repo(form, slot)
        form.used = [span for span in form.used if not any(span is other for other in others)]
        return value
    # A dataset is no model: what is named is for the other slot.
    if slot.required:
        return _of_thread(form, slot) or _unknown(form)
    return _unknown(form) if form.args.get("repo") else None


def _fits(span: Span, slot: SlotSpec) -> bool:
    return not slot.kinds or span.kind is None or span.kind in slot.kinds


def _of_thread(form: Form, slot: SlotSpec) -> str | None:
    if not (form.inherit and form.focus.repo):
        return None
    kinds = {entity.kind for entity in form.index.exact(form.focus.repo) if entity.type == "repo"}
    return form.focus.repo if not slot.kinds or kinds & set(slot.kinds) else None


def _unknown(form: Form) -> str | None:
    """A name that is not known; the tool then tells so."""
    refs = form.free("repo_ref", "ident")
    return str(form.use(refs[0])) if refs else None


def output(form: Form, slot: SlotSpec) -> Any:
    """What the new model shall be called, where that is said."""
    return cued_name(form)
