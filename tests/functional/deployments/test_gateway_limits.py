"""The gateway refuses what is too much as OpenAI's clients read it, and strangers earlier than people with an account."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest

from hub_core.authz import Scope, Visibility
from hub_core.budgets.states import BudgetPeriod
from hub_core.db import utcnow
from hub_core.http.errors import add_error_handlers
from hub_core.http.openai.metrics import GatewayMetrics
from hub_core.http.openai.router import openai_router
from hub_core.metering.compute import Ran
from hub_core.settings import Settings
from tests.common.deploying import catalog, deploying, end_all
from tests.common.factories import actor_for, make_user
from tests.common.live import serve
from tests.common.working import wait_until
from tests.functional.deployments.conftest import Hub


@pytest.fixture
def limited(settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[tuple[Hub, CollectorRegistry]]:
    """A hub with small limits, and its numbers."""
    ready = dataclasses.replace(
        settings, database_url=sqlite_url, catalog_dir=str(catalog(tmp_path / "catalog")), deployment_grace_s=20, deployment_wake_s=20,
        gateway_requests=5, gateway_anonymous_requests=2, gateway_parallel=2, gateway_tokens=1000,
    )  # fmt: skip
    registry = CollectorRegistry()
    with deploying(ready) as services:
        app = FastAPI()
        app.include_router(openai_router(services, None, GatewayMetrics(registry)))
        add_error_handlers(app)
        with serve(app) as url:
            ann = actor_for(make_user(services.db, "ann"))
            secret = services.tokens.create(ann, "test", Scope.WRITE).token
            yield Hub(services, url, ann, secret), registry
    end_all(ready.data_dir)


def test_too_many_requests_are_refused_as_openais_client_reads_it(limited: tuple[Hub, CollectorRegistry]) -> None:
    hub, registry = limited
    found = hub.deploy()
    hub.running()
    answers = [hub.chat() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert answers[0].headers["x-ratelimit-limit-requests"] == "5"
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["4", "3", "2", "1", "0"]
    client = openai.OpenAI(base_url=f"{hub.url}/v1", api_key=hub.token, max_retries=0)
    with pytest.raises(openai.RateLimitError) as told:
        client.chat.completions.create(model="ann/chat", messages=[{"role": "user", "content": "Hi"}])
    assert told.value.code == "rate_limit_exceeded"
    assert told.value.type == "requests"
    assert 1 <= int(told.value.response.headers["retry-after"]) <= 120
    assert told.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    text = generate_latest(registry).decode()
    label = f'deployment="{found.deployment.id}"'
    assert f'hubtalk_gateway_requests_total{{{label},outcome="answered"}} 5.0' in text
    assert f"hubtalk_gateway_requests_running{{{label}}} 0.0" in text
    assert f'hubtalk_gateway_tokens_total{{{label},direction="in"}} 35.0' in text
    assert 'hubtalk_gateway_refused_total{kind="requests"} 1.0' in text
    assert "ann/chat" not in text


def test_strangers_get_less_and_are_told_apart_from_people(limited: tuple[Hub, CollectorRegistry]) -> None:
    hub, _ = limited
    found = hub.deploy()
    hub.services.deployments.set_visibility(hub.ann, found, Visibility.PUBLIC)
    hub.running()
    body = {"model": "ann/chat", "messages": [{"role": "user", "content": "Hi"}]}
    codes = [httpx.post(f"{hub.url}/v1/chat/completions", json=body, timeout=60).status_code for _ in range(4)]
    assert codes == [200, 200, 429, 429]
    assert hub.chat().status_code == 200
    # Names that are not there cost as much: nobody tries them all.
    assert httpx.post(f"{hub.url}/v1/chat/completions", json=body | {"model": "ann/other"}, timeout=60).status_code == 429


def test_streams_hold_their_place_until_they_end(limited: tuple[Hub, CollectorRegistry]) -> None:
    hub, _ = limited
    hub.deploy()
    hub.running()
    headers = {"authorization": f"Bearer {hub.token}"}
    body = {"model": "ann/chat", "messages": [], "stream": True, "rounds": 40, "pause": 0.05}
    with httpx.Client(timeout=60, headers=headers) as client:
        with client.stream("POST", f"{hub.url}/v1/chat/completions", json=body) as first:
            ones = first.iter_raw()  # an iterator that nobody keeps closes the stream
            next(ones)
            with client.stream("POST", f"{hub.url}/v1/chat/completions", json=body) as second:
                others = second.iter_raw()
                next(others)
                third = hub.chat()
                assert (third.status_code, third.json()["error"]["type"]) == (429, "parallel")
                assert third.headers["retry-after"] == "1"
        wait_until(lambda: hub.chat().status_code == 200, 20)


def test_a_spent_budget_is_told_as_a_quota(limited: tuple[Hub, CollectorRegistry]) -> None:
    hub, _ = limited
    found = hub.deploy()
    hub.running()
    hub.services.deployments.scale(hub.ann, found, 0)
    now = utcnow()
    hub.services.budgets.set_amount(hub.ann, "ann", 1, BudgetPeriod.MONTH)
    hub.services.compute.ran(
        Ran("job", 1, "job 1", hub.ann.user_id or 0, "ann", 0, None, "a10", 3600 * 2.0), now - dt.timedelta(seconds=1), now
    )
    wait_until(lambda: hub.status() == "sleeping", 30)
    answer = hub.chat()
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "insufficient_quota"
