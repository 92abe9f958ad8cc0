"""A deployment in a cluster, from the sentence's row to the answer of a request: the API server is a mock, all else is real.

The pod's init container downloads the model from the hub over HTTP with its pass, its server is a real process, and requests go through the
gateway.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_core.clusters.kubernetes import fetch
from hub_core.git import FileChange
from hub_core.settings import Settings
from tests.common.fake_api_server import FakeCluster, fake_cluster
from tests.common.working import wait_until
from tests.functional.deployments.conftest import Hub, kubernetes_hub


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCluster]:
    with fake_cluster(tmp_path / "cluster") as found:
        yield found


@pytest.fixture
def hub(settings: Settings, sqlite_url: str, tmp_path: Path, fake: FakeCluster) -> Iterator[Hub]:
    with kubernetes_hub(dataclasses.replace(settings, database_url=sqlite_url), tmp_path, fake) as found:
        yield found


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
