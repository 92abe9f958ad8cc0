"""How long lists, filters and searches of repos take with 10,000 and 100,000 of them, on SQLite and on PostgreSQL.

The rows are written straight into the hub's tables, as making so many repos one by one would take hours. Asked is the hub, by its API;
of the time that takes, a call that looks at one row is taken off, so that what is left is the database's part.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.hub import Hub, folder, running_hub
from benchmarks.postgres import available, running_postgres
from benchmarks.report import Row, quantile

SUBJECT = "search"
COUNTS = (10_000, 100_000)
ASKED = 30
FAMILIES = ("llama", "mistral", "qwen", "gemma", "phi", "falcon", "bert", "t5", "whisper", "clip")
TRAITS = ("tiny", "small", "large", "chat", "instruct", "code", "math", "vision", "legal", "medical")
TAGS = ("text-generation", "translation", "summarization", "en", "zh", "ja", "ko", "pytorch", "safetensors", "gguf")
KINDS = ("model", "model", "model", "dataset", "code")
REPO = (
    "namespace_id, namespace, name, key, kind, visibility, description, license, default_branch, card, created_by, created_at, updated_at,"
    " likes, downloads, initial_commit, refs_version"
)
Execute = Callable[[str, Iterable[tuple[Any, ...]]], None]


def measure() -> list[Row]:
    """Each kind of question 60 times, each time another one; p95."""
    rows = []
    for count in COUNTS:
        with folder() as scratch:
            rows += _measured(scratch / "hub", "", count, "SQLite", _sqlite(scratch / "hub" / "hub.db"))
        if available():
            with folder() as scratch, running_postgres(scratch / "postgres") as url:
                rows += _measured(scratch / "hub", url, count, "PostgreSQL", _postgres(url))
    return rows


def _measured(data: Path, database: str, count: int, name: str, filling: Callable[[], Any]) -> list[Row]:
    with running_hub(data, database):
        pass
    with filling() as execute:
        _fill(execute, count)
    with running_hub(data, database) as hub:
        hub.wait_for_all_parts()
        chance = random.Random(3)
        floor = statistics.median(_timed(hub, "get_repo", repo=f"admin/{_name(chance.randrange(count))}") for _ in range(ASKED))
        rows = []
        for what, arguments in _questions(chance, count):
            times = [max(0.0, _timed(hub, "search_repos", **arguments()) - floor) for _ in range(ASKED)]
            p95 = quantile(times, 0.95) * 1000
            title = f"{what}, {count:,} repos, {name}: p95"
            rows.append(Row(SUBJECT, title, p95, "ms", floor * 1000, "get_repo, taken off", "<= 10 ms", p95 <= 10))
        return rows


def _questions(chance: random.Random, count: int) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    return [
        ("newest", lambda: {"limit": 20}),
        ("most downloads of a kind", lambda: {"kind": chance.choice(KINDS), "sort": "downloads", "limit": 20}),
        ("by two tags", lambda: {"tags": chance.sample(TAGS, 2), "sort": "downloads", "limit": 20}),
        ("exact name", lambda: {"query": _name(chance.randrange(count)), "limit": 20}),
        ("two words", lambda: {"query": f"{chance.choice(FAMILIES)} {chance.choice(TRAITS)}", "limit": 20}),
        ("a word that nothing has", lambda: {"query": f"zq{chance.randrange(10**6)}", "limit": 20}),
    ]


def _timed(hub: Hub, tool: str, **arguments: Any) -> float:
    began = time.perf_counter()
    hub.tool(tool, **arguments)
    return time.perf_counter() - began


def _name(number: int) -> str:
    return f"{FAMILIES[number % 10]}-{TRAITS[number // 10 % 10]}-{number}"


def _fill(execute: Execute, count: int) -> None:
    chance = random.Random(7)
    slots = ", ".join("?" for _ in REPO.split(","))
    # The id of the namespace and of the user `admin`, the first of a hub, is 1.
    execute(f"INSERT INTO repos ({REPO}) VALUES ({slots})", (_repo(number, chance) for number in range(count)))
    execute("INSERT INTO repo_tags (repo_id, tag, source) VALUES (?, ?, 'user')", _tags(count, chance))


def _repo(number: int, chance: random.Random) -> tuple[Any, ...]:
    name, kind = _name(number), chance.choice(KINDS)
    made = f"2026-{1 + number % 10:02d}-{1 + number % 28:02d} {number % 24:02d}:00:00.{number % 10**6:06d}"
    visibility = ("public", "internal", "private")[number % 3]
    downloads = int(chance.paretovariate(0.7)) % 10**6
    description = f"A {TRAITS[number // 10 % 10]} {kind} of the {FAMILIES[number % 10]} family"
    return (1, "admin", name, name, kind, visibility, description, "apache-2.0", "main", "{}", 1, made, made, number % 50, downloads, "", 0)


def _tags(count: int, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    for number in range(1, count + 1):
        for tag in chance.sample(TAGS, 3):
            yield number, tag


def _sqlite(path: Path) -> Callable[[], Any]:
    @contextmanager
    def filling() -> Iterator[Execute]:
        connection = sqlite3.connect(path)
        yield lambda statement, rows: void(connection.executemany(statement, rows))
        connection.commit()
        connection.execute("ANALYZE")
        connection.close()

    return filling


def _postgres(url: str) -> Callable[[], Any]:
    @contextmanager
    def filling() -> Iterator[Execute]:
        import psycopg

        with psycopg.connect(url.replace("+psycopg", ""), autocommit=False) as connection, connection.cursor() as cursor:
            yield lambda statement, rows: cursor.executemany(statement.replace("?", "%s"), list(rows))
            connection.commit()
            cursor.execute("ANALYZE")

    return filling


def void(_: object) -> None:
    """Take a value and forget it."""
