"""Spaces in a cluster: the API server is a mock, pods are real processes that download from the hub, install packages and answer."""

from __future__ import annotations

import base64
import dataclasses
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from hub_core.running_errors import NotIsolated
from hub_core.settings import Settings
from hub_core.spaces.service import Setting
from tests.common import space_app
from tests.common.databases import free_port
from tests.common.fake_api_server import FakeCluster, fake_cluster
from tests.common.fake_kubelet import kubelet
from tests.common.manifests import check
from tests.common.spaces import SpacesHub, spaces_hub
from tests.common.working import wait_until

IMAGE = "acme/python:3"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCluster]:
    with fake_cluster(tmp_path / "cluster") as found:
        yield found


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A package index with one package in it."""
    place = tmp_path / "index" / "greeting"
    place.mkdir(parents=True)
    wheel = "greeting-1.0-py3-none-any.whl"
    about = "greeting-1.0.dist-info"
    with zipfile.ZipFile(place / wheel, "w") as archive:
        archive.writestr("greeting.py", "WORD = 'Hello'\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    (place / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    return tmp_path / "index"


@pytest.fixture
def hub(settings: Settings, sqlite_url: str, tmp_path: Path, fake: FakeCluster, index: Path) -> Iterator[SpacesHub]:
    port = free_port()
    ready = in_cluster(settings, sqlite_url, fake, cluster_hub_url=f"http://127.0.0.1:{port}", cluster_space_index=index.as_uri())
    with kubelet(fake), spaces_hub(ready, tmp_path, port=port) as served:
        yield served


def in_cluster(settings: Settings, database: str, fake: FakeCluster, **changed: str) -> Settings:
    """Settings of a hub that runs Spaces in the cluster."""
    usual = {"cluster_hub_url": "http://hub", "cluster_space_image": IMAGE, "cluster_kubeconfig": str(fake.kubeconfig)}
    return dataclasses.replace(settings, database_url=database, clusters="prod=fake", **{**usual, **changed})  # type: ignore[arg-type]


def asked(hub: SpacesHub, path: str, space: str = "app") -> httpx.Response:
    return httpx.get(f"{hub.url}/spaces/ann/{space}/app/{path}", headers={"authorization": f"Bearer {hub.token}"}, timeout=60)


def pods(fake: FakeCluster) -> list[dict[str, Any]]:
    return [body["spec"] for body in fake.objects("v1/pods")]


def test_a_space_runs_sleeps_wakes_changes_and_goes(hub: SpacesHub, fake: FakeCluster) -> None:
    repo = hub.space("app")
    hub.services.spaces.set(hub.ann, repo, [Setting("LANG_OF_APP", "ja"), Setting("KEY", "very-$(secret)", secret=True)])
    hub.run(repo)
    runs = hub.services.space_runs
    run = runs.state(hub.ann, repo).run
    assert run is not None
    assert run.cluster == "prod"
    known = asked(hub, "environment").json()
    assert (known["LANG_OF_APP"], known["KEY"], known["SPACE_ID"]) == ("ja", "very-$(secret)", "ann/app")
    assert asked(hub, "written?path=app.py").text == Path(space_app.__file__).read_text()
    assert "GET /environment" in "".join(runs.logs(hub.ann, repo, 50).values())
    with hub.signed_in() as browser:
        address = hub.url.replace("http", "ws") + hub.address(browser, repo)
    with connect(f"{address}/chat", proxy=None) as joined:
        joined.recv()
        joined.send("Hello")
        assert joined.recv() == "Hello"

    hub.services.deployments.scale(hub.ann, runs.found(hub.ann, repo), 0)
    hub.reach(repo, "SLEEPING")
    wait_until(lambda: not pods(fake))
    assert asked(hub, "environment").json()["KEY"] == "very-$(secret)"  # a request woke it, and waited

    hub.services.spaces.set(hub.ann, repo, [Setting("LANG_OF_APP", "ko")])
    wait_until(lambda: (said := asked(hub, "environment")).is_success and said.json()["LANG_OF_APP"] == "ko", 60)
    runs.stop(hub.ann, repo)
    hub.reach(repo, "PAUSED")
    hub.services.repos.delete(hub.ann, repo)
    wait_until(lambda: not pods(fake), 30)


def test_what_is_made_is_what_kubernetes_takes_and_shuts_the_app_in(hub: SpacesHub, fake: FakeCluster) -> None:
    repo = hub.space("app", **{"app.py": Path(space_app.__file__).read_text(), "requirements.txt": "greeting==1.0\n"})
    hub.services.spaces.set(hub.ann, repo, [Setting("KEY", "very-secret", secret=True)])
    hub.run(repo)
    made = [body for method, _, body in fake.calls() if method.upper() == "POST" and body["kind"] in ("Secret", "Deployment", "Service")]
    for body in made:
        check({**body, "metadata": {key: value for key, value in body["metadata"].items() if key not in ("uid", "resourceVersion")}})
    (deployment,) = [body for body in made if body["kind"] == "Deployment"]
    (service,) = [body for body in made if body["kind"] == "Service"]
    spec = deployment["spec"]["template"]["spec"]
    (server,) = spec["containers"]
    fetch, install = spec["initContainers"]
    for container in (server, fetch, install):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert (server["image"], install["image"]) == (IMAGE, IMAGE)
    assert all("sizeLimit" in one["emptyDir"] for one in spec["volumes"] if "emptyDir" in one)
    # The pass is for the downloading container only, the app's secrets are for the app only, and no object but a Secret has them.
    assert [one["name"] for one in (server, fetch, install) if "pass" in {mount["name"] for mount in one["volumeMounts"]}] == ["fetch"]
    assert "KEY" not in json.dumps([fetch, install])
    assert "very-secret" not in json.dumps([deployment, service])
    (secret,) = [body for body in made if body["kind"] == "Secret" and body["metadata"]["name"].endswith("-environment")]
    assert {name: base64.b64decode(value).decode() for name, value in secret["data"].items()} == {"KEY": "very-secret"}
    assert secret["metadata"]["ownerReferences"][0]["uid"] == service["metadata"]["uid"]


def test_packages_are_installed_before_the_app_starts(hub: SpacesHub) -> None:
    app = "import greeting, os\nos.environ['WORD'] = greeting.WORD\n" + Path(space_app.__file__).read_text().replace(
        "from __future__ import annotations\n", ""
    )
    hub.run(hub.space("app", **{"app.py": app, "requirements.txt": "greeting==1.0\n"}))
    assert asked(hub, "environment").json()["WORD"] == "Hello"


def test_packages_that_cannot_be_had_are_told(hub: SpacesHub) -> None:
    repo, runs = hub.space("app", **{"app.py": "", "requirements.txt": "nowhere-to-be-had==9\n"}), hub.services.space_runs
    runs.run(hub.ann, repo, runs.plan(hub.ann, repo))
    hub.reach(repo, "BUILD_ERROR")
    told = runs.found(hub.ann, repo).view.reason
    assert "The packages of the app cannot be installed: ERROR: No matching distribution found for nowhere-to-be-had==9" in told
    assert "nowhere-to-be-had" in "".join(runs.logs(hub.ann, repo, 50).values())


def test_a_secret_that_was_removed_is_in_the_cluster_no_more(hub: SpacesHub, fake: FakeCluster) -> None:
    repo = hub.space("app")
    hub.services.spaces.set(hub.ann, repo, [Setting("KEY", "very-secret", secret=True)])
    hub.run(repo)
    hub.services.spaces.remove(hub.ann, repo, "KEY", secret=True)
    wait_until(lambda: (said := asked(hub, "environment")).is_success and "KEY" not in said.json(), 60)
    assert not [body for body in fake.objects("v1/secrets") if body["metadata"]["name"].endswith("-environment")]


def test_pods_shut_in_what_the_hubs_machine_cannot(hub: SpacesHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_core.clusters.local.cluster.missing", lambda: "new namespaces: Operation not permitted")
    hub.run(hub.space("app"))
    assert asked(hub, "environment").is_success


def test_a_space_goes_to_the_hubs_machine_where_no_cluster_has_the_hardware(
    settings: Settings, sqlite_url: str, tmp_path: Path, fake: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_core.clusters.local.cluster.missing", lambda: "")
    with kubelet(fake, memory="128Mi"), spaces_hub(in_cluster(settings, sqlite_url, fake), tmp_path) as served:
        planned = served.services.space_runs.plan(served.ann, served.space("app"))
    assert planned.spec is not None
    assert planned.spec.cluster == "local"


def test_spaces_stay_on_the_hubs_machine_where_nobody_named_an_image(
    settings: Settings, sqlite_url: str, tmp_path: Path, fake: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_core.clusters.local.cluster.missing", lambda: "new namespaces: Operation not permitted")
    given = {
        "database_url": sqlite_url,
        "clusters": "prod=fake",
        "cluster_kubeconfig": str(fake.kubeconfig),
        "cluster_hub_url": "http://hub",
    }
    ready = dataclasses.replace(settings, **given)  # type: ignore[arg-type]
    with kubelet(fake), spaces_hub(ready, tmp_path) as served, pytest.raises(NotIsolated):
        served.services.space_runs.plan(served.ann, served.space("app"))
