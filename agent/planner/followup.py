"""Messages that go on with what was just done or shown: `the same for X`, corrections, another value, taking back, narrowing a search."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.planner.answers import Context, padding_left, slot_value, without_values
from agent.planner.document import Document
from agent.planner.lexicon import cue, follow, spot, talk
from agent.planner.telling import words
from agent.planner.types import Focus, Question, Step, ToolSpec

_SETTABLE = {"set_visibility": ("visibility",), "add_org_member": ("role",), "update_org_member": ("role",), "grant_access": ("role",)}
_NAMELESS = {"revoke_token": ("token", "token_noun"), "delete_ssh_key": ("ssh_key", "key_noun")}
_ACCOUNT = ("set_user_status", "reset_password", "get_user")
# The same wish about an organisation and about a repo.
_OF_ORG = {"grant_access": "add_org_member", "revoke_access": "remove_org_member", "list_access": "get_org"}
_OF_REPO = {
    "add_org_member": "grant_access",
    "update_org_member": "grant_access",
    "remove_org_member": "revoke_access",
    "get_org": "list_access",
}


def last_call(focus: Focus) -> tuple[str, dict[str, Any]]:
    """What waits for approval, else what ran last: that is what a correction corrects."""
    if focus.pending:
        return str(focus.pending.get("tool") or ""), dict(focus.pending.get("args") or {})
    return focus.tool or "", dict(focus.args)


def repeat(doc: Document, ctx: Context, best: tuple[str, float]) -> list[Step] | None:
    """The last call again with another object or value: `same for X`, `and carol too`, `no, I meant Y`, `internal instead`."""
    tool, args = last_call(ctx.focus)
    spec = ctx.tools.get(tool)
    if spec is None or not args or (spec.effect != "read" and follow("queries").search(doc.low)):
        return None
    marked = (
        talk("correction").search(doc.low)
        or talk("same", doc.language).search(doc.masked)
        or talk("too", doc.language).search(doc.masked)
        or (doc.of("text") and follow("sorry").search(doc.low))
    )
    if (
        best[1] >= 0.95
        and best[0] in ctx.tools
        and best[0] != tool
        and not talk("correction").search(doc.low)
        and not follow("sorry").search(doc.low)
        and doc.of("path", "ident", "text")
    ):
        return None  # an order of its own that says all it needs
    limit = 6 if doc.language == "en" else 3
    if not marked:
        return _value_only(doc, spec, ctx)
    said = doc.masked.replace("\x1f", " ")
    for pattern in (
        talk("correction"),
        talk("same", doc.language),
        talk("too", doc.language),
        follow("sorry"),
        *((follow("change"),) if spec.effect != "read" else ()),
    ):
        said = pattern.sub(" ", said)
    if len(follow("padding").sub("", said)) > limit:
        return None
    return replaced(doc, spec, dict(args), ctx)


def takes_back(doc: Document, ctx: Context) -> bool:
    """Whether the message asks to undo the last change: an undo word, nothing else named, and not much else said."""
    named = [span for span in doc.spans if span.how not in ("pronoun", "focus") and span.type not in ("number", "when")]
    last = ctx.tools.get(ctx.focus.tool or "")
    if last is not None and last.effect != "read" and len(doc.text) <= 16 and not named and follow("cancel").search(doc.low):
        return True
    if named or not follow("undo").search(doc.low) or "?" in doc.text:
        return False
    return len(doc.text) <= 24 or (len(doc.text) <= 80 and last is not None and last.effect != "read")


def _value_only(doc: Document, spec: ToolSpec, ctx: Context) -> list[Step] | None:
    """`internal, sorry`: nothing but another value for the last call."""
    names = [slot.name for slot in spec.slots if slot.required and slot.type in ("role", "visibility", "scope", "status")]
    if not names or doc.spans or len(doc.text) > 24:
        return None
    bare = without_values(doc, Question(spec.name, {}, names), ctx)
    return replaced(doc, spec, dict(ctx.focus.args), ctx) if bare.low != doc.low and not padding_left(bare) else None


def replaced(doc: Document, spec: ToolSpec, args: dict[str, Any], ctx: Context) -> list[Step] | None:
    """The call with every value that the message names put in its slot; None when it names nothing that the tool takes."""
    corrected = _meant(doc)
    changed = False
    steps = [args]
    for slot in spec.slots:
        spans = [
            s
            for s in corrected.of(slot.type if slot.type != "owner" else "org", "user" if slot.type == "owner" else slot.type)
            if s.how != "pronoun"
        ]
        if slot.type in ("repo", "user", "org", "owner", "branch", "path", "git_tag", "token") and spans:
            values = [s.entities[0].value if s.entities else s.value for s in spans]
            steps = [{**base, slot.name: value} for base in steps for value in values]
            if slot.type == "repo":
                # The kind belonged to the repo that was meant before.
                steps = [{key: value for key, value in step.items() if key != "kind"} for step in steps]
            changed = True
        elif slot.type in ("role", "visibility", "scope", "status"):
            value = slot_value(corrected, spec, slot, args, ctx, sole=False)
            if value is not None:
                steps = [{**base, slot.name: value} for base in steps]
                changed = True
        elif slot.name in ("content", "description") and slot.name in args and corrected.of("text"):
            steps = [{**base, slot.name: str(corrected.of("text")[0].value)} for base in steps]
            changed = True
        elif slot.type == "license" and corrected.of("license"):
            steps = [{**base, slot.name: corrected.of("license")[0].value} for base in steps]
            changed = True
    if not changed and (names := corrected.of("ident", "repo_ref")):
        target = next((s for s in spec.slots if s.type in ("user", "repo", "new_name", "org", "branch") and s.required), None)
        if target is not None:
            steps, changed = [{**args, target.name: names[-1].value}], True
    if not changed:
        return None
    return [Step(spec.name, _fit_owner(spec, args, new), confidence=0.9) for new in steps]


def _fit_owner(spec: ToolSpec, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A transfer of another repo keeps the new owner, not the old repo's name."""
    if spec.name == "move_repo" and new.get("repo") != old.get("repo") and "/" in str(new.get("new_name", "")):
        return {**new, "new_name": f"{str(new['new_name']).partition('/')[0]}/{str(new['repo']).partition('/')[2]}"}
    return new


def _meant(doc: Document) -> Document:
    """In a correction (`not A but B`, `AじゃなくてB`, `不是A,是B`) only what is meant."""
    if (match := follow("rather").search(doc.low)) and doc.cut(match.end(), len(doc.text)).text:
        return doc.cut(match.end(), len(doc.text))
    return doc


def refine(doc: Document, step: Step, ctx: Context) -> Step:
    """A search after a search that only narrows it down keeps the earlier words; a removal is of what was shown, not of the repo behind it."""
    focus = ctx.focus
    if step.tool == "delete_repo":
        return _of_what_was_shown(doc, step, ctx)
    if step.tool != "search_repos" or focus.tool != "search_repos" or not focus.args or not follow("narrow").search(doc.low):
        return step
    if step.args.get("query") and step.args.get("query") != focus.args.get("query") and not follow("among").search(doc.low):
        return step
    return replace(step, args={**focus.args, **step.args})


_COLLECTIONS = ("get_collection", "create_collection", "add_to_collection", "remove_from_collection")
_WEBHOOKS = ("list_webhooks", "create_webhook")
_DELETES = re.compile(r"delet|eras|destroy|trash|wipe|删|刪|销毁|消|削除|삭제|지우|지워")


def _of_what_was_shown(doc: Document, step: Step, ctx: Context) -> Step:
    """`delete it` after a webhook was shown is about the webhook; `take the second one out` of a collection leaves the repo alone."""
    focus = ctx.focus
    if cue("repo_noun").search(doc.masked):
        return step
    named = [span for span in doc.of("repo") if span.how not in ("pronoun", "focus", "ordinal")]
    if focus.tool in _WEBHOOKS and not named and focus.repo:
        urls = [str(item["value"]) for item in focus.listed if item["type"] == "webhook"] or [str(focus.args.get("url") or "")]
        args = {"repo": focus.repo, "webhook": urls[0]} if len(urls) == 1 and urls[0] else {"repo": focus.repo}
        return Step(
            "delete_webhook",
            args,
            () if "webhook" in args else ("webhook",),
            {} if "webhook" in args else {"webhook": urls},
            step.confidence,
        )
    if focus.tool in _COLLECTIONS and focus.collection and step.args.get("repo") and not _DELETES.search(doc.low):
        return Step("remove_from_collection", {"collection": focus.collection, "repo": step.args["repo"]}, confidence=step.confidence)
    if not named and not words("deletes").search(doc.low):
        return replace(step, confidence=min(step.confidence, 0.3))  # neither a repo nor a word for deleting was said
    return step


_TAKES_OUT = {
    "add_org_member": ("remove_org_member", "org"),
    "update_org_member": ("remove_org_member", "org"),
    "grant_access": ("revoke_access", "repo"),
}


def takes_out(doc: Document, ctx: Context) -> Step | None:
    """`take him out again` after somebody was let in: the same person, out of the same place."""
    tool, of = _TAKES_OUT.get(ctx.focus.tool or "", ("", ""))
    args = ctx.focus.args
    named = [span for span in doc.spans if span.how not in ("pronoun", "focus")]
    if tool not in ctx.tools or named or len(doc.text) > 40 or "?" in doc.text or not args.get(of) or not args.get("username"):
        return None
    if not (follow("put_out").search(doc.low) or follow("away").search(doc.low)) or cue("account_noun").search(doc.low):
        return None
    return Step(tool, {of: args[of], "username": args["username"]}, confidence=0.9)


def gives_up(doc: Document) -> bool:
    """`never mind` to a question: what was wished for is dropped."""
    if len(doc.text) > 40 or any(span.how not in ("pronoun", "focus") for span in doc.spans):
        return False
    match = follow("give_up").search(doc.low)
    if match is None or any(follow(topic).search(doc.low[match.end() :]) for topic in ("away", "sets", "undo", "put_out")):
        return False
    return len(padding_left(doc)) - len(match.group()) <= 8


def set_again(doc: Document, ctx: Context) -> list[Step] | None:
    """`change it back to internal`, `make that write`: another value for what was set last, and nothing else named."""
    spec = ctx.tools.get(ctx.focus.tool or "")
    names = _SETTABLE.get(ctx.focus.tool or "")
    if spec is None or names is None or not ctx.focus.args or len(doc.text) > 40 or "?" in doc.text:
        return None
    if any(span.how != "pronoun" for span in doc.spans):
        return None
    bare = without_values(doc, Question(spec.name, {}, list(names)), ctx)
    if bare.low == doc.low:
        return None
    rest = Document(bare.text, _blanked(bare.low), bare.spans, [], bare.language)
    return replaced(doc, spec, dict(ctx.focus.args), ctx) if not padding_left(rest) else None


def _blanked(low: str) -> str:
    return follow("change").sub(lambda m: " " * len(m.group()), low)


def nameless(doc: Document, ctx: Context) -> Step | None:
    """A token or key to be done away with, not named: the only one just shown, else a question with the own ones as choices."""
    if follow("asks").search(doc.low) or not follow("away").search(doc.masked):
        return None
    if any(span.type not in ("number", "when") and span.how != "pronoun" for span in doc.spans) or doc.weak:
        return None
    for tool, (type_, noun) in _NAMELESS.items():
        spec = ctx.tools.get(tool)
        if spec is None or not cue(noun).search(doc.masked):
            continue
        slot = next(slot.name for slot in spec.slots if slot.type == type_)
        shown = [str(item["value"]) for item in ctx.focus.listed if item["type"] == type_]
        if len(shown) == 1:
            return Step(tool, {slot: shown[0]}, confidence=0.9)
        own = [entity.value for entity in ctx.world.entities() if entity.type == type_]
        return Step(tool, {}, (slot,), {slot: own} if len(own) > 1 else {}, 0.9)
    return None


def of_the_thread(scores: list[tuple[str, float]], doc: Document, focus: Focus, tools: Mapping[str, ToolSpec]) -> list[tuple[str, float]]:
    """Rights of a person, with no organisation or repo named, are about what was shown or changed just before."""
    if not doc.of("user") or doc.of("repo", "repo_ref", "org") or cue("org_noun").search(doc.masked) or cue("repo_noun").search(doc.masked):
        return scores
    org_last = focus.org and focus.tool in ("get_org", "create_org", "add_org_member", "update_org_member", "remove_org_member")
    repo_last = focus.repo and focus.tool in ("list_access", "grant_access", "revoke_access")
    twins = _OF_ORG | {"update_org_member": "add_org_member"} if org_last else _OF_REPO if repo_last else {}
    top = next((twins.get(name, name) for name, _ in scores), "")
    if twins and top in _SETTABLE and spot("role", doc.masked):
        # A role was said: whoever sets one does not mean the person's account.
        twins = twins | dict.fromkeys(_ACCOUNT, top)
    pooled: dict[str, float] = {}
    for name, p in scores:
        name = twins.get(name, name) if twins.get(name, name) in tools else name
        pooled[name] = pooled.get(name, 0.0) + p
    return sorted(pooled.items(), key=lambda item: -item[1])
