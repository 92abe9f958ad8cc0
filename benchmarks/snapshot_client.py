"""The clients of `benchmarks.snapshot`, each a process of its own; prints the seconds it took.

`upload HUB REPO FOLDER`, `snapshot HUB REPO COUNT`, `plain NGINX FOLDER`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from huggingface_hub import HfApi

WORKERS = 8  # snapshot_download's own


def upload(url: str, repo: str, source: str) -> float:
    """One commit of a folder."""
    began = time.perf_counter()
    HfApi(endpoint=url).upload_folder(repo_id=repo, folder_path=source)
    return time.perf_counter() - began


def snapshot(url: str, repo: str, count: str) -> float:
    """All files, into an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        found = HfApi(endpoint=url).snapshot_download(repo, cache_dir=cache, max_workers=WORKERS)
        took = time.perf_counter() - began
        files = sum(path.is_file() for path in Path(found).rglob("part-*/*"))
        if files != int(count):
            raise RuntimeError(f"{files} files came")
        return took


def plain(url: str, source: str) -> float:
    """One GET for each file below a folder, written to a new one."""
    names = [path.relative_to(source).as_posix() for path in Path(source).rglob("*") if path.is_file()]
    session = httpx.Client()
    with tempfile.TemporaryDirectory() as target:

        def fetch(name: str) -> None:
            answer = session.get(f"{url}/{name}")
            answer.raise_for_status()
            path = Path(target) / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(answer.content)

        began = time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(fetch, names))
        return time.perf_counter() - began


if __name__ == "__main__":
    act: Any = {"upload": upload, "snapshot": snapshot, "plain": plain}[sys.argv[1]]
    print(act(*sys.argv[2:]))
