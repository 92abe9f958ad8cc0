"""The rows of a dataset's repo to learn from, and those that are kept back to measure with.

What is kept back follows from the data alone, so that a fine-tune and a later evaluation agree on it: the files that are named for it
(`test`, `validation` ...), or else about every twentieth row, chosen by the hash of its text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hub_core.datasets.formats import data_files
from hub_core.datasets.loaded import Budget
from hub_core.datasets.tabular import load
from hub_core.errors import UnsupportedFormat
from hub_core.reading import FileReader
from hub_core.running_errors import UnsuitableData
from hub_core.training.texts import ROW, Example, Shape, recognise, unsuitable

SAMPLE = Budget(rows=2000, max_bytes=8 << 20)
PAGE_ROWS, PAGE_BYTES = 20_000, 32 << 20
MAX_ROWS = 200_000
MAX_BYTES = 512 << 20
MAX_LOOKED_AT = 20
MAX_HELD_OUT = 300
MAX_SHOWN = 100
HELD_OUT_EVERY = 20
_HELD_OUT = re.compile(r"(?:^|[/_.-])(?:test|tests|validation|valid|val|eval|dev|held[_-]?out)(?:[/_.-]|$)", re.IGNORECASE)

Readers = Mapping[str, FileReader]


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a dataset, and what follows from them.

    `rows` is how many there are to learn from: exact, or from the size of the files (`exact` is false).
    """

    shape: Shape
    columns: tuple[str, ...]
    files: tuple[str, ...]
    held_out_files: tuple[str, ...]
    examples: tuple[Example, ...]
    rows: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Written:
    """How many examples were laid out: to learn from, to measure with, and rows without a text that were left out."""

    train: int
    held_out: int
    skipped: int
    cut: bool


def split_files(paths: list[str]) -> tuple[list[str], list[str]]:
    """The data files to learn from, and those to measure with."""
    found = data_files(paths)
    held_out = [path for path in found if _HELD_OUT.search(path)]
    train = [path for path in found if path not in held_out]
    return (train, held_out) if train else (held_out, [])


def sample(dataset: str, readers: Readers, *, any_rows: bool = False) -> Sample:
    """Look at the first rows; with `any_rows` whatever columns they have.

    Raises:
        UnsuitableData: there are no data files, no rows, or no texts in them.
    """
    train, held_out = split_files(list(readers))
    if not train:
        raise UnsuitableData(f"{dataset} has no CSV, JSON, JSONL or Parquet file.", hint="list_files shows what is there.")
    seen: tuple[str, ...] = ()
    for path in train[:MAX_LOOKED_AT]:
        try:
            loaded = load(path, readers[path], SAMPLE)
        except UnsupportedFormat:
            if len(train) == 1 and readers[path].size:
                raise
            continue
        names = tuple(str(name) for name in loaded.table.schema.names)
        rows = loaded.table.to_pylist()
        shape = (Shape(ROW, names) if any_rows else recognise(names, rows)) if rows else None
        if shape is not None:
            examples = tuple(found for row in rows if (found := shape.example(row)) is not None)
            count = loaded.total_rows if loaded.total_rows is not None else _guess(readers[path], rows)
            alike = [other for other in train if Path(other).suffix == Path(path).suffix]
            total = count + sum(round(count * readers[other].size / max(1, readers[path].size)) for other in alike if other != path)
            exact = loaded.total_rows is not None and len(alike) == 1
            kept = () if held_out else (total // HELD_OUT_EVERY,)
            return Sample(shape, names, tuple(alike), tuple(held_out), examples, min(MAX_ROWS, total - sum(kept)), exact)
        seen = seen or (names if rows else ())
    if not seen:
        raise UnsuitableData(f"{dataset} has no rows.", hint="Upload a file with rows.", dataset=dataset)
    raise unsuitable(dataset, seen)


def write(
    dataset: str, found: Sample, readers: Readers, train: Path, held_out: Path, tell: Callable[[int], None], *, whole: bool = False
) -> Written:
    """Lay out the examples as two files of JSON lines.

    Args:
        tell: told how many rows were read; raises to end it.
        whole: nothing is learned from it, so all of it is there to measure with.

    Raises:
        UnsuitableData: not one row has a text.
    """
    learned = skipped = 0
    kept: list[str] = []
    lowest: tuple[int, str] | None = None
    cut = False
    with train.open("w", encoding="utf-8") as out:
        for number, example in enumerate(_examples(found.shape, found.files, readers), 1):
            tell(number)
            if example is None:
                skipped += 1
                continue
            line = json.dumps(example, ensure_ascii=False)
            mark = mark_of(line)
            chosen = whole or mark % HELD_OUT_EVERY == 0
            if not found.held_out_files and chosen and len(kept) < MAX_HELD_OUT:
                kept.append(line)
                continue
            lowest = (mark, line) if lowest is None or mark < lowest[0] else lowest
            out.write(line + "\n")
            learned += 1
            if learned >= MAX_ROWS or out.tell() > MAX_BYTES:
                cut = True
                break
    for example in _examples(found.shape, found.held_out_files, readers):
        if example is not None and len(kept) < MAX_HELD_OUT:
            kept.append(json.dumps(example, ensure_ascii=False))
        if len(kept) >= MAX_HELD_OUT:
            break
    if not kept and lowest is not None and learned > 1:
        learned -= _take_out(train, lowest[1])
        kept.append(lowest[1])
    if not learned and not kept:
        raise UnsuitableData(f"{dataset} has no rows with a text in them.", hint="Look at it with preview_dataset.", dataset=dataset)
    if not learned:
        train.write_text("\n".join(kept) + "\n", encoding="utf-8")
        learned = len(kept)
    held_out.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    return Written(learned, len(kept), skipped, cut)


def write_rows(dataset: str, readers: Readers, rest: Path, measured: Path, tell: Callable[[int], None], *, learned: bool) -> Written:
    """Lay out rows as they are, as JSON lines: those to measure with, and some of the rest, for examples to show before a question.

    Args:
        tell: told how many rows were read; raises to end it.
        learned: a model was trained on it, so what was kept back then is measured with.

    Raises:
        UnsuitableData: there are no rows.
    """
    train, held_out = split_files(list(readers))
    shape = sample(dataset, readers).shape if learned and not held_out else None
    kept: list[str] = []
    others: list[str] = []
    lowest: tuple[int, str] | None = None
    for number, row in enumerate(_rows(tuple(held_out or train), readers), 1):
        tell(number)
        line = json.dumps(row, ensure_ascii=False, default=str)
        mark = mark_of(json.dumps(example, ensure_ascii=False)) if shape is not None and (example := shape.example(row)) is not None else 0
        if mark % HELD_OUT_EVERY == 0:
            kept.append(line)
        elif len(others) < MAX_SHOWN:
            others.append(line)
        lowest = (mark, line) if lowest is None or mark < lowest[0] else lowest
        if len(kept) >= MAX_HELD_OUT or number >= MAX_ROWS:
            break
    if held_out:
        others = [json.dumps(row, ensure_ascii=False, default=str) for row in islice(_rows(tuple(train), readers), MAX_SHOWN)]
    kept = kept or ([lowest[1]] if lowest is not None else [])
    if not kept:
        raise UnsuitableData(f"{dataset} has no rows.", hint="Look at it with preview_dataset.", dataset=dataset)
    for path, lines in ((rest, others), (measured, kept)):
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return Written(len(others), len(kept), 0, False)


def mark_of(line: str) -> int:
    """A number that follows from an example alone: it decides whether it is kept back."""
    return int.from_bytes(hashlib.sha256(line.encode("utf-8", "surrogatepass")).digest()[:4], "big")


def _examples(shape: Shape, paths: tuple[str, ...], readers: Readers) -> Iterator[Example | None]:
    return map(shape.example, _rows(paths, readers, shape.columns))


def _rows(paths: tuple[str, ...], readers: Readers, columns: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """All rows of some files; with columns of those files that have them, and nothing else."""
    for path in paths:
        skip = 0
        while True:
            try:
                loaded = load(path, readers[path], Budget(rows=PAGE_ROWS, skip=skip, max_bytes=PAGE_BYTES))
            except UnsupportedFormat:
                if skip or len(paths) == 1:
                    raise
                break  # an empty or broken shard beside good ones
            if not set(columns) <= set(loaded.table.schema.names):
                break
            yield from (loaded.table.select(list(dict.fromkeys(columns))) if columns else loaded.table).to_pylist()
            skip += loaded.table.num_rows
            if loaded.complete or not loaded.table.num_rows:
                break


def _take_out(path: Path, line: str) -> int:
    """Take a line out of a small file, wherever it stands; returns how often it stood there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    left = [other for other in lines if other != line]
    if not left:
        return 0  # all rows are the same: what is measured with is what was learned
    path.write_text("\n".join(left) + "\n", encoding="utf-8")
    return len(lines) - len(left)


def _guess(reader: FileReader, rows: list[Mapping[str, Any]]) -> int:
    """About how many rows a text file has, from the size of the first ones."""
    size = sum(len(json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace")) for row in rows[:500])
    return max(len(rows), round(reader.size * min(500, len(rows)) / max(1, size)))
