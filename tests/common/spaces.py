"""A hub that runs Spaces: their SDK is the standard library here, so that nothing has to be installed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from chat_ui.login import login_router
from chat_ui.space_page import space_page_router
from hub_core.accounts.passwords import Passwords
from hub_core.authz import Actor, Scope, Visibility
from hub_core.git import FileChange
from hub_core.http.dialects import add_hub_routes
from hub_core.http.errors import add_error_handlers
from hub_core.http.middleware import BodyLimitMiddleware, RequestMiddleware, usual_limit
from hub_core.http.openai.router import openai_router
from hub_core.http.spaces.router import SpaceApps
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services
from hub_core.settings import Settings
from tests.common import space_app
from tests.common.deploying import catalog, deploying, end_all
from tests.common.factories import actor_for, make_user
from tests.common.live import serve
from tests.common.working import wait_until

RUNTIME = """
name: gradio
title: Gradio
about: For tests.
rank: 900
formats: []
weights: folder
tasks: [app]
probe: {path: /, startup_s: 60}
local:
  hardware: [cpu]
  app_port: 7860
  command: ["{python}", "-u", "{app}"]
  environment: {HOST: "{host}", PORT: "{port}"}
"""
PASSWORD = "a-long-password"


@dataclass
class SpacesHub:
    """A running hub, two people on it with tokens, and Spaces."""

    services: Services
    url: str
    ann: Actor
    bob: Actor
    token: str
    bob_token: str

    def space(self, name: str = "app", sdk: str = "gradio", visibility: Visibility = Visibility.PRIVATE, **files: str) -> Repo:
        """A Space of Ann's; without files it has the app of the tests."""
        self.services.repos.create(self.ann, name, RepoKind.SPACE, visibility)
        repo = self.services.repos.find(self.ann, f"ann/{name}", RepoKind.SPACE)
        given = files or {"app.py": Path(space_app.__file__).read_text()}
        self.commit(repo, **{"README.md": f"---\nsdk: {sdk}\n---\n", **given})
        return repo

    def commit(self, repo: Repo, **files: str) -> str:
        """Commit files; `__` in a name stands for a slash, as keywords have none."""
        changes = [FileChange(path.replace("__", "/"), content.encode()) for path, content in files.items()]
        return self.services.files.commit(self.ann, repo, changes, "Change").commit

    def run(self, repo: Repo, **given: Any) -> None:
        """Run it and wait until it answers."""
        runs = self.services.space_runs
        runs.run(self.ann, repo, runs.plan(self.ann, repo, **given))
        self.reach(repo, "RUNNING")

    def reach(self, repo: Repo, stage: str) -> None:
        wait_until(lambda: self.services.space_runs.state(self.ann, repo).stage == stage, 60)

    def signed_in(self, name: str = "ann") -> httpx.Client:
        """A browser of somebody who signed in."""
        secret = self.services.sessions.login(name, PASSWORD)
        return httpx.Client(base_url=self.url, cookies={"hubtalk_session": secret}, timeout=30, headers={"accept": "text/html"})

    def address(self, browser: httpx.Client, repo: Repo) -> str:
        """Where the frame of the page of a Space leads."""
        page = browser.get(f"/spaces/{repo.full_name}/app")
        assert page.status_code == 200
        found = re.search(r'src="(/run/[^"]+)"', page.text)
        assert found, page.text
        return found[1].rstrip("/")


@contextmanager
def spaces_hub(settings: Settings, tmp_path: Path, *, port: int = 0, **changed: Any) -> Iterator[SpacesHub]:
    """Serve a hub that runs Spaces, on a free port if none is given."""
    own = catalog(tmp_path / "catalog")
    (own / "runtimes" / "gradio.yaml").write_text(RUNTIME)
    ready = dataclasses.replace(settings, catalog_dir=str(own), deployment_grace_s=20, deployment_wake_s=30, space_disk_gb=0.1, **changed)
    with deploying(ready) as services:
        app = FastAPI()
        app.add_middleware(BodyLimitMiddleware, limit_of=usual_limit)
        app.add_middleware(RequestMiddleware)
        app.include_router(login_router(services))
        apps = SpaceApps(services)
        app.include_router(space_page_router(services, apps))
        app.router.routes.extend(apps.routes())
        app.include_router(openai_router(services))
        add_hub_routes(app, services)
        add_error_handlers(app)
        with serve(app, port) as url:
            ann, bob = (actor_for(make_user(services.db, name, password_hash=Passwords().hash(PASSWORD))) for name in ("ann", "bob"))
            tokens = [services.tokens.create(actor, "test", Scope.WRITE).token for actor in (ann, bob)]
            yield SpacesHub(services, url, ann, bob, tokens[0], tokens[1])
    end_all(ready.data_dir)
