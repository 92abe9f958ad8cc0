"""Fine-tunes in a cluster: the API server is a mock and its pods are processes; the hub, its passes and all that is handed over are real."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from hub_core.authz import Actor, Role
from hub_core.clusters.kubernetes.cluster import KubernetesCluster
from hub_core.http.dialects import add_hub_routes
from hub_core.http.training_files import PATH
from hub_core.jobs.traces import read_trace
from hub_core.metering.tables import ComputeHour
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from hub_core.training import files
from hub_core.training.cluster import ClusterTrainer
from hub_core.training.service import TrainingService
from hub_core.training.trainer import LocalTrainer
from tests.common import fake_trainer
from tests.common.factories import actor_for, make_user
from tests.common.fake_api_server import KUBEFLOW, FakeCluster, decoded, fake_cluster
from tests.common.fake_kubelet import FakeKubelet, kubelet
from tests.common.live import serve
from tests.common.manifests import check
from tests.common.training import add_base, add_rows, job, repos, says, start, working
from tests.common.working import wait_until, work


@dataclass
class Setup:
    """A hub whose pods reach it, and the cluster."""

    hub: Services
    fake: FakeCluster
    machine: FakeKubelet
    url: str

    def jobs(self) -> list[dict[str, Any]]:
        return self.fake.objects("batch/v1/jobs")

    def go(self) -> None:
        """Let slow programs go on."""
        for pod in self.fake.folder.glob("pods/*"):
            (pod / "go").touch()


@pytest.fixture
def setup(settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[Setup]:
    with opened(settings, sqlite_url, tmp_path) as found:
        yield found


@contextmanager
def opened(settings: Settings, database_url: str, tmp_path: Path, *, kubeflow: bool = False, **more: Any) -> Iterator[Setup]:
    """`more` are settings."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with fake_cluster(tmp_path / "cluster", kubeflow=kubeflow) as fake, kubelet(fake, "256Gi") as machine:
        ready = dataclasses.replace(
            settings, database_url=database_url, clusters="prod=fake", cluster_kubeconfig=str(fake.kubeconfig),
            cluster_hub_url=f"http://127.0.0.1:{port}", cluster_train_image="acme/llamafactory:1", **more,
        )  # fmt: skip
        with open_services(ready) as services:
            hub = in_cluster(services)
            app = FastAPI()
            add_hub_routes(app, hub)
            with serve(app, port) as url:
                yield Setup(hub, fake, machine, url)


def in_cluster(services: Services) -> Services:
    """The same hub, whose programs are fake and asked after often."""
    program, handed = Path(fake_trainer.__file__), services.training.handed
    local = LocalTrainer(services.platform.data_dir, program=program)
    cluster = services.platform.clusters["prod"]
    assert isinstance(cluster, KubernetesCluster)
    trainer = ClusterTrainer(
        cluster.tasks, handed, local, "acme/llamafactory:1", services.settings.cluster_hub_url, program=program, poll_s=0.05
    )
    service = TrainingService(
        services.db, services.git, services.files, services.repos, services.jobs, services.platform, local, handed, {"prod": trainer}
    )
    return dataclasses.replace(services, training=service)


@pytest.fixture
def hub(setup: Setup) -> Services:
    return setup.hub


@pytest.fixture
def alice(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "alice"))


def begin(hub: Services, alice: Actor, how: str = "", **wish: Any) -> int:
    rows = {"rows": says(how)} if how else {}
    return start(hub, alice, add_base(hub, alice), add_rows(hub, alice, **rows), **wish)


def over(hub: Services, number: int) -> bool:
    return job(hub, number).status in ("succeeded", "failed", "cancelled")


def pass_of(setup: Setup) -> str:
    """The pass that the cluster has now."""
    (secret,) = [one for one in setup.fake.objects("v1/secrets") if one["metadata"]["name"].startswith("j")]
    return decoded(secret)["token"]


def test_a_fine_tune_goes_where_the_hardware_is_and_makes_the_same_as_here(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, max_steps=5, seed=7)
    assert job(hub, number).args["cluster"] == "prod"
    work(hub)
    done = job(hub, number)
    assert (done.status, done.error) == ("succeeded", None)
    made = hub.repos.find(alice, "alice/base-ft-tickets")
    assert made.visibility == "private"
    assert set(hub.files.paths(alice, made)) == {
        ".gitattributes", "README.md", "config.json", "metrics.json", "model.safetensors", "recipe.json",
    }  # fmt: skip
    assert len(hub.history.log(alice, made)) == 1
    log, series = read_trace(hub.db, number)
    assert [point["step"] for point in series] == [1, 2, 3, 4, 5]
    assert "learning from" in log
    assert "hubtalk-event" not in log
    (fetched,) = (setup.fake.folder / "pods").glob("*/model/model.safetensors")
    own = hub.files.readers(alice, hub.repos.find(alice, "alice/base"), ["model.safetensors"])["model.safetensors"]
    assert fetched.read_bytes() == own.read(0, own.size)
    assert setup.jobs() == [] == setup.fake.objects("v1/secrets")
    assert list(hub.training.handed._blobs.list("training/")) == []
    assert list((hub.platform.data_dir / "training").iterdir()) == []


def test_what_is_made_fits_kubernetes_and_has_the_pass_in_its_secret_only(setup: Setup, hub: Services, alice: Actor) -> None:
    begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: any(one["metadata"]["name"].startswith("j") for one in setup.fake.objects("v1/secrets")))
        for method, path, body in setup.fake.calls():
            if method.upper() == "POST" and ("/jobs" in path or "/secrets" in path):
                check(
                    {**body, "metadata": {key: value for key, value in body["metadata"].items() if key not in ("uid", "resourceVersion")}}
                )
        (made,) = setup.jobs()
        (secret,) = setup.fake.objects("v1/secrets")
        assert secret["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
        assert made["metadata"]["namespace"] == "hubtalk-alice"
        assert pass_of(setup) not in json.dumps([made, setup.fake.objects("v1/pods")])
        assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "acme/llamafactory:1"


def test_a_worker_that_goes_leaves_it_running_and_the_next_goes_on_hearing_it(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
    assert job(hub, number).status == "queued"
    (before,) = setup.jobs()
    assert (setup.fake.folder / "pods").exists()
    with working(hub):
        wait_until(lambda: job(hub, number).status == "running")
        setup.go()
        wait_until(lambda: over(hub, number), 60)
    assert job(hub, number).error is None
    assert [point["step"] for point in read_trace(hub.db, number)[1]] == [1, 2, 3, 4]
    assert [body["metadata"]["uid"] for _, _, body in setup.fake.calls("POST", "/jobs")] == [before["metadata"]["uid"]]


def test_a_cancelled_fine_tune_ends_in_the_cluster_and_goes_on_when_tried_again(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
        old = pass_of(setup)
        hub.jobs.cancel(alice, number)
        wait_until(lambda: job(hub, number).status == "cancelled", 30)
        wait_until(lambda: not setup.jobs() and not setup.fake.objects("v1/pods") and not setup.fake.objects("v1/secrets"))
        assert httpx.get(setup.url + PATH, headers={"authorization": f"Bearer {old}"}).json() == {"goes_on": False}
        assert repos(hub) == {"alice/base", "alice/tickets"}
        hub.jobs.retry(alice, number)
        wait_until(lambda: setup.fake.objects("v1/pods"), 30)
        wait_until(lambda: setup.go() or over(hub, number), 60)
    assert job(hub, number).status == "succeeded", job(hub, number).error


def test_a_program_that_fails_says_why_and_the_next_begins_at_its_checkpoint(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, "be-nan")
    work(hub)
    failed = job(hub, number)
    assert (failed.status, failed.error["code"], failed.attempts) == ("failed", "training_diverged", 1)
    assert setup.jobs() == []
    assert repos(hub) == {"alice/base", "alice/tickets"}
    hub.jobs.retry(alice, number)
    work(hub)
    assert job(hub, number).error["code"] == "training_diverged"
    steps = sorted(path.read_text() for path in (setup.fake.folder / "pods").glob("*/job/steps"))
    assert steps == ["1\n2\n"]  # the second pod began at the third
    assert len(list((setup.fake.folder / "pods").iterdir())) == 2


def test_waiting_for_room_is_told_and_not_metered(setup: Setup, hub: Services, alice: Actor) -> None:
    setup.machine.full = True
    number = begin(hub, alice)
    with working(hub):
        wait_until(lambda: "Insufficient memory" in job(hub, number).message, 30)
        with hub.db.read() as session:
            assert sum(hour.seconds for hour in session.scalars(sa.select(ComputeHour))) < 1
        setup.machine.full = False
        wait_until(lambda: over(hub, number), 60)
    assert job(hub, number).status == "succeeded"


def test_a_cluster_that_is_away_for_a_while_takes_nothing_along(setup: Setup, hub: Services, alice: Actor) -> None:
    number = begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
        setup.fake.server.fault = lambda _method, path: 503 if path.startswith("/apis/batch") else None
        wait_until(lambda: "does not answer" in job(hub, number).message, 30)
        setup.fake.server.fault = lambda _method, _path: None
        setup.go()
        wait_until(lambda: over(hub, number), 60)
    assert job(hub, number).status == "succeeded"
    assert len(setup.fake.calls("POST", "/jobs")) == 1


def test_without_the_hardware_or_an_image_it_runs_here(setup: Setup, hub: Services, alice: Actor) -> None:
    setup.fake.server.fault = lambda _method, _path: 503
    number = begin(hub, alice)
    assert job(hub, number).args["cluster"] == "local"
    work(hub)
    assert job(hub, number).status == "succeeded"
    assert hub.training.trainer_of("local").is_here


def test_a_pass_opens_the_files_of_its_job_and_one_model_and_nothing_else(
    setup: Setup, hub: Services, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = actor_for(make_user(hub.db, "bob"))
    add_base(hub, bob, "secret")
    number = begin(hub, alice, "be-slow")
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
        client = httpx.Client(base_url=setup.url, headers={"authorization": f"Bearer {pass_of(setup)}"})
        assert client.get(f"{PATH}/train.jsonl").text.startswith('{"text"')
        assert client.get(f"{PATH}/other.jsonl").status_code == 422
        assert client.get("/alice/base/resolve/main/config.json").status_code == 200
        for path in ("/bob/secret/resolve/main/config.json", "/datasets/alice/tickets/resolve/main/train.jsonl"):
            assert client.get(path).status_code in (401, 403, 404), path
        for name in ("train.jsonl", "../1/output/x", "output/../x", "output/a/b", "code.py", "output/.x"):
            assert client.put(f"{PATH}/{name}", content=b"x").status_code in (404, 405, 422), name
        assert client.put("/alice/base/upload/main/x", content=b"x").status_code >= 400
        assert client.get("/api/whoami-v2").json().get("name") != "alice"
        monkeypatch.setattr(files, "ROOM", 0)
        assert client.put(f"{PATH}/output/large.bin", content=bytes(1 << 20)).status_code == 413
        assert client.get(f"{PATH}/output/large.bin").status_code == 404
        for wrong in ("", "Bearer hubpass-x", f"Bearer {hub.training.handed._passes.make(1)}"):
            assert httpx.get(setup.url + PATH, headers={"authorization": wrong} if wrong else {}).status_code == 401
        setup.go()
        wait_until(lambda: over(hub, number), 60)
        assert client.get(f"{PATH}/train.jsonl").status_code == 404
        assert client.put(f"{PATH}/output/x", content=b"x").status_code == 401
        assert client.get("/alice/base/resolve/main/config.json").status_code in (401, 404)


def test_access_that_is_taken_while_it_trains_keeps_the_result_back(setup: Setup, hub: Services, alice: Actor) -> None:
    bob = actor_for(make_user(hub.db, "bob"))
    model, data = add_base(hub, bob), add_rows(hub, bob, says("be-slow"))
    for repo in (model, data):
        hub.access.grant(bob, repo, "alice", Role.READ)
    number = start(hub, alice, model, data)
    with working(hub):
        wait_until(lambda: read_trace(hub.db, number)[1], 60)
        hub.access.revoke(bob, data, "alice")
        setup.go()
        wait_until(lambda: over(hub, number), 60)
    assert job(hub, number).error["code"] == "repo_not_found"
    assert repos(hub) == {"bob/base", "bob/tickets"}


@pytest.mark.parametrize("kubeflow", [True, False])
def test_kubeflows_trainer_runs_it_where_it_is_there_and_wanted(
    settings: Settings, sqlite_url: str, tmp_path: Path, kubeflow: bool
) -> None:
    with opened(settings, sqlite_url, tmp_path, kubeflow=kubeflow, cluster_train_jobs=True) as setup:
        hub = setup.hub
        alice = actor_for(make_user(hub.db, "alice"))
        number = begin(hub, alice)
        work(hub)
        assert job(hub, number).status == "succeeded", job(hub, number).error
        made = [
            body
            for method, _, body in setup.fake.calls()
            if method.upper() == "POST" and body["kind"] in ("TrainJob", "TrainingRuntime", "Job")
        ]
        assert [body["kind"] for body in made] == (["TrainingRuntime", "TrainJob"] if kubeflow else ["Job"])
        if kubeflow:
            runtime, train_job = made
            assert train_job["spec"]["runtimeRef"] == {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": f"j{number}"}
            (node,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
            # What it says of pods is a Job as Kubernetes has it, and keeps to the rules of the namespace.
            check({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x", "namespace": "y"}, "spec": node["template"]["spec"]})
            assert [setup.fake.objects(kind) for kind in KUBEFLOW] == [[], []]
