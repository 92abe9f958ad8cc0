"""A hub in a process of its own that starts in a tenth of a second, and that can be made to die at any step it takes.

It serves all clients but chat with the hub's own parts; the chat page and the agent, which are slow to load, are left out.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

import httpx
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from sqlalchemy.orm import Session

from hub_core.doctor import examine
from hub_core.http.connections import BoundedHttpProtocol
from hub_core.http.dialects import add_hub_routes
from hub_core.http.errors import add_error_handlers
from hub_core.http.middleware import BodyLimitMiddleware, RequestMiddleware, usual_limit
from hub_core.services import open_services
from hub_core.settings import Settings
from hub_core.startup import prepare
from tests.common.databases import free_port
from tests.common.hub_process import TOKEN
from tools.rest.router import tool_router

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.common.forked_hub", "tools.catalog", "tools.registry"])
STEPS = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.truncate", "subprocess.Popen"}
ENDLESS = 1_000_000


@dataclass
class ForkedHub:
    """The hub. `url` stays the same over restarts; the administrator's token is `TOKEN`."""

    settings: Settings
    port: int = field(default_factory=free_port)
    process: BaseProcess | None = None
    steps: Any = field(default_factory=lambda: FORKS.RawValue("q", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, file_limit: int = 0) -> None:
        """Start it and wait until it answers. No file can become larger than `file_limit` bytes, if given."""
        self.steps.value = 0
        self.process = FORKS.Process(target=_run, args=(self.settings, self.port, self.steps, file_limit), daemon=True)
        self.process.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.is_alive():
            with contextlib.suppress(httpx.TransportError), self.client() as client:
                if client.get(f"{self.url}/healthz").status_code == 200:
                    return
            time.sleep(0.02)
        raise RuntimeError("the hub did not start")

    def die_at(self, step: int) -> None:
        """Let it kill itself right before its step number `step` from now on: a change of a file or a commit of the database."""
        self.steps.value = step

    def taken(self, limit: int = ENDLESS) -> int:
        """How many steps it took since `die_at(limit)`."""
        return limit - int(self.steps.value)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.is_alive()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.join(20)

    def restart(self) -> None:
        """Kill and start it on the same data."""
        self.kill()
        self.start()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request of the administrator."""
        with self.client() as client:
            return client.request(method, self.url + path, headers={"authorization": f"Bearer {TOKEN}"}, **options)

    def client(self) -> httpx.Client:
        """A client without the certificates of the world, whose reading takes longer than most requests."""
        return httpx.Client(timeout=60, verify=False)

    def tool(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The result of a tool."""
        answer = self.request("POST", f"/api/v1/tools/{name}", json=arguments)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result

    def address(self, path: str) -> str:
        """An address for Git, with the token."""
        return f"http://admin:{TOKEN}@127.0.0.1:{self.port}{path}"

    def problems(self) -> list[str]:
        """What `hubtalk doctor --hashes` finds."""
        with open_services(self.settings) as services:
            return [f"{found.subject}: {found.problem}" for found in examine(services, hashes=True) if found.problem]


@contextlib.contextmanager
def forked_hub(settings: Settings) -> Iterator[ForkedHub]:
    """A running hub on these settings, which may be joined by a second one on the same data."""
    hub = ForkedHub(settings)
    try:
        hub.start()
        yield hub
    finally:
        hub.kill()


def _run(settings: Settings, port: int, steps: Any, file_limit: int) -> None:
    if file_limit:
        # Writing more is an error then, instead of a signal that ends the process.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    os.environ.pop("HUB_ADMIN_TOKEN", None)
    with open_services(settings) as services:
        prepare(services)
        app = FastAPI()
        app.add_middleware(BodyLimitMiddleware, limit_of=usual_limit)
        app.add_middleware(RequestMiddleware)
        add_error_handlers(app)
        app.add_api_route("/healthz", lambda: {"status": "ok"})
        app.include_router(tool_router(services))
        add_hub_routes(app, services)
        _count_steps(steps)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, http=BoundedHttpProtocol)


def _count_steps(steps: Any) -> None:
    # No lock that other processes share: it would stay taken for ever.
    lock = threading.Lock()

    def step(*_: object) -> None:
        with lock:
            if steps.value > 0:
                steps.value -= 1
                if steps.value == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in STEPS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            step()

    sys.addaudithook(hook)
    sa.event.listen(sa.Engine, "commit", step)
    sa.event.listen(Session, "after_commit", step)
