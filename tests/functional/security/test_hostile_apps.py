"""Programs that mean harm, really run: what they reach of the machine, of the hub and of the network, and what becomes of them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_core.clusters.local.boxes import missing
from hub_core.clusters.local.cluster import LocalCluster
from hub_core.clusters.port import GIB, Confined, InstanceState, Probe, Resources, Workload
from tests.common import hostile_app
from tests.common.working import wait_until

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"this machine cannot shut programs in: {missing()}")
MIB = 1024**2
SECRET = "the hub's own data"


class App:
    """A hostile app that runs; it is asked over HTTP what to do."""

    def __init__(self, cluster: LocalCluster, data: Path, memory: int = 512 * MIB, disk: int = 64 * MIB) -> None:
        source = data / "source"
        if not source.exists():
            source.mkdir()
            shutil.copy(hostile_app.__file__, source / "app.py")
        self.cluster = cluster
        self.workload = Workload(
            "d1-r1", {}, (sys.executable, "app.py"), Resources(1, memory), 1, environment={"PORT": "{port}"}, probe=Probe("/health", 30),
            port=7860, confined=Confined(str(source), (sys.prefix,), disk), secrets={"TOKEN": "of the app"},
        )  # fmt: skip
        cluster.apply(self.workload)
        wait_until(lambda: self.state is InstanceState.READY, 30)

    @property
    def state(self) -> InstanceState | None:
        return next((one.state for one in self.cluster.observe()["d1-r1"].instances), None)

    @property
    def reason(self) -> str:
        return next((one.reason for one in self.cluster.observe()["d1-r1"].instances), "")

    def ask(self, act: str, **given: Any) -> Any:
        address = self.cluster.observe()["d1-r1"].ready[0].address
        answer = httpx.get(f"{address}/{act}", params=given, timeout=60, trust_env=False).json()
        return answer.get("result", answer)

    def tell(self, act: str, **given: Any) -> None:
        """Ask for something that may well end the app before it answers."""
        try:
            self.ask(act, **given)
        except (httpx.HTTPError, ValueError, IndexError):
            return

    def ended(self, because: str) -> None:
        wait_until(lambda: because in self.reason, 60)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "hub.db").write_text(SECRET)
    return tmp_path


@pytest.fixture
def cluster(data: Path) -> Iterator[LocalCluster]:
    cluster = LocalCluster(data / "local", memory=8 * GIB)
    cluster.start()
    yield cluster
    for name in cluster.observe():
        cluster.delete(name)
    wait_until(lambda: not any(path.is_dir() for path in (data / "local").iterdir()), 30)
    cluster.close()


@pytest.fixture
def app(cluster: LocalCluster, data: Path) -> App:
    return App(cluster, data)


def _boxes(data: Path) -> list[int]:
    """Processes of this machine that have to do with a hub's copies."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            words = (path / "cmdline").read_bytes() if path.name.isdigit() else b""
        except OSError:
            continue
        if str(data / "local").encode() in words:
            found.append(int(path.name))
    return found


def _below(pids: list[int]) -> set[int]:
    """These processes, and all that they and their children started."""
    rows = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.split()
    parents = dict(zip(map(int, rows[::2]), map(int, rows[1::2]), strict=True))
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def test_it_sees_nothing_of_the_hub_and_has_no_rights(app: App, data: Path) -> None:
    assert "No such file" in app.ask("read", path=str(data / "hub.db"))["text"]
    assert "No such file" in app.ask("list_folder", path=str(data))["text"]
    assert "errno" in app.ask("list_folder", path="/root/.ssh")
    assert app.ask("list_folder", path="/space/app") == ["app.py"]
    me = app.ask("whoami")
    assert me["uid"] == 1000
    assert me["groups"] == [] or os.geteuid() != 0
    assert set(me["processes"]) == {"1", str(me["pid"])}  # its guard and itself: no process of the hub has a number there
    assert app.ask("read", path="/proc/1/environ")["errno"] in {1, 13}
    known = app.ask("environ")
    assert known["TOKEN"] == "of the app"
    assert not [name for name in known if name.startswith("HUB_")]


def test_it_writes_to_its_own_folder_and_nowhere_else(app: App, data: Path) -> None:
    assert app.ask("write", path="/space/app/own", size=1000) == 1000
    assert app.ask("write", path="/tmp/own", size=1000) == 1000
    for path in ("/own", "/usr/own", "/etc/own", "/dev/own", sys.prefix + "/own", "/proc/sys/kernel/hostname"):
        assert "errno" in app.ask("write", path=path, size=1), path
    assert sorted(path.name for path in (data / "source").iterdir()) == ["app.py"]  # what it has is a copy


def test_it_reaches_no_network_but_its_own(app: App) -> None:
    heard = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as hub:
        threading.Thread(target=lambda: (hub.accept(), heard.set()), daemon=True).start()
        assert app.ask("connect", host="127.0.0.1", port=hub.getsockname()[1])["error"] == "ConnectionRefusedError"
        for host in ("169.254.169.254", "10.0.0.1", "192.0.2.1", "fd00:ec2::254", "8.8.8.8"):
            assert app.ask("connect", host=host, port=80)["errno"] in {101, 99, 113}, host
        assert app.ask("connect", host="169.254.169.254", port=53, kind="udp")["errno"] == 101
        assert "HTTP/1.0 200" in app.ask("connect", host="127.0.0.1", port=7860)  # itself
        # A virtual machine's socket to its host knows no networks, a packet socket no addresses.
        for number in (40, 17):
            assert app.ask("family", number=number)["errno"] == 97
        assert not heard.is_set()


def test_it_cannot_get_rights_or_reach_deep_into_the_kernel(app: App) -> None:
    x86 = os.uname().machine == "x86_64"
    new_user, ptrace, mount, bpf = (272, 101, 165, 321) if x86 else (97, 117, 40, 280)
    assert app.ask("call", number=new_user, flags=0x10000000)["errno"] == 1
    assert app.ask("call", number=ptrace, request=16, pid=1)["errno"] == 1
    assert app.ask("call", number=mount, a=0, b=0, c=0, d=0)["errno"] == 1
    assert app.ask("call", number=bpf, a=0, b=0, c=0)["errno"] == 1
    assert app.ask("call", number=435, a=0, b=0)["errno"] == 38  # clone3: libraries then use clone, whose flags are looked at
    status = app.ask("read", path="/proc/self/status")
    assert "CapEff:\t0000000000000000" in status
    assert "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


def test_it_ends_nobody_but_itself(app: App) -> None:
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        for pid in (victim.pid, os.getpid(), os.getppid()):
            assert app.ask("kill", pid=pid)["error"] == "ProcessLookupError"
        app.tell("kill", pid=1)
        assert victim.poll() is None
        assert app.state is InstanceState.READY  # its guard is not for it to end
    finally:
        victim.kill()
        victim.wait()


def test_a_fork_bomb_ends_at_its_limit_and_the_machine_goes_on(app: App) -> None:
    made = app.ask("forks", sleep=30)
    assert 10 < made < 600
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    assert app.ask("health") == "well"


@pytest.mark.parametrize("act", ["fill", "fill_unseen"])
def test_an_app_that_fills_the_disk_is_ended(act: str, app: App, data: Path) -> None:
    before = shutil.disk_usage(data).free
    app.tell(act, path="/space")
    app.ended("disk is full")
    assert before - shutil.disk_usage(data).free < 4 * GIB  # other tests write, too


def test_a_file_has_a_limit_of_its_own(app: App) -> None:
    assert app.ask("write", path="/tmp/big", size=200 * MIB).get("errno") == 27


def test_folders_that_are_nested_too_deep_to_count_end_an_app_and_can_be_removed(app: App, cluster: LocalCluster, data: Path) -> None:
    app.tell("nest", path="/space")
    app.ended("disk is full")
    cluster.delete("d1-r1")
    wait_until(lambda: not (data / "local" / "d1-r1").exists(), 30)


def test_memory_is_counted_over_all_processes(app: App) -> None:
    app.tell("memory", children=8, size=100 * MIB)
    app.ended("needs more memory")


def test_nothing_is_left_of_an_app_that_is_stopped(app: App, cluster: LocalCluster, data: Path) -> None:
    app.ask("forks", sleep=60)
    below = _below(_boxes(data))
    assert len(below) > len(_boxes(data)), "the children of the app as well"
    cluster.delete("d1-r1")
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), 30)
    assert not _boxes(data)


def test_nothing_is_left_of_an_app_whose_keeper_is_killed(app: App, cluster: LocalCluster, data: Path) -> None:
    app.ask("forks", sleep=60)
    keeper = next(pid for pid in _boxes(data) if b"keeper.py" in Path(f"/proc/{pid}/cmdline").read_bytes())
    cluster.close()
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: not _boxes(data), 30)
    cluster.start()


def test_secrets_are_on_no_disk_and_a_restart_of_the_hub_interrupts_nobody(app: App, cluster: LocalCluster, data: Path) -> None:
    written = [path.read_bytes() for path in (data / "local").rglob("*") if path.is_file()]
    assert written
    assert not any(b"of the app" in text for text in written)
    pid = app.ask("whoami")["pid"], _boxes(data)
    cluster.close()
    other = LocalCluster(data / "local", memory=8 * GIB)
    other.start()
    try:
        assert other.observe()["d1-r1"].digest == ""  # its secrets are not on the disk: it has to be applied
        other.apply(app.workload)
        wait_until(lambda: bool(other.observe()["d1-r1"].ready), 30)
        app.cluster = other
        assert (app.ask("whoami")["pid"], _boxes(data)) == pid
    finally:
        other.close()
        cluster.start()


def test_another_secret_is_another_way_to_run() -> None:
    one = Workload("d1-r1", {}, (), Resources(1, 1), 1, secrets={"A": "1"})
    other = Workload("d1-r1", {}, (), Resources(1, 1), 1, secrets={"A": "2"})
    assert one.digest != other.digest
    assert "secrets" not in repr(one)
