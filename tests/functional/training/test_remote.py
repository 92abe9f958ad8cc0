"""The program that runs a training program in a pod, against a hub that is a few lines long."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hub_core.training.programs import remote

# Saves one checkpoint, and works until it is told to end.
PROGRAM = """
import json, sys, time
from pathlib import Path
folder = Path(json.loads(Path(sys.argv[1]).read_text())["folder"])
known = (folder / "checkpoint" / "step").exists()
(folder / "checkpoint").mkdir(exist_ok=True)
(folder / "checkpoint" / "step").write_text("7")
print("going on" if known else "beginning", flush=True)
with (folder / "events.jsonl").open("a") as events:
    events.write('{"kind": "saved", "step": 7}\\n')
time.sleep(60)
"""


class FakeHub:
    def __init__(self) -> None:
        self.files = {"train.jsonl": b"{}\n", "held_out.jsonl": b""}
        self.goes_on = True
        self.passes: list[str] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.passes.append(self.headers["authorization"])
                name = self.path.removeprefix("/api/v1/training/files").lstrip("/")
                found = fake.files.get(name) if name else json.dumps({"goes_on": fake.goes_on}).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("content-length", str(len(found or b"")))
                self.end_headers()
                self.wfile.write(found or b"")

            def do_PUT(self) -> None:
                name = self.path.removeprefix("/api/v1/training/files/")
                fake.files[name] = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    found = FakeHub()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "token").write_text("hubpass-1\n")
    (folder / "order.json").write_text("{}")
    (folder / "program.py").write_text(PROGRAM)
    return folder


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_pod_that_is_ended_brings_its_checkpoint_and_the_next_one_finds_it(hub: FakeHub, secrets: Path, tmp_path: Path) -> None:
    for attempt, says in ((1, "beginning"), (2, "going on")):
        command = [sys.executable, remote.__file__, hub.url, str(secrets), str(tmp_path / f"work-{attempt}"), str(secrets / "program.py")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{says}\n"
            assert process.stdout.readline() == 'hubtalk-event {"kind": "saved", "step": 7}\n'
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 128 + signal.SIGTERM
        with tarfile.open(fileobj=io.BytesIO(hub.files["checkpoint.tar"])) as archive:
            assert archive.getnames() == ["checkpoint", "checkpoint/step"]
    assert set(hub.passes) == {"Bearer hubpass-1"}


def test_a_program_ends_when_the_hub_says_that_its_job_is_over(
    hub: FakeHub, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ASK_S", 0.05)
    hub.goes_on = False
    assert remote.main(hub.url, str(secrets), str(tmp_path / "work"), str(secrets / "program.py")) == 128 + signal.SIGTERM
    assert not any(name.startswith("output/") for name in hub.files)


def test_a_hub_that_is_away_ends_nothing(secrets: Path) -> None:
    assert remote.Hub("http://127.0.0.1:9", secrets).goes_on()


def test_a_file_that_never_comes_or_goes_is_a_failure(hub: FakeHub, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "TRIES", 2)
    monkeypatch.setattr("time.sleep", lambda _s: None)
    del hub.files["held_out.jsonl"]
    with pytest.raises(SystemExit, match=r"no held_out\.jsonl"):
        remote.main(hub.url, str(secrets), str(tmp_path / "work"), str(secrets / "program.py"))
    hub.server.shutdown()
    hub.server.server_close()
    with pytest.raises(SystemExit, match="cannot be exchanged with the hub"):
        remote.Hub(hub.url, secrets).put("output/x", secrets / "token")
