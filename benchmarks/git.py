"""Clone and push with the real git client, against `git http-backend`: a large repository and a tiny one."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from benchmarks.git_peer import GitPeer, available, running_peer
from benchmarks.hub import TOKEN, Hub, folder, running_hub
from benchmarks.report import Row, compared, interleaved

SUBJECT = "git"
RUNS = 7
AT_ONCE = 20
SIZES = (("tiny", 5, 20), ("big", 2000, 2000))  # name, commits, files
# Goals of the project for hub / peer.
MOST = 1.1
MOST_BIG = {"push a new repository": 1.25, "clone": 1.0, f"{AT_ONCE} clones at once": 1.0}
# One header for both sides: without it git asks twice, first without the password.
GIT = ["git", "-c", f"http.extraHeader=Authorization: Bearer {TOKEN}"]
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "HOME": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


def measure() -> list[Row]:
    """Interleaved runs, medians. Clones are bare, so that writing out files is not measured."""
    if not available():
        print("git: nginx, fcgiwrap and git are needed for the peer; left out")
        return []
    rows = []
    with folder() as scratch, running_hub(scratch / "hub") as hub, running_peer(scratch / "peer") as peer:
        hub.wait_for_all_parts()
        for name, commits, files in SIZES:
            source = make_repository(scratch / f"{name}.git", commits, files)
            rows += _Sized(scratch, hub, peer, name, source).rows(MOST_BIG if name == "big" else {})
    return rows


class _Sized:
    """The measurements with one source repository."""

    def __init__(self, scratch: Path, hub: Hub, peer: GitPeer, name: str, source: Path) -> None:
        self._scratch = scratch
        self._hub = hub
        self._peer = peer
        self._name = name
        self._source = source
        self._numbers = count()
        self._last, self._pushed = 0, ""
        self._ours: list[str] = []
        self._theirs: list[str] = []

    def rows(self, most: dict[str, float]) -> list[Row]:
        """Push into new repositories, clone alone and many at once, push and fetch one more commit; `most` has the goals that are special."""
        ours, theirs = self._ours, self._theirs
        runs = {
            "push a new repository": interleaved(
                RUNS, lambda: self._push_new(self._new_ours()), lambda: self._push_new(self._new_theirs())
            ),
            "clone": interleaved(RUNS, lambda: self._clone(ours[-1]), lambda: self._clone(theirs[-1])),
            f"{AT_ONCE} clones at once": interleaved(RUNS, lambda: self._clone_at_once(ours[-1]), lambda: self._clone_at_once(theirs[-1])),
            "push one commit": interleaved(RUNS, lambda: self._push_one(ours[-1]), lambda: self._push_one(theirs[-1])),
            "fetch one commit": interleaved(RUNS, lambda: self._fetch_one(ours[-1]), lambda: self._fetch_one(theirs[-1])),
        }
        return [
            compared(SUBJECT, f"{self._name}: {what}", "s", "git http-backend", found, most=most.get(what, MOST))
            for what, found in runs.items()
        ]

    def _new_ours(self) -> str:
        name = f"admin/{self._name}-{next(self._numbers)}"
        self._hub.tool("create_repo", name=name, kind="code")
        self._ours.append(f"{self._hub.url}/codes/{name}.git")
        return self._ours[-1]

    def _new_theirs(self) -> str:
        self._theirs.append(self._peer.create(f"{self._name}-{next(self._numbers)}"))
        return self._theirs[-1]

    def _push_new(self, url: str) -> float:
        return timed([*GIT, "-C", str(self._source), "push", "--quiet", "--force", url, "main:main"])

    def _clone(self, url: str) -> float:
        target = self._scratch / "clone.git"
        shutil.rmtree(target, ignore_errors=True)
        took = timed([*GIT, "clone", "--quiet", "--bare", url, str(target)])
        if head(target) != head(self._source):
            raise RuntimeError(f"{url}: the clone has another head")
        return took

    def _clone_at_once(self, url: str) -> float:
        targets = [self._scratch / f"clone-{number}.git" for number in range(AT_ONCE)]
        for target in targets:
            shutil.rmtree(target, ignore_errors=True)
        began = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda target: run([*GIT, "clone", "--quiet", "--bare", url, str(target)]), targets))
        took = time.perf_counter() - began
        if any(head(target) != head(self._source) for target in targets):
            raise RuntimeError(f"{url}: a clone has another head")
        return took

    def _push_one(self, url: str) -> float:
        """A commit on a branch of its own, so that both sides get a new object each time."""
        self._last = next(self._numbers)
        tree = run(["git", "-C", str(self._source), "rev-parse", "main^{tree}"])
        self._pushed = run([*IDENTITY, "-C", str(self._source), "commit-tree", tree, "-p", "main", "-m", f"change {self._last}"])
        return timed([*GIT, "-C", str(self._source), "push", "--quiet", url, f"{self._pushed}:refs/heads/change-{self._last}"])

    def _fetch_one(self, url: str) -> float:
        """A commit that somebody else has just pushed, into a clone that has all before it."""
        target = self._scratch / "fetch.git"
        shutil.rmtree(target, ignore_errors=True)
        run([*GIT, "clone", "--quiet", "--bare", url, str(target)])
        self._push_one(url)
        took = timed([*GIT, "-C", str(target), "fetch", "--quiet", url, "+refs/heads/*:refs/heads/*"])
        if head(target, f"change-{self._last}") != self._pushed:
            raise RuntimeError(f"{url}: the commit did not come")
        return took


IDENTITY = ["git", "-c", "user.name=Bench", "-c", "user.email=bench@example.com"]


def make_repository(path: Path, commits: int, files: int) -> Path:
    """A bare repository with history, the same bytes in every run."""
    run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)])
    stream = b"".join(_history(commits, files))
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input=stream, check=True, env=ENVIRONMENT)
    run(["git", "-C", str(path), "repack", "-adq"])
    return path


def _history(commits: int, files: int) -> Iterator[bytes]:
    chance = random.Random(7)
    each = max(1, files // commits)
    for number in range(commits):
        message = f"change {number}\n".encode()
        yield b"commit refs/heads/main\ncommitter Bench <bench@example.com> %d +0000\ndata %d\n%s" % (
            1700000000 + number,
            len(message),
            message,
        )
        for file in range(number * each, number * each + each):
            text = " ".join(f"{chance.getrandbits(32):08x}" for _ in range(chance.randint(20, 300))).encode() + b"\n"
            yield b"M 100644 inline src/part%d/file%d.txt\ndata %d\n%s\n" % (file % 40, file, len(text), text)


def head(repository: Path, branch: str = "main") -> str:
    """The commit of a branch."""
    return run(["git", "-C", str(repository), "rev-parse", f"refs/heads/{branch}"])


def run(command: list[str]) -> str:
    """Run git; its output."""
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[-4:])}: {done.stderr[-2000:]}")
    return done.stdout.strip()


def timed(command: list[str]) -> float:
    """Run git; the seconds it took."""
    began = time.perf_counter()
    run(command)
    return time.perf_counter() - began
