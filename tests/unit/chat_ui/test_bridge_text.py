"""Answers in the shape that a platform can show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_ui.bridges.port import Capabilities
from chat_ui.bridges.text import Table, aligned, fitted, listed, segments, split, unmarked

TABLE = "| name | 大小 |\n| --- | --- |\n| vision | 7 |\n| 支持 | 12 |"


def test_a_table_is_found_among_text() -> None:
    before, table, after = segments(f"Two repos:\n\n{TABLE}\n\nThat is all.")
    assert (before, after) == ("Two repos:", "That is all.")
    assert table == Table(("name", "大小"), (("vision", "7"), ("支持", "12")))


def test_a_table_inside_code_is_code() -> None:
    (code,) = segments(f"```\n{TABLE}\n```")
    assert not isinstance(code, Table)


def test_columns_stand_below_each_other_in_a_font_of_one_width() -> None:
    assert aligned(Table(("name", "n"), (("支持", "1"), ("abc", "2")))).split("\n") == ["name  n", "----  -", "支持  1", "abc   2"]


def test_a_narrow_platform_gets_a_list() -> None:
    assert listed(Table(("name", "size"), (("vision", "7"),))) == "- vision · size: 7"
    assert "|" not in fitted(TABLE, Capabilities(max_text=100, markdown=False))


def test_marks_are_left_out_where_they_are_not_drawn() -> None:
    assert unmarked("**bold** `code` [here](http://x) a\\_b") == "bold code here (http://x) a_b"


def test_code_that_is_cut_is_closed_and_opened_again() -> None:
    pieces = split("```\n" + "\n".join(f"line {number}" for number in range(50)) + "\n```", 120)
    assert len(pieces) > 1
    assert all(piece.count("```") == 2 for piece in pieces)


def test_a_text_is_cut_between_paragraphs() -> None:
    assert split("a" * 60 + "\n\n" + "b" * 60, 100) == ["a" * 60, "b" * 60]


@pytest.mark.parametrize("counts_bytes", [False, True])
@given(text=st.text(alphabet="ab 語\n`|-", max_size=600), limit=st.integers(40, 200))
def test_no_piece_is_too_long_and_nothing_is_lost(counts_bytes: bool, text: str, limit: int) -> None:
    pieces = split(text, limit, counts_bytes=counts_bytes)
    assert all((len(piece.encode()) if counts_bytes else len(piece)) <= limit for piece in pieces)
    if "`" not in text:
        assert "".join("".join(pieces).split()) == "".join(text.split())
