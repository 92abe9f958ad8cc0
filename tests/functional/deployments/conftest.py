"""A hub that deploys the fake runtime, on this machine or in a mock of a cluster, behind a real server."""

from __future__ import annotations

import dataclasses
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

from hub_core.authz import Actor, Permission, Scope
from hub_core.deployments.service import Found
from hub_core.deployments.specs import Asked
from hub_core.http.dialects import add_hub_routes
from hub_core.http.errors import add_error_handlers
from hub_core.http.openai.router import openai_router
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services
from hub_core.settings import Settings
from tests.common import fake_runtime
from tests.common.deploying import add_model, catalog, deploying, end_all
from tests.common.factories import actor_for, make_user
from tests.common.fake_api_server import FakeCluster
from tests.common.fake_kubelet import kubelet
from tests.common.live import serve
from tests.common.working import wait_until


@dataclass
class Hub:
    """A running hub, and a person on it with a token."""

    services: Services
    url: str
    ann: Actor
    token: str

    def deploy(self, name: str = "chat", replicas: int = 1, **asked: Any) -> Found:
        add_model(self.services, self.ann, name)
        repo = self.services.repos.find(self.ann, f"ann/{name}", RepoKind.MODEL, permission=Permission.DEPLOYMENT_MANAGE)
        clean, spec = self.services.deployments.plan_deploy(self.ann, repo, None, Asked(**asked))
        self.services.deployments.deploy(self.ann, repo, clean, spec, replicas)
        return self.found(name)

    def found(self, name: str = "chat") -> Found:
        return self.services.deployments.find(self.ann, f"ann/{name}")

    def status(self, name: str = "chat") -> str:
        return self.found(name).view.status

    def running(self, name: str = "chat", copies: int = 1) -> list[str]:
        """The addresses of the copies, once so many answer."""
        wait_until(lambda: self.found(name).view.ready == copies, 60)
        return list(self.found(name).deployment.endpoints)

    def post(self, path: str, token: str | None = None, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token or self.token}"}
        return httpx.post(f"{self.url}/v1/{path}", json=body, headers=headers, timeout=60)

    def chat(self, model: str = "ann/chat", **more: Any) -> httpx.Response:
        return self.post("chat/completions", model=model, messages=[{"role": "user", "content": "Hi"}], **more)


RUNTIME = {
    "name": "fake", "title": "Fake", "about": "For tests.", "rank": 1, "formats": ["gguf"], "weights": "folder",
    "tasks": ["chat", "completions", "embeddings"], "memory": {"factor": 1.0, "fixed_mb": 64}, "context": 0,
    "probe": {"path": "/health", "startup_s": 30},
    "container": {
        "hardware": ["cpu"], "image": "acme/fake:1", "port": 8080,
        "command": [sys.executable, fake_runtime.__file__, "--host", "{host}", "--port", "{port}", "--model", "{folder}"],
    },
}  # fmt: skip


@contextmanager
def local_hub(settings: Settings, folder: Path, **more: Any) -> Iterator[Hub]:
    """A hub that deploys on this machine. `more` are settings."""
    own = str(catalog(folder / "catalog"))
    ready = dataclasses.replace(settings, catalog_dir=own, deployment_grace_s=20, deployment_wake_s=20, **more)
    with deploying(ready) as services:
        app = FastAPI()
        app.include_router(openai_router(services))
        add_error_handlers(app)
        with serve(app) as url:
            yield _hub(services, url)
    end_all(ready.data_dir)


@contextmanager
def kubernetes_hub(settings: Settings, folder: Path, fake: FakeCluster, **more: Any) -> Iterator[Hub]:
    """A hub that deploys to a mock of an API server, with a node that runs real processes; pods reach the hub."""
    own = catalog(folder / "catalog")
    (own / "runtimes" / "fake.yaml").write_text(yaml.safe_dump(RUNTIME))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    ready = dataclasses.replace(
        settings, catalog_dir=str(own), clusters="prod=fake", cluster_kubeconfig=str(fake.kubeconfig),
        cluster_hub_url=f"http://127.0.0.1:{port}", deployment_wake_s=20, **more,
    )  # fmt: skip
    with deploying(ready) as services, kubelet(fake):
        app = FastAPI()
        app.include_router(openai_router(services))
        add_hub_routes(app, services)
        with serve(app, port) as url:
            yield _hub(services, url)
    end_all(ready.data_dir)


def _hub(services: Services, url: str) -> Hub:
    ann = actor_for(make_user(services.db, "ann"))
    return Hub(services, url, ann, services.tokens.create(ann, "test", Scope.WRITE).token)


@pytest.fixture
def hub(settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[Hub]:
    with local_hub(dataclasses.replace(settings, database_url=sqlite_url), tmp_path) as found:
        yield found
