"""Programs on this machine when hubs come, go, and both believe that they lead: none runs twice, none is forgotten."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hub_core.clusters.local import copy as copies
from hub_core.clusters.local.cluster import LocalCluster
from hub_core.clusters.port import Probe, Resources, Workload
from hub_core.running_errors import ClusterUnavailable
from tests.common import fake_runtime
from tests.common.deploying import pid_of_copies
from tests.common.working import wait_until

ROOT = Path(__file__).parents[3]
MIB = 1024**2
Opener = Callable[[], LocalCluster]


def workload(replicas: int = 1, version: str = "1", startup_s: float = 30) -> Workload:
    command = (sys.executable, fake_runtime.__file__, "--host", "{host}", "--port", "{port}", "--version", version)
    return Workload(
        "d1-r1", {"deployment": "1"}, command, Resources(1, 256 * MIB), replicas, {}, Probe("/health", startup_s), image="fake:1"
    )


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    """Opens clusters of one folder, as several processes of the hub on one machine would."""
    opened: list[LocalCluster] = []

    def make() -> LocalCluster:
        opened.append(LocalCluster(tmp_path / "local", memory=1024 * MIB, grace_s=20))
        opened[-1].start()
        return opened[-1]

    yield make
    for one in opened:
        one.close()
    last = make()
    for name in last.observe():
        last.delete(name)
    wait_until(lambda: not [path for path in (tmp_path / "local").iterdir() if path.is_dir()])
    last.close()


def ready(cluster: LocalCluster, count: int = 1) -> list[str]:
    wait_until(lambda: "d1-r1" in cluster.observe() and len(cluster.observe()["d1-r1"].ready) == count, 30)
    return [one.address for one in cluster.observe()["d1-r1"].ready]


def test_of_two_that_believe_to_lead_one_acts_and_the_other_waits_for_it(opener: Opener, tmp_path: Path) -> None:
    first = opener()
    first.apply(workload())
    before = ready(first)
    second = opener()
    for act in (second.observe, lambda: second.apply(workload(3)), lambda: second.delete("d1-r1")):
        with pytest.raises(ClusterUnavailable):
            act()
    assert ready(first) == before
    first.close()
    wait_until(lambda: is_there(second))
    assert ready(second) == before
    assert len(pid_of_copies(tmp_path)) == 1


def is_there(cluster: LocalCluster) -> bool:
    try:
        cluster.observe()
    except ClusterUnavailable:
        return False
    return True


def test_who_leads_again_knows_what_another_did_meanwhile(opener: Opener, tmp_path: Path) -> None:
    first = opener()
    first.apply(workload())
    ready(first)
    first.close()
    second = opener()
    second.apply(workload(2, version="2"))
    ready(second, 2)
    programs = sorted(pid_of_copies(tmp_path))
    second.close()
    first.start()
    assert len(ready(first, 2)) == 2
    assert first.observe()["d1-r1"].digest == workload(version="2").digest
    assert sorted(pid_of_copies(tmp_path)) == programs


DIES = """
import os, signal, sys
from pathlib import Path
from hub_core.clusters.local import copy as copies
from hub_core.clusters.local.cluster import LocalCluster
from tests.functional.deployments.test_leading import workload

real = copies.subprocess.Popen
def dying(*args, **more):
    real(*args, **more)
    os.kill(os.getpid(), signal.SIGKILL)
copies.subprocess.Popen = dying
cluster = LocalCluster(Path(sys.argv[1]) / "local", memory=2**30, grace_s=20)
cluster.start()
cluster.apply(workload())
import time
time.sleep(30)
"""


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_hub_that_is_killed_right_after_it_made_one_leaves_no_twin_and_no_orphan(
    opener: Opener, tmp_path: Path, is_deleted: bool
) -> None:
    ended = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], cwd=ROOT, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    cluster = opener()
    if is_deleted:
        cluster.delete("d1-r1")
        wait_until(lambda: not [path for path in (tmp_path / "local").iterdir() if path.is_dir()], 30)
        assert pid_of_copies(tmp_path) == []
        return
    cluster.apply(workload())
    ready(cluster)
    assert len(pid_of_copies(tmp_path)) == 1
    assert cluster.observe()["d1-r1"].instances[0].restarts == 0


def test_a_keeper_that_has_not_told_who_it_is_yet_is_not_started_twice(tmp_path: Path) -> None:
    folder = tmp_path / "local" / "d1-r1" / "0"
    folder.mkdir(parents=True)
    held = copies.take_lock(folder / copies.LOCK)
    assert held is not None
    copy = copies.Copy(folder, tmp_path / "local" / "heartbeat", 20)
    copy.step(workload(), "", [])
    assert not (folder / "run.json").exists()
    assert copy.stop() is False  # so its folder stays, too
    os.close(held)
    assert copy.stop() is True


class Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def test_a_program_that_answers_on_a_stolen_port_gets_no_requests(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=stranger.serve_forever, daemon=True)
    thread.start()
    free, ports = copies.free_port, [stranger.server_port]
    monkeypatch.setattr(copies, "free_port", lambda: ports.pop() if ports else free())
    seen: list[str] = []
    cluster = opener()
    # Ours holds back with its port until the stranger has been asked, as a model does that takes long to load.
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    late = Workload("d1-r1", {"deployment": "1"}, command, Resources(1, 256 * MIB), 1, {}, Probe("/health", 30), image="fake:1")
    cluster.apply(late)

    def told() -> bool:
        (one,) = cluster.observe()["d1-r1"].instances or (None,)
        seen.append(one.state if one else "")
        return bool(one and one.restarts)

    wait_until(told, 30)
    assert "ready" not in seen
    (one,) = cluster.observe()["d1-r1"].instances
    assert one.reason == "Another program answers on its port."
    cluster.apply(workload())
    assert ready(cluster) != [f"http://127.0.0.1:{stranger.server_port}"]
    stranger.shutdown()
    stranger.server_close()
    thread.join()


def test_a_port_that_is_taken_is_left_for_another(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free, ports = copies.free_port, [taken.getsockname()[1]]
        monkeypatch.setattr(copies, "free_port", lambda: ports.pop() if ports else free())
        cluster = opener()
        cluster.apply(workload())
        assert ready(cluster)
        (one,) = cluster.observe()["d1-r1"].instances
        assert one.restarts == 1
