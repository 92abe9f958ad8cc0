"""The seeded hub that every conversation starts from: made once from `world.yaml` through the services, then copied."""

from __future__ import annotations

import io
import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.community import CollectionSpec, CommunitySpec, seed_collection, seed_repo
from evals.running import DeploymentSpec, seed_deployment
from hub_core.accounts.tables import User
from hub_core.authz import Actor, CredentialKind, Role, Scope, Visibility
from hub_core.bridges.links import Person
from hub_core.errors import InvalidInput, UserNotFound
from hub_core.git import FileChange
from hub_core.names import parse_repo_id
from hub_core.repos.kinds import RepoKind
from hub_core.repos.social import WatchLevel
from hub_core.repos.tables import Repo
from hub_core.repos.tags import TagMode
from hub_core.services import Services, open_services
from hub_core.settings import Settings

WORLD = Path(__file__).parent / "world.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TokenSpec(_Strict):
    """An access token of a user."""

    name: str
    scope: Scope


class KeySpec(_Strict):
    """An SSH key of a user."""

    title: str
    key: str


class UserSpec(_Strict):
    """A user."""

    email: str = ""
    site_admin: bool = False
    tokens: list[TokenSpec] = Field(default_factory=list)
    ssh_keys: list[KeySpec] = Field(default_factory=list)
    preferences: dict[str, str] = Field(default_factory=dict)
    chats: dict[str, str] = Field(default_factory=dict)


class OrgSpec(_Strict):
    """An organisation; its first admin makes it."""

    members: dict[str, Role]


class Tensors(_Strict):
    """A safetensors file with random weights."""

    generate: Literal["safetensors"]
    seed: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)
    tensors: dict[str, TensorSpec]


class TensorSpec(_Strict):
    """One tensor."""

    dtype: Literal["F32"] = "F32"
    shape: list[int]


class Table(_Strict):
    """A Parquet file."""

    generate: Literal["parquet"]
    columns: dict[str, list[Any]]


Content = str | Annotated[Tensors | Table, Field(discriminator="generate")]


class CommitSpec(_Strict):
    """One commit of a repo; `id` is a label within this file only."""

    id: str
    branch: str = "main"
    start: str | None = Field(None, alias="from")
    author: str
    message: str
    files: dict[str, Content] = Field(default_factory=dict)
    delete: list[str] = Field(default_factory=list)


class RepoSpec(_Strict):
    """A repo with everything that hangs on it."""

    kind: RepoKind
    id: str
    visibility: Visibility
    description: str = ""
    license: str = ""
    tags: list[str] = Field(default_factory=list)
    collaborators: dict[str, Role] = Field(default_factory=dict)
    likes: list[str] = Field(default_factory=list)
    watches: dict[str, WatchLevel] = Field(default_factory=dict)
    deleted: bool = False
    default_branch: str = "main"
    author: str = ""
    files: dict[str, Content] = Field(default_factory=dict)
    commits: list[CommitSpec] = Field(default_factory=list)
    git_tags: dict[str, str] = Field(default_factory=dict)
    community: CommunitySpec = Field(default_factory=CommunitySpec)
    deployments: list[DeploymentSpec] = Field(default_factory=list)


class World(_Strict):
    """All of it."""

    users: dict[str, UserSpec]
    orgs: dict[str, OrgSpec] = Field(default_factory=dict)
    repos: list[RepoSpec] = Field(default_factory=list)
    collections: list[CollectionSpec] = Field(default_factory=list)

    def owner(self, namespace: str) -> str:
        """Who acts for a namespace: the user, or the first admin of the organisation."""
        if namespace in self.users:
            return namespace
        return next(name for name, role in self.orgs[namespace].members.items() if role is Role.ADMIN)


def load_world(path: Path = WORLD) -> World:
    """Read a world.

    Raises:
        InvalidInput: something in it is wrong, and where.
    """
    try:
        return World.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False, include_input=False)]
        raise InvalidInput(f"{path}: {'; '.join(problems)}") from error


def make_template(folder: Path, world: World) -> None:
    """Seed a hub into `folder` (SQLite and local blobs); copies of it are hubs of their own."""
    with open_services(Settings(data_dir=folder, demo=False)) as services:
        seed(services, world)
    # Disposable, and it may hold absolute paths.
    shutil.rmtree(folder / "cache", ignore_errors=True)


def copy_template(template: Path, folder: Path) -> None:
    """A fresh hub for one conversation."""
    shutil.copytree(template, folder)


def person(services: Services, username: str, channel: str = "eval") -> Actor:
    """The actor that a signed-in person is.

    Raises:
        UserNotFound: there is no such user.
    """
    with services.db.read() as session:
        row = session.scalar(sa.select(User).where(User.username == username))
    if row is None:
        raise UserNotFound(f"The seeded hub has no user '{username}'.", hint="See evals/world.yaml.")
    return Actor(row.id, row.username, row.is_admin, CredentialKind.SESSION, Scope.ADMIN, channel=channel)


def seed(services: Services, world: World) -> None:
    """Fill an empty hub with a world, each thing in the name of the person it belongs to."""
    services.users.bootstrap()
    admin = person(services, "admin", "setup")
    for name, user in world.users.items():
        if name != admin.username:
            services.users.create(admin, name, email=user.email, is_admin=user.site_admin)
        elif user.email:
            with services.db.write() as session:
                session.execute(sa.update(User).where(User.id == admin.user_id).values(email=user.email))
    actors = {name: person(services, name, "setup") for name in world.users}
    for name, user in world.users.items():
        _credentials(services, actors[name], user)
    for name, org in world.orgs.items():
        founder = actors[world.owner(name)]
        services.orgs.create(founder, name)
        for member, role in org.members.items():
            if member != founder.username:
                services.orgs.set_member(founder, name, member, role)
    for spec in world.repos:
        _Seeder(services, actors, actors[world.owner(parse_repo_id(spec.id).namespace)], spec).run()
    for collection in world.collections:
        seed_collection(services, actors[world.owner(collection.owner)], collection)


def _credentials(services: Services, actor: Actor, user: UserSpec) -> None:
    for token in user.tokens:
        services.tokens.create(actor, token.name, token.scope)
    for key in user.ssh_keys:
        services.ssh_keys.add(actor, key.title, key.key)
    for platform, name in user.chats.items():
        services.bridges.accept(actor, services.bridges.invite(Person(platform, "W1", name, name)))
    for name, value in user.preferences.items():
        services.users.set_preference(actor, name, value)


class _Seeder:
    """Makes one repo."""

    def __init__(self, services: Services, actors: Mapping[str, Actor], owner: Actor, spec: RepoSpec) -> None:
        self._services = services
        self._actors = actors
        self._owner = owner
        self._spec = spec

    def run(self) -> None:
        """Make the repo, its history, and what people did to it."""
        spec, services, owner = self._spec, self._services, self._owner
        services.repos.create(owner, spec.id, spec.kind, spec.visibility, spec.description, spec.license)
        repo = self._row()
        commits = self._commits(repo)
        for tag, label in spec.git_tags.items():
            services.history.create_tag(owner, repo, tag, commits[label])
        by_hand = sorted(set(spec.tags) - set(services.tags.of(repo)))
        if by_hand:
            services.tags.set(owner, repo, by_hand, TagMode.ADD)
        # Last, because a commit takes the description of the card.
        services.repos.update(owner, repo, description=spec.description, default_branch=spec.default_branch)
        for name, role in spec.collaborators.items():
            services.access.grant(owner, repo, name, role)
        for name in spec.likes:
            services.social.set_like(self._actors[name], repo, True)
        for name, level in spec.watches.items():
            services.social.watch(self._actors[name], repo, level)
        seed_repo(services, self._actors, owner, repo, spec.community)
        for deployment in spec.deployments:
            seed_deployment(services, owner, repo, deployment)
        if spec.deleted:
            services.repos.delete(owner, repo)

    def _row(self) -> Repo:
        return self._services.repos.find(self._owner, f"{self._spec.kind}:{self._spec.id}")

    def _commits(self, repo: Repo) -> dict[str, str]:
        files, history = self._services.files, self._services.history
        made: dict[str, str] = {}
        if self._spec.files:
            author = self._actors[self._spec.author or self._owner.username]
            changes = [FileChange(path, content_bytes(content)) for path, content in self._spec.files.items()]
            files.commit(author, repo, changes, f"Add {self._spec.id.partition('/')[2]}")
        for spec in self._spec.commits:
            author = self._actors[spec.author]
            if spec.branch not in history.branches(author, repo):
                history.create_branch(author, repo, spec.branch, spec.start or "main")
            changes = [FileChange(path, content_bytes(content)) for path, content in spec.files.items()]
            changes += [FileChange(path, delete=True) for path in spec.delete]
            made[spec.id] = files.commit(author, repo, changes, spec.message, branch=spec.branch).commit
        return made


def content_bytes(content: Content) -> bytes:
    """The bytes of a file: text as it is, or generated."""
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, Table):
        buffer = io.BytesIO()
        pq.write_table(pa.table(content.columns), buffer)
        return buffer.getvalue()
    return _safetensors(content)


def _safetensors(spec: Tensors) -> bytes:
    random = np.random.default_rng(spec.seed)
    header: dict[str, Any] = {"__metadata__": spec.metadata} if spec.metadata else {}
    body = b""
    for name, tensor in spec.tensors.items():
        data = random.standard_normal(tensor.shape, dtype=np.float32).tobytes()
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + body
