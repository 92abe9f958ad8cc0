"""Limits of the gateway: a sliding minute, requests at once, and several processes that tell one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub_core.authz import Actor
from hub_core.db import Database
from hub_core.errors import RateLimited
from hub_core.http.openai.limits import Limits, Policy, RateLimiter, address_key, policy_of
from hub_core.http.openai.metrics import MAX_LABELS, GatewayMetrics
from hub_core.metering.rates import Shared
from hub_core.settings import Settings


class Clock:
    """A time that tests put forward; it begins with a minute."""

    def __init__(self) -> None:
        self.at = 60_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(clock=clock)


def refused(limiter: RateLimiter, limits: Limits, key: str = "u:1") -> RateLimited:
    with pytest.raises(RateLimited) as told:
        limiter.admit(key, limits, "You")
    return told.value


def test_so_many_requests_in_a_minute_and_no_more(limiter: RateLimiter) -> None:
    limits = Limits(requests=3)
    for _ in range(3):
        limiter.admit("u:1", limits, "You")
    error = refused(limiter, limits)
    assert (error.details["kind"], error.details["limit"]) == ("requests", 3)
    limiter.admit("u:2", limits, "You")  # somebody else


def test_the_minute_slides(limiter: RateLimiter, clock: Clock) -> None:
    limits = Limits(requests=10)
    clock.at += 50
    for _ in range(10):
        limiter.admit("u:1", limits, "You")
    clock.at += 15  # the minute of the clock is another one, and most of the ten are within the last sixty seconds
    assert refused(limiter, limits).details["retry_after"] <= 10
    clock.at += 30
    limiter.admit("u:1", limits, "You")
    clock.at += 120
    for _ in range(10):
        limiter.admit("u:1", limits, "You")


@pytest.mark.parametrize("begun", [0.0, 20.0, 59.0])
@pytest.mark.parametrize("most", [1, 3, 30])
def test_what_is_told_to_wait_is_enough_and_not_much_more(limiter: RateLimiter, clock: Clock, begun: float, most: int) -> None:
    limits = Limits(requests=most)
    clock.at += begun
    for _ in range(most):
        limiter.admit("u:1", limits, "You")
    wait = refused(limiter, limits).details["retry_after"]
    clock.at += wait + 0.001
    limiter.admit("u:1", limits, "You")
    assert 1 <= wait <= 121


def test_tokens_are_counted_when_they_are_known(limiter: RateLimiter, clock: Clock) -> None:
    limits = Limits(tokens=100)
    limiter.admit("u:1", limits, "You")
    limiter.leave("u:1", 250)
    error = refused(limiter, limits)
    assert error.details["kind"] == "tokens"
    clock.at += error.details["retry_after"]
    limiter.admit("u:1", limits, "You")


def test_requests_at_once(limiter: RateLimiter) -> None:
    limits = Limits(parallel=2)
    for _ in range(2):
        limiter.admit("u:1", limits, "You")
    assert refused(limiter, limits).details["kind"] == "parallel"
    limiter.leave("u:1")
    limiter.admit("u:1", limits, "You")


def test_what_is_refused_counts_for_nothing(limiter: RateLimiter, clock: Clock) -> None:
    limits = Limits(requests=2, parallel=1)
    limiter.admit("u:1", limits, "You")
    for _ in range(50):
        refused(limiter, limits)
    limiter.leave("u:1")
    limiter.admit("u:1", limits, "You")


def test_no_limit_is_no_limit(limiter: RateLimiter) -> None:
    for _ in range(1000):
        limiter.admit("u:1", Limits(), "You")
    assert limiter.left("u:1", Limits(parallel=3)) is None


def test_what_is_left_is_told_as_openais_clients_read_it(limiter: RateLimiter) -> None:
    limits = Limits(requests=10, tokens=1000)
    limiter.admit("u:1", limits, "You")
    limiter.leave("u:1", 300)
    left = limiter.left("u:1", limits)
    assert left is not None
    told = left.headers()
    assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == ("10", "9")
    assert (told["x-ratelimit-limit-tokens"], told["x-ratelimit-remaining-tokens"]) == ("1000", "700")
    assert told["x-ratelimit-reset-requests"].endswith("s")


def test_many_addresses_do_not_fill_the_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_core.http.openai.limits.MAX_KEYS", 100)
    limiter = RateLimiter(clock=clock)
    for number in range(1000):
        limiter.admit(f"a:{number}", Limits(requests=5), "You")
    assert len(limiter._windows) <= 100


@pytest.fixture
def two(db: Database, clock: Clock) -> Iterator[tuple[RateLimiter, Shared, RateLimiter, Shared]]:
    """Two processes on one database, told by hand."""
    first, second = Shared(db, clock), Shared(db, clock)
    for shared in (first, second):
        shared._thread = shared._thread or object()  # type: ignore[assignment]
    yield RateLimiter(first, clock), first, RateLimiter(second, clock), second


def test_processes_tell_one_another(two: tuple[RateLimiter, Shared, RateLimiter, Shared], clock: Clock) -> None:
    here, first, there, second = two
    limits = Limits(requests=4, tokens=1000, parallel=3)
    for _ in range(2):
        here.admit("u:1", limits, "You")
    there.admit("u:1", limits, "You")
    for shared in (first, second, first):
        shared.sync()
    assert refused(there, limits).details["kind"] == "parallel"
    assert refused(here, limits).details["kind"] == "parallel"
    here.leave("u:1", 600)
    here.leave("u:1", 600)
    for shared in (first, second):
        shared.sync()
    assert refused(there, limits).details["kind"] == "tokens"
    clock.at += 200
    for shared in (first, second):
        shared.sync()
    there.admit("u:1", limits, "You")


def test_a_process_that_died_holds_no_places(two: tuple[RateLimiter, Shared, RateLimiter, Shared], clock: Clock) -> None:
    here, first, there, second = two
    limits = Limits(parallel=1)
    here.admit("d:7", limits, "The deployment")
    first.sync()
    second.touch("d:7")
    second.sync()
    assert refused(there, limits, "d:7").details["kind"] == "parallel"
    clock.at += 11
    second.sync()
    there.admit("d:7", limits, "The deployment")


def test_people_are_known_by_their_account_and_others_by_their_network() -> None:
    policy: Policy = policy_of(Settings())
    assert policy.of(Actor(user_id=3, username="ann"), "10.0.0.1")[0] == "u:3"
    key, limits = policy.of(Actor(), "10.0.0.1")
    assert key == f"a:{address_key('10.0.0.1')}"
    assert "10.0.0.1" not in key
    assert 0 < limits.requests < policy.caller.requests
    assert 0 < limits.parallel < policy.caller.parallel
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:2") != address_key("2001:db8:1::1")
    assert address_key("::ffff:10.0.0.1") == address_key("10.0.0.1") != address_key("10.0.0.2")
    assert address_key("testclient") == "unknown"


def test_labels_of_the_numbers_are_few() -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)
    for number in range(MAX_LABELS + 50):
        metrics.begin(number)
        metrics.over(number, 0.1, 1, 1, failed=False)
    text = generate_latest(registry).decode()
    lines = [line for line in text.splitlines() if line.startswith("hubtalk_gateway_requests_total")]
    assert len(lines) == MAX_LABELS + 1
    assert 'hubtalk_gateway_requests_total{deployment="other",outcome="answered"} 50.0' in lines
