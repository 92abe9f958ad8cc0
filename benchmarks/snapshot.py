"""A snapshot of 2,000 small files by the real huggingface_hub, against as many GETs of the same files from nginx.

The client asks for the list, and for each file first what it is and then its bytes; the peer is asked for the bytes only, with the same
library and as many threads, and its files are written too.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.hub import ROOT, TOKEN, folder, running_hub
from benchmarks.nginx import available, running_file_server
from benchmarks.report import Row, compared, interleaved

SUBJECT = "snapshot"
RUNS = 7
FILES = 2000
REPO = "admin/small-files"


def measure() -> list[Row]:
    """Into an empty folder each time; the start of the client's process is not counted."""
    if not available():
        print("snapshot: nginx is needed; left out")
        return []
    with folder() as scratch, running_hub(scratch / "hub") as hub, running_file_server(scratch / "peer") as nginx:
        hub.tool("create_repo", name=REPO, kind="model")
        hub.wait_for_all_parts()
        source = _files(scratch / "peer" / "files")
        _client(scratch, "upload", hub.url, REPO, str(source))
        runs = interleaved(
            RUNS, partial(_client, scratch, "snapshot", hub.url, REPO, str(FILES)), partial(_client, scratch, "plain", nginx, str(source))
        )
    return [compared(SUBJECT, f"download {FILES:,} small files", "s", "one GET each from nginx", runs, most=1.5)]


def _files(root: Path) -> Path:
    chance = random.Random(5)
    for number in range(FILES):
        path = root / f"part-{number % 40}" / f"file-{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randint(200, 4000)).hex().encode())
    return root


def _client(scratch: Path, *arguments: str) -> float:
    environment = {**os.environ, "HF_HOME": str(scratch / "hf"), "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-m", "benchmarks.snapshot_client", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(done.stdout.split()[-1])
