"""Plain-language questions over tables: the rows they bring, and that nothing else is ever asked of a table."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.planner.document import Document, Span
from agent.planner.question_marks import table_nouns
from agent.planner.questions import ColumnInfo, refine, to_sql
from agent.planner.types import Entity, Focus, Reading, SlotSpec, StaticWorld, Step, ToolSpec
from agent.world import columns_of
from hub_core.datasets.describe import describe
from hub_core.datasets.query import QueryEngine, tables_for
from hub_core.datasets.query_guard import check
from hub_core.reading import BytesReader

DATA = yaml.safe_load((Path(__file__).parent / "data" / "questions.yaml").read_text(encoding="utf-8"))
ASKED = [(language, case) for language, cases in DATA["questions"].items() for case in cases]
REFUSED = [(language, case) for language, cases in DATA["not_understood"].items() for case in cases]


@cache
def columns(table: str) -> tuple[ColumnInfo, ...]:
    return columns_of(describe(f"{table}.csv", BytesReader(f"{table}.csv", DATA["tables"][table].encode()), every=200))


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], list[list[Any]]]:
    """What the query engine answers to every question. One query for each table carries all its questions, for a process is started for each query."""
    found = {}
    engine = QueryEngine(warm=False)
    try:
        for table, text in DATA["tables"].items():
            cases = [(language, case["ask"]) for language, case in ASKED if case["table"] == table]
            understood = [(case, sql) for case in cases if (sql := to_sql(case[1], columns(table)))]
            parts = [f"SELECT {at} AS n, to_json(list(q)) AS found FROM ({sql}) q" for at, (_, sql) in enumerate(understood)]
            tables = tables_for({f"{table}.csv": BytesReader(f"{table}.csv", text.encode())})
            for at, rows in engine.query(tables, " UNION ALL ".join(parts)).rows:
                found[understood[at][0]] = [list(row.values()) for row in json.loads(rows)]
    finally:
        engine.close()
    return found


def rounded(rows: list[list[Any]]) -> list[list[Any]]:
    return [[round(cell, 4) if isinstance(cell, float) else cell for cell in row] for row in rows]


@pytest.mark.parametrize(("language", "case"), ASKED, ids=[f"{language}: {case['ask']}" for language, case in ASKED])
def test_a_question_brings_the_right_rows(language: str, case: dict[str, Any], answers: dict[tuple[str, str], list[list[Any]]]) -> None:
    assert rounded(answers[language, case["ask"]]) == case["rows"]


@pytest.mark.parametrize(("language", "case"), REFUSED, ids=[f"{language}: {case['ask']}" for language, case in REFUSED])
def test_what_the_table_cannot_answer_brings_no_query(language: str, case: dict[str, Any]) -> None:
    assert to_sql(case["ask"], columns(case["table"])) is None


def test_every_language_has_enough_questions() -> None:
    assert {language: len(cases) >= 15 for language, cases in DATA["questions"].items()} == dict.fromkeys(("en", "zh", "ja", "ko"), True)


def test_names_and_values_are_quoted() -> None:
    odd = [ColumnInfo('he said "hi"', "string", ("it's; DROP TABLE data",)), ColumnInfo("minutes", "int64")]
    sql = to_sql('how many rows with "it\'s; drop table data"', odd)
    assert sql == """SELECT count(*) AS "count" FROM data WHERE "he said ""hi\""" = 'it''s; DROP TABLE data'"""


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("처리시간_분", "평균 처리 시간은?", "처리시간_분"),
        ("金额", "平均金额", "金额"),
        ("対応時間(分)", "平均時間は?", "対応時間(分)"),
        ("handleMinutes", "average handle minutes", "handleMinutes"),
        ("unit_price_usd", "average price", "unit_price_usd"),
    ],
)
def test_columns_are_found_by_what_their_names_say(name: str, asked: str, expected: str) -> None:
    sql = to_sql(asked, [ColumnInfo("id", "int64"), ColumnInfo(name, "double")])
    assert sql is not None
    assert f'avg("{expected}")' in sql


def test_times_are_converted_to_the_unit_of_the_column() -> None:
    seconds = [ColumnInfo("id", "int64"), ColumnInfo("duration_seconds", "int64")]
    assert to_sql("rows over 2 minutes", seconds) == 'SELECT * FROM data WHERE "duration_seconds" > 120 LIMIT 100'
    assert to_sql("rows over 2 minutes", [ColumnInfo("id", "int64"), ColumnInfo("duration", "int64")]) is None


def test_a_value_of_two_columns_needs_its_column_named() -> None:
    both = [ColumnInfo("sender", "string", ("amy", "bo")), ColumnInfo("receiver", "string", ("amy", "bo"))]
    assert to_sql("how many rows with amy", both) is None
    assert to_sql("how many rows where receiver is amy", both) == 'SELECT count(*) AS "count" FROM data WHERE "receiver" = \'amy\''


def test_two_columns_of_one_meaning_are_not_guessed_between() -> None:
    assert to_sql("average time", [ColumnInfo("wait_minutes", "int64"), ColumnInfo("work_minutes", "int64")]) is None


def test_a_misspelt_column_is_found_but_another_word_is_not_taken_for_it() -> None:
    scored = [ColumnInfo("id", "int64"), ColumnInfo("score", "int64"), ColumnInfo("department", "string", ("law", "art"))]
    assert to_sql("average scroe per departmnt", scored) == to_sql("average score per department", scored) is not None
    assert to_sql("average store", scored) is None


def test_a_bare_count_is_about_the_rows_of_this_table() -> None:
    nouns = table_nouns("tickets-q3")
    assert to_sql("how many tickets are there", columns("tickets"), nouns) is not None
    assert to_sql("有多少工单", columns("tickets"), nouns) is not None
    assert to_sql("how many users are there", columns("tickets"), nouns) is None


@cache
def database(table: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    names = ", ".join(f'NULL::VARCHAR AS "{column.name}"' for column in columns(table))
    connection.execute(f"CREATE TABLE data AS SELECT {names}")
    return connection


WORDS = sorted(
    {word for _, case in ASKED for word in case["ask"].split()}
    | {"'", '"', ";", "--", "\x00", "%", "over 3", "2024-13-45", "the", "per", "by", "not", "top", "99999999999999999999", "½", "²"}
)


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)), st.sampled_from(sorted(DATA["tables"])))
@settings(max_examples=400, deadline=None)
def test_whatever_is_said_gives_one_select_over_the_table_or_nothing(text: str, table: str) -> None:
    sql = to_sql(text, columns(table))
    if sql is not None:
        check(database(table), sql, {"data"})


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_odd_names_and_values_cannot_break_out(name: str, value: str, text: str) -> None:
    odd = [ColumnInfo(name, "string", (value,)), ColumnInfo("n", "int64")]
    for said in (text, f'how many rows with "{value}"', f"how many rows per {name}", f"{value} rows"):
        sql = to_sql(said, odd)
        if sql is not None:
            check(database("tickets"), sql, {"data"})


@pytest.mark.parametrize("filler", ["なのは", "一个一家的是", "있는지", "が高いのは"])
def test_long_runs_of_small_words_are_read_in_one_pass(filler: str) -> None:
    # Tried in every way to cut them, these would take longer than the universe has.
    assert to_sql(filler * 40 + "猫", columns("tickets")) is None


class LookingWorld(StaticWorld):
    def columns(self, repo: str) -> tuple[ColumnInfo, ...]:
        return columns("tickets") if repo == "acme/tickets-q3" else ()


WORLD = LookingWorld(items=(Entity("repo", "acme/tickets-q3", "dataset"), Entity("repo", "acme/bot", "model")))
REPO, SQL = SlotSpec("repo", "repo"), SlotSpec("sql", "sql")
TOOLS = {
    name: ToolSpec(name, "data", effect, (REPO, SQL) if name == "query_dataset" else (REPO,))
    for name, effect in (
        ("query_dataset", "read"), ("describe_dataset", "read"), ("preview_dataset", "read"), ("list_files", "read"), ("delete_repo", "destructive"),
    )
}  # fmt: skip


def refined(
    text: str, tool: str | None, *, confidence: float = 0.9, named: bool = True, focus: str | None = None, kind: str = "act"
) -> Reading:
    at = text.find("tickets-q3")
    spans = [Span(at, at + len("tickets-q3"), "repo", "acme/tickets-q3", (WORLD.items[0],))] if named and at >= 0 else []
    steps = (Step(tool, {"repo": "acme/tickets-q3"}, confidence=confidence),) if tool else ()
    reading = Reading(kind, steps, (), "en", Focus(repo=focus))
    return refine(reading, text, Document(text, text.lower(), spans), WORLD, TOOLS)


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("how many high priority tickets are in tickets-q3?", "describe_dataset"),
        ("tickets-q3のチームごとの平均時間は?", "describe_dataset"),
        ("tickets-q3에서 30분 넘는 티켓 보여줘", "preview_dataset"),
        ("tickets-q3里每个团队的平均时间", "list_files"),
        ("average minutes per team in tickets-q3", None),
    ],
)
def test_a_question_over_a_named_dataset_becomes_a_query(text: str, tool: str | None) -> None:
    reading = refined(text, tool, kind="act" if tool else "out_of_scope")
    assert [(step.tool, step.args["repo"], step.args["sql"][:6]) for step in reading.steps] == [
        ("query_dataset", "acme/tickets-q3", "SELECT")
    ]
    assert (reading.kind, reading.focus.repo, reading.focus.question) == ("act", "acme/tickets-q3", None)


def test_a_question_over_the_dataset_in_focus_becomes_a_query_unless_something_else_is_surely_meant() -> None:
    assert refined("which teams are there", None, focus="acme/tickets-q3", kind="out_of_scope").steps[0].tool == "query_dataset"
    assert refined("which teams are there", "list_files", confidence=0.4, focus="acme/tickets-q3").steps[0].tool == "query_dataset"
    assert refined("which teams are there", "list_files", confidence=0.95, focus="acme/tickets-q3").steps[0].tool == "list_files"
    assert refined("which teams are there", None, focus="acme/bot", kind="out_of_scope").kind == "out_of_scope"


def test_acts_own_sql_and_plain_looks_stay_as_they_are() -> None:
    assert refined("delete tickets-q3 by team", "delete_repo").steps[0].tool == "delete_repo"
    assert refined("how many rows does tickets-q3 have", "describe_dataset").steps[0].tool == "describe_dataset"
    assert refined("columns of tickets-q3", "describe_dataset").steps[0].tool == "describe_dataset"
    own = Reading("act", (Step("query_dataset", {"repo": "acme/tickets-q3", "sql": "select 1"}),), focus=Focus(repo="acme/tickets-q3"))
    assert refine(own, "how many high tickets", Document("how many high tickets", "how many high tickets"), WORLD, TOOLS) is own
