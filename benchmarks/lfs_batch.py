"""Many files by the LFS batch API: 500 of 100 KB, eight at a time, as git-lfs sends and fetches them; against giftless."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from benchmarks.giftless_peer import installed, running_giftless
from benchmarks.hub import TOKEN, folder, running_hub
from benchmarks.report import Row, compared, interleaved

SUBJECT = "lfs-batch"
RUNS = 7
FILES = 500
SIZE = 100_000
AT_ONCE = 8
BATCH = 100  # what git-lfs asks for at a time
REPO = "admin/many"
MEDIA_TYPE = "application/vnd.git-lfs+json"
# Goals of the project, as times of the peer.
MOST_UP, MOST_DOWN = 0.5, 0.25


def measure() -> list[Row]:
    """Whole pushes and fetches: batches, transfers, verification."""
    if not installed():
        print("lfs-batch: giftless could not be installed; left out")
        return []
    with folder() as scratch, running_hub(scratch / "hub") as hub, running_giftless(scratch / "peer", REPO) as peer:
        hub.tool("create_repo", name=REPO, kind="model")
        hub.wait_for_all_parts()
        ours = LfsClient(f"{hub.url}/{REPO}.git/info/lfs", {"Authorization": f"Bearer {TOKEN}"})
        theirs = LfsClient(f"{peer}/{REPO}.git/info/lfs", {})
        ups = interleaved(RUNS, ours.push_new, theirs.push_new)
        downs = interleaved(RUNS, ours.fetch_last, theirs.fetch_last)
    what = f"{FILES} files of {SIZE // 1000} KB"
    return [
        compared(SUBJECT, f"push {what}", "s", "giftless", ups, most=MOST_UP),
        compared(SUBJECT, f"fetch {what}", "s", "giftless", downs, most=MOST_DOWN),
    ]


@dataclass
class LfsClient:
    """A client of one server; each of its threads keeps a connection open while files go over it."""

    url: str
    headers: dict[str, str]
    last: list[tuple[str, bytes]] = field(default_factory=list)
    _own: threading.local = field(default_factory=threading.local)

    def push_new(self) -> float:
        """Push files that nobody has; the seconds it took."""
        contents = [os.urandom(SIZE) for _ in range(FILES)]
        self.last = [(hashlib.sha256(content).hexdigest(), content) for content in contents]
        return self._each("upload", self._put)

    def fetch_last(self) -> float:
        """Fetch what was pushed last, and check it; the seconds it took."""
        return self._each("download", self._get)

    def _each(self, operation: str, act: Any) -> float:
        self._own = threading.local()  # servers close connections that rest between two runs
        began = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for first in range(0, FILES, BATCH):
                part = self.last[first : first + BATCH]
                found = {item["oid"]: item["actions"] for item in self._batch(operation, part)}
                list(pool.map(lambda file, actions=found: act(actions[file[0]], *file), part))
        return time.perf_counter() - began

    def _batch(self, operation: str, files: Sequence[tuple[str, bytes]]) -> list[dict[str, Any]]:
        asked = {"operation": operation, "transfers": ["basic"], "objects": [{"oid": oid, "size": len(data)} for oid, data in files]}
        body = self._send("POST", f"{self.url}/objects/batch", json.dumps(asked).encode(), {"Content-Type": MEDIA_TYPE, **self.headers})
        objects: list[dict[str, Any]] = json.loads(body)["objects"]
        return objects

    def _put(self, actions: dict[str, Any], oid: str, content: bytes) -> None:
        self._send(
            "PUT", actions["upload"]["href"], content, {"Content-Type": "application/octet-stream", **actions["upload"].get("header", {})}
        )
        if "verify" in actions:
            told = json.dumps({"oid": oid, "size": len(content)}).encode()
            self._send("POST", actions["verify"]["href"], told, {"Content-Type": MEDIA_TYPE, **actions["verify"].get("header", {})})

    def _get(self, actions: dict[str, Any], oid: str, content: bytes) -> None:
        if self._send("GET", actions["download"]["href"], None, actions["download"].get("header", {})) != content:
            raise RuntimeError(f"{oid}: other bytes came back")

    def _send(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        address = urlsplit(url)
        connections = self._own.__dict__.setdefault("connections", {})
        connection = connections.setdefault(address.netloc, HTTPConnection(address.netloc, timeout=60))
        connection.request(method, f"{address.path}?{address.query}", body, {"Accept": MEDIA_TYPE, **headers})
        answer = connection.getresponse()
        found: bytes = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {address.path}: {answer.status} {found[:300]!r}")
        return found
