"""What people rely on wherever a deployment runs: on this machine, and in a mock of a Kubernetes cluster whose pods are real processes."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from hub_core.db import utcnow
from hub_core.deployments.load import demand
from hub_core.deployments.specs import Asked
from hub_core.deployments.tables import Deployment
from hub_core.settings import Settings
from tests.common.deploying import pid
from tests.common.fake_api_server import fake_cluster
from tests.common.working import wait_until
from tests.functional.deployments.conftest import Hub, kubernetes_hub, local_hub


@pytest.fixture(params=["local", "kubernetes"])
def hub(request: pytest.FixtureRequest, settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[Hub]:
    ready = dataclasses.replace(settings, database_url=sqlite_url)
    with ExitStack() as stack:
        if request.param == "kubernetes":
            yield stack.enter_context(kubernetes_hub(ready, tmp_path, stack.enter_context(fake_cluster(tmp_path / "cluster"))))
        else:
            yield stack.enter_context(local_hub(ready, tmp_path))


def test_what_sleeps_is_woken_by_a_request(hub: Hub) -> None:
    found = hub.deploy()
    (address,) = hub.running()
    hub.services.deployments.scale(hub.ann, found, 0)
    assert hub.status() == "sleeping"
    wait_until(lambda: not answers(address))
    assert hub.chat().status_code == 200
    assert hub.status() == "running"


def test_what_nobody_asks_goes_to_sleep_and_a_request_wakes_one_copy(hub: Hub) -> None:
    found = hub.deploy(replicas=2)
    addresses = hub.running(copies=2)
    hub.services.deployments.set_on_demand(hub.ann, found, on_demand=True)
    let_time_pass(hub, requested_at=dt.timedelta(hours=1))
    wait_until(lambda: hub.status() == "sleeping", 30)
    wait_until(lambda: not any(map(answers, addresses)), 30)
    assert hub.chat().status_code == 200
    assert hub.found().view.replicas == 1


def test_two_revisions_share_the_requests_and_one_that_fails_takes_none(hub: Hub) -> None:
    found = hub.deploy()
    (older,) = hub.running()
    spec = hub.services.deployments.plan_update(hub.ann, found, Asked(environment={"FAKE_FAIL": "ValueError: bad"}))
    assert spec is not None
    hub.services.deployments.roll_out(hub.ann, found, spec, 50)
    wait_until(lambda: hub.found().view.reason_code == "older_failed", 40)
    assert {who(hub) for _ in range(4)} == {pid(older)}
    fine = hub.services.deployments.plan_update(hub.ann, hub.found(), Asked(environment={"FAKE_FAIL": ""}))
    assert fine is not None
    hub.services.deployments.roll_out(hub.ann, hub.found(), fine, 25)
    wait_until(lambda: hub.found().deployment.routes, 40)
    asked = Counter(who(hub) for _ in range(20))
    assert (asked.pop(pid(older)), sum(asked.values()), len(asked)) == (15, 5, 1)
    hub.services.deployments.shift(hub.ann, hub.found(), 100)
    wait_until(lambda: not answers(older), 30)
    assert {who(hub) for _ in range(4)} == set(asked)


def test_requests_under_way_bring_another_copy(hub: Hub) -> None:
    found = hub.deploy()
    hub.running()
    hub.services.deployments.scale(hub.ann, found, 1, 2)
    body = {"model": "chat", "messages": [], "stream": True, "rounds": 1000, "pause": 0.02}
    headers = {"authorization": f"Bearer {hub.token}"}
    with ExitStack() as stack:
        reading = []  # an iterator that is dropped hangs up
        for _ in range(10):  # the fake runtime answers eight at a time
            answer = stack.enter_context(httpx.stream("POST", f"{hub.url}/v1/chat/completions", json=body, headers=headers))
            reading.append(answer.iter_bytes())
            next(reading[-1])
        assert len(hub.running(copies=2)) == 2
    wait_until(lambda: sum(demand(hub.services.db, [found.deployment.id]).values()) == 0)
    assert hub.found().view.replicas == 2  # a lull may be short
    let_time_pass(hub, needed_at=dt.timedelta(minutes=2))
    hub.running(copies=1)
    assert hub.chat().status_code == 200


def test_copies_keep_between_the_least_and_the_most(hub: Hub) -> None:
    found = hub.deploy()
    hub.running()
    hub.services.deployments.scale(hub.ann, found, 2, 3)
    hub.running(copies=2)
    let_time_pass(hub, needed_at=dt.timedelta(minutes=2))
    wait_until(lambda: hub.found().deployment.needed_at > utcnow() - dt.timedelta(minutes=1), 30)  # it was looked at since
    assert hub.found().view.replicas == 2
    assert hub.services.deployments.scale(hub.ann, hub.found(), 0, 2).replicas == 2  # down to nothing only when nobody asks
    let_time_pass(hub, requested_at=dt.timedelta(hours=1))
    wait_until(lambda: hub.status() == "sleeping", 30)
    assert hub.chat().status_code == 200


def who(hub: Hub) -> int:
    """The process that answered a request."""
    return int(hub.chat().json()["system_fingerprint"])


def let_time_pass(hub: Hub, **ago: dt.timedelta) -> None:
    """Set times of the deployment back, as if nothing had happened since."""
    with hub.services.db.write() as session:
        session.execute(sa.update(Deployment).values({key: utcnow() - value for key, value in ago.items()}))


def answers(address: str) -> bool:
    try:
        return httpx.get(address + "/health", timeout=1).is_success
    except httpx.HTTPError:
        return False
