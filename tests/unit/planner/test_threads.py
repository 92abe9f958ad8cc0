"""Which discussion is meant without its number."""

from __future__ import annotations

import pytest

from agent.planner.threads import Thread, meant

THREADS = [
    Thread(4, "Schneller laden", "dana", is_pull_request=False, is_open=False),
    Thread(3, "学習が一時間で落ちる", "chi", is_pull_request=False, is_open=True),
    Thread(2, "Add the evaluation script", "bob", is_pull_request=True, is_open=True),
    Thread(1, "Training stops at step 4000", "carol", is_pull_request=False, is_open=True),
]


@pytest.mark.parametrize(
    ("said", "authors", "number"),
    [
        ("what became of the training that stops", [], 1), ("the evaluation thing", [], 2), ("the evaluation script one", [], 2),
        ("学習が落ちる件", [], 3), ("the one from carol", ["carol"], 1), ("that thread", [], None), ("what bob wrote", ["bob"], 2), ("the one of erin", ["erin"], None),
    ],
)  # fmt: skip
def test_a_title_or_an_author_names_it(said: str, authors: list[str], number: int | None) -> None:
    found = meant(THREADS, said, authors, pulls=None, is_open=None, required=False)
    assert (found.number if found else None) == number


def test_the_only_one_that_fits_will_do_where_one_is_needed() -> None:
    assert meant(THREADS, "merge it", [], pulls=True, is_open=True, required=True) == THREADS[2]
    assert meant(THREADS, "close it", [], pulls=None, is_open=True, required=True) is None
    assert meant(THREADS, "open it again", [], pulls=None, is_open=False, required=True) == THREADS[0]
    assert meant([], "merge it", [], pulls=True, is_open=True, required=True) is None
