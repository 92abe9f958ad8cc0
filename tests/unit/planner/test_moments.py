from __future__ import annotations

import datetime as dt

import pytest

from agent.planner.moments import find_moments

NOW = dt.datetime(2026, 3, 12, 9, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("yesterday", "2026-03-11"), ("3 days ago", "2026-03-09"), ("two weeks ago", "2026-02-26"), ("last week", "2026-03-05"), ("since 2026-01-05", "2026-01-05"), ("昨天", "2026-03-11"),
        ("三天前", "2026-03-09"), ("上周", "2026-03-05"), ("3日前", "2026-03-09"), ("先週", "2026-03-05"), ("3月1日", "2026-03-01"), ("어제", "2026-03-11"), ("3일 전", "2026-03-09"),
        ("지난주", "2026-03-05"), ("on monday", "2026-03-09"), ("12月1日", "2025-12-01"),
    ],
)  # fmt: skip
def test_moments(text: str, day: str) -> None:
    assert [found for _, _, found in find_moments(text, NOW)] == [day]


def test_impossible_dates_are_left() -> None:
    assert find_moments("2026-13-45", NOW) == []
