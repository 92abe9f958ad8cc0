"""Several processes share one queue; one that is killed in the middle of a job loses nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.working import MARK, add, row, wait_until, with_kinds, worker_process

pytestmark = pytest.mark.slow


@pytest.fixture
def hub(settings: Settings, db_url: str) -> Iterator[Services]:
    with open_services(dataclasses.replace(settings, database_url=db_url)) as services:
        yield with_kinds(services, MARK)


def test_a_job_of_a_killed_process_is_run_again_by_another(hub: Services, tmp_path: Path) -> None:
    job = add(hub, MARK.name, {"folder": str(tmp_path), "number": 0})
    with worker_process(hub.settings) as doomed:
        wait_until((tmp_path / "ran-0").exists)
        doomed.kill()
        doomed.wait()
    (tmp_path / "go").touch()
    with worker_process(hub.settings):
        wait_until(lambda: row(hub, job).status == "succeeded")
    assert (tmp_path / "ran-0").read_text().split() == ["1", "2"]


def test_processes_that_are_killed_while_they_share_a_queue_lose_and_double_nothing(hub: Services, tmp_path: Path) -> None:
    jobs = [add(hub, MARK.name, {"folder": str(tmp_path), "number": n}) for n in range(12)]
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_process(hub.settings)) for _ in range(2)]
        wait_until(lambda: len(list(tmp_path.glob("ran-*"))) == 8)
        workers[0].kill()
        workers[0].wait()
        (tmp_path / "go").touch()
        wait_until(lambda: all(row(hub, job).status == "succeeded" for job in jobs))
    runs = [len((tmp_path / f"ran-{n}").read_text().split()) for n in range(12)]
    assert sorted(runs) == [1] * 8 + [2] * 4
