"""LFS upload and download of one large file, against copying the file and taking its sha256 on the same disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.hub import TOKEN, Hub, folder, running_hub
from benchmarks.report import Row, compared, interleaved

SUBJECT = "lfs"
RUNS = 7
SIZE = 256 * 1024 * 1024
CHUNK = 1024 * 1024
REPO = "admin/weights"
MEDIA_TYPE = "application/vnd.git-lfs+json"


def measure() -> list[Row]:
    """A new object each time for the upload: the same one would be known already."""
    with folder() as scratch, running_hub(scratch / "hub") as hub:
        hub.tool("create_repo", name=REPO, kind="model")
        hub.wait_for_all_parts()
        files = iter([random_file(scratch / f"file-{number}") for number in range(RUNS)])
        uploaded: list[str] = []

        def upload_one() -> float:
            path = next(files)
            began = time.perf_counter()
            uploaded.append(upload(hub, path))
            return time.perf_counter() - began

        source = random_file(scratch / "source")
        ups = interleaved(RUNS, upload_one, lambda: copy(source, scratch / "copy"))
        downs = interleaved(RUNS, lambda: download(hub, uploaded[-1], scratch / "down"), lambda: copy(source, scratch / "copy"))
    size = f"{SIZE // CHUNK} MiB"
    return [
        compared(SUBJECT, f"upload {size} (batch, PUT, verify)", "s", "copy + sha256", ups),
        compared(SUBJECT, f"download {size} (batch, GET, sha256)", "s", "copy + sha256", downs),
    ]


def random_file(path: Path) -> Path:
    """A file that does not compress."""
    with path.open("wb") as file:
        for _ in range(SIZE // CHUNK):
            file.write(os.urandom(CHUNK))
    return path


def copy(source: Path, target: Path) -> float:
    """Copy and hash, as plain as can be."""
    began = time.perf_counter()
    shutil.copyfile(source, target)
    sha256(target)
    return time.perf_counter() - began


def upload(hub: Hub, path: Path) -> str:
    """What git-lfs does for one object: hash, batch, PUT, verify."""
    oid = sha256(path)
    actions = batch(hub, "upload", oid)
    put = actions["upload"]
    address = urlsplit(put["href"])
    connection = HTTPConnection(address.netloc)
    with path.open("rb") as body:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(SIZE), **put.get("header", {})}
        connection.request("PUT", f"{address.path}?{address.query}", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"upload: {answer.status} {text[:300]!r}")
    if "verify" in actions:
        verify = urlsplit(actions["verify"]["href"])
        hub.post(f"{verify.path}?{verify.query}", {"oid": oid, "size": SIZE}, **{"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE})
    return oid


def download(hub: Hub, oid: str, target: Path) -> float:
    """Batch, GET into a file, and the check that git-lfs makes."""
    began = time.perf_counter()
    get = batch(hub, "download", oid)["download"]
    address = urlsplit(get["href"])
    connection = HTTPConnection(address.netloc)
    connection.request("GET", f"{address.path}?{address.query}", headers=get.get("header", {}))
    answer = connection.getresponse()
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while chunk := answer.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != oid:
        raise RuntimeError(f"download: {answer.status}, other bytes than were sent")
    return time.perf_counter() - began


def batch(hub: Hub, operation: str, oid: str) -> dict[str, Any]:
    """The actions for one object."""
    asked = {"operation": operation, "transfers": ["basic"], "objects": [{"oid": oid, "size": SIZE}]}
    accepts = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, "Authorization": f"Bearer {TOKEN}"}
    answer = hub.post(f"/{REPO}.git/info/lfs/objects/batch", asked, **accepts)
    found: dict[str, Any] = answer["objects"][0]["actions"]
    return found


def sha256(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
