"""Hours of hardware are counted once, whoever tells of them, how often, and whatever failed in between."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa

from hub_core.db import Database
from hub_core.metering.compute import GAP_S, ComputeMeter, Ran, by_hour
from hub_core.metering.tables import ComputeCursor, ComputeHour

NOON = dt.datetime(2026, 11, 3, 12, 0, tzinfo=dt.UTC)
CHAT = Ran("deployment", 7, "ann/chat", 1, "ann", 1, 5, "a10", 2.0, "d7-r1/0")


def after(seconds: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


def hours(db: Database) -> list[tuple[int, float, float]]:
    """(hour, seconds, cost) of all rows."""
    with db.read() as session:
        rows = session.scalars(sa.select(ComputeHour).order_by(ComputeHour.hour, ComputeHour.target_id, ComputeHour.hardware))
        return [(row.hour.hour, round(row.seconds, 3), round(row.cost, 6)) for row in rows]


@pytest.fixture
def meter(db: Database) -> ComputeMeter:
    return ComputeMeter(db)


def test_what_is_seen_again_and_again_counts_from_the_first_time(db: Database, meter: ComputeMeter) -> None:
    for second in (0, 15, 30, 45, 60):
        meter.seen([CHAT], after(second))
    assert hours(db) == [(12, 60.0, round(60 / 3600 * 2, 6))]


def test_the_same_moment_told_twice_counts_once(db: Database, meter: ComputeMeter) -> None:
    for second in (0, 15, 15, 10, 15):
        meter.seen([CHAT, CHAT], after(second))
    assert hours(db) == [(12, 15.0, round(15 / 3600 * 2, 6))]


def test_a_process_that_takes_over_goes_on_where_the_last_one_was(db: Database, meter: ComputeMeter) -> None:
    meter.seen([CHAT], after(0))
    meter.seen([CHAT], after(15))
    ComputeMeter(db).seen([CHAT], after(30))
    meter.seen([CHAT], after(25))  # the one before had not noticed yet
    assert hours(db) == [(12, 30.0, round(30 / 3600 * 2, 6))]


def test_a_gap_is_not_taken_for_running(db: Database, meter: ComputeMeter) -> None:
    meter.seen([CHAT], after(0))
    meter.seen([CHAT], after(15))
    meter.seen([CHAT], after(15 + GAP_S + 1))
    meter.seen([CHAT], after(15 + GAP_S + 11))
    assert hours(db) == [(12, 25.0, round(25 / 3600 * 2, 6))]


def test_a_copy_that_began_between_two_looks_counts_from_its_start(db: Database, meter: ComputeMeter) -> None:
    meter.seen([dataclasses.replace(CHAT, started_at=after(90))], after(100))
    restarted = dataclasses.replace(CHAT, started_at=after(112))
    meter.seen([restarted], after(115))
    assert hours(db) == [(12, 13.0, round(13 / 3600 * 2, 6))]


def test_a_copy_that_began_long_before_it_was_first_seen_counts_from_then(db: Database, meter: ComputeMeter) -> None:
    meter.seen([dataclasses.replace(CHAT, started_at=after(-9999))], after(0))
    assert hours(db) == []
    meter.seen([dataclasses.replace(CHAT, started_at=after(-9999))], after(15))
    assert hours(db) == [(12, 15.0, round(15 / 3600 * 2, 6))]


def test_copies_add_up_and_hardware_is_kept_apart(db: Database, meter: ComputeMeter) -> None:
    second = dataclasses.replace(CHAT, part="d7-r1/1")
    dearer = dataclasses.replace(CHAT, part="d7-r2/0", hardware="h100", price=10.0)
    for moment in (0, 20):
        meter.seen([CHAT, second, dearer], after(moment))
    assert hours(db) == [(12, 40.0, round(40 / 3600 * 2, 6)), (12, 20.0, round(20 / 3600 * 10, 6))]


def test_a_span_is_split_by_hours(db: Database, meter: ComputeMeter) -> None:
    job = Ran("job", 3, "finetune 3", 1, "ann", 1, None, "a10", 3.6)
    meter.ran(job, after(1800), after(3600 * 2 + 60))
    assert hours(db) == [(12, 1800.0, 1.8), (13, 3600.0, 3.6), (14, 60.0, 0.06)]
    assert sum(seconds for _, seconds in by_hour(after(1800), after(7260))) == 5460


def test_a_job_that_tells_of_itself_as_it_goes_counts_once(db: Database, meter: ComputeMeter) -> None:
    job = Ran("job", 3, "finetune 3", 1, "ann", 1, None, "a10", 3.6)
    meter.ran(job, after(0), after(30))
    meter.ran(job, after(0), after(60))  # from its start again
    meter.ran(job, after(30), after(60))
    meter.ran(job, after(0), after(40))  # late
    meter.ran(job, after(500), after(520))  # tried again
    assert hours(db) == [(12, 80.0, 0.08)]


def test_prices_of_then_stay(db: Database, meter: ComputeMeter) -> None:
    meter.seen([CHAT], after(0))
    meter.seen([CHAT], after(10))
    meter.seen([dataclasses.replace(CHAT, price=4.0, name="ann/renamed")], after(20))
    assert hours(db) == [(12, 20.0, round(10 / 3600 * 2 + 10 / 3600 * 4, 6))]
    with db.read() as session:
        assert session.scalar(sa.select(ComputeHour.name)) == "ann/renamed"


def test_old_cursors_are_forgotten_and_what_they_covered_is_not_counted_again(db: Database, meter: ComputeMeter) -> None:
    job = Ran("job", 3, "finetune 3", 1, "ann", 1, None, "a10", 3.6)
    now = dt.datetime.now(dt.UTC)
    meter.ran(job, now - dt.timedelta(days=9), now - dt.timedelta(days=8))
    before = sum(seconds for _, seconds, _ in hours(db))
    assert meter.prune() == 1
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ComputeCursor)) == 0
    meter.ran(job, now - dt.timedelta(days=9), now)
    assert sum(seconds for _, seconds, _ in hours(db)) - before <= 7 * 86400
