"""Requests per second for one repo's metadata, with token and permission check, against a bare row read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.hub import ROOT, Hub, folder, free_port, process, running_hub
from benchmarks.peer_rest import fill
from benchmarks.report import Row, compared, interleaved

SUBJECT = "rest"
RUNS = 7
SECONDS = 4
CONNECTIONS = 32
REPO = "admin/bench"


def measure() -> list[Row]:
    """Both servers run at the same time and are loaded in turn, 32 connections, one process each, SQLite."""
    with folder() as scratch, running_hub(scratch / "hub") as hub:
        hub.tool("create_repo", name=REPO, kind="model", description="Answers support tickets", license="apache-2.0")
        hub.wait_for_all_parts()
        database, port = f"sqlite:///{scratch / 'peer.db'}", free_port()
        fill(database, REPO)
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "benchmarks.peer_rest:app",
            "--port",
            str(port),
            "--log-level",
            "warning",
            "--no-access-log",
        ]
        with process(command, f"http://127.0.0.1:{port}/", cwd=ROOT, env={**os.environ, "PEER_DATABASE": database}):
            load = wrk if shutil.which("wrk") else python_load
            rows = []
            for what, ours, theirs in _pairs(hub, f"http://127.0.0.1:{port}"):
                runs = interleaved(RUNS, partial(load, scratch, ours), partial(load, scratch, theirs))
                rows.append(compared(SUBJECT, f"{what}, {CONNECTIONS} connections", "req/s", "bare FastAPI + SQLAlchemy", runs, least=0.8))
    return rows


@dataclass(frozen=True)
class Asked:
    """The one request that is sent again and again."""

    url: str
    headers: dict[str, str]
    body: str = ""

    @property
    def method(self) -> str:
        """POST with a body, GET without."""
        return "POST" if self.body else "GET"


def _pairs(hub: Hub, peer: str) -> list[tuple[str, Asked, Asked]]:
    body, plain = json.dumps({"repo": REPO}), {"Content-Type": "application/json"}
    return [
        ("POST get_repo", Asked(f"{hub.url}/api/v1/tools/get_repo", hub.headers, body), Asked(f"{peer}/repo", plain, body)),
        ("GET model info with its files", Asked(f"{hub.url}/api/models/{REPO}", hub.headers), Asked(f"{peer}/repo/{REPO}", {})),
    ]


def wrk(scratch: Path, asked: Asked) -> float:
    """Requests per second by wrk."""
    lines = [
        f'wrk.method = "{asked.method}"',
        *([f"wrk.body = {json.dumps(asked.body)}"] if asked.body else []),
        *(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in asked.headers.items()),
    ]
    script = scratch / "request.lua"
    script.write_text("\n".join(lines))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", "-s", str(script), asked.url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])


def python_load(_scratch: Path, asked: Asked) -> float:
    """Requests per second by threads with a connection each; slower than wrk, the same for both sides."""
    done, stop = [0] * CONNECTIONS, time.perf_counter() + SECONDS
    address = urlsplit(asked.url)

    def work(number: int) -> None:
        connection = HTTPConnection(address.netloc)
        while time.perf_counter() < stop:
            connection.request(asked.method, address.path, asked.body or None, asked.headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{asked.url}: {answer.status}")
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / SECONDS
