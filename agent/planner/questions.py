"""Questions over a dataset in plain language as one SELECT, without a language model.

Columns, known values, numbers and the words of counting and comparing are found in the text; only when they account for
all of it and fit together is there a query. Otherwise there is none, and the person is asked or shown the table instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.planner.document import Document
from agent.planner.linker import index_of
from agent.planner.normalise import fold, lower
from agent.planner.patterns import SQL_HEAD
from agent.planner.question_columns import ColumnInfo, KnowsColumns
from agent.planner.question_filters import Marks, Unsure
from agent.planner.question_marks import Mark, concepts_of, find_marks, table_nouns
from agent.planner.question_shape import Shape
from agent.planner.types import Reading, Step, ToolSpec, World

__all__ = ["ColumnInfo", "KnowsColumns", "refine", "to_sql"]

MAX_QUESTION = 400
# A reading as sure as this of something else stays, unless the dataset is named in the message.
SURE = 0.6
_TABLE_TOOLS = ("query_dataset", "describe_dataset", "preview_dataset")
_PLAIN_COUNT = 'SELECT count(*) AS "count" FROM data'


def to_sql(text: str, columns: Sequence[ColumnInfo], nouns: Sequence[str] = ()) -> str | None:
    """One SELECT over `data` that answers the question, or None when it is not understood with confidence.

    Args:
        text: a question in English, Chinese, Japanese or Korean.
        columns: the columns of the table.
        nouns: what rows may be called, beyond the usual words (see `table_nouns`).
    """
    folded = fold(text)
    if not columns or not folded or len(folded) > MAX_QUESTION:
        return None
    marks = find_marks(lower(folded), columns, nouns)
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

    Looks into the dataset that the message names or the thread is `about`, only for readings that change nothing.
    """
    if not isinstance(world, KnowsColumns) or "query_dataset" not in tools or reading.kind in ("preview", "forbidden"):
        return reading
    if reading.kind in ("act", "ask") and any(step.tool not in tools or tools[step.tool].effect != "read" for step in reading.steps):
        return reading
    if any(SQL_HEAD.match(str(step.args.get("sql", ""))) for step in reading.steps):
        return reading
    repo, named = _dataset(reading.focus.repo, doc, world)
    if repo is None and about and not named:
        repo, named = _dataset(about, doc, world)
    on_tables = reading.kind in ("act", "ask") and all(step.tool in _TABLE_TOOLS for step in reading.steps)
    if repo is None or not (named or on_tables or _open_to_tables(reading)):
        return reading
    sql = _asked(repo, text, doc, world)
    if sql is None or (sql == _PLAIN_COUNT and (reading.kind == "act" or not (named or on_tables))):
        return reading
    focus = replace(reading.focus, repo=repo, question=None)
    if repo != reading.focus.repo:
        focus = replace(focus, branch=None, path=None, revision=None)
    confidence = max(reading.steps[0].confidence if reading.steps else 0.0, 0.9)
    return Reading(
        "act",
        (Step("query_dataset", {"repo": repo, "sql": sql}, confidence=confidence),),
        (("query_dataset", confidence),),
        reading.language,
        focus,
    )


def _open_to_tables(reading: Reading) -> bool:
    """True when the reading is not sure, or the thread just looked into the dataset."""
    focus = reading.focus
    if focus.tool in _TABLE_TOOLS and focus.args.get("repo") == focus.repo:
        return True
    return reading.kind != "act" or reading.steps[0].confidence < SURE


def _dataset(said: str | None, doc: Document, world: World) -> tuple[str | None, bool]:
    """The one dataset that is meant, and whether the message names it (or points at it)."""
    spans = doc.of("repo", "repo_ref")
    if spans:
        found = {entity.value for span in spans for entity in span.entities if entity.kind == "dataset" and not entity.deleted}
        return (found.pop(), True) if len(found) == 1 and all(span.entities for span in spans) else (None, False)
    known = said is not None and any(
        entity.type == "repo" and entity.kind == "dataset" and not entity.deleted and entity.value == said
        for entity in index_of(world.entities()).exact(said)
    )
    return (said if known else None), False


def _asked(repo: str, text: str, doc: Document, world: KnowsColumns) -> str | None:
    """The query of a message without the dataset's name; as it was typed, else with typing errors mended."""
    names = [doc.text[span.start : span.end] for span in doc.of("repo")]
    columns = world.columns(repo)
    nouns = table_nouns(repo.partition("/")[2])
    for said in (fold(text), doc.text):
        for name in names:
            said = said.replace(name, " ", 1)
        if (sql := to_sql(said, columns, nouns)) is not None:
            return sql
    return None
