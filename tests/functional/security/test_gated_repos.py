"""Nothing of what is in the files of a gated repo comes out, over any route or tool, to people who were not let in.

The walks ask everything there is, as the owner and as others: where the owner is shown the mark that stands in every file, the
others must be refused, and nowhere may they be shown it. What is added later is walked as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from agent.world import WorldCache
from hub_core.accounts.tables import User
from hub_core.authz import Scope, Visibility
from hub_core.errors import GatedRepo
from hub_core.gating.tables import Gating, RequestStatus
from hub_core.git import FileChange
from hub_core.http.dialects import add_hub_routes
from hub_core.http.errors import add_error_handlers
from hub_core.http.routes import RouteTable
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_user
from tests.functional.tools.world import CASES, DATA, MODEL, World, build
from tools.contract import Effect
from tools.registry import default_registry
from tools.rest.router import tool_router

MARK = "zebra4711"
LARGE = MARK.encode() * 1000
OID = hashlib.sha256(LARGE).hexdigest()
# The architecture and the type of a model are facts about it, which its page shows, as on the Hugging Face Hub.
FILES = {
    "config.json": f'{{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "_name_or_path": "{MARK}"}}'.encode(), "notes.txt": MARK.encode(),
    "model.safetensors.index.json": json.dumps({"metadata": {"made": MARK}, "weight_map": {}}).encode(), "data.csv": f"a,b\n{MARK},1\n".encode(),
}  # fmt: skip
OUTSIDERS = ("anonymous", "stranger", "waiting", "rejected", "other token")


@dataclass
class Gated:
    """A hub with the gated repo `alice/closed`, of two kinds, and everybody who may or may not read it."""

    services: Services
    client: TestClient
    app: FastAPI
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    def ask(self, who: str, method: str, path: str, body: Any = None, **more: str) -> Any:
        """An answer, without following addresses elsewhere."""
        content = json.dumps(body).encode() if body is not None else None
        return self.client.request(method, path, headers={**self.headers[who], **more}, content=content, follow_redirects=False)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with open_services(Settings(data_dir=tmp_path_factory.mktemp("gated"), demo=False)) as services:
        people = {name: make_user(services.db, name) for name in ("alice", "stranger", "waiting", "rejected", "let-in")}
        alice, repos = actor_for(people["alice"]), list[Repo]()
        for kind in (RepoKind.MODEL, RepoKind.DATASET):
            services.repos.create(alice, "closed", kind, Visibility.PUBLIC)
            repo = services.repos.find(alice, f"{kind}:alice/closed")
            services.files.commit(alice, repo, [FileChange(path, content) for path, content in FILES.items()], "Add files")
            services.files.commit_stream(alice, repo, "large.bin", iter([LARGE]), "Add a large file")
            services.gating.set_gating(alice, repo, Gating.MANUAL)
            for name in ("waiting", "rejected", "let-in"):
                services.gating.ask(actor_for(people[name]), repo)
            services.gating.decide(alice, repo, "rejected", RequestStatus.REJECTED)
            services.gating.decide(alice, repo, "let-in", RequestStatus.ACCEPTED)
            change = FileChange("README.md", MARK.encode())
            services.pulls.open_with_commit(actor_for(people["let-in"]), repo, [change], "A proposal")
            repos.append(repo)
        services.repos.create(alice, "other", RepoKind.MODEL)
        app = FastAPI()
        app.include_router(tool_router(services))
        add_error_handlers(app)
        add_hub_routes(app, services)
        gated = Gated(services, TestClient(app), app, {"anonymous": {}})
        for name, user in people.items():
            gated.headers[name] = {"Authorization": f"Bearer {services.tokens.create(actor_for(user), 'walk', Scope.WRITE).token}"}
        limited = services.tokens.create(alice, "limited", Scope.WRITE, repo="model:alice/other").token
        gated.headers["other token"] = {"Authorization": f"Bearer {limited}"}
        yield gated


BATCH = {"operation": "download", "objects": [{"oid": OID, "size": len(LARGE)}]}
FETCH = "/alice/closed.git/git-upload-pack"
CLOSED = [
    ("GET", "/alice/closed/resolve/main/notes.txt", None),
    ("HEAD", "/alice/closed/resolve/main/notes.txt", None),
    ("GET", "/alice/closed/resolve/main/large.bin", None),
    ("GET", "/datasets/alice/closed/resolve/main/data.csv", None),
    ("GET", "/hf/alice/closed/resolve/main/notes.txt", None),
    ("GET", "/csg/alice/closed/resolve/main/notes.txt", None),
    ("GET", "/alice/closed/raw/main/notes.txt", None),
    ("GET", "/alice/closed/resolve/refs%2Fpr%2F1/README.md", None),
    ("GET", "/alice/closed/raw/main/large.bin", None),
    ("GET", "/alice/closed.git/info/refs?service=git-upload-pack", None),
    ("GET", "/datasets/alice/closed.git/info/refs?service=git-upload-pack", None),
    ("POST", FETCH, {}),
    ("POST", "/alice/closed.git/info/lfs/objects/batch", BATCH),
    ("GET", f"/alice/closed.git/info/lfs/objects/{OID}", None),
    ("GET", "/api/models/alice/closed/xet-read-token/main", None),
    ("GET", "/api/models/alice/closed/auth-check", None),
    ("GET", "/api/v1/models/alice/closed/raw/notes.txt", None),
    ("GET", "/api/models/alice/closed/safetensors-metadata/model.safetensors.index.json", None),
]


@pytest.mark.parametrize("who", OUTSIDERS)
@pytest.mark.parametrize(("method", "path", "body"), CLOSED)
def test_contents_are_refused_as_gated(hub: Gated, method: str, path: str, body: Any, who: str) -> None:
    answer = hub.ask(who, method, path, body)
    assert answer.status_code == (401 if who == "anonymous" else 403), answer.text
    if path.startswith(("/api/models", "/alice/closed/r", "/datasets/alice/closed/r", "/hf", "/csg")):
        assert answer.headers["x-error-code"] == "GatedRepo"
        assert "alice/closed is gated" in answer.headers["x-error-message"]
    elif method == "GET":
        assert "alice/closed is gated" in answer.text or f"/objects/{OID}" in path
    if who == "anonymous":
        assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("who", ["alice", "let-in"])
@pytest.mark.parametrize(("method", "path", "body"), [case for case in CLOSED if case[1] != FETCH])
def test_contents_are_there_for_who_was_let_in(hub: Gated, method: str, path: str, body: Any, who: str) -> None:
    assert hub.ask(who, method, path, body).status_code in {200, 302}


OPEN = [
    "/api/models/alice/closed", "/api/models/alice/closed/tree/main", "/api/models/alice/closed/refs", "/api/models/alice/closed/commits/main",
    "/api/models/alice/closed/likers", "/alice/closed/resolve/main/README.md", "/api/v1/models/alice/closed/tree", "/api/v1/models/alice/closed",
]  # fmt: skip


@pytest.mark.parametrize("who", OUTSIDERS)
@pytest.mark.parametrize("path", OPEN)
def test_facts_and_names_are_open(hub: Gated, path: str, who: str) -> None:
    # There is no card; the answer tells that, and not that it is closed.
    assert hub.ask(who, "GET", path).status_code == (404 if path.endswith("README.md") else 200)


VALUES = {
    "namespace": "alice", "name": "closed", "revision": "main", "path": "notes.txt", "oid": OID, "hash": OID, "number": "1", "user": "alice", "org": "alice",
    "lock_id": "1", "status": "pending", "prefix": "default", "rest": "x", "kind": "models",
}  # fmt: skip
BODY = {
    **BATCH, "paths": ["notes.txt", "large.bin"], "files": [{"path": "notes.txt", "size": 3}], "title": "T", "description": "D", "comment": "C",
    "repository": "stranger/stolen", "message": "M", "from": "main", "to": "main", "base": "main", "head": "main",
}  # fmt: skip
QUERIES = ("", "?diff=1&full=true&blobs=true&expand=1&recursive=true&path=notes.txt&ref=main")


def walk(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Method and address of everything that is served and changes nothing by its method."""
    for route in routes:
        if isinstance(route, Mount):
            continue  # the same again, under another prefix
        if included := getattr(route, "original_router", None):
            yield from walk(included.routes)
        if isinstance(route, RouteTable):
            yield from walk(list(route.routes))
        if isinstance(route, Route):
            values = {name: VALUES.get(name, "1") for name in route.param_convertors}
            for kind in ("models", "datasets") if "kind" in values else ("models",):
                path = route.path
                for name, value in {**values, "kind": kind}.items():
                    path = path.replace("{" + name + "}", value)
                    for convertor in ("path", "repokind", "int"):
                        path = path.replace(f"{{{name}:{convertor}}}", value)
                yield from ((method, path) for method in sorted(route.methods or ()) if method in {"GET", "POST"})


def test_no_route_shows_what_is_in_the_files(hub: Gated) -> None:
    asked = sorted(
        {(method, path + query) for method, path in walk(list(hub.app.routes)) for query in QUERIES if method == "GET" or not query}
    )
    outsiders = ("anonymous", "waiting")
    shown: dict[str, set[tuple[str, str]]] = {}
    refused: dict[tuple[str, str], dict[str, int]] = {}
    for who in (*outsiders, "alice"):
        for method, path in asked:
            answer = hub.ask(who, method, path, BODY if method == "POST" else None)
            assert answer.status_code < 500, (method, path, answer.text)
            refused.setdefault((method, path), {})[who] = answer.status_code
            if MARK.encode() in answer.content:
                shown.setdefault(who, set()).add((method, path))
    assert set(shown) == {"alice"}
    contents = {path.partition("?")[0] for _, path in shown["alice"]}
    assert {
        "/alice/closed/resolve/main/notes.txt",
        "/models/alice/closed/resolve/main/notes.txt",
        "/alice/closed/raw/main/notes.txt",
        "/api/v1/datasets/alice/closed/raw/notes.txt",
        f"/alice/closed/info/lfs/objects/{OID}",
        "/api/models/alice/closed/discussions/1",
    } <= contents
    # What people say is open, and shown without what the pull request changes.
    partly = [case for case in shown["alice"] if any(refused[case][who] < 400 for who in outsiders)]
    assert {path.partition("?")[0] for _, path in partly} == {f"/api/{kind}/alice/closed/discussions/1" for kind in ("models", "datasets")}


# -- tools -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world of the tools' tests, with its repos public and gated, and the mark in every file."""
    with open_services(Settings(data_dir=tmp_path_factory.mktemp("tools"), demo=False)) as services:
        world = build(services)
        alice = world.actor("alice")
        config = f'{{"model_type": "{MARK}"}}'.encode()
        for name, files in (
            (MODEL, {"config.json": config, "docs/guide.md": MARK.encode()}),
            (DATA, {"data/train.csv": b"team,minutes\n" + MARK.encode() + b",5\n"}),
        ):
            repo = services.repos.find(alice, name)
            services.files.commit(alice, repo, [FileChange(path, content) for path, content in files.items()], "Mark")
            if name == MODEL:
                services.files.commit(alice, repo, [FileChange("dev.txt", MARK.encode())], "Mark", branch="dev")
            services.repos.set_visibility(alice, repo, Visibility.PUBLIC)
            services.gating.set_gating(alice, services.repos.find(alice, name), Gating.MANUAL)
        yield world


def test_no_tool_shows_what_is_in_the_files(world: World) -> None:
    app = FastAPI()
    app.include_router(tool_router(world.services))
    add_error_handlers(app)
    client = TestClient(app)

    def call(name: str, who: str, dry: bool) -> Any:
        headers = {"authorization": f"Bearer {world.tokens[who]}"} if who else {}
        return client.post(f"/api/v1/tools/{name}", json=CASES[name].args, headers=headers, params={"dry_run": "true"} if dry else {})

    reads = [name for name in CASES if default_registry().get(name).effect is Effect.READ]
    contents = {name for name in reads if MARK in call(name, CASES[name].who, dry=False).text}
    assert {
        "read_file",
        "show_commit",
        "compare_revisions",
        "inspect_model",
        "preview_dataset",
        "describe_dataset",
        "query_dataset",
    } <= contents
    for name in CASES:
        for who in ("carol", ""):
            for dry in (True, False) if name in reads else (True,):
                answer = call(name, who, dry)
                assert MARK not in answer.text, (name, who)
                if name in contents | {"fork_repo"} and not (dry and name == "read_file"):
                    expected = ("gated_repo", 403) if who else ("unauthenticated", 401)
                    assert (answer.json()["error"]["code"], answer.status_code) == expected, name


def test_what_the_agent_keeps_of_a_table_is_not_for_those_outside(hub: Gated) -> None:
    cache, people = WorldCache(), {}
    with hub.services.db.read() as session:
        for user in session.scalars(sa.select(User)):
            people[user.username] = actor_for(user)
    repo = hub.services.repos.find(people["alice"], "dataset:alice/closed")
    assert [column.name for column in cache.columns(hub.services, people["alice"], repo)] == ["a", "b"]
    with pytest.raises(GatedRepo):
        cache.columns(hub.services, people["waiting"], repo)
    assert cache.columns(hub.services, people["let-in"], repo)
