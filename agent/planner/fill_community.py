"""Slot fillers for collections, discussions, webhooks and requests for access."""

# All fillers have one signature, and not all need the slot.
# ruff: noqa: ARG001

from __future__ import annotations

import re
from functools import cache
from typing import Any

from agent.planner.form import Form
from agent.planner.lexicon import bounded, cue, load, spot
from agent.planner.threads import KnowsThreads, meant
from agent.planner.types import SlotSpec

MAX_CHOICES = 8
MAX_TITLE = 200
# A plain number in a longer message is more likely part of what is said than the number of a discussion.
_SHORT = 60
_OPEN_OR_NOT = {"merge_pull_request": True, "close_discussion": True, "reopen_discussion": False, "comment_discussion": None}


def collection(form: Form, slot: SlotSpec) -> Any:
    """A known collection; else what is quoted or stands beside the word for one; else the thread's; else a choice of the person's own."""
    if spans := form.free("collection"):
        return form.use(spans[0])
    for weak in form.doc.weak:
        if any(entity.type == "collection" for entity in weak.entities):
            form.used.append(weak)
            return next(entity.value for entity in weak.entities if entity.type == "collection")
    if quoted := [span for span in form.free("text") if span.how == "quoted"]:
        return str(form.use(quoted[0]))
    if near := [span for span in form.free("ident", "repo_ref") if form.near("collection_noun", span)]:
        return str(form.use(near[0]))
    if form.inherit and form.focus.collection:
        return form.focus.collection
    own = [entity.value for entity in form.world.entities() if entity.type == "collection" and entity.own]
    if slot.required and len(own) == 1:
        return own[0]
    if slot.required and 1 < len(own) <= MAX_CHOICES:
        form.choices[slot.name] = own
    return None


def discussion(form: Form, slot: SlotSpec) -> Any:
    """A number said as one of a discussion, the one that fits what is said of it, any other number, or the one the thread is about."""
    if spans := form.free("discussion"):
        return int(form.use(spans[0]))
    same = form.args.get("repo") in (None, form.focus.repo)
    if (found := _by_what_is_said(form, slot, required=not (form.inherit and same and form.focus.discussion))) is not None:
        return found
    if (spans := form.free("number")) and len(form.doc.text) <= _SHORT:
        return int(form.use(spans[0]))
    return form.focus.discussion if form.inherit and same else None


def _by_what_is_said(form: Form, slot: SlotSpec, *, required: bool) -> int | None:
    repo = form.args.get("repo") or form.focus.repo
    if not isinstance(form.world, KnowsThreads) or not isinstance(repo, str) or form.free("number"):
        return None
    low = form.doc.low
    pulls = True if form.spec.name == "merge_pull_request" or thread_kind(form, slot) else None
    wanted = _OPEN_OR_NOT.get(form.spec.name)
    authors = [str(span.value) for span in form.free("user")]
    thread = meant(form.world.threads(repo), low, authors, pulls=pulls, is_open=wanted, required=required and slot.required)
    form.used.extend(span for span in form.free("user") if thread and span.value == thread.author)
    return thread.number if thread else None


def url(form: Form, slot: SlotSpec) -> Any:
    """An address."""
    spans = form.free("url")
    return str(form.use(spans[0])) if spans else None


def webhook(form: Form, slot: SlotSpec) -> Any:
    """A webhook by its address or number."""
    if spans := form.free("url"):
        return str(form.use(spans[0]))
    if spans := form.free("webhook", "number", "discussion"):
        return str(form.use(spans[0]))
    shown = [item for item in form.focus.listed if item["type"] == "webhook"]
    return str(shown[0]["value"]) if form.inherit and len(shown) == 1 else None


def job(form: Form, slot: SlotSpec) -> int | None:
    """A job by its number, or the only one on the list that was shown last."""
    if spans := form.free("job", "number", "discussion"):
        return int(form.use(spans[0]))
    shown = [item for item in form.focus.listed if item["type"] == "job"]
    return int(shown[0]["value"]) if form.inherit and len(shown) == 1 else None


def chat_link(form: Form, slot: SlotSpec) -> str | None:
    """A linked chat account by its number, its platform, or as the one that this is said on."""
    if spans := form.free("number"):
        return str(form.use(spans[0]))
    said = spot("chat_platform", form.doc.masked)
    return said[-1][2] if said else None


def choice(form: Form, slot: SlotSpec) -> str | None:
    """A decision about a request, or what a gate is to do."""
    said = valued(form, slot.name)
    return said if said in slot.choices else None


def thread_kind(form: Form, slot: SlotSpec) -> str | None:
    """Discussions or pull requests, where only one of them is spoken of."""
    low = form.doc.masked
    said = [value for value, pattern in _values("thread_kind") if pattern.search(low)]
    return said[0] if len(said) == 1 and said[0] == "pull_request" else None


def about(form: Form, slot: SlotSpec) -> str | None:
    """What the collections are about that are looked for: quoted, or announced."""
    if quoted := [span for span in form.free("text") if span.how == "quoted"]:
        return str(form.use(quoted[0]))
    return announced(form, "about")


def title(form: Form, slot: SlotSpec) -> str | None:
    """A title: in quotes, after a colon, or after words that announce it."""
    if form.spec.name == "update_collection" and not cue("titled").search(form.doc.masked):
        return None
    texts = form.free("text")
    if texts:
        return str(form.use(texts[0]))[:MAX_TITLE]
    found = announced(form, "title")
    if form.spec.name in ("create_collection", "update_collection") and (names := form.free("ident", "repo_ref")):
        named = str(form.use(names[0]))
        return found[:MAX_TITLE] if found and found.startswith(named) else named
    return found[:MAX_TITLE] if found else None


def body(form: Form, slot: SlotSpec) -> str | None:
    """The text of a comment, of a discussion's start, of a request: quoted, after a colon, or announced."""
    texts = form.free("text")
    if "title" in form.args:
        ahead = [span for span in texts if _pattern("second_body").search(form.doc.low[: span.start])]
        return str(form.use((ahead or texts)[0])) if texts else None
    if texts:
        return str(form.use(texts[0]))
    return announced(form, "body") if slot.required or slot.name == "reason" else None


def announced(form: Form, topic: str) -> str | None:
    """Free words after (in Japanese and Korean: before) what announces them, without the names around them."""
    language = form.doc.language
    masked = form.doc.masked
    for pattern in _announcers(topic, language):
        match = pattern.search(masked)
        if match is None:
            continue
        start, end = match.span("v")
        for edge in _announcers("title_edges", language):
            if cut := edge.search(masked[start:end]):
                start, end = (start + cut.end(), end) if cut.start() == 0 else (start, start + cut.start())
        said = form.doc.text[start:end].strip(" \t\n\"'.。,、:!?")
        if len(said) >= 2 and not re.fullmatch(r"[\x1f\s]*", masked[start:end]):
            return said
    return None


def valued(form: Form, topic: str) -> str | None:
    """The first value of a topic of `community.yaml` that the message names, in the topic's order."""
    low = form.doc.masked
    return next((value for value, pattern in _values(topic) if pattern.search(low)), None)


def names_a_collection(low: str) -> bool:
    """Whether a message speaks of collections at all."""
    return bool(cue("collection_noun").search(low))


@cache
def _announcers(topic: str, language: str) -> tuple[re.Pattern[str], ...]:
    table = load("community")[topic]
    languages = (language,) if language == "en" else (language, "en")
    return tuple(re.compile(pattern, re.IGNORECASE | re.DOTALL) for name in languages for pattern in table.get(name, ()))


@cache
def _pattern(topic: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{word})" for words in load("community")[topic].values() for word in words), re.IGNORECASE)


@cache
def _values(topic: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    table = load("community")[topic]
    return tuple(
        (str(value), re.compile("|".join(bounded(word, literal=False) for words in by_lang.values() for word in words), re.IGNORECASE))
        for value, by_lang in table.items()
    )
