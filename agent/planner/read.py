"""A message as tool calls: link, resolve, split, classify, fill, and ask rather than guess."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.language import detect_language
from agent.planner import classify as classifier
from agent.planner import questions
from agent.planner.answers import completed, nameless, set_again, whole
from agent.planner.document import Document, Span
from agent.planner.encoder import encoder
from agent.planner.followup import Context, answer, is_answer, padding_left, refine, repeat, takes_back
from agent.planner.lexicon import cue, talk
from agent.planner.linker import Index, index_of
from agent.planner.mentions import resolve
from agent.planner.normalise import as_written, fold, in_katakana, mend
from agent.planner.polarity import LEFT_ALONE, ban, order_of, polarity
from agent.planner.spans import Lexis
from agent.planner.split import boundaries, split
from agent.planner.turn import DESTRUCTIVE_AT, READ_AT, WRITE_AT, Turn
from agent.planner.types import PSEUDO_TOOLS, Entity, EntityType, Focus, Question, Reading, Step, ToolSpec, World


def warm_up() -> None:
    """Load the encoder and the head; call it in a background thread at start."""
    encoder()
    classifier.head()


def read(text: str, world: World, focus: Focus, tools: Mapping[str, ToolSpec], now: dt.datetime | None = None) -> Reading:
    """How a message is understood. Never raises on any text; loads the head and the encoder on first use.

    The reading's focus carries the mentions, the language and the question that is now open (`focus.question`);
    the caller keeps it, and adds `tool`, `args`, `listed` and `pending` after running the steps.
    """
    language = detect_language(text, focus.language)
    focus = replace(focus, language=language)
    index = index_of(world.entities())
    lexis = Lexis(classifier.head().vocabulary)
    turn = Turn(text, world, focus, tools, index, lexis, now)
    folded = _mended(in_katakana(fold(text)), index, lexis, language)
    if not re.search(r"\w", folded):
        return _pseudo("small_talk" if folded else "out_of_scope", turn, ())
    doc = turn.document(folded, focus)
    scores = turn.scored([doc])[0]
    reading = _after_question(turn, doc, scores) or _special(turn, doc, scores) or _orders(turn, doc, scores)
    return _verbatim(questions.refine(reading, text, doc, world, tools), text, tools)


def _verbatim(reading: Reading, text: str, tools: Mapping[str, ToolSpec]) -> Reading:
    """Free text (contents of files, descriptions) as the person wrote it, not as it was folded for reading."""

    def restored(tool: str, args: Mapping[str, Any]) -> dict[str, Any]:
        free = {slot.name for slot in tools[tool].slots if slot.type == "text"} if tool in tools else set()
        return {name: as_written(value, text) if name in free and isinstance(value, str) else value for name, value in args.items()}

    steps = tuple(replace(step, args=restored(step.tool, step.args)) for step in reading.steps)
    question = reading.focus.question
    if question is not None and question.tool is not None:
        question = replace(question, args=restored(question.tool, question.args))
    return replace(reading, steps=steps, focus=replace(reading.focus, question=question))


def _mended(text: str, index: Index, lexis: Lexis, language: str) -> str:
    """The text with mistyped English words put right; names and quoted text are left."""
    if language != "en" and not re.fullmatch(r"[\x00-\x7f]+", text):
        return text

    def known(word: str) -> bool:
        return bool(index.exact(word)) or lexis.is_word(word) or bool(index.fuzzy(word))

    quoted = [
        m.span()
        for m in re.finditer(
            r"`[^`]*`|\"[^\"]*\"|:\s.*$|\b(?:saying|says|reads|reading|containing|description (?:to|as))\s.*$", text, re.DOTALL
        )
    ]
    for start, end, word in reversed(mend(text, lexis.vocabulary, known)):
        if not any(a <= start < b for a, b in quoted):
            text = text[:start] + word + text[end:]
    return text


def _after_question(turn: Turn, doc: Document, scores: list[tuple[str, float]]) -> Reading | None:
    """The message as the answer to the open question; the question is dropped when it is not."""
    question = turn.focus.question
    if question is None:
        return None
    ctx = Context(turn.world, turn.focus, turn.index, turn.lexis, turn.tools)
    result = answer(doc, question, ctx)
    turn.focus = replace(turn.focus, question=None)
    if isinstance(result, str):
        original = turn.document(fold(str(question.args.get("text", ""))), turn.focus)
        return _acts(turn, turn.steps(original, result, turn.focus), ((result, 1.0),)) if result in turn.tools else None
    if question.tool is None and (said := str(question.args.get("text", ""))):
        original = turn.document(fold(said), turn.focus)
        drafts = [turn.steps(original, name, turn.focus)[0] for name in question.choices.get("tool", []) if name in turn.tools]
        if done := completed(doc, drafts, ctx):
            return _acts(turn, done, ((done[0].tool, 1.0),))
    if result and is_answer(doc, question, ctx, scores[0], has_value=True):
        return _acts(turn, result, ((result[0].tool, 1.0),))
    return None


def _special(turn: Turn, doc: Document, scores: list[tuple[str, float]]) -> Reading | None:
    """Readings that come before splitting: polarity, repeats, a bare name."""
    kind = polarity(doc)
    if kind == "hypothetical":
        return _preview(turn, doc)
    if kind == "reported":
        reads = [(name, p) for name, p in scores if name in turn.tools and turn.tools[name].effect == "read"]
        return _choose(turn, doc, (reads or scores)[:3])
    if kind == "forbidden":
        return _forbidden(turn, doc)
    ctx = Context(turn.world, turn.focus, turn.index, turn.lexis, turn.tools)
    if again := set_again(doc, ctx):
        return _acts(turn, again, ((again[0].tool, 0.9),))
    if (unnamed := nameless(doc, ctx)) is not None:
        return _acts(turn, [unnamed], ((unnamed.tool, 0.9),))
    if takes_back(doc, ctx) and turn.focus.tool in ("show_commit", "list_commits") and turn.focus.repo and turn.focus.revision:
        step = Step("revert_commit", {"repo": turn.focus.repo, "revision": turn.focus.revision}, confidence=0.9)
        return _acts(turn, [step], (("revert_commit", 0.9),))
    if "undo" in turn.tools and takes_back(doc, ctx):
        return _acts(turn, [Step("undo", {}, confidence=0.9)], (("undo", 0.9),))
    if again := repeat(doc, ctx):
        return _acts(turn, again, ((again[0].tool, 0.9),))
    return _bare(turn, doc)


def _preview(turn: Turn, doc: Document) -> Reading:
    """What an act would do: the likeliest act of the question's order."""
    scores = turn.scored([order_of(doc)])[0]
    acts = [(name, p) for name, p in scores if name in turn.tools and turn.tools[name].effect != "read"]
    if not acts or acts[0][1] < 0.15:
        return _orders(turn, doc, turn.scored([doc])[0], plain=True)
    steps = [replace(step, confidence=acts[0][1]) for step in turn.steps(order_of(doc), acts[0][0], turn.focus)]
    if any(step.missing or step.choices for step in steps):
        return _acts(turn, steps, tuple(acts[:3]))
    return Reading("preview", tuple(steps), tuple(acts[:3]), turn.focus.language, _mentioned(turn.focus, steps))


def _forbidden(turn: Turn, doc: Document) -> Reading:
    """A ban: nothing is done, except what another clause asks for instead."""
    span = ban(doc)
    if span is not None:
        before = max((m.end() for m in re.finditer(r"[,;.!。、]|\sbut\s", doc.masked[: span[0]])), default=0)
        before = max(before, *(end for start, end, _ in boundaries(doc) if end <= span[0]), 0)
        focus = _carry(turn.focus, [Step("", _objects(doc))])
        steps: list[Step] = []
        for rest in (doc.cut(0, before), doc.cut(span[1], len(doc.text))):
            if len(padding_left(rest)) < 2 or ban(rest):
                continue
            again = _reresolved(turn, rest, focus)
            again = again if again.spans or not focus.repo else _about(turn, again, focus)
            again, scores = _elliptic(turn, again, turn.scored([again])[0], focus)
            if scores[0][0] in turn.tools and scores[0][1] >= 0.6:
                found = turn.steps(again, scores[0][0], focus)
                if not any(step.missing for step in found):
                    steps.extend(replace(step, confidence=scores[0][1]) for step in found)
                    focus = _carry(focus, found)
        if steps:
            return _acts(turn, steps, ((steps[0].tool, steps[0].confidence),))
    return Reading("forbidden", (), (), turn.focus.language, _mentioned(turn.focus, [Step("", _objects(doc))]))


def _objects(doc: Document) -> dict[str, object]:
    """The linked things of a message as arguments."""
    named = {"repo": "repo", "user": "username", "org": "org"}
    return {named[s.type]: s.entities[0].value for s in reversed(doc.spans) if s.type in named and s.entities}


def _bare(turn: Turn, doc: Document) -> Reading | None:
    """Nothing but a name: show it."""
    named = [span for span in doc.spans if span.type in ("repo", "user", "org") and span.linked]
    if len(named) != 1 or len(doc.spans) != 1 or re.sub(r"[\W_]+", "", doc.masked.replace("\x1f", "")):
        return None
    tool = {"repo": "get_repo", "user": "get_user", "org": "get_org"}[named[0].type]
    return _acts(turn, turn.steps(doc, tool, turn.focus), ((tool, 0.9),)) if tool in turn.tools else None


def _about(turn: Turn, doc: Document, focus: Focus, type_: EntityType = "repo") -> Document:
    """The message with the thread's repo (or organisation) put in front, as people who leave it out mean it (`削除して`, `지워줘`)."""
    value = str((focus.repo if type_ == "repo" else focus.org) or "")
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


def _elliptic(
    turn: Turn, doc: Document, scores: list[tuple[str, float]], focus: Focus, *, clause: bool = False, made: bool = False
) -> tuple[Document, list[tuple[str, float]]]:
    """A message without an object, read as being about the thread's repo where that makes more sense.

    After a clause that `made` a repo, people and unknown names are no object of their own either.
    """
    other = ("repo", "repo_ref", "org", "token", "ssh_key", "sql", *(() if made else ("user", "ident")))
    if focus.org and not doc.spans and scores[0][0] == "list_users" and cue("member_noun").search(doc.low):
        return doc, [("get_org", scores[0][1]), *scores]
    if not focus.repo or any(span.type in other for span in doc.spans) or doc.weak:
        return doc, scores
    tool, p = scores[0]
    if (p >= 0.9 and (tool in _ABOUT_THE_THREAD or (tool in PSEUDO_TOOLS and not clause))) or len(doc.text) > 60:
        return doc, scores
    full = _about(turn, doc, focus)
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


def _orders(turn: Turn, doc: Document, scores: list[tuple[str, float]], *, plain: bool = False) -> Reading:
    """One or several orders."""

    def judge(parts: Sequence[Document]) -> list[tuple[str, float]]:
        return [best for best, _ in _in_turn(turn, parts)]

    def is_read(tool: str) -> bool:
        return tool in turn.tools and turn.tools[tool].effect == "read"

    ranges = [(0, len(doc.text))] if plain else whole(doc, split(doc, scores[0], judge, is_read))
    while len(ranges) > 1:
        found = _in_turn(turn, [doc.cut(start, end) for start, end in ranges])
        if any((tool not in turn.tools or p < READ_AT) and (tool, p) != _NOTHING for (tool, p), _ in found):
            return _order(turn, doc, scores)
        if not any(steps for _, steps in found):
            break
        again = _torn(found)
        if again is None:
            parts = [doc.cut(start, end) for start, end in ranges]
            return _together(turn, doc, scores, _without_reasons(parts, found))
        # Two halves of one order ("name it x" and "the key is y"): read them as one.
        ranges[again : again + 2] = [(ranges[again][0], ranges[again + 1][1])]
    return _order(turn, *_elliptic(turn, doc, scores, turn.focus))


_NOTHING = ("nothing", 1.0)
_Clauses = list[tuple[tuple[str, float], list[Step]]]


def _in_turn(turn: Turn, parts: Sequence[Document]) -> _Clauses:
    """The tool and the steps of each clause, each read after what the ones before it made or used."""
    focus = turn.focus
    found: _Clauses = []
    before: Step | None = None
    for part in parts:
        if LEFT_ALONE.search(part.masked):
            # "leave X as it is": named to say that nothing happens to it.
            found.append((_NOTHING, []))
            continue
        if before is not None and before.tool == "fork_repo" and _ORIGINAL.search(part.low):
            focus = replace(focus, repo=str(before.args.get("repo") or focus.repo))
        again = _reresolved(turn, part, focus)
        again, ranked = _after(turn, again, turn.scored([again])[0], focus, before)
        tool, p = ranked[0]
        steps = [replace(step, confidence=p) for step in turn.steps(again, tool, focus)] if tool in turn.tools else []
        found.append(((tool, p), steps))
        focus = _carry(focus, steps, turn.world.username)
        before = steps[-1] if steps else before
    return found


_ORIGINAL = re.compile(r"\boriginal\b|原来的|原版|原仓库|元の|オリジナル|원본|원래")
_OF_PEOPLE = ("set_user_status", "reset_password", "get_user")


def _after(
    turn: Turn, doc: Document, scores: list[tuple[str, float]], focus: Focus, before: Step | None
) -> tuple[Document, list[tuple[str, float]]]:
    """A clause that leaves out its object goes on with the object of the clause before it."""
    if before is None:
        return _elliptic(turn, doc, scores, focus, clause=True)
    in_org = bool(before.args.get("org")) or before.tool == "create_org"
    if in_org and doc.of("user", "ident") and not doc.of("repo", "repo_ref", "org", "token", "ssh_key"):
        if scores[0][0] in _OF_PEOPLE and scores[0][1] >= 0.8:
            return doc, scores
        full = _about(turn, doc, focus, "org")
        better = turn.scored([full])[0]
        return (full, better) if better[0][0] in turn.tools and better[0][1] >= WRITE_AT else (doc, scores)
    made = bool(before.args.get("repo")) or before.tool == "create_repo"
    return _elliptic(turn, doc, scores, focus, clause=True, made=made)


def _torn(found: _Clauses) -> int | None:
    """The first of two neighbours that are halves of one call: the same tool, and what one lacks the other has."""
    for at in range(len(found) - 1):
        (one, ones), (two, twos) = found[at], found[at + 1]
        if one[0] != two[0] or len(ones) != 1 or len(twos) != 1:
            continue
        a, b = ones[0], twos[0]
        if (a.missing or b.missing) and all(a.args[name] == b.args[name] for name in a.args.keys() & b.args.keys()):
            return at
    return None


def _without_reasons(parts: Sequence[Document], found: _Clauses) -> _Clauses:
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


def _together(turn: Turn, doc: Document, scores: list[tuple[str, float]], found: _Clauses) -> Reading:
    """The steps of all clauses, once each; a question when one of them is unsure."""
    steps: list[Step] = []
    for _, more in found:
        steps.extend(step for step in more if all(step.tool != old.tool or step.args != old.args for old in steps))
    if len(steps) > 1 and any(_unsure(turn, step) for step in steps):
        return _choose(turn, doc, scores[:3])
    return _acts(turn, steps, tuple(sure for sure, _ in found if sure != _NOTHING))


def _reresolved(turn: Turn, part: Document, focus: Focus) -> Document:
    """A clause with its pronouns resolved against what came before it."""
    kept = [span for span in part.spans if span.how != "pronoun"]
    doc = Document(part.text, part.low, kept, list(part.weak), part.language)
    resolve(doc, focus, turn.index)
    return doc


def _carry(focus: Focus, steps: Sequence[Step], me: str = "") -> Focus:
    """The focus for the next clause: what the last one made or used."""
    after = _mentioned(focus, steps)
    last = steps[-1] if steps else None
    if last is not None and last.tool == "create_repo" and last.args.get("name"):
        after = replace(after, repo=str(last.args["name"]))
    if last is not None and last.tool == "fork_repo" and last.args.get("repo") and me:
        name, to = str(last.args["repo"]).rpartition("/")[2], str(last.args.get("to") or "")
        after = replace(after, repo=to if "/" in to else f"{me}/{to or name}")
    if last is not None and last.tool == "create_org" and last.args.get("name"):
        after = replace(after, org=str(last.args["name"]))
    if last is not None and last.tool == "create_user" and last.args.get("username"):
        after = replace(after, user=str(last.args["username"]))
    if last is not None and last.tool == "move_repo" and last.args.get("new_name") and last.args.get("repo"):
        new = str(last.args["new_name"])
        after = replace(after, repo=new if "/" in new else f"{str(last.args['repo']).partition('/')[0]}/{new}")
    return after


def _order(turn: Turn, doc: Document, scores: list[tuple[str, float]]) -> Reading:
    """One order: the likeliest tool whose arguments can be filled."""
    tool, p = scores[0]
    if tool in PSEUDO_TOOLS:
        return _beside_the_point(turn, doc, scores)
    options: list[tuple[float, str, list[Step]]] = []
    for name, odds in scores[:4]:
        if name in turn.tools:
            steps = turn.steps(doc, name, turn.focus)
            options.append((odds * 0.7 ** min(2, len(steps[0].missing)), name, steps))
    if not options:
        return _beside_the_point(turn, doc, scores)
    _, name, steps = max(options, key=lambda item: item[0])
    p = next(odds for tool_, odds in scores if tool_ == name)
    rival = max((odds for tool_, odds in scores if tool_ != name), default=0.0)
    if p >= 0.35 and p >= 4 * rival and doc.spans:
        p = max(p, DESTRUCTIVE_AT + 0.1)  # nothing else comes near
    steps = [replace(step, confidence=p) for step in steps]
    ctx = Context(turn.world, turn.focus, turn.index, turn.lexis, turn.tools)
    steps = [refine(doc, step, ctx) for step in steps]
    if any(_unsure(turn, step, asked="?" in doc.text and not _POLITE.search(doc.low)) for step in steps):
        if scores[0][0] in turn.tools and not doc.spans and p < READ_AT and padding_left(doc) == "":
            return _pseudo("out_of_scope", turn, tuple(scores[:3]))
        return _choose(turn, doc, scores[:3])
    return _acts(turn, steps, tuple(scores[:3]))


# A request put as a question.
_POLITE = re.compile(
    r"\b(?:can|could|would|will) you\b|\bplease\b|\bpls\b|帮我|帮忙|麻烦|请(?!问)|(?:て|で)(?:くれ|もら|ほし|ちょうだい|頂け|いただけ)|ください|お願い|(?:줄래|줄 ?수|주실|주라|주세|줘(?![도야서]))"
)


def _unsure(turn: Turn, step: Step, *, asked: bool = False) -> bool:
    """Too little confidence to act; a question needs more of it before it is taken for an order."""
    effect = turn.tools[step.tool].effect
    least = {"read": READ_AT, "write": WRITE_AT}.get(effect, DESTRUCTIVE_AT)
    return step.confidence < least + (0.15 if asked and effect != "read" else 0.0)


def _beside_the_point(turn: Turn, doc: Document, scores: list[tuple[str, float]]) -> Reading:
    """Small talk and what the hub cannot do; an unsure one that names something of the hub asks instead."""
    tool, p = scores[0]
    real = [(name, odds) for name, odds in scores if name in turn.tools]
    if p < 0.5 and real and any(span.linked for span in doc.spans):
        return _choose(turn, doc, real[:3])
    return _pseudo(tool, turn, tuple(scores[:3]))


def _pseudo(kind: str, turn: Turn, candidates: tuple[tuple[str, float], ...]) -> Reading:
    kind_ = "small_talk" if kind == "small_talk" else "not_available" if kind == "not_available" else "out_of_scope"
    return Reading(kind_, (), candidates, turn.focus.language, turn.focus)  # type: ignore[arg-type]


def _choose(turn: Turn, doc: Document, candidates: Sequence[tuple[str, float]]) -> Reading:
    """Ask which of the likeliest tools is meant."""
    real = tuple((name, p) for name, p in candidates if name in turn.tools)
    if not real:
        return _pseudo("out_of_scope", turn, tuple(candidates))
    steps = tuple(turn.steps(doc, name, turn.focus)[0] for name, _ in real)
    likely = real[0][1] >= 0.35 and all(real[0][1] >= 1.8 * p for _, p in real[1:])
    if likely and steps[0].choices.get("repo"):
        # Which repo is asked anyway; the answer settles what was meant, too.
        return _acts(turn, steps[:1], real)
    question = Question(None, {"text": doc.text}, [], {"tool": [name for name, _ in real]})
    focus = replace(_mentioned(turn.focus, [Step("", _objects(doc))]), question=question)
    return Reading("choose_tool", steps, real, turn.focus.language, focus)


def _acts(turn: Turn, steps: Sequence[Step], candidates: tuple[tuple[str, float], ...]) -> Reading:
    """The steps, or a question when the first incomplete one lacks something."""
    focus = _mentioned(turn.focus, steps)
    open_ = next((step for step in steps if step.missing or step.choices), None)
    if open_ is None:
        return Reading("act", tuple(steps), candidates, focus.language, replace(focus, question=None))
    question = Question(open_.tool, dict(open_.args), list(dict.fromkeys([*open_.missing, *open_.choices])), dict(open_.choices))
    ordered = (open_, *(step for step in steps if step is not open_))
    return Reading("ask", ordered, candidates, focus.language, replace(focus, question=question))


def _mentioned(focus: Focus, steps: Sequence[Step]) -> Focus:
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
        ):
            if args.get(name):
                setattr(after, attribute, str(args[name]))
        if args.get("repo") and str(args["repo"]) != focus.repo:
            after.branch = str(args["branch"]) if args.get("branch") else None
            after.path = str(args["path"]) if args.get("path") else None
            after.revision = str(args["revision"]) if args.get("revision") else None
    return after
