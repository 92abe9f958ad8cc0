"""What every `BlobStore` promises, on memory, a local folder and a real S3 server."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_core.errors import InvalidPath, NotFound, Unavailable
from hub_core.settings import Settings
from hub_core.storage import BlobStore, LocalBlobStore, MemoryBlobStore, S3BlobStore, open_blob_store
from tests.common.swift import SwiftServer

_prefixes = itertools.count(1)
MIB = 1024 * 1024


@pytest.fixture(params=["memory", "local", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "memory":
        return MemoryBlobStore()
    if request.param == "local":
        return LocalBlobStore(tmp_path / "blobs")
    server: SwiftServer = request.getfixturevalue("swift_server")
    return open_blob_store(
        Settings(
            data_dir=tmp_path,
            storage_url=f"s3://hub-tests/prefix-{next(_prefixes)}",
            s3_endpoint_url=server.endpoint,
            s3_access_key=server.access_key,
            s3_secret_key=server.secret_key,
        )
    )


def test_a_blob_is_stored_read_sized_and_deleted(blobs: BlobStore) -> None:
    assert blobs.size("a/b/c.bin") is None
    assert blobs.put("a/b/c.bin", [b"hello ", b"", b"world"])
    assert blobs.size("a/b/c.bin") == 11
    assert blobs.read("a/b/c.bin") == b"hello world"
    blobs.delete("a/b/c.bin")
    assert blobs.size("a/b/c.bin") is None


def test_an_absent_blob_is_not_found_at_the_call_and_its_deletion_is_fine(blobs: BlobStore) -> None:
    with pytest.raises(NotFound):
        blobs.get("absent")
    with pytest.raises(NotFound):
        blobs.read("absent", 0, 10)
    blobs.delete("absent")
    assert blobs.local_path("absent") is None


@pytest.mark.parametrize(("start", "end"), [(0, None), (0, 0), (0, 1), (3, 7), (9, 100), (10, None), (50, 60)])
def test_ranges_are_half_open_and_clamped(blobs: BlobStore, start: int, end: int | None) -> None:
    data = b"0123456789"
    blobs.put("digits", [data])
    assert b"".join(blobs.get("digits", start, end)) == data[start:end]
    length = None if end is None else end - start
    assert blobs.read("digits", start, length) == data[start:end]


def test_an_empty_blob_is_a_blob(blobs: BlobStore) -> None:
    blobs.put("empty", [])
    assert blobs.size("empty") == 0
    assert blobs.read("empty") == b""


def test_large_blobs_come_back_in_chunks_of_a_mebibyte(blobs: BlobStore, tmp_path: Path) -> None:
    data = os.urandom(MIB) * 40 + b"end"
    path = tmp_path / "large"
    path.write_bytes(data)
    blobs.put_file("large", path)
    assert path.exists()
    chunks = list(blobs.get("large"))
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= MIB
    assert blobs.read("large", 39 * MIB, 2 * MIB) == data[39 * MIB :]


def test_a_file_can_be_moved_in(blobs: BlobStore) -> None:
    path = blobs.staging / "incoming"
    path.write_bytes(b"content")
    blobs.put_file("moved", path, move=True)
    assert not path.exists()
    assert blobs.read("moved") == b"content"


def test_put_if_absent_stores_once(blobs: BlobStore) -> None:
    assert blobs.put("once", [b"first"], if_absent=True)
    assert not blobs.put("once", [b"second"], if_absent=True)
    assert blobs.read("once") == b"first"
    assert blobs.put("once", [b"third"])
    assert blobs.read("once") == b"third"


def test_of_many_that_put_if_absent_one_succeeds(blobs: BlobStore) -> None:
    results: list[bool] = []
    threads = [threading.Thread(target=lambda n=n: results.append(blobs.put("race", [str(n).encode()], if_absent=True))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Swift checks the condition before it writes, so two writers at the same moment may both be told yes.
    assert any(results)
    if not isinstance(blobs, S3BlobStore):
        assert results.count(True) == 1


def test_a_failing_source_leaves_what_was_there(blobs: BlobStore) -> None:
    blobs.put("kept", [b"old"])

    def broken() -> Iterator[bytes]:
        yield b"new"
        raise RuntimeError("source")

    with pytest.raises(RuntimeError):
        blobs.put("kept", broken())
    assert blobs.read("kept") == b"old"
    with pytest.raises(RuntimeError):
        blobs.put("never", broken())
    assert blobs.size("never") is None
    assert list(blobs.staging.iterdir()) == []


def test_a_listing_has_keys_sizes_and_times_in_order(blobs: BlobStore) -> None:
    for key in ("git/10/a.pack", "git/1/b.pack", "git/1/a.idx", "lfs/aa/bb/cc"):
        blobs.put(key, [b"x" * len(key)])
    found = list(blobs.list("git/1/"))
    assert [(info.key, info.size) for info in found] == [("git/1/a.idx", 11), ("git/1/b.pack", 12)]
    assert all(info.modified.tzinfo is not None for info in found)
    assert [info.key for info in blobs.list("git/1")] == ["git/1/a.idx", "git/1/b.pack", "git/10/a.pack"]
    assert len(list(blobs.list(""))) == 4
    assert list(blobs.list("none/")) == []


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.b", "a b", "a\\b", "ä", "a\n", "x" * 1000])
def test_keys_that_could_lead_astray_are_refused(blobs: BlobStore, key: str) -> None:
    with pytest.raises(InvalidPath):
        blobs.put(key, [b"x"])
    with pytest.raises(InvalidPath):
        blobs.read(key)


def test_a_direct_address_serves_the_blob(blobs: BlobStore) -> None:
    blobs.put("direct", [b"content"])
    url = blobs.download_url("direct", filename="a b.bin")
    path = blobs.local_path("direct")
    if path is not None:
        assert path.read_bytes() == b"content"
    if url is not None:
        with urllib.request.urlopen(url) as response:
            assert response.read() == b"content"
            assert "a%20b.bin" in response.headers["content-disposition"]


def test_a_store_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    store = S3BlobStore("hub", endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b", staging=tmp_path)
    with pytest.raises(Unavailable):
        store.size("x")
    with pytest.raises(Unavailable):
        store.put("x", [b"y"])


def test_clients_are_sent_to_the_public_address_of_the_store(tmp_path: Path) -> None:
    store = S3BlobStore(
        "hub",
        endpoint_url="http://objects:8333",
        public_url="https://objects.example.com",
        access_key="a",
        secret_key="b",
        staging=tmp_path,
    )
    assert str(store.download_url("x")).startswith("https://objects.example.com/hub/x?")


def test_a_renamed_blob_has_its_new_key_alone(blobs: BlobStore) -> None:
    blobs.put("old/a", [b"content"])
    blobs.put("new/b", [b"what was there"])
    blobs.rename("old/a", "new/b")
    assert (blobs.size("old/a"), blobs.read("new/b")) == (None, b"content")
    with pytest.raises(NotFound):
        blobs.rename("old/a", "new/c")


def test_parts_go_straight_to_a_store_that_takes_them(blobs: BlobStore) -> None:
    direct = blobs.direct_parts
    if direct is None:
        assert not isinstance(blobs, S3BlobStore)
        return
    parts = [os.urandom(5 * MIB), b"end"]
    upload = direct.begin("direct/a")
    tags = []
    for number, data in enumerate(parts, 1):
        request = urllib.request.Request(direct.address("direct/a", upload, number), data=data, method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            tags.append((number, answer.headers["ETag"]))
    assert blobs.size("direct/a") is None
    for wrong in ([tags[0], (2, '"00000000000000000000000000000000"')], [*tags, (3, tags[0][1])]):
        with pytest.raises(NotFound):
            direct.finish("direct/a", upload, wrong)
    direct.finish("direct/a", upload, list(reversed(tags)))
    assert blobs.read("direct/a") == b"".join(parts)
    blobs.rename("direct/a", "direct/b")
    assert blobs.read("direct/b") == b"".join(parts)
    direct.begin("direct/c")
    assert direct.abandon("direct/", dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)) == 0
    assert direct.abandon("direct/", dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)) == 1
    with pytest.raises(NotFound):
        direct.finish("direct/c", direct.begin("direct/c") + "x", tags)


def test_a_range_url_serves_its_bytes_and_no_others(blobs: BlobStore) -> None:
    blobs.put("digits", [b"0123456789"])
    url = blobs.range_url("digits", 2, 5)
    if url is None:
        return
    request = urllib.request.Request(url, headers={"Range": "bytes=2-4"})
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == b"234"
    for headers in ({}, {"Range": "bytes=2-5"}, {"Range": "bytes=0-4"}):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(url, headers=headers))
