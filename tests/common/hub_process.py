"""A hub as people run it: one process of `hubtalk serve` on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.common.databases import free_port

TOKEN = "hub_process_token_for_tests_0123456789"
PASSWORD = "a-password-for-tests"
START_S = 180.0


@dataclass
class HubProcess:
    """A running hub. `url` stays the same over restarts."""

    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    password: str = PASSWORD
    token: str = TOKEN

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until the agent and the page are there."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "CHAINLIT_"))}
        own = {"HUB_DATA_DIR": str(self.folder), "HUB_PORT": str(self.port), "HUB_ADMIN_PASSWORD": PASSWORD, "HUB_ADMIN_TOKEN": TOKEN}
        command = [sys.executable, "-c", "from chat_ui.cli import main; main()", "serve"]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, env={**inherited, **own, **self.environment}, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                parts = httpx.get(f"{self.url}/readyz").json()
                if parts.get("database") and parts.get("agent") and parts.get("page"):
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the hub did not start:\n{self.log()[-4000:]}")

    def stop(self) -> None:
        """Stop it as an operator would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def restart(self) -> None:
        """Stop and start it on the same data."""
        self.stop()
        self.start()

    def log(self) -> str:
        """Everything it wrote."""
        return (self.folder / "server.log").read_text(errors="replace")

    def tool(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool as the administrator."""
        response = self.request("POST", f"/api/v1/tools/{name}", json=arguments)
        response.raise_for_status()
        result: dict[str, Any] = response.json()["result"]
        return result

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request with the administrator's token."""
        return httpx.request(method, self.url + path, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60, **options)


@contextmanager
def run_hub(folder: Path, **environment: str) -> Iterator[HubProcess]:
    """A hub with its data in `folder`; `environment` adds settings."""
    hub = HubProcess(folder, free_port(), environment)
    try:
        hub.start()
        yield hub
    finally:
        hub.stop()
