"""Clauses of a message, each read after what the ones before it made or used; what is left out is the thread's or the last clause's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.planner.document import Document, Span
from agent.planner.lexicon import cue, follow, talk
from agent.planner.mentions import resolve
from agent.planner.polarity import LEFT_ALONE
from agent.planner.spans_community import THREAD_TOOLS
from agent.planner.split import is_remark
from agent.planner.telling import words
from agent.planner.turn import WRITE_AT, Turn
from agent.planner.types import PSEUDO_TOOLS, Entity, EntityType, Focus, Step


def about(turn: Turn, doc: Document, focus: Focus, type_: EntityType = "repo") -> Document:
    """The message with the thread's repo (organisation, collection) put in front, as people who leave it out mean it (`削除して`, `지워줘`)."""
    value = str(getattr(focus, type_) or "")
    glue = {"ja": "を" if type_ == "repo" else "に", "ko": " " if type_ == "repo" else "에 ", "en": ": "}.get(doc.language, "")
    prefix = "X" + glue
    at = len(prefix)
    spans = [replace(span, start=span.start + at, end=span.end + at) for span in doc.spans]
    entities = tuple(e for e in turn.index.exact(value) if e.type == type_) or (Entity(type_, value),)
    return Document(prefix + doc.text, prefix.lower() + doc.low, [Span(0, 1, type_, value, entities, "focus"), *spans], [], doc.language)


_ABOUT_THE_THREAD = (
    "undo",
    "help",
    "whoami",
    "list_approvals",
    "get_preferences",
    "set_preference",
    "search_repos",
    "list_orgs",
    "list_users",
    "create_repo",
    "create_org",
    "create_user",
)


def elliptic(
    turn: Turn, doc: Document, scores: list[tuple[str, float]], focus: Focus, *, clause: bool = False, made: bool = False
) -> tuple[Document, list[tuple[str, float]]]:
    """A message without an object, read as being about the thread's repo where that makes more sense.

    After a clause that `made` a repo, people and unknown names are no object of their own either.
    """
    if (
        focus.tool in THREAD_TOOLS
        and focus.discussion
        and follow("replies").search(doc.low)
        and not doc.of("repo", "repo_ref", "deployment")
    ):
        return doc, [("comment_discussion", 0.95), *((tool, p * 0.05) for tool, p in scores if tool != "comment_discussion")]
    other = ("repo", "repo_ref", "org", "token", "ssh_key", "sql", *(() if made else ("user", "ident")))
    if focus.org and not doc.spans and scores[0][0] == "list_users" and cue("member_noun").search(doc.low):
        return doc, [("get_org", scores[0][1]), *scores]
    if not focus.repo or any(span.type in other for span in doc.spans) or doc.weak:
        return doc, scores
    tool, p = scores[0]
    if (p >= 0.9 and (tool in _ABOUT_THE_THREAD or (tool in PSEUDO_TOOLS and not clause))) or len(doc.text) > 60:
        return doc, scores
    full = about(turn, doc, focus)
    better = turn.scored([full])[0]
    spec = turn.tools.get(better[0][0])
    if (
        spec is not None
        and spec.takes("repo")
        and better[0][1] >= 0.6
        and (better[0][1] >= p or tool in PSEUDO_TOOLS or tool == better[0][0] or p < 0.9)
    ):
        return full, better
    return doc, scores


NOTHING = ("nothing", 1.0)


Clauses = list[tuple[tuple[str, float], list[Step]]]


def in_turn(turn: Turn, parts: Sequence[Document]) -> Clauses:
    """The tool and the steps of each clause, each read after what the ones before it made or used."""
    focus = turn.focus
    found: Clauses = []
    before: Step | None = None
    for at, part in enumerate(parts):
        if LEFT_ALONE.search(part.masked):
            # "leave X as it is": named to say that nothing happens to it.
            found.append((NOTHING, []))
            continue
        if before is not None and before.tool == "fork_repo" and follow("original").search(part.low):
            focus = replace(focus, repo=str(before.args.get("repo") or focus.repo))
        here = replace(turn, focus=focus)
        again = reresolved(here, part, focus)
        org = _place(parts) if at == 0 else None
        if org is not None:
            again = about(here, again, replace(focus, org=org), "org")
        again, ranked = _after(here, again, here.scored([again])[0], focus, before)
        tool, p = ranked[0]
        harmless = tool not in turn.tools or turn.tools[tool].effect != "destructive" or not tool.startswith(("delete_", "remove_"))
        why = not harmless and not words("deletes").search(part.low)
        if (why or is_remark(part, tool)) and at < len(parts) - 1:
            found.append((NOTHING, []))
            focus = mentioned(focus, here.steps(again, tool, focus)) if why else focus
            continue
        steps = [replace(step, confidence=p) for step in turn.steps(again, tool, focus)] if tool in turn.tools else []
        found.append(((tool, p), steps))
        focus = carry(focus, steps, turn.world.username)
        before = steps[-1] if steps else before
    return _without_taken_back(parts, found)


def _without_taken_back(parts: Sequence[Document], found: Clauses) -> Clauses:
    """The clauses without an order that the next one replaces ("delete it. wait, make it private instead")."""
    kept = list(found)
    for at in range(len(parts) - 1):
        after = parts[at + 1].low
        named = any(span.how not in ("pronoun", "focus") for span in parts[at + 1].of("repo", "user", "org", "ident"))
        if found[at + 1][1] and (follow("corrects").match(after) or (follow("instead").search(after) and not named)):
            kept[at] = (NOTHING, [])
    return kept


def _place(parts: Sequence[Document]) -> str | None:
    """The organisation of a later clause, where the first one speaks of people and names no place."""
    first = parts[0].of("user", "repo", "org", "repo_ref", "ident")
    places = {str(span.value) for part in parts[1:] for span in part.of("org", "repo", "repo_ref")}
    orgs = {str(span.value) for part in parts[1:] for span in part.of("org")}
    return orgs.pop() if len(places) == 1 and orgs and first and all(span.type == "user" for span in first) else None


_OF_PEOPLE = ("set_user_status", "reset_password", "get_user")


def _after(
    turn: Turn, doc: Document, scores: list[tuple[str, float]], focus: Focus, before: Step | None
) -> tuple[Document, list[tuple[str, float]]]:
    """A clause that leaves out its object goes on with the object of the clause before it."""
    if before is None:
        return elliptic(turn, doc, scores, focus, clause=True)
    in_org = bool(before.args.get("org")) or before.tool == "create_org"
    if in_org and doc.of("user", "ident") and not doc.of("repo", "repo_ref", "org", "token", "ssh_key"):
        if scores[0][0] in _OF_PEOPLE and scores[0][1] >= 0.8:
            return doc, scores
        full = about(turn, doc, focus, "org")
        better = turn.scored([full])[0]
        return (full, better) if better[0][0] in turn.tools and better[0][1] >= WRITE_AT else (doc, scores)
    if before.tool == "create_collection" and doc.of("repo") and not doc.of("collection"):
        full = about(turn, doc, focus, "collection")
        better = turn.scored([full])[0]
        if better[0][0] == "add_to_collection" and better[0][1] >= WRITE_AT:
            return full, better
    made = bool(before.args.get("repo")) or before.tool == "create_repo"
    return elliptic(turn, doc, scores, focus, clause=True, made=made)


def torn(found: Clauses) -> int | None:
    """The first of two neighbours that are halves of one call: the same tool, and what one lacks the other has."""
    for at in range(len(found) - 1):
        (one, ones), (two, twos) = found[at], found[at + 1]
        if one[0] != two[0] or len(ones) != 1 or len(twos) != 1:
            continue
        a, b = ones[0], twos[0]
        if (a.missing or b.missing) and all(a.args[name] == b.args[name] for name in a.args.keys() & b.args.keys()):
            return at
    return None


def without_reasons(parts: Sequence[Document], found: Clauses) -> Clauses:
    """The clauses without those that only tell why ("he has left, take him out"): half an order, and the next one says what to do."""
    kept = []
    for at, (part, clause) in enumerate(zip(parts, found, strict=True)):
        after = parts[at + 1] if at + 1 < len(parts) else None
        points = after is not None and any(
            talk(topic, after.language).search(after.low) for topic in ("pronoun_user", "pronoun_repo", "pronoun_org")
        )
        half = any(step.missing for step in clause[1]) and at + 1 < len(found) and not any(step.missing for step in found[at + 1][1])
        if not (half and points and part.spans):
            kept.append(clause)
    return kept


def from_the_rest(step: Step, doc: Document) -> Step:
    """A step with the organisation or repo that only another clause names ("raise carol to write, and take bob out of acme")."""
    args, missing = dict(step.args), list(step.missing)
    for name in ("org", "repo"):
        values = {str(span.entities[0].value) for span in doc.of(name) if len(span.entities) == 1}
        if name in missing and len(values) == 1 and name not in step.choices:
            args[name] = values.pop()
            missing.remove(name)
    return replace(step, args=args, missing=tuple(missing))


def reresolved(turn: Turn, part: Document, focus: Focus) -> Document:
    """A clause with its pronouns resolved against what came before it."""
    kept = [span for span in part.spans if span.how != "pronoun"]
    doc = Document(part.text, part.low, kept, list(part.weak), part.language)
    resolve(doc, focus, turn.index, turn.world.username)
    return doc


def carry(focus: Focus, steps: Sequence[Step], me: str = "") -> Focus:
    """The focus for the next clause: what the last one made or used."""
    after = mentioned(focus, steps)
    last = steps[-1] if steps else None
    if last is not None and last.tool:
        after = replace(after, tool=last.tool, args=dict(last.args), listed=[], pending=None)
    if last is not None and last.tool == "create_repo" and last.args.get("name"):
        after = replace(after, repo=str(last.args["name"]), branch=None, path=None, revision=None, git_tag=None)
    if last is not None and last.tool == "fork_repo" and last.args.get("repo") and me:
        name, to = str(last.args["repo"]).rpartition("/")[2], str(last.args.get("to") or "")
        after = replace(after, repo=to if "/" in to else f"{me}/{to or name}")
    if last is not None and last.tool == "create_org" and last.args.get("name"):
        after = replace(after, org=str(last.args["name"]))
    if last is not None and last.tool == "create_collection" and last.args.get("title"):
        after = replace(after, collection=str(last.args["title"]))
    if last is not None and last.tool == "create_user" and last.args.get("username"):
        after = replace(after, user=str(last.args["username"]))
    if last is not None and last.tool == "move_repo" and last.args.get("new_name") and last.args.get("repo"):
        new = str(last.args["new_name"])
        after = replace(after, repo=new if "/" in new else f"{str(last.args['repo']).partition('/')[0]}/{new}")
    return after


def mentioned(focus: Focus, steps: Sequence[Step]) -> Focus:
    """The focus with what the steps name."""
    after = replace(focus)
    for step in steps:
        args = step.args
        for name, attribute in (
            ("repo", "repo"),
            ("username", "user"),
            ("actor", "user"),
            ("org", "org"),
            ("branch", "branch"),
            ("path", "path"),
            ("revision", "revision"),
            ("tag", "git_tag"),
            ("collection", "collection"),
        ):
            if args.get(name):
                setattr(after, attribute, str(args[name]))
        if isinstance(args.get("number"), int):
            after.discussion = args["number"]
        if args.get("repo") and str(args["repo"]) != focus.repo:
            after.branch = str(args["branch"]) if args.get("branch") else None
            after.path = str(args["path"]) if args.get("path") else None
            after.revision = str(args["revision"]) if args.get("revision") else None
            after.git_tag = str(args["tag"]) if args.get("tag") else None
            after.discussion = args["number"] if isinstance(args.get("number"), int) else None
    return after
