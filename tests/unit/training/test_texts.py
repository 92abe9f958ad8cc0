"""Which columns are recognised, and what of a dataset is learned from and kept back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from hub_core.errors import UnsupportedFormat
from hub_core.reading import BytesReader
from hub_core.running_errors import UnsuitableData
from hub_core.training import corpus
from hub_core.training.texts import Shape, recognise

TALK = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def read(**files: bytes) -> dict[str, BytesReader]:
    return {name.replace("__", "."): BytesReader(name.replace("__", "."), content) for name, content in files.items()}


@pytest.mark.parametrize(
    ("row", "shape"),
    [
        ({"messages": TALK}, Shape("messages", ("messages",))),
        ({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}, Shape("messages", ("conversations",))),
        ({"messages": json.dumps(TALK)}, Shape("messages", ("messages",))),
        ({"prompt": "a", "completion": "b"}, Shape("pair", ("prompt", "completion"))),
        ({"Prompt": "a", "Completion": "b"}, Shape("pair", ("Prompt", "Completion"))),
        ({"instruction": "a", "input": "", "output": "b"}, Shape("pair", ("instruction", "output", "input"))),
        ({"question": "a", "answer": "b", "id": 3}, Shape("pair", ("question", "answer"))),
        ({"text": "a", "label": 1}, Shape("text", ("text",))),
        ({"question": "a", "choices": ["b", "c"], "answer": 1}, Shape("choice", ("question", "choices", "answer"))),
        ({"question": "a", "choices": ["b", "c"], "answer": "z"}, Shape("pair", ("question", "answer"))),
        ({"question": "a", "choices": ["b"], "answer": 0}, None),
        ({"messages": "no list", "text": "a"}, Shape("text", ("text",))),
        ({"id": 1, "label": "x"}, None),
        ({"prompt": "a", "completion": 3}, None),
        ({"messages": [{"role": "user", "content": "nobody answers"}]}, None),
        ({"messages": [{"role": "wizard", "content": "x"}]}, None),
    ],
)
def test_columns_are_recognised(row: dict[str, Any], shape: Shape | None) -> None:
    assert recognise(list(row), [row]) == shape


def test_an_instruction_is_asked_with_its_input() -> None:
    shape = recognise(["instruction", "input", "output"], [{"instruction": "Add", "input": "1 2", "output": "3"}])
    assert shape is not None
    assert shape.example({"instruction": "Add", "input": "1 2", "output": "3"}) == {
        "messages": [{"role": "user", "content": "Add\n\n1 2"}, {"role": "assistant", "content": "3"}]
    }
    assert shape.example({"instruction": "Add", "input": None, "output": ""}) is None


@pytest.mark.parametrize(
    ("choices", "answer"),
    [
        (["red", "blue"], 1),
        (["red", "blue"], "1"),
        (["red", "blue"], "B"),
        (["red", "blue"], "Blue"),
        ({"text": ["red", "blue"], "label": ["X", "Y"]}, "Y"),
        ({"text": ["red", "blue"], "label": ["1", "2"]}, "2"),
    ],
)
def test_the_right_answer_is_named_in_many_ways(choices: Any, answer: Any) -> None:
    row = {"question": "Which?", "choices": choices, "answer": answer}
    shape = recognise(list(row), [row])
    assert shape is not None
    example = shape.example(row)
    assert example is not None
    assert (example["choices"], example["answer"], example["messages"][1]["content"]) == (["red", "blue"], 1, "blue")


def test_an_error_names_the_columns_that_are_there() -> None:
    with pytest.raises(UnsuitableData) as caught:
        corpus.sample("acme/x", read(train__csv=b"id,label\n1,a\n"))
    assert "`id`, `label`" in caught.value.message
    assert "`messages`" in caught.value.hint


@pytest.mark.parametrize("files", [{}, {"README__md": b"# x"}, {"train__csv": b"text\n"}])
def test_nothing_to_learn_is_said(files: dict[str, bytes]) -> None:
    with pytest.raises(UnsuitableData):
        corpus.sample("acme/x", read(**files))


def test_an_empty_file_is_said() -> None:
    with pytest.raises((UnsuitableData, UnsupportedFormat)):
        corpus.sample("acme/x", read(train__jsonl=b""))


def written(readers: dict[str, BytesReader], tmp_path: Path) -> tuple[corpus.Written, list[str], list[str]]:
    found = corpus.sample("acme/x", readers)
    done = corpus.write("acme/x", found, readers, tmp_path / "train", tmp_path / "held", lambda _rows: None)
    return done, (tmp_path / "train").read_text().splitlines(), (tmp_path / "held").read_text().splitlines()


def test_rows_are_kept_back_by_their_text_alone(tmp_path: Path) -> None:
    rows = [{"text": f"row number {number}"} for number in range(400)]
    done, train, held = written(read(train__jsonl=jsonl(rows)), tmp_path)
    assert done == corpus.Written(len(train), len(held), 0, False)
    assert len(train) + len(held) == 400
    assert 5 < len(held) < 45
    _, _, again = written(read(train__jsonl=jsonl(rows[::-1])), tmp_path)
    assert sorted(again) == sorted(held), "the order of the rows decides nothing"


def test_a_file_that_is_named_for_it_is_kept_back(tmp_path: Path) -> None:
    files = {"data/train.jsonl": jsonl([{"text": "a"}, {"text": ""}]), "data/test.jsonl": jsonl([{"text": "b"}])}
    done, train, held = written({name: BytesReader(name, content) for name, content in files.items()}, tmp_path)
    assert (train, held) == (['{"text": "a"}'], ['{"text": "b"}'])
    assert done.skipped == 1


def test_a_few_rows_leave_one_to_measure_with(tmp_path: Path) -> None:
    done, train, held = written(read(train__jsonl=jsonl([{"text": "only"}, {"text": "two"}])), tmp_path)
    assert (done.train, done.held_out) == (1, 1)
    assert set(train) & set(held) == set()
    done, train, held = written(read(train__jsonl=jsonl([{"text": "alone"}])), tmp_path)
    assert (train, held) == (['{"text": "alone"}'], [])


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{number}", "completion": f"c{number}"} for number in range(50)]
    out = io.StringIO()
    writer = csv.DictWriter(out, ["prompt", "completion"])
    writer.writeheader()
    writer.writerows(rows)
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    files = {"t.csv": out.getvalue().encode(), "t.jsonl": jsonl(rows), "t.json": json.dumps(rows).encode(), "t.parquet": parquet.getvalue()}
    seen = [written({name: BytesReader(name, content)}, tmp_path)[1:] for name, content in files.items()]
    assert all(one == seen[0] for one in seen)


def test_shards_are_learned_together_and_other_files_left_alone(tmp_path: Path) -> None:
    files = {
        "data/train-00000-of-00002.jsonl": jsonl([{"text": f"a{number}"} for number in range(30)]),
        "data/train-00001-of-00002.jsonl": jsonl([{"text": f"b{number}"} for number in range(30)]),
        "labels.json": b'{"0": "x"}',
    }
    done, _, _ = written({name: BytesReader(name, content) for name, content in files.items()}, tmp_path)
    assert done.train + done.held_out == 60


def test_all_rows_measure_what_was_not_learned_from_them(tmp_path: Path) -> None:
    readers = read(quiz__jsonl=jsonl([{"text": f"row {number}"} for number in range(40)]))
    found = corpus.sample("acme/x", readers)
    done = corpus.write("acme/x", found, readers, tmp_path / "train", tmp_path / "held", lambda _rows: None, whole=True)
    assert done.held_out == 40
