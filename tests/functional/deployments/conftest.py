"""A hub that deploys the fake runtime on this machine, behind a real server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hub_core.authz import Actor, Permission, Scope
from hub_core.deployments.service import Found
from hub_core.deployments.specs import Asked
from hub_core.http.errors import add_error_handlers
from hub_core.http.openai.router import openai_router
from hub_core.repos.kinds import RepoKind
from hub_core.services import Services
from hub_core.settings import Settings
from tests.common.deploying import add_model, catalog, deploying, end_all
from tests.common.factories import actor_for, make_user
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


@pytest.fixture
def hub(settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[Hub]:
    own = str(catalog(tmp_path / "catalog"))
    ready = dataclasses.replace(settings, database_url=sqlite_url, catalog_dir=own, deployment_grace_s=20, deployment_wake_s=20)
    with deploying(ready) as services:
        app = FastAPI()
        app.include_router(openai_router(services))
        add_error_handlers(app)
        with serve(app) as url:
            ann = actor_for(make_user(services.db, "ann"))
            secret = services.tokens.create(ann, "test", Scope.WRITE).token
            yield Hub(services, url, ann, secret)
    end_all(ready.data_dir)
