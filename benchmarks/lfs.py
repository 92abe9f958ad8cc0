"""LFS transfer of one file of 1 GiB, sent and fetched by curl, against nginx with the same file on the same disk.

The hub checks a token and a signed address, takes the sha256 of what comes in and syncs it to the disk; nginx does none of this.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.hub import TOKEN, Hub, folder, running_hub
from benchmarks.nginx import available, running_file_server
from benchmarks.report import Row, compared, interleaved

SUBJECT = "lfs"
RUNS = 7
SIZE = 1024**3
CHUNK = 1024 * 1024
REPO = "admin/weights"
MEDIA_TYPE = "application/vnd.git-lfs+json"


def measure() -> list[Row]:
    """Rates of the transfers alone, in turn; and how much more memory the hub had taken at its peak than before."""
    if not available("curl"):
        print("lfs: nginx and curl are needed; left out")
        return []
    with folder() as scratch, running_hub(scratch / "hub") as hub, running_file_server(scratch / "peer") as nginx:
        hub.tool("create_repo", name=REPO, kind="model")
        hub.wait_for_all_parts()
        source = random_file(scratch / "source", SIZE)
        before = hub.rss_mb()
        sent: list[str] = []
        numbers: Iterator[int] = count()

        def upload_one() -> float:
            make_different(source, next(numbers))
            sent.append(sha256(source))
            return rate(upload(hub, source, sent[-1]))

        def put_one() -> float:
            return rate(curl(f"{nginx}/file-{next(numbers)}", "--upload-file", str(source)))

        ups = interleaved(RUNS, upload_one, put_one)
        shutil.copyfile(source, scratch / "peer" / "files" / "source")
        downs = interleaved(RUNS, lambda: rate(download(hub, sent[-1])), lambda: rate(curl(f"{nginx}/source")))
        grown = hub.peak_rss_mb() - before
    size = f"{SIZE // 1024**3} GiB"
    return [
        compared(SUBJECT, f"upload {size}, checked and synced", "MB/s", "nginx PUT", ups, least=0.8),
        compared(SUBJECT, f"download {size}", "MB/s", "nginx GET", downs, least=0.9),
        Row(SUBJECT, f"more memory at the peak of {2 * RUNS} transfers", grown, "MB", goal="< 64 MB", met=grown < 64),
    ]


def random_file(path: Path, size: int) -> Path:
    """A file that does not compress."""
    with path.open("wb") as file:
        for _ in range(size // CHUNK):
            file.write(os.urandom(CHUNK))
    return path


def make_different(path: Path, number: int) -> None:
    """Change the first bytes: what the hub has already it would not take again."""
    with path.open("r+b") as file:
        file.write(number.to_bytes(8, "big"))


def rate(seconds: float) -> float:
    """MB/s of one transfer."""
    return SIZE / 1e6 / seconds


def curl(url: str, *options: str) -> float:
    """One request by curl; the seconds it took."""
    command = ["curl", "--silent", "--fail", "--output", os.devnull, "--header", "Expect:", "--write-out", "%{time_total}", *options, url]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def upload(hub: Hub, path: Path, oid: str) -> float:
    """What git-lfs does for one object: batch and PUT; the seconds of the PUT."""
    action = batch(hub, "upload", [(oid, path.stat().st_size)])[0]["actions"]["upload"]
    return curl(action["href"], "--upload-file", str(path), "--header", "Content-Type: application/octet-stream")


def download(hub: Hub, oid: str) -> float:
    """Batch and GET; the seconds of the GET."""
    return curl(batch(hub, "download", [(oid, SIZE)])[0]["actions"]["download"]["href"])


def batch(hub: Hub, operation: str, objects: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """What the batch API answers for each object."""
    asked = {"operation": operation, "transfers": ["basic"], "objects": [{"oid": oid, "size": size} for oid, size in objects]}
    accepts = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, "Authorization": f"Bearer {TOKEN}"}
    found: list[dict[str, Any]] = hub.post(f"/{REPO}.git/info/lfs/objects/batch", asked, **accepts)["objects"]
    return found


def sha256(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
