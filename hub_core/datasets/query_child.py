# ruff: noqa: S608 - names and texts are quoted by `_quote` and `_text`; the caller's SQL never mixes with them.
"""The process in which one query runs. Started by `query.py`; serves one request and ends.

It reads one JSON request from standard input and writes one JSON answer to standard output. Before the caller's SQL is
looked at, its resources are limited, the data files are bound to tables, and DuckDB is locked.
"""

from __future__ import annotations

import json
import os
import resource
import select
import sys
import threading
import time
from typing import Any

import duckdb
import pyarrow as pa

from hub_core.datasets.cells import column_values
from hub_core.datasets.query_guard import Refused, check

IDLE_S = 300
BATCH = 256
MATERIALISED = 32 << 20
SAMPLED_LINES = 200_000
_GIB = 1 << 30


def main(life: int) -> None:
    """Wait for a request, answer it, end. `life` is a pipe whose other end only the hub holds: when it closes, the hub is gone."""
    threading.Thread(target=_die_with_hub, args=(life,), daemon=True).start()
    if not select.select([sys.stdin], [], [], IDLE_S)[0]:
        os._exit(0)
    request = json.loads(sys.stdin.buffer.read() or b"{}")
    if not request:
        os._exit(0)
    answer = _answer(request)
    sys.stdout.buffer.write(json.dumps(answer, allow_nan=False).encode())
    sys.stdout.buffer.flush()
    # Threads of the libraries are not waited for.
    os._exit(0)


def _die_with_hub(life: int) -> None:
    os.read(life, 1)
    os._exit(1)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    limits = request["limits"]
    os.chdir(request["folder"])
    _limit_resources(limits)
    deadline = time.monotonic() + limits["timeout_s"]
    connection = duckdb.connect(":memory:")
    timer = threading.Timer(limits["timeout_s"], connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        return _run(connection, request, deadline)
    except Refused as error:
        return {"error": "invalid", "message": str(error)}
    except (duckdb.OutOfMemoryException, MemoryError):
        return {"error": "memory"}
    except duckdb.InterruptException:
        return {"error": "time"}
    except duckdb.PermissionException:
        return {"error": "invalid", "message": "Queries cannot reach files, the network or the settings."}
    except (duckdb.Error, pa.ArrowException, OSError, ValueError, RuntimeError) as error:
        if "INTERRUPT" in str(error) or time.monotonic() > deadline:
            return {"error": "time"}
        if "Out of Memory" in str(error) or "malloc" in str(error):
            return {"error": "memory"}
        return {"error": "invalid", "message": str(error).replace(request["folder"], "")[:600]}


def _limit_resources(limits: dict[str, Any]) -> None:
    memory = (limits["memory_mb"] << 20) * 2 + 2 * _GIB
    seconds = int(limits["timeout_s"] * 2) + 5
    wanted = {"RLIMIT_AS": memory, "RLIMIT_CPU": seconds, "RLIMIT_FSIZE": 0, "RLIMIT_NOFILE": 128, "RLIMIT_CORE": 0}
    for name, value in wanted.items():
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):
            # Some systems do not know every limit; DuckDB's own and the hub's deadline remain.
            continue


def _run(connection: Any, request: dict[str, Any], deadline: float) -> dict[str, Any]:
    started = time.monotonic()
    try:
        return _attempt(connection, request, started, deadline, lenient=False)
    except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
        # Types of a large CSV are guessed from its first lines, and a line of JSON Lines may be broken: read again, more patiently.
        if not any(word in str(error) for word in ("CSV", "JSON")):
            raise
        note = "Lines that are not JSON are rows of NULL." if "JSON" in str(error) else ""
    again = duckdb.connect(":memory:")
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), again.interrupt)
    timer.daemon = True
    timer.start()
    return _attempt(again, request, started, deadline, lenient=True) | {"notes": [note] if note else []}


def _attempt(connection: Any, request: dict[str, Any], started: float, deadline: float, *, lenient: bool) -> dict[str, Any]:
    tables = _bind(connection, request, lenient=lenient)
    check(connection, request["sql"], tables)
    return _fetch(connection, request, started, deadline)


def _bind(connection: Any, request: dict[str, Any], *, lenient: bool) -> set[str]:
    """Make the tables, then lock the door: no files but the given ones, no extensions, no settings."""
    limits, files = request["limits"], [file for table in request["tables"] for file in table["files"]]
    before = (
        "SET python_enable_replacements=false", "SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false",
        "SET allow_community_extensions=false", "SET allow_persistent_secrets=false", "SET temp_directory=''", "SET secret_directory='none'",
        f"SET threads={int(limits['threads'])}", f"SET memory_limit='{int(limits['memory_mb'])}MiB'", "SET preserve_insertion_order=true",
        "SET TimeZone='UTC'", f"SET allowed_paths={_list(file['file'] for file in files)}", "SET enable_external_access=false",
    )  # fmt: skip
    for statement in before:
        connection.execute(statement)
    names: dict[str, list[str]] = {}
    for table in request["tables"]:
        parts = [_source(file, lenient=lenient) for file in table["files"]]
        small = all(file["bytes"] <= MATERIALISED and file["format"] != "parquet" for file in table["files"])
        kind = "TABLE" if small else "VIEW"
        connection.execute(f"CREATE {kind} {_quote(table['name'])} AS {' UNION ALL BY NAME '.join(parts)}")
        rows = connection.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = ?", [table["name"]]).fetchall()
        names[table["name"]] = [row[0] for row in rows]
    if names and "data" not in {name.casefold() for name in names}:
        first = next(iter(names.values()))
        same = [f"SELECT * FROM {_quote(name)}" for name, found in names.items() if set(found) == set(first)]
        connection.execute(f"CREATE VIEW data AS {' UNION ALL BY NAME '.join(same)}")
        names["data"] = first
    connection.execute("SET lock_configuration=true")
    return set(names)


def _source(file: dict[str, Any], *, lenient: bool) -> str:
    path = _text(file["file"])
    match file["format"]:
        case "parquet":
            return f"SELECT * FROM read_parquet({path})"
        case "jsonl":
            return f"SELECT * FROM read_json({path}, format='newline_delimited', ignore_errors={str(lenient).lower()}, sample_size=-1)"
        case _:
            whole = lenient or file["bytes"] <= MATERIALISED
            lines, ignore = (-1, "true") if whole else (SAMPLED_LINES, "false")
            nulls = _list(("", "null", "NULL"))
            return (
                f"SELECT * FROM read_csv({path}, delim={_text(file['delimiter'])}, quote='\"', escape='\"', header=true, nullstr={nulls}, "
                f"sample_size={lines}, ignore_errors={ignore}, max_line_size=16777216)"
            )


def _fetch(connection: Any, request: dict[str, Any], started: float, deadline: float) -> dict[str, Any]:
    limits = request["limits"]
    reader = connection.sql(request["sql"]).to_arrow_reader(BATCH)
    rows: list[list[Any]] = []
    size, truncated = 0, False
    for batch in reader:
        if time.monotonic() > deadline:
            return {"error": "time"}
        cells = [column_values(column) for column in batch.columns]
        for row in zip(*cells, strict=True):
            size += len(json.dumps(row, allow_nan=False))
            if len(rows) >= limits["max_rows"] or size > limits["max_bytes"]:
                truncated = True
                break
            rows.append(list(row))
        if truncated:
            break
    columns = [{"name": field.name, "type": str(field.type)[:200]} for field in reader.schema]
    return {"columns": columns, "rows": rows, "truncated": truncated, "elapsed_ms": round((time.monotonic() - started) * 1000, 2)}


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _list(values: Any) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


if __name__ == "__main__":
    main(int(sys.argv[1]))
