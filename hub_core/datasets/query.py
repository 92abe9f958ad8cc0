"""SQL over data files, with DuckDB in a locked-down child process.

Why a process of its own, used for one query only: DuckDB's settings (no external access, no extensions, locked
configuration) close the known ways to files and the network, but a query can still take all memory or time of the
process it runs in, and a fault in native code would take the hub with it. So each query gets a fresh child with an
empty environment, limits of the kernel on memory, processor time, files and file sizes (it cannot write any), and a
deadline after which the hub kills it. Inside, four more doors are shut: the syntax tree is checked against an
allowlist (`query_guard.py`), external access is off but for the bound files, extensions are off, and the configuration
is locked. One spare child is kept warm after the first query, because Python, DuckDB and Arrow take a third of a second
to start. A pipe that only the hub holds ends the children when the hub ends, however it ends.

Files of the local blob store are bound by a link, without a copy; others are copied to a private temporary folder.
Text that is not UTF-8 is converted on the way.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hub_core.datasets.formats import data_files
from hub_core.datasets.pages import Column, QueryResult
from hub_core.datasets.query_files import bind_file
from hub_core.errors import InvalidQuery, QueryLimit, Unavailable
from hub_core.gate import Gate
from hub_core.reading import FileReader
from hub_core.settings import Settings

GRACE_S = 5.0
MAX_FILES = 64
MAX_SQL = 100_000
_ROOT = Path(__file__).resolve().parents[2]
_START = "import sys; sys.path.append(sys.argv[2]); from hub_core.datasets.query_child import main; main(int(sys.argv[1]))"
_SHARD = re.compile(r"-\d{3,6}-of-\d{3,6}$")


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """How much one query may take and answer. `max_input_bytes` bounds what is copied for it."""

    timeout_s: float = 10.0
    memory_mb: int = 512
    max_rows: int = 1000
    max_bytes: int = 1 << 20
    threads: int = 2
    max_input_bytes: int = 2 << 30

    @classmethod
    def from_settings(cls, settings: Settings) -> QueryLimits:
        """The limits that the settings ask for."""
        return cls(timeout_s=settings.query_timeout_s, memory_mb=settings.query_memory_mb)


class QueryEngine:
    """Runs queries, each in its own child process. One for each hub; `close` it at the end."""

    def __init__(self, *, warm: bool = True) -> None:
        self._warm = warm
        self._gate = Gate(parallel=2, waiting=8, wait_s=10.0)
        self._lock = threading.Lock()
        self._spare: subprocess.Popen[bytes] | None = None
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        # The children hold the reading end; it closes when the hub is gone.
        self._life_read, self._life_write = os.pipe()

    def query(self, tables: Mapping[str, tuple[str, FileReader]], sql: str, limits: QueryLimits | None = None) -> QueryResult:
        """Run one SELECT over the tables (see `tables_for`); `data` is all files that have the columns of the first one.

        Raises:
            InvalidQuery: not one allowed statement, or DuckDB cannot run it.
            QueryLimit: it took more time, memory or input than allowed.
            TooBusy: too many queries are running.
            UnsupportedFormat: a file is no data.
        """
        limits = limits or QueryLimits()
        _check_text(sql, tables)
        try:
            with self._gate.place(), tempfile.TemporaryDirectory(prefix="hubtalk-query-") as folder:
                request = {"folder": folder, "sql": sql, "limits": asdict(limits), "tables": _bound(tables, Path(folder), limits)}
                return _result(self._ask(request, limits), limits)
        finally:
            self._refill()

    def close(self) -> None:
        """End all children and the pipe they live by."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            children = [*self._running, *([self._spare] if self._spare else [])]
            self._spare = None
            os.close(self._life_write)
            os.close(self._life_read)
        for child in children:
            _end(child)

    def _ask(self, request: dict[str, Any], limits: QueryLimits) -> dict[str, Any]:
        answer: dict[str, Any] = {"error": "died"}
        for _ in range(2):
            child = self._take()
            try:
                answer = _converse(child, json.dumps(request).encode(), limits)
            finally:
                _end(child)
                with self._lock:
                    self._running.discard(child)
            if answer.get("error") != "idle":
                break
        return answer

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            child, self._spare = self._spare, None
            if child is None or child.poll() is not None:
                if child is not None:
                    _end(child)
                child = self._start()
            self._running.add(child)
            return child

    def _refill(self) -> None:
        with self._lock:
            if self._warm and not self._closed and self._spare is None:
                with contextlib.suppress(Unavailable):
                    self._spare = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise Unavailable("The hub is shutting down.", hint="Try again in a moment.")
        # The system's allocator gives back memory and reserves none ahead, so that the limit on address space means something.
        environment = {"ARROW_DEFAULT_MEMORY_POOL": "system", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-W", "ignore", "-c", _START, str(self._life_read), str(_ROOT)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd="/",
                pass_fds=(self._life_read,), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Unavailable("No process can be started for the query.", hint="Try again in a moment.") from error


def query(tables: Mapping[str, tuple[str, FileReader]], sql: str, limits: QueryLimits | None = None) -> QueryResult:
    """`QueryEngine.query` with an engine for this one query."""
    engine = QueryEngine(warm=False)
    try:
        return engine.query(tables, sql, limits)
    finally:
        engine.close()


def tables_for(files: Mapping[str, FileReader]) -> dict[str, tuple[str, FileReader]]:
    """Names of tables for the data files of a repo: the stem of each file; shards become `train`, `train__2` … and are joined by `query`."""
    found: dict[str, tuple[str, FileReader]] = {}
    for path in data_files(files)[:MAX_FILES]:
        stem = PurePosixPath(path).stem
        base = table_name(_SHARD.sub("", stem))
        joiner = "__" if _SHARD.search(stem) else "_"
        name, number = base, 2
        while name.casefold() in {taken.casefold() for taken in found}:
            name, number = f"{base}{joiner}{number}", number + 1
        found[name] = (path, files[path])
    return found


def table_name(stem: str) -> str:
    """A stem as a name that needs no quotes: letters of any script, digits and `_`."""
    name = re.sub(r"\W+", "_", stem).strip("_")[:60] or "data"
    return f"t_{name}" if name[0].isdigit() else name


def _check_text(sql: str, tables: Mapping[str, Any]) -> None:
    if not sql.strip() or not tables:
        raise InvalidQuery("There is nothing to query.", hint="Write something like: SELECT * FROM data LIMIT 10")
    if len(sql) > MAX_SQL:
        raise InvalidQuery(f"The query is longer than {MAX_SQL:,} characters.", hint="Make the query simpler.")
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in sql):
        raise InvalidQuery("The query has characters that are no text.", hint="Write plain SQL.")


def _bound(tables: Mapping[str, tuple[str, FileReader]], folder: Path, limits: QueryLimits) -> list[dict[str, Any]]:
    """Put the files where the child finds them, shards of one table together."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    left = limits.max_input_bytes
    for index, (name, (path, reader)) in enumerate(list(tables.items())[:MAX_FILES]):
        base = re.sub(r"__\d+$", "", name) if _SHARD.search(PurePosixPath(path).stem) else name
        file = bind_file(path, reader, folder, index, left)
        left -= file["copied"]
        grouped.setdefault(base, []).append(file)
    return [{"name": name, "files": files} for name, files in grouped.items()]


def _converse(child: subprocess.Popen[bytes], request: bytes, limits: QueryLimits) -> dict[str, Any]:
    """Send the request and read the answer, for no longer than the deadline and no more than an answer can be."""
    assert child.stdin is not None and child.stdout is not None
    deadline = time.monotonic() + limits.timeout_s + GRACE_S
    try:
        child.stdin.write(request)
        child.stdin.close()
    except BrokenPipeError:
        pass
    most, answer = limits.max_bytes * 2 + (4 << 20), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                return {"error": "time"}
            piece = os.read(child.stdout.fileno(), 1 << 16)
            if not piece:
                break
            answer += piece
            if len(answer) > most:
                return {"error": "memory"}
    try:
        return dict(json.loads(answer))
    except ValueError:
        # A spare that has just ended for want of work ends with 0; else a limit of the kernel or a fault in native code did it.
        return {"error": "died" if child.wait() else "idle"}


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def _result(answer: dict[str, Any], limits: QueryLimits) -> QueryResult:
    match answer.get("error"):
        case None:
            columns = tuple(Column(column["name"], column["type"]) for column in answer["columns"])
            return QueryResult(columns, answer["rows"], answer["truncated"], answer["elapsed_ms"], tuple(answer.get("notes", ())))
        case "invalid":
            message = str(answer["message"]).split("\n\nLINE ")[0].strip()
            raise InvalidQuery(
                f"The query cannot be run: {message}",
                hint="Queries are one SELECT over the tables of the dataset, for example: SELECT * FROM data LIMIT 10",
            )
        case "time":
            raise QueryLimit(f"The query took longer than {limits.timeout_s:g} seconds.", hint="Filter or aggregate less data.")
        case "memory":
            raise QueryLimit(f"The query needs more than {limits.memory_mb} MiB of memory.", hint="Select fewer columns or rows.")
        case _:
            raise QueryLimit("The query exceeded the limits of its sandbox and was ended.", hint="Make the query simpler.")
