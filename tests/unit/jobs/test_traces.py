"""What a long job tells: its curve stays short, and an attempt that goes on from a checkpoint writes over what came after it."""

from __future__ import annotations

from hub_core.jobs.traces import MAX_LOG, MAX_POINTS, Series, read_trace, write_trace
from hub_core.services import Services
from tests.common.working import add, row


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    series = Series()
    for step in range(1, 50_001):
        series.add({"step": step, "loss": 1.0})
    points = series.points()
    assert len(points) <= MAX_POINTS + 1
    assert (points[0]["step"], points[-1]["step"]) == (1, 50_000)
    steps = [point["step"] for point in points]
    assert steps == sorted(set(steps))


def test_steps_that_are_done_again_are_not_there_twice() -> None:
    series = Series()
    series.load([{"step": step, "loss": 9.0} for step in range(1, 8)])
    series.add({"step": 5, "loss": 1.0})
    assert [(point["step"], point["loss"]) for point in series.points()][-2:] == [(4, 9.0), (5, 1.0)]


def test_a_trace_goes_with_its_job(services: Services) -> None:
    job = add(services, "scan", {})
    assert read_trace(services.db, job) == ("", [])
    write_trace(services.db, job, "x" * (MAX_LOG + 5) + "\0end", [{"step": 1, "loss": 2.0}])
    write_trace(services.db, job, "y\0end", [{"step": 2, "loss": 1.0}])
    assert read_trace(services.db, job) == ("yend", [{"step": 2, "loss": 1.0}])
    with services.db.write() as session:
        session.delete(row(services, job))
    assert read_trace(services.db, job) == ("", [])
