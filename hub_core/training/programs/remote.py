"""Runs a training program in a container: gets its data from the hub, tells its events in the log, and brings what it made back to the hub.

    remote.py HUB FOLDER WORK COMMAND...

A program of its own, with the standard library only. `FOLDER` has `token` (read anew for every request: it is exchanged now and then) and
`order.json`; `COMMAND` gets the path of the order. While the hub does not answer, the program goes on; when the hub says that its job is
over, it ends.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

MARK = "hubtalk-event "  # lines of the log that begin so are events
STEP_S, ASK_S, SAVE_S, TIMEOUT_S, TRIES, STOP_S = 0.3, 20.0, 120.0, 300, 8, 10
CHECKPOINT, BEFORE = "checkpoint.tar", "before.json"
CHUNK = 1 << 20


class Hub:
    """The files of the job, at the hub."""

    def __init__(self, url: str, secrets: Path) -> None:
        self._url = f"{url}/api/v1/training/files"
        self._secrets = secrets

    def ask(self, method: str, name: str = "", body: Any = None, size: int = 0) -> Any:
        """Send one request."""
        headers = {"Authorization": f"Bearer {(self._secrets / 'token').read_text().strip()}"}
        headers |= {"Content-Length": str(size), "Content-Type": "application/octet-stream"} if method == "PUT" else {}
        url = f"{self._url}/{quote(name)}" if name else self._url
        return urllib.request.urlopen(  # noqa: S310 - the hub's
            urllib.request.Request(url, data=body, headers=headers, method=method), timeout=TIMEOUT_S  # noqa: S310
        )  # fmt: skip

    def goes_on(self) -> bool:
        """Whether the job does; when the hub cannot tell, it does."""
        try:
            with self.ask("GET") as answer:
                return json.load(answer).get("goes_on") is not False
        except (OSError, HTTPException, ValueError):
            return True

    def get(self, name: str, target: Path) -> bool:
        """Download a file, with several tries; false where there is none."""
        for number in range(TRIES):
            try:
                with self.ask("GET", name) as answer, target.open("wb") as file:
                    shutil.copyfileobj(answer, file, CHUNK)
                    if str(file.tell()) == answer.headers["Content-Length"]:
                        return True
                    raise HTTPException("it broke off")
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    target.unlink(missing_ok=True)
                    return False
                _again(name, number, error)
            except (OSError, HTTPException) as error:
                _again(name, number, error)
        return False

    def put(self, name: str, path: Path) -> None:
        """Upload a file, with several tries."""
        for number in range(TRIES):
            try:
                with path.open("rb") as file, self.ask("PUT", name, file, path.stat().st_size):
                    return
            except (OSError, HTTPException) as error:
                _again(name, number, error)


def _again(name: str, number: int, error: Exception) -> None:
    refused = isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 413, 422, 507)
    if number == TRIES - 1 or refused:
        raise SystemExit(f"{name} cannot be exchanged with the hub: {error}") from error
    print(f"{name}: {error}; trying again", file=sys.stderr, flush=True)  # noqa: T201 - a program of its own
    time.sleep(min(2**number, 30))


class Run:
    """One run of the program."""

    def __init__(self, hub: Hub, work: Path) -> None:
        self._hub = hub
        self._work = work
        self._at = 0
        self._saved = threading.Event()  # there is a checkpoint that the hub does not have
        self._stopping = threading.Event()
        self._over = threading.Event()

    def lay_out(self, order: dict[str, Any]) -> Path:
        """The program's folder, with what an attempt before this one has reached; the path of the order."""
        self._work.mkdir(parents=True, exist_ok=True)
        for name in ("train.jsonl", "held_out.jsonl"):
            if not self._hub.get(name, self._work / name):
                raise SystemExit(f"The hub has no {name} for this job.")
        self._hub.get(BEFORE, self._work / BEFORE)
        packed = self._work / CHECKPOINT
        if self._hub.get(CHECKPOINT, packed):
            with tarfile.open(packed) as archive:
                archive.extractall(self._work, filter="data")
            packed.unlink()
        path = self._work / "order.json"
        path.write_text(json.dumps(order | {"folder": str(self._work)}), encoding="utf-8")
        return path

    def run(self, command: list[str]) -> int:
        """Run the program to its end, and bring back what it made; its exit status."""
        signal.signal(signal.SIGTERM, lambda *_: self._stopping.set())
        events = self._work / "events.jsonl"
        events.touch()
        child = subprocess.Popen(command, cwd=self._work, stdin=subprocess.DEVNULL)
        beside = [threading.Thread(target=one, daemon=True) for one in (self._listen, self._keep)]
        for thread in beside:
            thread.start()
        while child.poll() is None:
            if self._stopping.wait(STEP_S) and child.poll() is None:
                child.terminate()
                try:
                    child.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
            self._tell(events)
        self._tell(events)
        self._over.set()
        beside[1].join()
        code = child.returncode
        if code == 0:
            for path in sorted((self._work / "output").glob("*")):  # a program that measures leaves none
                if path.is_file():
                    self._hub.put(f"output/{path.name}", path)
        elif self._saved.is_set():
            self._bring()
        return code if code >= 0 else 128 - code

    def _tell(self, events: Path) -> None:
        """Write new events into the log; the end of training is told once its result is at the hub, by the end of this program."""
        with events.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            print(MARK + line, flush=True)  # noqa: T201 - a program of its own
            if '"saved"' in line:
                self._saved.set()

    def _listen(self) -> None:
        """End the program when its job is over."""
        while not self._over.wait(ASK_S):
            if not self._hub.goes_on():
                print("The job is over; the program ends.", flush=True)  # noqa: T201 - a program of its own
                self._stopping.set()

    def _keep(self) -> None:
        """Bring checkpoints to the hub, now and then: a pod can be gone at any time."""
        due = time.monotonic() + ASK_S
        while not self._over.wait(STEP_S):
            if self._saved.is_set() and time.monotonic() > due:
                due = time.monotonic() + SAVE_S
                self._bring()

    def _bring(self) -> None:
        self._saved.clear()
        place, packed = self._work / "checkpoint", self._work / CHECKPOINT
        try:
            before = place.stat()
            with tarfile.open(packed, "w") as archive:
                archive.add(place, place.name)
            after = place.stat()
            if (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns):
                raise OSError("a newer one took its place while it was packed")
            self._hub.put(CHECKPOINT, packed)
            if (self._work / BEFORE).exists():
                self._hub.put(BEFORE, self._work / BEFORE)
        except (OSError, SystemExit) as error:  # the next one goes
            self._saved.set()
            print(f"The checkpoint stays here: {error}", flush=True)  # noqa: T201 - a program of its own
        finally:
            packed.unlink(missing_ok=True)


def main(url: str, secrets: str, work: str, *command: str) -> int:
    """Everything."""
    order = json.loads((Path(secrets) / "order.json").read_text(encoding="utf-8"))
    run = Run(Hub(url, Path(secrets)), Path(work))
    return run.run([sys.executable, *command, str(run.lay_out(order))])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
