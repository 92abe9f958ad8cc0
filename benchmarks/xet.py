"""What a second version of a file of 1 GiB, 1 % of it changed, costs by Xet: bytes that the client sends, and bytes that the hub keeps.

The client is the real huggingface_hub with hf-xet; it talks to the hub through a wire that counts. The peer is the first version.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.hub import ROOT, TOKEN, folder, running_hub
from benchmarks.lfs import SIZE, random_file
from benchmarks.report import Row
from benchmarks.wire import counting_wire

SUBJECT = "xet"
REPO = "admin/versions"
# One percent of the file, in this many places; the first is put in, so that all that follows is at another place.
PLACES = 10
CHANGED = SIZE // 100 // PLACES
MOST = 0.03
_UPLOAD = """
import sys, time
from huggingface_hub import HfApi
began = time.perf_counter()
HfApi(endpoint=sys.argv[1]).upload_file(path_or_fileobj=sys.argv[3], path_in_repo="model.bin", repo_id=sys.argv[2])
print(time.perf_counter() - began)
"""


def measure() -> list[Row]:
    """Two versions of one file, one after the other."""
    with folder() as scratch, running_hub(scratch / "hub") as hub, counting_wire(hub.url) as wire:
        hub.tool("create_repo", name=REPO, kind="model")
        hub.wait_for_all_parts()
        source = random_file(scratch / "model.bin", SIZE)
        found = []
        for _ in range(2):
            sent, kept = wire.sent, _size(scratch / "hub")
            seconds = _upload(scratch, wire.url, source)
            found.append((seconds, (wire.sent - sent) / 1e6, (_size(scratch / "hub") - kept) / 1e6))
            _change(source)
    (first_s, first_sent, first_kept), (second_s, second_sent, second_kept) = found
    goal, what, first = f"<= {MOST} x", "second version of 1 GiB, 1 % changed", "the first version"
    return [
        Row(SUBJECT, f"{what}: time", second_s, "s", first_s, first),
        Row(SUBJECT, f"{what}: sent", second_sent, "MB", first_sent, first, goal, second_sent <= MOST * first_sent),
        Row(SUBJECT, f"{what}: kept", second_kept, "MB", first_kept, first, goal, second_kept <= MOST * first_kept),
    ]


def _change(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    for place in range(1, PLACES):
        at = len(whole) // PLACES * place
        whole[at : at + CHANGED] = os.urandom(CHANGED)
    at = len(whole) // PLACES // 2
    whole[at:at] = os.urandom(CHANGED)
    path.write_bytes(whole)


def _upload(scratch: Path, url: str, source: Path) -> float:
    environment = {**os.environ, "HF_HOME": str(scratch / "hf"), "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-c", _UPLOAD, url, REPO, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(done.stdout.split()[-1])


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
