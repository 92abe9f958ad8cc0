"""`hubtalk worker`: a process that only runs background jobs."""

from __future__ import annotations

import signal
import threading

from hub_core.jobs.kinds import Lane
from hub_core.jobs.worker import Worker
from hub_core.logging import configure_logging
from hub_core.services import open_services
from hub_core.settings import Settings


def run_worker(settings: Settings, light: int, heavy: int, training: int = 0) -> None:
    """Run jobs until the process is asked to stop (SIGTERM or Ctrl-C)."""
    configure_logging(settings.log_level)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _number, _frame: stop.set())
    with open_services(settings) as services:
        worker = Worker(services, {Lane.LIGHT: light, Lane.HEAVY: heavy, Lane.TRAINING: training})
        worker.start()
        print(f"hubtalk: running jobs ({light} light, {heavy} heavy, {training} training at once)", flush=True)  # noqa: T201 - said to the person at the terminal
        stop.wait()
        worker.close()
