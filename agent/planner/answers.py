"""Answers to the question that was asked last: the values it lacked, or which of several was meant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.planner.document import Document
from agent.planner.fill import fill
from agent.planner.fill_values import choice as _choice
from agent.planner.fill_values import kind as _kind
from agent.planner.fill_values import role as _role
from agent.planner.fill_values import scope as _scope
from agent.planner.fill_values import status as _status
from agent.planner.fill_values import visibility as _visibility
from agent.planner.form import Form
from agent.planner.lexicon import follow, spot
from agent.planner.linker import Index
from agent.planner.mentions import ordinals
from agent.planner.spans import Lexis
from agent.planner.types import PSEUDO_TOOLS, Focus, Question, SlotSpec, Step, ToolSpec, World

_WORDS = {"role": _role, "visibility": _visibility, "scope": _scope, "status": _status, "kind": _kind, "choice": _choice}


class Context:
    """What every follow-up needs."""

    def __init__(self, world: World, focus: Focus, index: Index, lexis: Lexis, tools: Mapping[str, ToolSpec]) -> None:
        self.world, self.focus, self.index, self.lexis, self.tools = world, focus, index, lexis, tools

    def form(self, spec: ToolSpec, doc: Document) -> Form:
        """An empty form that inherits nothing from the focus."""
        return Form(spec, doc, self.world, self.focus, self.index, self.lexis, inherit=False)


def padding_left(doc: Document) -> str:
    """What remains beside spans and filler words: empty when a message is only an answer."""
    return follow("padding").sub("", doc.masked.replace("\x1f", " "))


def answer(doc: Document, question: Question, ctx: Context) -> list[Step] | str | None:
    """The steps after an answer to the last question; a tool's name when one of several was chosen; None when it is no answer."""
    if question.tool is None:
        return _chosen(doc, question.choices.get("tool", []), ctx)
    spec = ctx.tools.get(question.tool)
    if spec is None:
        return None
    args = dict(question.args)
    missing = [name for name in question.missing if name not in args]
    got = False
    for name in [*missing, *(n for n in question.choices if n not in missing)]:
        slot = spec.slot(name)
        value = pick(doc, question.choices.get(name, []), ctx) if question.choices.get(name) else None
        if value is None and slot is not None and name not in question.choices:
            value = slot_value(doc, spec, slot, args, ctx, sole=len(missing) == 1)
        if value is None and slot is not None and question.choices.get(name) and doc.of("repo", "repo_ref"):
            value = slot_value(doc, spec, slot, args, ctx, sole=True)
        if value is not None:
            args[name], got = value, True
    if not got:
        return None
    for slot in spec.slots:
        if (
            slot.name not in args
            and slot.type in ("role", "visibility", "scope", "license")
            and (value := slot_value(doc, spec, slot, args, ctx, sole=False)) is not None
        ):
            args[slot.name] = value
    if spec.name == "move_repo" and str(args.get("new_name", "")).endswith("/") and args.get("repo"):
        args["new_name"] = f"{args['new_name']}{str(args['repo']).rpartition('/')[2]}"
    left = tuple(name for name in spec.required if name not in args)
    choices = {name: values for name, values in question.choices.items() if name not in args}
    return [Step(spec.name, args, left, choices)]


def pick(doc: Document, choices: list[str], ctx: Context) -> str | None:
    """Which of the offered values a message means."""
    low = doc.low
    named = [c for c in choices if re.search(rf"(?<![\w.-]){re.escape(c.lower())}(?![\w-])", low, re.ASCII)]
    if len(named) >= 1:
        return max(named, key=len)
    for at, pattern in ordinals():
        if pattern.search(low) and -len(choices) <= at < len(choices):
            return choices[at]
    parts = [
        c
        for c in choices
        if any(part and re.search(rf"(?<![\w.-]){re.escape(part.lower())}(?:'?s)?(?![\w-])", low, re.ASCII) for part in c.split("/"))
    ]
    if len(parts) == 1:
        return parts[0]
    # A part of a name that just one of them has ("the 1b one").
    words = [{word for word in re.split(r"[-_./]", c.lower()) if word} for c in choices]
    fits = {
        at for said in re.findall(r"[a-z0-9]+", low) if len(hit := [n for n, own in enumerate(words) if said in own]) == 1 for at in hit
    }
    if len(fits) == 1:
        return choices[fits.pop()]
    if match := re.fullmatch(r"\W*#?(\d{1,2})\W*(?:番|번|号|个)?\W*", low):
        at = int(match[1]) - 1
        return choices[at] if 0 <= at < len(choices) else None
    if follow("mine").search(low):
        own = [c for c in choices if c.startswith(ctx.world.username + "/")]
        return own[0] if len(own) == 1 else None
    kinds = {value for _, _, value in spot("kind", doc.masked)}
    said = [c for c in choices if c in kinds]
    return said[0] if len(said) == 1 else None


def _chosen(doc: Document, tools: list[str], ctx: Context) -> str | None:
    if len(padding_left(doc)) > 12 and not any(tool in doc.low for tool in tools):
        return None
    return pick(doc, tools, ctx)


def slot_value(doc: Document, spec: ToolSpec, slot: SlotSpec, args: dict[str, Any], ctx: Context, *, sole: bool) -> Any:
    """The value of one slot from a short answer."""
    one = ToolSpec(spec.name, spec.group, spec.effect, (SlotSpec(slot.name, slot.type, True, slot.kinds, slot.choices, slot.many),))
    form = ctx.form(one, doc)
    form.args.update({key: value for key, value in args.items() if key == "repo"})
    if slot.type in _WORDS:
        found = _WORDS[slot.type](form, slot)
        if found is None and slot.choices:
            found = next((c for c in slot.choices if re.search(rf"(?<![a-z]){re.escape(c)}(?![a-z])", doc.low)), None)
        if found is not None or slot.type != "choice":  # a choice may have a filler of its own
            return found
    steps = fill(one, doc, ctx.world, Focus(repo=args.get("repo")), ctx.index, ctx.lexis, inherit=False)
    value = steps[0].args.get(slot.name)
    if (
        value is None
        and sole
        and slot.type in ("new_name", "token", "ssh_key", "branch", "git_tag", "user", "org", "repo", "path", "revision")
    ):
        word = re.sub(
            r"^[\W_]+|[\W_]+$",
            "",
            re.sub(
                r"(?:がいい|にして|で(?:す|お願いします)?|という名前で|로 해줘|으로 해줘|로|이요|요|吧|就好)$", "", doc.text.strip(" .!。")
            ),
        )
        if re.fullmatch(r"[A-Za-z0-9][\w./-]{0,95}", word, re.ASCII):
            value = word
    if value is None and sole and slot.type in ("text", "query", "tags", "sql"):
        plain = doc.text.strip().strip("\"'「」`")
        value = [part for part in re.split(r"\s*[,、,]\s*|\s+and\s+", plain) if part] if slot.many else plain
    return value


def without_values(doc: Document, question: Question, ctx: Context) -> Document:
    """The document with the words for the asked values ("write access") taken out."""
    spec = ctx.tools.get(question.tool or "")
    low = doc.low
    # An answer may settle more than was asked ("code, and keep it private").
    also = [slot.name for slot in spec.slots if slot.type in ("role", "visibility", "scope")] if spec else []
    for name in dict.fromkeys([*question.missing, *also]):
        slot = spec.slot(name) if spec else None
        topics = [slot.type] if slot is not None and slot.type in ("role", "visibility", "scope", "status", "kind") else []
        for topic in topics:
            for start, end, _ in spot(topic, low) or (spot(topic, low, weak=True) if topic in ("role", "visibility") else []):
                low = low[:start] + " " * (end - start) + low[end:]
    return Document(doc.text, low, doc.spans, doc.weak, doc.language)


def is_answer(doc: Document, question: Question, ctx: Context, best: tuple[str, float], *, has_value: bool) -> bool:
    """An answer, or a new subject? Short texts are answers; longer ones when nothing else is asked for with confidence."""
    left = len(padding_left(without_values(doc, question, ctx)))
    spec = ctx.tools.get(question.tool or "")
    slots = [spec.slot(name) for name in question.missing] if spec else []
    free = any(slot is not None and slot.type in ("text", "query", "tags", "sql") for slot in slots)
    if has_value and left <= 3:
        return True
    tool, p = best
    if tool in PSEUDO_TOOLS:
        p = 0.0
    if tool == question.tool:
        return has_value
    if free:
        return not (p >= 0.7 and doc.of("repo", "user", "org"))
    budget = 10 if doc.language == "en" else 6
    return has_value and ((left <= budget and p < 0.9) or p < 0.5)


def completed(doc: Document, drafts: Sequence[Step], ctx: Context) -> list[Step] | None:
    """The only one of several drafts that the message completes, when it says nothing beside the value."""
    found = []
    for draft in drafts:
        if not draft.missing and not draft.choices:
            continue
        question = Question(draft.tool, dict(draft.args), [*draft.missing, *draft.choices], dict(draft.choices))
        steps = answer(doc, question, ctx)
        if isinstance(steps, list) and not steps[0].missing and len(padding_left(without_values(doc, question, ctx))) <= 3:
            found.append(steps)
    return found[0] if len(found) == 1 else None
