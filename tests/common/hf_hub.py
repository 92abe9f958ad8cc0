"""A live hub for clients of the Hugging Face Hub: people, content put in by services, and the real client pointed at it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from huggingface_hub import HfApi, HfFileSystem

from hub_core.accounts.tables import Org, User
from hub_core.authz import Role, Scope, Visibility
from hub_core.git import FileChange
from hub_core.http.dialects import add_hub_routes
from hub_core.http.middleware import BodyLimitMiddleware, usual_limit
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_org, make_user
from tests.common.live import serve


@dataclass(frozen=True)
class HfHub:
    """A served hub. `ann` owns things, `ben` has no rights on them, `lab` is an organisation of Ann's."""

    url: str
    services: Services
    ann: User
    ben: User
    lab: Org
    ann_token: str
    ben_token: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def api(self, token: str | None = None, prefix: str = "") -> HfApi:
        """The client with a token (Ann's unless told; empty for nobody), under `/` or another prefix."""
        return HfApi(endpoint=self.url + prefix, token=(self.ann_token if token is None else token) or False)

    def files(self, token: str | None = None) -> HfFileSystem:
        """The file system with Ann's token, without anything remembered."""
        return HfFileSystem(endpoint=self.url, token=(self.ann_token if token is None else token) or False, skip_instance_cache=True)

    def repo(
        self,
        files: Mapping[str, bytes] | None = None,
        *,
        name: str = "",
        kind: RepoKind = RepoKind.MODEL,
        visibility: Visibility = Visibility.PUBLIC,
        owner: str = "ann",
    ) -> Repo:
        """A new repo of Ann's (or of `lab`), with one more commit when there are files."""
        name, actor = name or f"repo-{next(self.numbers)}", actor_for(self.ann)
        self.services.repos.create(actor, f"{owner}/{name}", kind, visibility)
        repo = self.services.repos.find(actor, f"{kind}:{owner}/{name}")
        if files:
            self.commit(repo, files)
        return repo

    def commit(self, repo: Repo, files: Mapping[str, bytes | None], message: str = "Add files", **options: Any) -> str:
        """Commit files in Ann's name (None deletes one); returns the commit."""
        changes = [FileChange(path, content, delete=content is None) for path, content in files.items()]
        return self.services.files.commit(actor_for(self.ann), repo, changes, message, **options).commit


@contextmanager
def hf_hub(settings: Settings) -> Iterator[HfHub]:
    """Serve a hub on these settings."""
    with open_services(settings) as services:
        ann, ben = make_user(services.db, "ann", email="ann@example.org"), make_user(services.db, "ben")
        lab = make_org(services.db, "lab", {ann: Role.ADMIN})
        ann_token, ben_token = [services.tokens.create(actor_for(user), "laptop", Scope.WRITE).token for user in (ann, ben)]
        app = FastAPI()
        app.add_middleware(BodyLimitMiddleware, limit_of=usual_limit)
        add_hub_routes(app, services)
        with serve(app) as url:
            yield HfHub(url, services, ann, ben, lab, ann_token, ben_token)


def on_swift(settings: Settings, endpoint: str, access_key: str, secret_key: str, prefix: str) -> Settings:
    """The settings with blobs in an S3 store."""
    return dataclasses.replace(
        settings,
        storage_url=f"s3://hub-tests/{prefix}",
        s3_endpoint_url=endpoint,
        s3_public_url=endpoint,
        s3_access_key=access_key,
        s3_secret_key=secret_key,
    )


def cache_files(cache: Path) -> set[str]:
    """The names of blobs in a client's cache."""
    return {path.name for path in cache.glob("*/blobs/*")}
