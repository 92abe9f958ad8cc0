"""Questions over a dataset in plain language as one SELECT, without a language model.

Columns, known values, numbers and the words of counting and comparing are found in the text; only when they account for
all of it and fit together is there a query. Otherwise there is none, and the person is asked or shown the table instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.planner.document import Document
from agent.planner.lexicon import bounded, cue
from agent.planner.linker import index_of
from agent.planner.normalise import fold
from agent.planner.patterns import SQL_HEAD
from agent.planner.question_columns import ColumnInfo, KnowsColumns
from agent.planner.question_filters import Marks, Unsure
from agent.planner.question_marks import ASKING, Mark, concepts_of, find_marks, likely_marks, table_nouns
from agent.planner.question_patterns import HOLE, without_source
from agent.planner.question_shape import Shape
from agent.planner.types import Focus, Question, Reading, Step, ToolSpec, World

__all__ = ["ColumnInfo", "KnowsColumns", "refine", "to_sql", "warm_up"]

MAX_QUESTION = 400
# A reading as sure as this of something else stays, unless the dataset is named in the message.
SURE = 0.6
_TABLE_TOOLS = ("query_dataset", "describe_dataset", "preview_dataset")
# Words that no order is given with.
_QUESTION_WORDS = frozenset(["count", "how_much", "which", "who", "where", "when", "percent"])
_SPOKEN = (("discussion", "discussion_noun"), ("pull_request", "discussion_noun"), ("job", "job_noun"))
_PLAIN_COUNT = 'SELECT count(*) AS "count" FROM data'


def warm_up() -> None:
    """Compile the words of questions."""
    to_sql("how many", [ColumnInfo("id", "int64")])


def to_sql(text: str, columns: Sequence[ColumnInfo], nouns: Sequence[str] = ()) -> str | None:
    """One SELECT over `data` that answers the question, or None when it is not understood with confidence.

    Args:
        text: a question in English, Chinese, Japanese or Korean.
        columns: the columns of the table.
        nouns: what rows may be called, beyond the usual words (see `table_nouns`).
    """
    # The name's place is kept while the rest is folded, which would drop it.
    folded = without_source(HOLE.join(fold(part) for part in text.split(HOLE))) if HOLE in text else fold(text)
    if not columns or not folded or len(folded) > MAX_QUESTION:
        return None
    marks = find_marks(folded, columns, nouns)
    if not marks or _elsewhere(marks, nouns):
        return None
    try:
        return Shape(Marks(folded, marks, columns)).build().sql()
    except Unsure:
        return None


def _elsewhere(marks: Sequence[Mark], nouns: Sequence[str]) -> bool:
    """A bare count of things that the table is not known to hold: "how many users are there" of a table of tickets."""
    if not nouns or any(mark.kind in ("value", "column", "bound", "between", "date", "quoted", "super") for mark in marks):
        return False
    own = {"rows", "own"} | concepts_of(nouns)
    return any(mark.kind == "noun" and mark.value not in own for mark in marks)


def refine(reading: Reading, text: str, doc: Document, world: World, tools: Mapping[str, ToolSpec], about: str | None = None) -> Reading:
    """The reading, or a query where the message asks a table something that one SELECT answers.

    Looks into the dataset that the message names or the thread is `about`. All of a message must make sense as a question
    for it to be read as one, so that an act with other words in it stays what it is.
    """
    if not isinstance(world, KnowsColumns) or "query_dataset" not in tools:
        return reading
    if any(SQL_HEAD.match(str(step.args.get("sql", ""))) for step in reading.steps):
        return reading
    repo, named = _dataset(reading.focus.repo, doc, world)
    if repo is None and about and not named:
        repo, named = _dataset(about, doc, world)
    on_tables = reading.kind in ("act", "ask") and all(step.tool in _TABLE_TOOLS or _unspoken(step, doc) for step in reading.steps)
    if repo is None:
        return reading
    sql = _asked(repo, text, doc, world)
    if sql is None:
        return _puzzled(reading, repo, text, doc, world, tools) if named or on_tables or _open_to_tables(reading, world) else reading
    if not (named or on_tables or _open_to_tables(reading, world) or _calculates(sql)):
        return reading
    if not on_tables and _changes(reading, tools) and not _calculates(sql):
        return reading
    if sql == _PLAIN_COUNT and (reading.kind == "act" or not (named or on_tables)):
        return reading
    focus = _moved(reading, repo)
    confidence = max(reading.steps[0].confidence if reading.steps else 0.0, 0.9)
    return Reading(
        "act",
        (Step("query_dataset", {**_named(repo, world, tools), "sql": sql}, confidence=confidence),),
        (("query_dataset", confidence),),
        reading.language,
        focus,
    )


def _unspoken(step: Step, doc: Document) -> bool:
    """Whether a step is about discussions or jobs, of which the message says no word: its words are those of a table, then."""
    noun = next((noun for part, noun in _SPOKEN if part in step.tool), None)
    return noun is not None and not cue(noun).search(doc.low)


def _named(repo: str, world: World, tools: Mapping[str, ToolSpec]) -> dict[str, str]:
    """The arguments that name a dataset: with its kind where a repo of another kind has the same name."""
    same = [entity for entity in index_of(world.entities()).exact(repo) if entity.type == "repo" and entity.value == repo]
    return {"repo": repo, "kind": "dataset"} if len(same) > 1 and tools["query_dataset"].slot("kind") else {"repo": repo}


def _moved(reading: Reading, repo: str) -> Focus:
    """The thread's focus on a dataset."""
    focus = replace(reading.focus, repo=repo, question=None)
    return focus if repo == reading.focus.repo else replace(focus, branch=None, path=None, revision=None)


def _changes(reading: Reading, tools: Mapping[str, ToolSpec]) -> bool:
    """Whether the message was read as an act, or as what one would do or must not do."""
    if reading.kind in ("preview", "forbidden"):
        return True
    return reading.kind in ("act", "ask") and any(step.tool not in tools or tools[step.tool].effect != "read" for step in reading.steps)


def _calculates(sql: str) -> bool:
    """A query that counts, adds up, ranks or groups, as no message about anything else reads by chance."""
    if sql == _PLAIN_COUNT or sql.startswith("SELECT DISTINCT"):
        return False
    return bool(re.search(r"\b(?:count|avg|sum|min|max|median)\(|ORDER BY", sql))


def _puzzled(reading: Reading, repo: str, text: str, doc: Document, world: World, tools: Mapping[str, ToolSpec]) -> Reading:
    """The reading, or a question back where the message surely asks something of the table that was not understood."""
    on_tables = reading.kind == "act" and all(step.tool in _TABLE_TOOLS[1:] for step in reading.steps)
    shown = reading.kind == "act" and all(step.tool == "get_repo" for step in reading.steps)
    unlikely = shown or reading.kind in ("out_of_scope", "choose_tool", "not_available") or _changes(reading, tools)
    if not (on_tables or unlikely) or reading.kind in ("preview", "forbidden"):
        return reading
    said = _without_names(fold(text), repo, doc)
    if not isinstance(world, KnowsColumns) or not is_about_table(said, world.columns(repo), calculated=not on_tables):
        return reading
    args = _named(repo, world, tools)
    step = Step("query_dataset", args, ("sql",), confidence=0.6)
    focus = replace(_moved(reading, repo), question=Question("query_dataset", dict(args), ["sql"], {}))
    return Reading("ask", (step,), (("query_dataset", 0.6),), reading.language, focus)


def is_about_table(text: str, columns: Sequence[ColumnInfo], *, calculated: bool) -> bool:
    """Whether a message names a column or a value and asks to count, add up, rank or group, whatever else it says."""
    kinds = {mark.kind for mark in likely_marks(text, columns)}
    asks = {"avg", "median", "percent", "super", "sum", "group_after"} if calculated else ASKING
    return bool(kinds & {"column", "value"}) and bool(kinds & asks) and (not calculated or bool(kinds & _QUESTION_WORDS))


def _open_to_tables(reading: Reading, world: World) -> bool:
    """True when the reading is not sure, or the thread just looked into the dataset."""
    focus = reading.focus
    if any(step.args.get("repo") and not index_of(world.entities()).exact(str(step.args["repo"])) for step in reading.steps):
        return True  # what was taken for a repo is none
    if focus.tool in _TABLE_TOOLS and focus.args.get("repo") == focus.repo:
        return True
    return reading.kind != "act" or reading.steps[0].confidence < SURE


def _dataset(said: str | None, doc: Document, world: World) -> tuple[str | None, bool]:
    """The one dataset that is meant, and whether the message names it (or points at it)."""
    spans = [span for span in doc.of("repo") if span.entities]
    if spans:
        found = {entity.value for span in spans for entity in span.entities if entity.kind == "dataset" and not entity.deleted}
        return (found.pop(), True) if len(found) == 1 else (None, False)
    known = said is not None and any(
        entity.type == "repo" and entity.kind == "dataset" and not entity.deleted and entity.value == said
        for entity in index_of(world.entities()).exact(said)
    )
    return (said if known else None), False


def _asked(repo: str, text: str, doc: Document, world: KnowsColumns) -> str | None:
    """The query of a message without the dataset's name; as it was typed, else with typing errors mended."""
    columns = world.columns(repo)
    nouns = table_nouns(repo.partition("/")[2])
    for said in (fold(text), doc.text):
        if (sql := to_sql(_without_names(said, repo, doc), columns, nouns)) is not None:
            return sql
    return None


def _without_names(text: str, repo: str, doc: Document) -> str:
    """The message with a hole for the dataset's name, and without its owner's."""
    for span in doc.of("repo"):
        if span.entities:
            text = re.sub(bounded(doc.text[span.start : span.end], literal=True), HOLE, text, count=1)
    owner = repo.partition("/")[0]
    for span in doc.of("user", "org"):
        if str(span.value) == owner:
            text = re.sub(bounded(doc.text[span.start : span.end], literal=True), " ", text, count=1)
    return text
