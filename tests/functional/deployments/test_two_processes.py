"""Two processes of the hub on one machine: whatever becomes of the one that leads, the program runs on, once."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hub_core.authz import Actor
from hub_core.deployments.specs import Asked
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.deploying import add_model, catalog, end_all, pid, pid_of_copies
from tests.common.factories import actor_for, make_user
from tests.common.working import wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
HUB = """
import datetime, signal, sys, threading
from pathlib import Path
from hub_core.conversations import leases
leases.LEASE = datetime.timedelta(seconds=2)
from hub_core.settings import Settings
from tests.common.deploying import deploying

settings = Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2], catalog_dir=sys.argv[3], demo=False, deployment_grace_s=60)
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
with deploying(settings):
    print("ready", flush=True)
    stopped.wait()
"""


@dataclasses.dataclass
class Machine:
    """A machine with a deployment that the first of its hubs runs."""

    services: Services
    settings: Settings
    ann: Actor
    stack: ExitStack

    def hub(self) -> subprocess.Popen[str]:
        """One more process of the hub."""
        return self.stack.enter_context(hub_process(self.settings))

    def program(self) -> int:
        """The process that answers, once it does."""
        wait_until(lambda: self.services.deployments.find(self.ann, "chat").view.ready == 1, 60)
        return pid(self.services.deployments.find(self.ann, "chat").deployment.endpoints[0])


@contextmanager
def hub_process(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HUB, str(settings.data_dir), settings.database, settings.catalog_dir]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "ready\n" in iter(process.stdout.readline, "")
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture
def machine(settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[Machine]:
    ready = dataclasses.replace(settings, database_url=sqlite_url, catalog_dir=str(catalog(tmp_path / "catalog")))
    with open_services(ready) as services, ExitStack() as stack:
        ann = actor_for(make_user(services.db, "ann"))
        add_model(services, ann)
        repo = services.repos.find(ann, "ann/chat", RepoKind.MODEL)
        name, spec = services.deployments.plan_deploy(ann, repo, None, Asked())
        services.deployments.deploy(ann, repo, name, spec)
        yield Machine(services, ready, ann, stack)
    end_all(ready.data_dir)


def test_when_the_leader_is_killed_the_other_takes_over_what_runs(machine: Machine) -> None:
    first = machine.hub()
    before = machine.program()
    machine.hub()
    first.kill()
    first.wait()
    os.kill(before, signal.SIGKILL)  # only somebody who leads starts it again
    wait_until(lambda: pid_of_copies(machine.settings.data_dir) not in ([], [before]), 60)
    assert machine.program() != before
    assert len(pid_of_copies(machine.settings.data_dir)) == 1


def test_a_leader_that_was_stopped_comes_back_to_no_twin(machine: Machine) -> None:
    first = machine.hub()
    before = machine.program()
    first.send_signal(signal.SIGSTOP)
    second = machine.hub()
    until = time.monotonic() + 4  # twice the lease: by now both believe that they lead
    wait_until(lambda: time.monotonic() > until)
    assert pid_of_copies(machine.settings.data_dir) == [before]
    assert machine.program() == before
    first.send_signal(signal.SIGCONT)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pid_of_copies(machine.settings.data_dir) not in ([], [before]), 60)
    assert machine.program() != before
    assert len(pid_of_copies(machine.settings.data_dir)) == 1
    assert second.poll() is None
