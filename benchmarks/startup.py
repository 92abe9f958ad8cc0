"""How soon the hub is ready, and how much memory it takes when nobody talks to it."""

from __future__ import annotations

import statistics
import sys
import time

from benchmarks.hub import ROOT, folder, free_port, process, running_hub
from benchmarks.report import Row

SUBJECT = "start"
STARTS = 5
SETTLE_S = 5


def measure() -> list[Row]:
    """Starts on a folder that was used before (the second start of a user), in turn with a bare web server."""
    hub: list[float] = []
    whole: list[float] = []
    peer: list[float] = []
    memory: list[float] = []
    with folder() as data:
        with running_hub(data) as first:
            first_s = first.ready_s
            first.wait_for_all_parts()
        for _ in range(STARTS):
            with running_hub(data) as again:
                hub.append(again.ready_s)
                whole.append(again.wait_for_all_parts())
                time.sleep(SETTLE_S)
                memory.append(again.rss_mb())
            peer.append(_bare_start())
    ready, full, rss = statistics.median(hub), statistics.median(whole), statistics.median(memory)
    runs = [list(pair) for pair in zip(hub, peer, strict=True)]
    return [
        Row(SUBJECT, "first start, empty folder, to ready", first_s, "s"),
        Row(SUBJECT, "second start, to ready", ready, "s", statistics.median(peer), "bare FastAPI", "< 6 s", ready < 6, runs),
        Row(SUBJECT, "second start, to agent and page loaded", full, "s", runs=[whole]),
        Row(SUBJECT, "resident memory at idle", rss, "MB", goal="< 450 MB", met=rss < 450, runs=[memory]),
    ]


def _bare_start() -> float:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.peer_rest:app", "--port", str(port), "--log-level", "warning"]
    with process(command, f"http://127.0.0.1:{port}/", cwd=ROOT) as (_, seconds):
        return seconds
