"""Slot fillers for access tokens and SSH keys."""

# All fillers have one signature, and not all need the slot.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from typing import Any

from agent.planner.form import Form
from agent.planner.types import SlotSpec


def token(form: Form, slot: SlotSpec) -> Any:
    """A token by name; an unknown name as said."""
    for span in [*form.free("token"), *form.doc.weak]:
        if span.type == "token" or any(e.type == "token" for e in span.entities):
            form.used.append(span)
            return next(e.value for e in span.entities if e.type == "token")
    spans = form.free("ident", "text", "repo_ref")
    near = [s for s in spans if form.near("token_noun", s)]
    if picked := (near or spans)[:1]:
        return form.use(picked[0])
    if repos := form.free("repo", "branch"):
        # A repo of that name may exist while a token is meant: a required token name takes what is named.
        return form.said(repos[0]) if form.use(repos[0]) else None
    return _one_of_own(form, slot, "token")


_THAT = re.compile(r"\b(?:the|that|this|it)\b|那|这|它|その|あの|この|それ|그|저|이 ")


def _one_of_own(form: Form, slot: SlotSpec, type_: str) -> str | None:
    """Which of one's own tokens or keys: the only one where "that key" is said, else a choice."""
    own = [e.value for e in form.world.entities() if e.type == type_]
    if not slot.required or form.args.get("username") or not own or len(own) > 8:
        return None
    if len(own) == 1 and _THAT.search(form.doc.masked):
        return own[0]
    form.choices[slot.name] = own
    return None


_SECRET_VALUE = re.compile(
    r"(?:=|\bto\b|\bis\b|\bas\b|\bvalue\b|设置?[为成]|改[为成]|值[是为]?|[是为:]|(?:を|は|의 값은|을|를|은|는))\s*[\"'`「]?(?P<v>[\x21-\x7e]{6,}?)[\"'`」]?(?=$|[\s,。、]|[^\x00-\x7f])",
    re.IGNORECASE,
)


def space_secret(form: Form, slot: SlotSpec) -> str | None:
    """The value of a Space's secret: the last thing that a name, a sign or a particle puts in its place."""
    for match in reversed(list(_SECRET_VALUE.finditer(form.doc.text))):
        start, end = match.span("v")
        if any(span in form.used and span.start < end and start < span.end for span in form.doc.spans):
            continue
        form.used.extend(span for span in form.doc.spans if span.start < end and start < span.end)
        return match["v"]
    return None


def ssh_key(form: Form, slot: SlotSpec) -> Any:
    """A key by title."""
    for span in [*form.free("ssh_key"), *form.doc.weak]:
        if any(e.type == "ssh_key" for e in span.entities):
            form.used.append(span)
            return next(e.value for e in span.entities if e.type == "ssh_key")
    spans = form.free("text", "ident", "repo_ref", "email")
    if spans:
        return form.use(spans[0])
    match = re.search(r"(?:my|the|called|named)\s+([a-z0-9][\w-]*)\s+(?:ssh |public )?key", form.doc.low)
    if match and match[1] not in ("ssh", "public", "old", "new", "that", "this", "other", "my", "the"):
        return match[1]
    return _one_of_own(form, slot, "ssh_key")
