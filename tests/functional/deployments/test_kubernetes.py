"""A deployment in a cluster, from the sentence's row to the answer of a request: the API server is a mock, all else is real.

The pod's init container downloads the model from the hub over HTTP with its pass, its server is a real process, and requests go through the
gateway.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fastapi import FastAPI

from hub_core.authz import Scope
from hub_core.clusters.kubernetes import fetch
from hub_core.git import FileChange
from hub_core.http.dialects import add_hub_routes
from hub_core.http.openai.router import openai_router
from hub_core.settings import Settings
from tests.common import fake_runtime
from tests.common.deploying import catalog, deploying, end_all
from tests.common.factories import actor_for, make_user
from tests.common.fake_api_server import FakeCluster, fake_cluster
from tests.common.fake_kubelet import kubelet
from tests.common.live import serve
from tests.common.working import wait_until
from tests.functional.deployments.conftest import Hub

RUNTIME = {
    "name": "fake", "title": "Fake", "about": "For tests.", "rank": 1, "formats": ["gguf"], "weights": "folder",
    "tasks": ["chat", "completions", "embeddings"], "memory": {"factor": 1.0, "fixed_mb": 64}, "context": 0,
    "probe": {"path": "/health", "startup_s": 30},
    "container": {
        "hardware": ["cpu"], "image": "acme/fake:1", "port": 8080,
        "command": [sys.executable, fake_runtime.__file__, "--host", "{host}", "--port", "{port}", "--model", "{folder}"],
    },
}  # fmt: skip


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCluster]:
    with fake_cluster(tmp_path / "cluster") as found:
        yield found


@pytest.fixture
def hub(settings: Settings, sqlite_url: str, tmp_path: Path, fake: FakeCluster) -> Iterator[Hub]:
    own = catalog(tmp_path / "catalog")
    (own / "runtimes" / "fake.yaml").write_text(yaml.safe_dump(RUNTIME))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    ready = dataclasses.replace(
        settings, database_url=sqlite_url, catalog_dir=str(own), clusters="prod=fake", cluster_kubeconfig=str(fake.kubeconfig),
        cluster_hub_url=f"http://127.0.0.1:{port}", deployment_wake_s=20,
    )  # fmt: skip
    with deploying(ready) as services, kubelet(fake):
        app = FastAPI()
        app.include_router(openai_router(services))
        add_hub_routes(app, services)
        with serve(app, port) as url:
            ann = actor_for(make_user(services.db, "ann"))
            yield Hub(services, url, ann, services.tokens.create(ann, "test", Scope.WRITE).token)
    end_all(ready.data_dir)


def test_a_private_model_is_downloaded_served_scaled_and_deleted(hub: Hub, fake: FakeCluster) -> None:
    found = hub.deploy(replicas=2)
    assert found.view.cluster == "prod"
    hub.running(copies=2)
    assert hub.chat().json()["choices"][0]["message"]["content"] == "The capital is Paris."
    models = list((fake.folder / "pods").glob("*/model/model.gguf"))
    assert len(models) == 2
    reader = hub.services.files.readers(hub.ann, hub.found().repo, ["model.gguf"])["model.gguf"]
    expected = hashlib.sha256(reader.read(0, reader.size)).hexdigest()
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in models} == {expected}
    said = json.dumps([fake.objects(kind) for kind in ("apps/v1/deployments", "v1/pods", "v1/services")])
    assert "hubpass" not in said
    logs = hub.services.deployments.logs(hub.ann, "chat", 50)
    assert len(logs) == 2
    assert all("serving" in text for text in logs.values())
    hub.services.deployments.scale(hub.ann, hub.found(), 0)
    wait_until(lambda: not fake.objects("v1/pods"))
    assert hub.chat().status_code == 200  # a request wakes it
    hub.services.deployments.delete(hub.ann, hub.found())
    wait_until(lambda: not fake.objects("v1/pods") and not fake.objects("v1/services") and not fake.objects("v1/secrets"))


def test_an_image_of_ones_own_that_is_not_there_is_told(hub: Hub, fake: FakeCluster) -> None:
    hub.deploy(runtime="custom", environment={"IMAGE": "acme/never:1"})
    wait_until(lambda: fake.objects("v1/pods"))
    pods = fake.objects("v1/pods")
    assert pods[0]["spec"]["containers"][0]["image"] == "acme/never:1"
    assert "command" not in pods[0]["spec"]["containers"][0]


def test_what_breaks_off_goes_on_and_what_is_damaged_is_fetched_again(hub: Hub, tmp_path: Path) -> None:
    hub.deploy()
    row, repo = hub.found().deployment, hub.found().repo
    large = bytes(range(256)) * 8000
    oid = hashlib.sha256(large).hexdigest()
    hub.services.files.commit(hub.ann, repo, [FileChange("sub dir/größe #1.bin", large), FileChange("config.json", b"{}")], "More")
    commit = hub.services.git.resolve(repo.id, "main")
    secrets, target = tmp_path / "secrets", tmp_path / "target"
    (secrets).mkdir()
    (secrets / "token").write_text(hub.services.platform.clusters["prod"]._writer._pass_for(row.id))  # type: ignore[attr-defined]
    (secrets / "files.json").write_text(json.dumps(["sub dir/größe #1.bin", "config.json"]))
    (target / "sub dir").mkdir(parents=True)
    (target / "sub dir" / ".größe #1.bin.part").write_bytes(large[:1000])
    (target / "config.json").write_bytes(b"damaged")
    fetch.main(hub.url, "ann/chat", commit, str(secrets), str(target))
    assert hashlib.sha256((target / "sub dir" / "größe #1.bin").read_bytes()).hexdigest() == oid
    assert (target / "config.json").read_bytes() == b"{}"
    (secrets / "token").write_text("hubpass-wrong")
    (target / "config.json").unlink()
    with pytest.raises(SystemExit, match=r"config\.json cannot be downloaded: HTTPError: HTTP Error 401"):
        fetch.fetch(f"{hub.url}/ann/chat/resolve/{commit}/config.json", secrets, target / "config.json", wait_s=0)
    (secrets / "files.json").write_text(json.dumps(["../outside"]))
    with pytest.raises(SystemExit, match="no path of a repo"):
        fetch.main(hub.url, "ann/chat", commit, str(secrets), str(target))
