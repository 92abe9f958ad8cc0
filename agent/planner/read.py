"""A message as tool calls: link, resolve, split, classify, fill, and ask rather than guess."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.language import detect_language
from agent.planner import classify as classifier
from agent.planner import questions
from agent.planner.answers import Context, answer, completed, is_answer, padding_left, without_values
from agent.planner.clauses import (
    NOTHING,
    Clauses,
    about,
    carry,
    elliptic,
    from_the_rest,
    in_turn,
    mentioned,
    reresolved,
    torn,
    without_reasons,
)
from agent.planner.document import Document
from agent.planner.encoder import encoder
from agent.planner.followup import gives_up, nameless, refine, repeat, set_again, takes_back, takes_out
from agent.planner.lexicon import follow
from agent.planner.linker import Index, index_of
from agent.planner.normalise import as_written, fold, in_katakana, in_simplified, mend, plain_endings
from agent.planner.polarity import asked_sentence, ban, order_of, polarity
from agent.planner.spans import Lexis
from agent.planner.split import boundaries, split, whole
from agent.planner.turn import DESTRUCTIVE_AT, READ_AT, WRITE_AT, Turn
from agent.planner.types import PSEUDO_TOOLS, Focus, Question, Reading, Step, ToolSpec, World


def warm_up() -> None:
    """Load the encoder and the head; call it in a background thread at start."""
    encoder()
    classifier.head()
    questions.warm_up()


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
    folded = _mended(in_simplified(in_katakana(fold(text))), index, lexis, language)
    if not re.search(r"\w", folded):
        return _pseudo("small_talk" if folded else "out_of_scope", turn, ())
    doc = turn.document(folded, focus)
    if (better := _as_meant(doc)) is not None:
        doc = turn.document(better, focus)
    doc, scores = _as_name(turn, doc)
    reading = _after_question(turn, doc, scores) or _special(turn, doc, scores) or _orders(turn, doc, scores)
    return _verbatim(questions.refine(reading, plain_endings(text), doc, world, tools, focus.repo), text, tools)


def _as_name(turn: Turn, doc: Document) -> tuple[Document, list[tuple[str, float]]]:
    """The message with its scores. An ordinary word that a deployment is called too ("scale answers to 3") is its name where that makes more sense."""
    named = [span for span in doc.weak if span.type == "deployment"]
    if not named or doc.of("repo", "repo_ref", "deployment"):
        return doc, turn.scored([doc])[0]
    other = replace(doc, spans=list(doc.spans), weak=[span for span in doc.weak if span not in named])
    for span in named:
        other.add(replace(span, weak=False))
    plain, better = turn.scored([doc, other])
    tool = turn.tools.get(better[0][0])
    sure = tool is not None and tool.takes("deployment") and better[0][1] >= min(DESTRUCTIVE_AT, plain[0][1])
    return (other, better) if sure else (doc, plain)


_NAMES = ("repo", "repo_ref", "ident", "user", "org", "path", "branch", "git_tag")


def _as_meant(doc: Document) -> str | None:
    """The text without a name that is taken back in the same breath ("trian… sorry, train"), where an order is left."""
    for one, two in itertools.pairwise(span for span in doc.spans if span.type in _NAMES):
        gap = follow("misnamed").fullmatch(doc.low[one.end : two.start])
        if gap is None or doc.of("text"):
            continue
        rest = doc.cut(0, one.start).text + " " + doc.cut(two.end, len(doc.text)).text
        if len(padding_left(Document(rest, rest.lower(), [], [], doc.language))) > 3:
            return doc.text[: one.start] + doc.text[two.start :]
    return None


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
    if gives_up(doc) and without_values(doc, question, ctx).low == doc.low:
        return Reading("forbidden", (), (), turn.focus.language, turn.focus)
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
    if out := takes_out(doc, ctx):
        return _acts(turn, [out], ((out.tool, 0.9),))
    if again := set_again(doc, ctx):
        return _acts(turn, again, ((again[0].tool, 0.9),))
    if (unnamed := nameless(doc, ctx)) is not None:
        return _acts(turn, [unnamed], ((unnamed.tool, 0.9),))
    if takes_back(doc, ctx) and turn.focus.tool in ("show_commit", "list_commits") and turn.focus.repo and turn.focus.revision:
        step = Step("revert_commit", {"repo": turn.focus.repo, "revision": turn.focus.revision}, confidence=0.9)
        return _acts(turn, [step], (("revert_commit", 0.9),))
    if "undo" in turn.tools and takes_back(doc, ctx):
        return _acts(turn, [Step("undo", {}, confidence=0.9)], (("undo", 0.9),))
    if gives_up(doc):
        return Reading("forbidden", (), (), turn.focus.language, turn.focus)
    if again := repeat(doc, ctx, scores[0]):
        return _acts(turn, again, ((again[0].tool, 0.9),))
    return _bare(turn, doc)


def _preview(turn: Turn, doc: Document) -> Reading:
    """What an act would do: the likeliest act of the question's order."""
    doc = asked_sentence(doc)
    scores = turn.scored([order_of(doc)])[0]
    acts = [(name, p) for name, p in scores if name in turn.tools and turn.tools[name].effect != "read"]
    if not acts or acts[0][1] < 0.15:
        return _orders(turn, doc, turn.scored([doc])[0], plain=True)
    steps = [replace(step, confidence=acts[0][1]) for step in turn.steps(order_of(doc), acts[0][0], turn.focus)]
    if any(step.missing or step.choices for step in steps):
        return _acts(turn, steps, tuple(acts[:3]))
    return Reading("preview", tuple(steps), tuple(acts[:3]), turn.focus.language, mentioned(turn.focus, steps))


def _forbidden(turn: Turn, doc: Document) -> Reading:
    """A ban: nothing is done, except what another clause asks for instead."""
    span = ban(doc)
    if span is not None:
        before = max((m.end() for m in re.finditer(r"[,;.!。、]|\sbut\s", doc.masked[: span[0]])), default=0)
        before = max(before, *(end for start, end, _ in boundaries(doc) if end <= span[0]), 0)
        focus = carry(turn.focus, [Step("", _objects(doc))])
        steps: list[Step] = []
        for rest in (doc.cut(0, before), doc.cut(span[1], len(doc.text))):
            if len(padding_left(rest)) < 2 or ban(rest):
                continue
            again = reresolved(turn, rest, focus)
            again = again if again.spans or not focus.repo else about(turn, again, focus)
            again, scores = elliptic(turn, again, turn.scored([again])[0], focus)
            if (
                scores[0][0] in turn.tools
                and scores[0][1] >= 0.6
                and (rest.spans or not scores[0][0].startswith(("delete_", "remove_", "revoke_")))
            ):
                found = turn.steps(again, scores[0][0], focus)
                if not any(step.missing for step in found):
                    steps.extend(replace(step, confidence=scores[0][1]) for step in found)
                    focus = carry(focus, found)
        if steps:
            return _acts(turn, steps, ((steps[0].tool, steps[0].confidence),))
    return Reading("forbidden", (), (), turn.focus.language, mentioned(turn.focus, [Step("", _objects(doc))]))


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


def _orders(turn: Turn, doc: Document, scores: list[tuple[str, float]], *, plain: bool = False) -> Reading:
    """One or several orders."""

    def judge(parts: Sequence[Document]) -> list[tuple[str, float]]:
        return [best for best, _ in in_turn(turn, parts)]

    ranges = [(0, len(doc.text))] if plain else whole(doc, split(doc, scores[0], judge, turn.tools), judge, turn.tools)
    while len(ranges) > 1:
        found = in_turn(turn, [doc.cut(start, end) for start, end in ranges])
        if any((tool not in turn.tools or p < READ_AT) and (tool, p) != NOTHING for (tool, p), _ in found):
            return _order(turn, doc, scores)
        if not any(steps for _, steps in found):
            break
        again = torn(found)
        if again is None:
            parts = [doc.cut(start, end) for start, end in ranges]
            return _together(turn, doc, scores, without_reasons(parts, found))
        # Two halves of one order ("name it x" and "the key is y"): read them as one.
        ranges[again : again + 2] = [(ranges[again][0], ranges[again + 1][1])]
    return _order(turn, *elliptic(turn, doc, scores, turn.focus))


def _together(turn: Turn, doc: Document, scores: list[tuple[str, float]], found: Clauses) -> Reading:
    """The steps of all clauses, once each; a question when one of them is unsure."""
    steps: list[Step] = []
    for _, more in found:
        more = [from_the_rest(step, doc) for step in more]
        steps.extend(step for step in more if all(step.tool != old.tool or step.args != old.args for old in steps))
    if len(steps) > 1 and any(_unsure(turn, step) for step in steps):
        return _choose(turn, doc, scores[:3])
    return _acts(turn, steps, tuple(sure for sure, _ in found if sure != NOTHING))


def _order(turn: Turn, doc: Document, scores: list[tuple[str, float]]) -> Reading:
    """One order: the likeliest tool whose arguments can be filled."""
    tool, p = scores[0]
    if tool in PSEUDO_TOOLS:
        return _beside_the_point(turn, doc, scores)
    options: list[tuple[float, str, list[Step]]] = []
    for name, odds in scores[:4]:
        if name in turn.tools:
            steps = turn.steps(doc, name, turn.focus)
            options.append((odds * _weight(turn.tools[name], steps[0]), name, steps))
    if not options:
        return _beside_the_point(turn, doc, scores)
    options.sort(key=lambda item: -item[0])
    _, name, steps = options[0]
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
        odds_of = dict(scores)
        return _choose(turn, doc, [(name, odds_of[name]) for _, name, _ in options[:3]])
    return _acts(turn, steps, tuple(scores[:3]))


def _weight(spec: ToolSpec, step: Step) -> float:
    """How much a tool loses by what a message leaves out: more for a choice, whose words are the very verbs of such an order."""
    slots = [spec.slot(name) for name in step.missing]
    choices = sum(slot is not None and slot.type == "choice" for slot in slots)
    return float(0.4**choices * 0.7 ** min(2, len(slots) - choices))


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
    focus = replace(mentioned(turn.focus, [Step("", _objects(doc))]), question=question)
    return Reading("choose_tool", steps, real, turn.focus.language, focus)


def _acts(turn: Turn, steps: Sequence[Step], candidates: tuple[tuple[str, float], ...]) -> Reading:
    """The steps, or a question when the first incomplete one lacks something."""
    focus = mentioned(turn.focus, steps)
    open_ = next((step for step in steps if step.missing or step.choices), None)
    if open_ is None:
        return Reading("act", tuple(steps), candidates, focus.language, replace(focus, question=None))
    question = Question(open_.tool, dict(open_.args), list(dict.fromkeys([*open_.missing, *open_.choices])), dict(open_.choices))
    ordered = (open_, *(step for step in steps if step is not open_))
    return Reading("ask", ordered, candidates, focus.language, replace(focus, question=question))
