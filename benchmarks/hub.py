"""A hub of its own for a measurement: a process on a free port, with a data folder that is thrown away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "benchmark-token-0123456789abcdefghijklmnop"
PATIENCE_S = 120


@dataclass
class Hub:
    """A running hub and what one can ask it."""

    url: str
    process: subprocess.Popen[bytes]
    ready_s: float
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})

    def tool(self, name: str, /, **arguments: Any) -> Any:
        """Call a tool; returns its result."""
        return self.post(f"/api/v1/tools/{name}", arguments)["result"]

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """POST JSON; returns JSON."""
        return self._send(path, json.dumps(body).encode(), headers)

    def post_lines(self, path: str, lines: list[Any]) -> Any:
        """POST one JSON value in each line; returns JSON."""
        return self._send(path, b"\n".join(json.dumps(line).encode() for line in lines), {"Content-Type": "application/x-ndjson"})

    def _send(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        request = urllib.request.Request(self.url + path, body, {**self.headers, **headers})
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.code} {error.read()[:500]!r}") from error

    def parts(self) -> dict[str, Any]:
        """What `/readyz` tells."""
        with urllib.request.urlopen(self.url + "/readyz", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def wait_for_all_parts(self) -> float:
        """Return when everything that loads in the background is there; seconds since the process began."""
        began = time.perf_counter()
        while not all(self.parts().get(part, True) for part in ("agent", "page")):
            if time.perf_counter() - began > PATIENCE_S:
                raise RuntimeError(f"the hub never got ready: {self.parts()}")
            time.sleep(0.02)
        return self.ready_s + time.perf_counter() - began

    def rss_mb(self) -> float:
        """Resident memory of the process and its children, in MB (Linux)."""
        return sum(_memory_mb(pid, "VmRSS:") for pid in (self.process.pid, *children(self.process.pid)))

    def peak_rss_mb(self) -> float:
        """The most resident memory that the process had so far, its children's of now with it, in MB (Linux)."""
        return _memory_mb(self.process.pid, "VmHWM:") + sum(_memory_mb(pid, "VmRSS:") for pid in children(self.process.pid))


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is removed at the end."""
    made = Path(tempfile.mkdtemp(prefix="hubtalk-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def running_hub(data: Path, database: str = "", **settings: str) -> Iterator[Hub]:
    """Start a hub on the data folder (and the database, where it is not in there) with further settings, stop it at the end."""
    port = free_port()
    own = {
        "HUB_DATA_DIR": str(data),
        "HUB_PORT": str(port),
        "HUB_ADMIN_TOKEN": TOKEN,
        "HUB_DEMO": "0",
        "HUB_LLM": "builtin",
        "HUB_LOG_LEVEL": "warning",
        "HUB_DATABASE_URL": database,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | own | settings
    command = [str(Path(sys.executable).with_name("hubtalk")), "serve"]
    url = f"http://127.0.0.1:{port}"
    with process(command, url + "/readyz", env=environment, cwd=ROOT) as (started, seconds):
        yield Hub(url, started, seconds)


@contextmanager
def process(command: list[str], probe: str, **options: Any) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Start a server, wait until `probe` answers; gives the process and the seconds it took."""
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        started = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **options)
        try:
            while not answers(probe):
                if started.poll() is not None or time.perf_counter() - began > PATIENCE_S:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read().decode(errors='replace')[-3000:]}")
                time.sleep(0.01)
            yield started, time.perf_counter() - began
        finally:
            started.send_signal(signal.SIGTERM)
            try:
                started.wait(20)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def answers(url: str) -> bool:
    """Whether something answers there at all."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children(pid: int) -> list[int]:
    """All processes below a process (Linux)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children(child)]
    return found


def _memory_mb(pid: int, what: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
