"""An S3 store that is busy, breaks connections or hangs: tried again, then said clearly, and nothing is half there."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.retries.standard import ExponentialBackoff

from hub_core.errors import NotFound, Unavailable
from hub_core.storage import S3BlobStore
from tests.common.faulty import Asked, Fault, StoreProxy, running
from tests.common.swift import SwiftServer

pytestmark = pytest.mark.xdist_group("production")
MIB = 1024 * 1024


TIMEOUT_S = 1.0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between attempts are random and up to seconds long; here they have a tenth of that."""
    usual = ExponentialBackoff.delay_amount
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *args: usual(*args) / 10)


@pytest.fixture
def proxy(swift_server: SwiftServer) -> Iterator[StoreProxy]:
    with running(StoreProxy(int(swift_server.endpoint.rpartition(":")[2]))) as proxy:
        yield proxy


@pytest.fixture
def blobs(proxy: StoreProxy, swift_server: SwiftServer, tmp_path: Path) -> S3BlobStore:
    store = S3BlobStore(
        "hub-tests",
        tmp_path.name,
        endpoint_url=proxy.endpoint,
        access_key=swift_server.access_key,
        secret_key=swift_server.secret_key,
        timeout_s=TIMEOUT_S,
        staging=tmp_path / "staging",
    )
    store.ensure_bucket()
    return store


def first(count: int, fault: Fault, method: str = "") -> object:
    """A fault for the first requests from now on."""
    left = [count]

    def decide(asked: Asked) -> Fault | None:
        if method not in {"", asked.method} or not left[0]:
            return None
        left[0] -= 1
        return fault

    return decide


def large(tmp_path: Path) -> tuple[Path, bytes]:
    path, data = tmp_path / "large", os.urandom(MIB) * 40
    path.write_bytes(data)
    return path, data


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.RESET, Fault.LOSE_ANSWER, Fault.HANG])
def test_a_short_trouble_is_not_noticed(blobs: S3BlobStore, proxy: StoreProxy, fault: Fault) -> None:
    proxy.on_request = first(1, fault)
    assert blobs.put("one", [b"bytes"])
    proxy.on_request = first(1, fault)
    assert blobs.size("one") == 5
    proxy.on_request = first(1, fault)
    assert blobs.read("one") == b"bytes"
    proxy.on_request = first(1, fault)
    assert [info.key for info in blobs.list("")] == ["one"]
    proxy.on_request = first(1, fault)
    blobs.rename("one", "two")
    proxy.on_request = first(1, fault)
    blobs.delete("two")
    assert list(blobs.list("")) == []


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.RESET, Fault.HANG])
def test_a_long_trouble_is_told_in_bounded_time(blobs: S3BlobStore, proxy: StoreProxy, tmp_path: Path, fault: Fault) -> None:
    blobs.put("one", [b"bytes"])
    proxy.on_request = lambda _asked: fault
    began = time.monotonic()
    for act in (
        lambda: blobs.put("two", [b"bytes"]),
        lambda: blobs.read("one"),
        lambda: list(blobs.list("")),
    ):
        before = len(proxy.seen)
        with pytest.raises(Unavailable):
            act()
        assert len(proxy.seen) - before <= 4
    # Four attempts each, between them at most 0.4 s; before a body is sent, a second for the store to want it.
    assert time.monotonic() - began < 3 * 4 * (TIMEOUT_S + 0.4 + 1)
    proxy.on_request = lambda _asked: None
    assert [info.key for info in blobs.list("")] == ["one"]


def test_a_broken_download_goes_on_where_it_stopped(blobs: S3BlobStore, proxy: StoreProxy, tmp_path: Path) -> None:
    path, data = large(tmp_path)
    blobs.put_file("large", path)
    proxy.on_request = first(10, Fault.CUT_ANSWER, "GET")
    # More breaks than are borne in a row, but each time something came.
    assert b"".join(blobs.get("large")) == data
    assert sum(asked.method == "GET" for asked in proxy.seen) > 10
    proxy.on_request = first(1000, Fault.RESET, "GET")
    with pytest.raises(Unavailable):
        b"".join(blobs.get("large"))


def test_a_blob_that_goes_while_it_is_read_is_not_found(blobs: S3BlobStore) -> None:
    blobs.put("one", [b"bytes"])
    reading = blobs.get("one")
    blobs.delete("one")
    with pytest.raises(NotFound):
        next(reading)


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.LOSE_ANSWER])
def test_an_upload_in_parts_is_whole_or_not_there(blobs: S3BlobStore, proxy: StoreProxy, tmp_path: Path, fault: Fault) -> None:
    path, data = large(tmp_path)
    parts = iter(range(1000))

    def from_the_second_part(asked: Asked) -> Fault | None:
        return fault if asked.method == "PUT" and "partNumber" in asked.target and next(parts) > 0 else None

    proxy.on_request = from_the_second_part
    with pytest.raises(Unavailable):
        blobs.put_file("large", path, move=True)
    assert path.exists()
    proxy.on_request = first(2, fault, "PUT")
    assert blobs.size("large") is None
    blobs.put_file("large", path, move=True)
    assert blobs.read("large") == data


def test_what_an_upload_in_parts_left_behind_is_swept(blobs: S3BlobStore, proxy: StoreProxy, tmp_path: Path) -> None:
    path, _ = large(tmp_path)
    began = dt.datetime.now(dt.UTC)
    proxy.on_request = lambda asked: None if asked.target.endswith("?uploads") else Fault.RESET
    with pytest.raises(Unavailable):
        blobs.put_file("lfs/large", path)
    proxy.on_request = lambda _asked: None
    assert blobs.direct_parts.abandon("", began - dt.timedelta(hours=1)) == 0
    assert blobs.direct_parts.abandon("", began + dt.timedelta(minutes=1)) == 1
    assert blobs.direct_parts.abandon("", began + dt.timedelta(minutes=1)) == 0
    assert list(blobs.list("")) == []
