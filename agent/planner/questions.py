"""Questions over a dataset in plain language as one SELECT, without a language model.

Columns, known values, numbers and the words of counting and comparing are found in the text; only when they account for
all of it and fit together is there a query. Otherwise there is none, and the person is asked or shown the table instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.planner.document import Document
from agent.planner.linker import index_of
from agent.planner.normalise import fold, lower
from agent.planner.patterns import SQL_HEAD
from agent.planner.question_columns import ColumnInfo, KnowsColumns
from agent.planner.question_filters import Marks, Unsure
from agent.planner.question_marks import HOLE, find_marks, table_nouns
from agent.planner.question_shape import Shape
from agent.planner.types import Focus, Reading, Step, ToolSpec, World

__all__ = ["ColumnInfo", "KnowsColumns", "refine", "to_sql"]

MAX_QUESTION = 400


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
    if not marks:
        return None
    try:
        return Shape(Marks(folded, marks, columns)).build().sql()
    except Unsure:
        return None
