"""SQL over data files in real child processes: results, and everything that a query must not do."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_core.datasets.query import QueryEngine, QueryLimits, query, table_name, tables_for
from hub_core.errors import HubError, InvalidQuery, QueryLimit, Unavailable, UnsupportedFormat
from hub_core.reading import BytesReader, PathReader
from hub_core.settings import Settings
from tests.common.data_files import PEOPLE, csv_file, parquet_file

SHORT = QueryLimits(timeout_s=1.5, memory_mb=256)


@pytest.fixture(scope="module")
def engine() -> Iterator[QueryEngine]:
    engine = QueryEngine()
    yield engine
    engine.close()


PEOPLE_TABLES = tables_for({"people.csv": csv_file()})


def test_sums_groups_and_types(engine: QueryEngine) -> None:
    result = engine.query(
        PEOPLE_TABLES, "SELECT name, count(*) AS n, sum(id) AS total, max(joined) AS last FROM people GROUP BY name ORDER BY name LIMIT 1"
    )
    assert [column.name for column in result.columns] == ["name", "n", "total", "last"]
    assert result.rows == [["name 0", 143, 71071, "2024-01-22"]]
    assert not result.truncated
    assert json.dumps(result.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    "sql",
    [
        "DESCRIBE people",
        "SUMMARIZE data",
        "SHOW TABLES",
        "FROM data LIMIT 1",
        "VALUES (1)",
        "WITH a AS (FROM data) SELECT count(*) FROM a;",
    ],
)
def test_other_forms_of_reading(engine: QueryEngine, sql: str) -> None:
    assert engine.query(PEOPLE_TABLES, sql).rows


def test_recursive_and_nested_queries(engine: QueryEngine) -> None:
    sql = "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < 5) SELECT sum(i), (SELECT count(*) FROM People) FROM t"
    assert engine.query(PEOPLE_TABLES, sql).rows == [[15, 1000]]


def test_every_format_is_a_table_and_shards_are_one(engine: QueryEngine, tmp_path: Path) -> None:
    path = tmp_path / "blob-without-ending"
    path.write_text(PEOPLE)
    tables = tables_for(
        {
            "train-00000-of-00002.parquet": parquet_file(),
            "train-00001-of-00002.parquet": parquet_file(),
            "people.csv": PathReader(path, "people.csv"),
            "日本.csv": csv_file("名前,都市\n田中,とうきょう\n", "shift_jis"),
            "a b.jsonl": BytesReader("a b.jsonl", b'{"x": 1}\n\n{"x": "two"}\n'),
            "list.json": BytesReader("list.json", b'{"data": [{"q": [1, 2]}]}'),
            "2024.tsv": csv_file("a\tb\n1\t2\n"),
        }
    )
    sql = "SELECT (SELECT count(*) FROM train), (SELECT count(*) FROM data), (SELECT count(*) FROM people), (SELECT 都市 FROM 日本), (SELECT count(*) FROM a_b), (SELECT q FROM list), (SELECT b FROM t_2024)"
    assert engine.query(tables, sql).rows == [[2000, 2000, 1000, "とうきょう", 2, [1, 2], 2]]


def test_broken_line_of_json_is_a_row_of_nulls_and_said_so(engine: QueryEngine) -> None:
    result = engine.query(tables_for({"x.jsonl": BytesReader("x.jsonl", b'{"x": 1}\nbroken\n{"x": 2}\n')}), "SELECT sum(x) FROM data")
    assert result.rows == [[3]]
    assert "NULL" in result.notes[0]


def test_late_change_of_type_in_a_large_csv(engine: QueryEngine, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text("a,b\n" + ("1," + "x" * 150 + "\n") * 250_000 + "text,y\n")
    assert path.stat().st_size > 32 << 20
    result = engine.query({"large": ("large.csv", PathReader(path))}, "SELECT count(*), max(a) FROM large", QueryLimits(timeout_s=30))
    assert result.rows == [[250_001, "text"]]


def test_cells_are_json_safe(engine: QueryEngine) -> None:
    sql = "SELECT 'nan'::DOUBLE, 1.50::DECIMAL(5,2), 'ab'::BLOB, {'a': [1]}, '290000-01-01'::TIMESTAMP, MAP {'a': 1}, INTERVAL 1 DAY, TIMESTAMPTZ '2024-01-01 00:00:00+00', repeat('x', 5000)"
    row = engine.query(PEOPLE_TABLES, sql).rows[0]
    assert row[:4] == [None, 1.5, "base64:YWI=", {"a": [1]}]
    assert isinstance(row[4], str)
    assert row[5:8] == [{"a": 1}, "0 months 1 days 0 seconds", "2024-01-01T00:00:00+00:00"]
    assert row[8].endswith("(5,000 characters)")


def test_results_are_cut_at_the_limits(engine: QueryEngine) -> None:
    by_rows = engine.query(PEOPLE_TABLES, "SELECT * FROM range(1000000000000)", QueryLimits(max_rows=10))
    by_bytes = engine.query(PEOPLE_TABLES, "SELECT repeat('x', 1000) FROM range(100000)", QueryLimits(max_bytes=10_000))
    assert (len(by_rows.rows), by_rows.truncated) == (10, True)
    assert by_bytes.truncated
    assert len(by_bytes.rows) < 10


FORBIDDEN = [
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "FROM '/proc/self/environ'", "FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/passwd')", "FROM glob('/*')", "FROM sniff_csv('/etc/passwd')", "FROM parquet_metadata('f0.csv')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))", "WITH a AS (FROM read_text('/etc/passwd')) FROM a", "DESCRIBE '/etc/passwd'",
    "SUMMARIZE 'f0.csv'", "FROM 'https://example.com/x.parquet'", "FROM 's3://bucket/x.parquet'",
    "COPY people TO '/tmp/x.csv'", "COPY people FROM '/etc/passwd'", "EXPORT DATABASE '/tmp/x'", "IMPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/x.db'", "INSTALL httpfs", "LOAD httpfs", "SET threads = 8", "SET enable_external_access = true", "RESET ALL", "PRAGMA version",
    "PRAGMA database_list", "CALL pragma_version()", "USE memory", "CREATE TABLE x (i INT)", "CREATE MACRO f() AS 1", "DROP TABLE people",
    "DELETE FROM people", "UPDATE people SET id = 1", "INSERT INTO people VALUES (1, 'a', 1, NULL)", "EXPLAIN ANALYZE SELECT 1", "BEGIN", "VACUUM",
    "WITH x AS (INSERT INTO people SELECT * FROM people RETURNING *) SELECT * FROM x", "CREATE SECRET s (TYPE s3)", "CHECKPOINT",
    "SELECT getenv('HOME')", "SELECT current_setting('allowed_paths')", "FROM duckdb_settings()", "FROM duckdb_settings", "FROM duckdb_secrets()",
    "FROM pg_catalog.pg_settings", "FROM which_secret('s3://x', 's3')", "FROM duckdb_extensions()", "FROM enable_logging()", "FROM duckdb_logs",
    "FROM query('FROM read_text(''/etc/passwd'')')", "FROM query_table('people')", "FROM arrow_scan(1, 2, 3)", "FROM python_arrow_scan(1)",
    "FROM json_execute_serialized_sql(json_serialize_sql('select 1'))", "FROM sys", "FROM os", "FROM request", "FROM connection", "FROM rows",
    "SELECT 1; SELECT 2", "SELECT 1; ATTACH 'x'", "PREPARE p AS SELECT 1", "EXECUTE p", "hello", "SELEC 1", "SELECT nope FROM people",
    "SELECT " + "(" * 20_000 + "1" + ")" * 20_000, "SELECT " + "+".join(["1"] * 40_000), "SELECT '" + "x" * 200_000 + "'", "SELECT \ud800", "SELECT 1\0",
    "", "   ", ";",
]  # fmt: skip


@pytest.mark.parametrize("sql", FORBIDDEN, ids=lambda sql: repr(sql[:50]))
def test_forbidden_queries_are_refused_and_leak_nothing(engine: QueryEngine, sql: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        engine.query(PEOPLE_TABLES, sql)
    said = caught.value.message + caught.value.hint
    assert "root:" not in said
    assert "hubtalk-query-" not in said


BOMBS = [
    "SELECT count(*) FROM range(1000000000000) a, range(1000000000000) b",
    "SELECT count(*) FROM people a, people b, people c, people d",
    "SELECT list(i) FROM range(1000000000) t(i)",
    "SELECT length(repeat('x', 4000000000) || repeat('y', 4000000000))",
    "SELECT unnest(generate_series(1, 10000000000))",
    "WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t",
    "SELECT * FROM people a, people b, people c ORDER BY random()",
    "SELECT string_agg(repeat('x', 1000000), '') FROM range(100000)",
    "SELECT pg_sleep(100)",
]


@pytest.mark.parametrize("sql", BOMBS, ids=lambda sql: sql[:50])
def test_bombs_end_with_a_limit(engine: QueryEngine, sql: str) -> None:
    with pytest.raises(HubError) as caught:
        engine.query(PEOPLE_TABLES, sql, SHORT)
    assert isinstance(caught.value, QueryLimit | InvalidQuery)
    assert engine.query(PEOPLE_TABLES, "SELECT 1").rows == [[1]]


def test_nothing_is_known_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_ADMIN_TOKEN", "secret")
    engine = QueryEngine()
    try:
        engine.query(PEOPLE_TABLES, "SELECT 1")
        assert engine._spare is not None
        environ = Path(f"/proc/{engine._spare.pid}/environ")
        if environ.exists():
            assert b"secret" not in environ.read_bytes()
    finally:
        engine.close()


def test_closed_engine_leaves_no_child_and_says_so() -> None:
    engine = QueryEngine()
    engine.query(PEOPLE_TABLES, "SELECT 1")
    spare = engine._spare
    assert spare is not None
    engine.close()
    engine.close()
    assert spare.returncode is not None
    with pytest.raises(Unavailable):
        engine.query(PEOPLE_TABLES, "SELECT 1")


def test_dead_spare_is_replaced(engine: QueryEngine) -> None:
    engine.query(PEOPLE_TABLES, "SELECT 1")
    assert engine._spare is not None
    engine._spare.kill()
    engine._spare.wait()
    assert engine.query(PEOPLE_TABLES, "SELECT 1").rows == [[1]]


HUB = """
import sys, threading
from hub_core.datasets.query import QueryEngine, QueryLimits
from hub_core.reading import BytesReader
tables = {"a": ("a.csv", BytesReader("a.csv", b"x\\n1\\n"))}
engine = QueryEngine()
engine.query(tables, "SELECT 1")
spare = engine._spare
endless = "SELECT count(*) FROM range(100000000000000)"
threading.Thread(target=engine.query, args=(tables, endless, QueryLimits(timeout_s=600)), daemon=True).start()
while not engine._running:
    pass
print(spare.pid, flush=True)
sys.stdin.read()
"""


def test_children_end_when_the_hub_is_killed() -> None:
    hub = subprocess.Popen([sys.executable, "-c", HUB], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert hub.stdin is not None
    assert hub.stdout is not None
    child = int(hub.stdout.readline())
    handle = os.pidfd_open(child)
    try:
        os.kill(hub.pid, signal.SIGKILL)
        hub.wait()
        ended, _, _ = select.select([handle], [], [], 30)
        assert ended
    finally:
        os.close(handle)
        hub.stdin.close()
        hub.stdout.close()


def test_no_folder_is_left_behind(engine: QueryEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine.query(PEOPLE_TABLES, "SELECT 1")
    with pytest.raises(InvalidQuery):
        engine.query(PEOPLE_TABLES, "oops")
    assert list(tmp_path.iterdir()) == []


def test_unreadable_data_is_said_before_any_query() -> None:
    with pytest.raises(UnsupportedFormat):
        query({"x": ("x.parquet", BytesReader("x.parquet", b"nothing"))}, "SELECT 1")


def test_input_that_is_too_large_to_copy_is_refused() -> None:
    with pytest.raises(QueryLimit, match="too large"):
        query(PEOPLE_TABLES, "SELECT 1", QueryLimits(max_input_bytes=100))


def test_limits_come_from_the_settings() -> None:
    limits = QueryLimits.from_settings(Settings(query_timeout_s=3.0, query_memory_mb=100))
    assert (limits.timeout_s, limits.memory_mb) == (3.0, 100)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("train", "train"), ("my data (1)", "my_data_1"), ("2024", "t_2024"), ("___", "data"), ("数据", "数据"), ('a"; DROP', "a_DROP")],
)
def test_names_of_tables(stem: str, name: str) -> None:
    assert table_name(stem) == name
