"""Spaces with a Dockerfile in a cluster: built by a task, pushed, pulled and run. In place of BuildKit is `tests.common.fake_buildctl`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

import hub_core.spaces.building
from agent.answer.changes import summary
from hub_core.errors import InvalidInput
from hub_core.jobs.tables import Job
from hub_core.repos.tables import Repo
from hub_core.running_errors import BuildFailed, ImagesNotBuilt
from hub_core.settings import Settings
from hub_core.spaces.building import SPACE_BUILD
from hub_core.spaces.service import Setting
from tests.common import space_app
from tests.common.databases import free_port
from tests.common.deploying import deploying
from tests.common.fake_api_server import FakeCluster, decoded, fake_cluster
from tests.common.fake_kubelet import FakeKubelet, kubelet
from tests.common.manifests import check
from tests.common.spaces import SpacesHub, spaces_hub
from tests.common.working import wait_until
from tools.contract import ToolContext
from tools.invoke import Done, call, describe_plan, plan

REGISTRY, BUILDS = "registry.example.com/spaces", "image-builds"
DOCKERFILE = 'FROM python:3.13\nCOPY . .\nRUN echo made > made.txt\nENV HOST=0.0.0.0 PORT=9000\nCMD ["python3", "-u", "app.py"]\n'
CARD = "---\nsdk: docker\napp_port: 9000\n---\n"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCluster]:
    with fake_cluster(tmp_path / "cluster") as found:
        yield found


@pytest.fixture
def node(fake: FakeCluster) -> Iterator[FakeKubelet]:
    with kubelet(fake) as found:
        about = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": BUILDS}}
        httpx.post(f"{fake.url}/api/v1/namespaces", json=about).raise_for_status()
        yield found


def building(settings: Settings, database: str, fake: FakeCluster, **changed: Any) -> Settings:
    """Settings of a hub that has images built."""
    usual = {
        "clusters": "prod=fake", "cluster_kubeconfig": str(fake.kubeconfig), "cluster_hub_url": "http://hub",
        "cluster_space_registry": REGISTRY, "cluster_build_namespace": BUILDS, "cluster_registry_secret": "registry",
        "cluster_build_peers": "mirrors,192.0.2.0/24",
    }  # fmt: skip
    return dataclasses.replace(settings, database_url=database, **{**usual, **changed})


@pytest.fixture
def hub(settings: Settings, sqlite_url: str, tmp_path: Path, fake: FakeCluster, node: FakeKubelet) -> Iterator[SpacesHub]:
    port = free_port()
    ready = building(settings, sqlite_url, fake, cluster_hub_url=f"http://127.0.0.1:{port}")
    with spaces_hub(ready, tmp_path, port=port) as served:
        yield served


def docker_space(hub: SpacesHub, name: str = "app", dockerfile: str = DOCKERFILE, card: str = CARD, **files: str) -> Repo:
    return hub.space(name, **{"README.md": card, "Dockerfile": dockerfile, "app.py": Path(space_app.__file__).read_text(), **files})


def asked(hub: SpacesHub, path: str) -> httpx.Response:
    return httpx.get(f"{hub.url}/spaces/ann/app/app/{path}", headers={"authorization": f"Bearer {hub.token}"}, timeout=60)


def pushed(node: FakeKubelet) -> list[str]:
    found = node.registry / "pushed"
    return found.read_text().splitlines() if found.exists() else []


def left(fake: FakeCluster) -> list[str]:
    """What there is where builds run."""
    kinds = ("batch/v1/jobs", "v1/secrets", "v1/pods")
    return [body["metadata"]["name"] for kind in kinds for body in fake.objects(kind) if body["metadata"]["namespace"] == BUILDS]


def reason(hub: SpacesHub, repo: Repo) -> str:
    return hub.services.space_runs.found(hub.ann, repo).view.reason


def test_a_dockerfile_is_built_once_and_its_image_runs_sleeps_wakes_and_goes(hub: SpacesHub, node: FakeKubelet, fake: FakeCluster) -> None:
    repo = docker_space(hub)
    runs = hub.services.space_runs
    hub.services.spaces.set(hub.ann, repo, [Setting("LANG_OF_APP", "ja"), Setting("KEY", "very-$(secret)", secret=True)])
    hub.run(repo)
    state = runs.state(hub.ann, repo)
    assert state.run is not None
    assert (state.run.cluster, state.sdk, state.file) == ("prod", "docker", "Dockerfile")
    known = asked(hub, "environment").json()
    assert (known["LANG_OF_APP"], known["KEY"], known["SPACE_ID"], known["PORT"]) == ("ja", "very-$(secret)", "ann/app", "9000")
    assert "HOME" not in known  # that is the image's business
    assert asked(hub, "written?path=made.txt").text == "made\n"
    assert "GET /environment" in "".join(runs.logs(hub.ann, repo, 50).values())
    assert state.revision is not None
    assert pushed(node) == [f"{REGISTRY}/ann/app-{repo.id}:{state.revision.commit}"]
    wait_until(lambda: not left(fake))

    hub.services.deployments.scale(hub.ann, runs.found(hub.ann, repo), 0)
    hub.reach(repo, "SLEEPING")
    assert asked(hub, "environment").json()["KEY"] == "very-$(secret)"  # a request woke it, and waited
    hub.run(repo, hardware="cpu-medium")
    wait_until(lambda: asked(hub, "written?path=made.txt").is_success and runs.found(hub.ann, repo).view.serving == 2, 60)
    assert len(pushed(node)) == 1

    commit = hub.commit(repo, **{"made.txt": "", "Dockerfile": DOCKERFILE.replace("echo made", "echo anew")})
    hub.run(repo)
    wait_until(lambda: (said := asked(hub, "written?path=made.txt")).is_success and said.text == "anew\n", 60)
    assert len(pushed(node)) == 2
    assert pushed(node)[-1].endswith(commit)
    hub.services.deployments.roll_back(hub.ann, runs.found(hub.ann, repo))
    wait_until(lambda: (said := asked(hub, "written?path=made.txt")).is_success and said.text == "made\n", 60)
    assert len(pushed(node)) == 2  # what was built is not built again
    hub.services.repos.delete(hub.ann, repo)
    wait_until(lambda: not fake.objects("v1/pods"), 30)


def test_what_is_made_is_what_kubernetes_takes(hub: SpacesHub, fake: FakeCluster) -> None:
    repo = docker_space(hub)
    hub.services.spaces.set(hub.ann, repo, [Setting("KEY", "very-secret", secret=True)])
    hub.run(repo)
    made = [body for method, _, body in fake.calls() if method.upper() == "POST" and body["kind"] not in ("Node", "Pod")]
    for body in made:
        kept = {key: value for key, value in body["metadata"].items() if key not in ("uid", "resourceVersion", "creationTimestamp")}
        check({**body, "metadata": kept}, builder=True)
    (job,) = [body for body in made if body["kind"] == "Job"]
    assert job["metadata"]["namespace"] == BUILDS
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["backoffLimit"]) == (1800, 0)
    spec = job["spec"]["template"]["spec"]
    (builder,), (fetch,) = spec["containers"], spec["initContainers"]
    assert builder["image"] == "docker.io/moby/buildkit:v0.31.1-rootless"
    assert builder["resources"]["limits"] == {"memory": "4096Mi", "ephemeral-storage": "10240Mi"}
    # What takes a build's walls off is in its own container only, and neither the pass nor what the Space keeps secret is.
    assert {"type": "Unconfined"} == builder["securityContext"]["seccompProfile"] == builder["securityContext"]["appArmorProfile"]
    assert fetch["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert [one["name"] for one in (builder, fetch) if "pass" in {mount["name"] for mount in one["volumeMounts"]}] == ["fetch"]
    assert "very-secret" not in json.dumps(job) and "KEY" not in json.dumps(job)
    (secret,) = [body for body in made if body["kind"] == "Secret" and body["metadata"]["namespace"] == BUILDS]
    assert decoded(secret)["space__token"]
    assert secret["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
    (walls,) = [body for body in made if body["kind"] == "NetworkPolicy" and body["metadata"]["namespace"] == BUILDS]
    assert walls["spec"]["ingress"] == []
    assert "192.0.2.0/24" in json.dumps(walls) and "mirrors" in json.dumps(walls)
    (own,) = [body for body in made if body["kind"] == "NetworkPolicy" and body["metadata"]["namespace"] == "hubtalk-ann"]
    assert "192.0.2.0/24" not in json.dumps(own)
    assert not [
        body for body in made if body["kind"] == "Namespace" and body["metadata"]["name"] == BUILDS and "labels" in body["metadata"]
    ]

    (deployment,) = [body for body in made if body["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    (server,) = spec["containers"]
    assert server["image"].startswith(f"{REGISTRY}/ann/app-{repo.id}@sha256:")
    assert "command" not in server and "initContainers" not in spec
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert server["resources"]["limits"]["ephemeral-storage"] == "102Mi"
    assert server["readinessProbe"]["tcpSocket"] == {"port": 9000}


@pytest.mark.parametrize(
    ("dockerfile", "says"),
    [
        ("FROM x\nRUN echo looking; echo not found; exit 3\n", "not found"),
        ("FROM x\nFLY away\n", "unknown instruction: FLY"),
    ],
)  # fmt: skip
def test_a_dockerfile_that_fails_is_told_with_the_end_of_its_log(
    hub: SpacesHub, fake: FakeCluster, node: FakeKubelet, dockerfile: str, says: str
) -> None:
    repo, runs = docker_space(hub, dockerfile=dockerfile), hub.services.space_runs
    planned = describe_plan(plan(ToolContext(hub.ann, hub.services), "run_space", {"repo": "app"}))
    assert all("Dockerfile" in summary(language, "run_space", planned) for language in ("en", "zh", "ja", "ko"))
    runs.run(hub.ann, repo, runs.plan(hub.ann, repo))
    hub.reach(repo, "BUILD_ERROR")
    told = reason(hub, repo)
    assert told.startswith("Its image cannot be built: ")
    assert says in told and "error: failed to solve" in told
    logs = call(ToolContext(hub.ann, hub.services), "get_logs", {"target": "app"}, gate=False)
    assert isinstance(logs, Done)
    (shown,) = logs.output.model_dump()["items"]
    assert (shown["revision"], shown["copy_number"]) == (1, "build")
    assert says in shown["text"]
    with hub.services.db.read() as session:
        (job,) = session.scalars(sa.select(Job).where(Job.kind == SPACE_BUILD)).all()
    assert job.error is not None
    assert (job.error["code"], job.attempts) == (BuildFailed.code, 1)
    assert not left(fake) and not pushed(node)

    hub.commit(repo, Dockerfile=DOCKERFILE)
    hub.run(repo)
    assert asked(hub, "written?path=made.txt").is_success


def test_a_registry_that_refuses_is_told_and_asked_again_after_a_restart(hub: SpacesHub, node: FakeKubelet) -> None:
    (node.registry / "refuses").touch()
    repo, runs = docker_space(hub), hub.services.space_runs
    runs.run(hub.ann, repo, runs.plan(hub.ann, repo))
    hub.reach(repo, "BUILD_ERROR")
    assert "401 Unauthorized" in reason(hub, repo)
    (node.registry / "refuses").unlink()
    runs.restart(hub.ann, repo)
    hub.reach(repo, "RUNNING")


def test_a_hub_that_ends_leaves_a_build_that_the_next_one_takes_up(
    settings: Settings, sqlite_url: str, tmp_path: Path, fake: FakeCluster, node: FakeKubelet
) -> None:
    go, port = tmp_path / "go", free_port()
    ready = building(settings, sqlite_url, fake, cluster_hub_url=f"http://127.0.0.1:{port}")
    with spaces_hub(ready, tmp_path, port=port) as hub:
        repo, runs = (
            docker_space(hub, dockerfile=f"FROM x\nRUN echo begun; while [ ! -e {go} ]; do sleep 0.05; done\n{DOCKERFILE}"),
            hub.services.space_runs,
        )
        runs.run(hub.ann, repo, runs.plan(hub.ann, repo))
        wait_until(lambda: any("begun" in text for text in runs.logs(hub.ann, repo, 50).values()))
        assert runs.state(hub.ann, repo).stage == "BUILDING"
        wait_until(lambda: "Building its image (" in reason(hub, repo) and "2/" in reason(hub, repo))
    assert len(fake.objects("batch/v1/jobs")) == 1  # the hub is gone, and it goes on
    go.touch()
    with deploying(dataclasses.replace(ready, catalog_dir=str(tmp_path / "catalog"), space_disk_gb=0.1)) as services:
        wait_until(lambda: services.space_runs.state(hub.ann, repo).stage == "RUNNING", 60)
        assert len(pushed(node)) == 1
        assert len(fake.calls("POST", f"{BUILDS}/jobs")) == 1
        wait_until(lambda: not left(fake))


def test_what_broke_off_between_making_and_noting_leaves_no_twin_and_no_rest(
    hub: SpacesHub, fake: FakeCluster, node: FakeKubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []
    note = hub_core.spaces.building._note

    def fault(method: str, path: str) -> int | None:
        if method == "POST" and path.endswith(f"{BUILDS}/secrets") and not failed:
            failed.append(path)
            return 500
        return None

    def once(*given: Any) -> None:
        if len(failed) == 1:
            failed.append("note")
            raise OSError("as if it had been killed")
        note(*given)

    fake.server.fault = fault
    monkeypatch.setattr("hub_core.spaces.building._note", once)
    hub.run(docker_space(hub))
    assert len(failed) == 2
    assert len(pushed(node)) == 1
    assert len({body["metadata"]["name"] for _, _, body in fake.calls("POST", f"{BUILDS}/jobs")}) == 1
    wait_until(lambda: not left(fake))


def test_a_build_that_nobody_wants_any_more_ends(hub: SpacesHub, fake: FakeCluster, node: FakeKubelet, tmp_path: Path) -> None:
    repo, runs = docker_space(hub, dockerfile=f"FROM x\nRUN while [ ! -e {tmp_path}/go ]; do sleep 0.05; done\n"), hub.services.space_runs
    runs.run(hub.ann, repo, runs.plan(hub.ann, repo))
    wait_until(lambda: left(fake))
    runs.stop(hub.ann, repo)
    wait_until(lambda: not left(fake))
    assert runs.state(hub.ann, repo).stage == "PAUSED"
    assert not pushed(node)


def test_without_the_namespace_of_builds_nothing_is_made(
    settings: Settings, sqlite_url: str, tmp_path: Path, fake: FakeCluster, node: FakeKubelet
) -> None:
    with spaces_hub(building(settings, sqlite_url, fake, cluster_build_namespace="nowhere"), tmp_path) as hub:
        repo, runs = docker_space(hub), hub.services.space_runs
        runs.run(hub.ann, repo, runs.plan(hub.ann, repo))
        wait_until(lambda: 'namespaces "nowhere" not found' in reason(hub, repo))
        assert not fake.objects("batch/v1/jobs")


@pytest.mark.parametrize("said", ["0", "65536", "eighty", "-1", "[80]", "true", "7860.5"])
def test_a_port_that_is_none_is_refused(hub: SpacesHub, said: str) -> None:
    repo = docker_space(hub, card=f"---\nsdk: docker\napp_port: {said}\n---\n")
    with pytest.raises(InvalidInput, match="is no port"):
        hub.services.space_runs.plan(hub.ann, repo)


def test_a_space_without_its_dockerfile_is_refused(hub: SpacesHub) -> None:
    repo = hub.space("app", **{"README.md": CARD, "app.py": ""})
    with pytest.raises(InvalidInput, match="has no file 'Dockerfile'"):
        hub.services.space_runs.plan(hub.ann, repo)


def test_where_nobody_named_a_registry_they_are_refused_with_what_it_takes(
    settings: Settings, sqlite_url: str, tmp_path: Path, fake: FakeCluster, node: FakeKubelet
) -> None:
    with spaces_hub(building(settings, sqlite_url, fake, cluster_space_registry=""), tmp_path) as hub:
        with pytest.raises(ImagesNotBuilt, match="hub's own machine such Spaces never run") as refused:
            hub.services.space_runs.plan(hub.ann, docker_space(hub))
        assert "HUB_CLUSTER_SPACE_REGISTRY" in refused.value.hint
