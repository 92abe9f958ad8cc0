"""Large files over LFS: whole and in parts, with the real client and with requests as they should not be."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationAdd

from hub_core.errors import Unavailable
from hub_core.lfs.parts import sweep_parts
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub
from tests.common.hf_write import new_repo, sound_clone
from tests.common.waiting import until

pytestmark = pytest.mark.clients
MIB = 1 << 20
PART = 5 * MIB
through_the_hub = pytest.mark.parametrize("hub", ["local"], indirect=True)
straight_to_the_store = pytest.mark.parametrize(
    "hub", [pytest.param("production", marks=pytest.mark.xdist_group("production"))], indirect=True
)
LFS = {"Accept": "application/vnd.git-lfs+json", "Content-Type": "application/vnd.git-lfs+json"}


@pytest.fixture(autouse=True)
def _small_parts_without_xet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("hub_core.lfs.parts.PART", PART)


def batch(hub: HfHub, repo_id: str, data: bytes, transfers: list[str] | None = None) -> dict[str, Any]:
    body = {
        "operation": "upload",
        "transfers": transfers or ["basic", "multipart"],
        "objects": [{"oid": hashlib.sha256(data).hexdigest(), "size": len(data)}],
    }
    headers = {**LFS, "Authorization": f"Bearer {hub.ann_token}"}
    answer = httpx.post(f"{hub.url}/{repo_id}.git/info/lfs/objects/batch", json=body, headers=headers)
    assert answer.status_code == 200
    return dict(answer.json())


def upload_action(hub: HfHub, repo_id: str, data: bytes) -> dict[str, Any]:
    return dict(batch(hub, repo_id, data)["objects"][0]["actions"]["upload"])


def put(url: str, data: bytes) -> httpx.Response:
    return httpx.put(url, content=data, timeout=60)


def complete(action: dict[str, Any], data: bytes, numbers: list[int], tags: dict[int, str] | None = None) -> int:
    parts = [{"partNumber": number, "etag": (tags or {}).get(number, '"x"')} for number in numbers]
    body = {"oid": hashlib.sha256(data).hexdigest(), "parts": parts}
    return httpx.post(action["href"], json=body, headers=LFS, timeout=60).status_code


def waiting(hub: HfHub) -> list[str]:
    return [info.key for info in hub.services.blobs.list("uploads/")]


def held(hub: HfHub, repo_id: str, data: bytes) -> bool:
    repo = hub.services.repos.find(actor_for(hub.ann), repo_id)
    return not hub.services.lfs.missing(repo.id, [hashlib.sha256(data).hexdigest()])


def test_files_larger_than_a_part_arrive_whole(hub: HfHub, tmp_path: Path) -> None:
    repo_id, api = new_repo(hub), hub.api()
    contents = {"small.bin": os.urandom(MIB), "exact.bin": os.urandom(2 * PART), "odd.bin": os.urandom(2 * PART + 1)}
    (tmp_path / "odd.bin").write_bytes(contents["odd.bin"])
    additions = [CommitOperationAdd(name, contents[name]) for name in ("small.bin", "exact.bin")]
    api.create_commit(repo_id, [*additions, CommitOperationAdd("odd.bin", tmp_path / "odd.bin")], commit_message="large")
    with (tmp_path / "odd.bin").open("rb") as file:
        api.upload_file(path_or_fileobj=file, path_in_repo="again.bin", repo_id=repo_id)
    clone = sound_clone(hub, repo_id, tmp_path / "clone")
    assert {name: (clone / name).read_bytes() for name in contents} == contents
    assert (clone / "again.bin").read_bytes() == contents["odd.bin"]
    assert waiting(hub) == []


def test_parts_are_offered_to_who_lists_them_and_for_large_files_only(hub: HfHub) -> None:
    repo_id, large = new_repo(hub), os.urandom(PART + 1)
    assert batch(hub, repo_id, large)["transfer"] == "multipart"
    assert batch(hub, repo_id, large[:PART])["transfer"] == "basic"
    for transfers in (["basic"], ["lfs-standalone-file", "multipart", "basic", "ssh"]):
        answer = batch(hub, repo_id, large, transfers)
        assert answer["transfer"] == "basic"
        assert "header" not in answer["objects"][0]["actions"]["upload"]


@through_the_hub
def test_a_broken_upload_goes_on_where_it_stopped(hub: HfHub) -> None:
    repo_id, data = new_repo(hub), os.urandom(2 * PART + 7)
    first = upload_action(hub, repo_id, data)
    assert first["header"]["chunk_size"] == str(PART)
    assert put(first["header"]["1"], data[:PART]).headers["etag"]
    assert put(first["header"]["2"], b"\0" * PART).status_code == 200
    assert complete(first, data, [1, 2, 3]) == 404
    # Later, with new addresses: only what is missing, and a part that was wrong.
    later = upload_action(hub, repo_id, data)
    assert put(later["header"]["3"], data[2 * PART :]).status_code == 200
    assert put(later["header"]["2"], data[PART : 2 * PART]).status_code == 200
    assert complete(later, data, [1, 2, 3]) == 200
    assert held(hub, repo_id, data)
    assert complete(later, data, [1, 2, 3]) == 200
    assert complete(first, data, []) == 200
    assert waiting(hub) == []


@through_the_hub
def test_what_is_not_as_announced_is_dropped(hub: HfHub) -> None:
    repo_id, data = new_repo(hub), os.urandom(PART + 7)
    action = upload_action(hub, repo_id, data)
    assert put(action["header"]["1"], data[: PART - 1]).status_code == 422
    assert put(action["header"]["2"], data[:8]).status_code == 422
    assert put(action["header"]["1"], data[1 : PART + 1]).status_code == 200
    assert put(action["header"]["2"], data[PART:]).status_code == 200
    for numbers in ([], [1], [1, 1], [1, 2, 2], [1, 2, 3], [0, 1]):
        assert complete(action, data, numbers) == 422
    assert complete(action, data, [1, 2]) == 422
    assert waiting(hub) == []
    assert not held(hub, repo_id, data)
    assert [path.name for path in hub.services.blobs.staging.iterdir() if path.name.startswith("lfs-")] == []


@through_the_hub
def test_addresses_of_parts_are_for_one_part_and_end(hub: HfHub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo_id, data = new_repo(hub), os.urandom(PART + 7)
    action = upload_action(hub, repo_id, data)
    one = action["header"]["1"]
    for wrong in (
        one.replace("/parts/1", "/parts/2"),
        one.replace(f"part={PART}", "part=7"),
        one.partition("?")[0],
        one.replace("s=", "s=0"),
    ):
        assert put(wrong, data[:7]).status_code == 401
    assert complete({"href": one.replace("/parts/1", "/complete")}, data, [1, 2]) == 401
    monkeypatch.setattr("hub_core.http.lfs_parts._EXPIRES_S", -1)
    assert put(upload_action(hub, repo_id, data)["header"]["1"], data[:PART]).status_code == 403


@through_the_hub
def test_parts_that_nobody_completes_are_swept(hub: HfHub) -> None:
    repo_id, data = new_repo(hub), os.urandom(PART + 7)
    put(upload_action(hub, repo_id, data)["header"]["2"], data[PART:])
    assert sweep_parts(hub.services.blobs, dt.timedelta(hours=1)) == 0
    assert len(waiting(hub)) == 1
    # Times of the store are to the second.
    assert sweep_parts(hub.services.blobs, dt.timedelta(seconds=-2)) == 1
    assert waiting(hub) == []


@straight_to_the_store
def test_parts_go_to_the_store_and_the_whole_is_checked_by_the_hub(hub: HfHub) -> None:
    repo_id, data = new_repo(hub), os.urandom(PART + 7)
    action = upload_action(hub, repo_id, data)
    assert not action["header"]["1"].startswith(hub.url)
    assert complete(action, data, [1, 2]) == 404
    assert put(action["header"]["1"], b"\0" * PART).status_code == 200
    tags = {1: put(action["header"]["1"], data[:PART]).headers["etag"], 2: put(action["header"]["2"], data[PART:]).headers["etag"]}
    assert complete(action, data, [2, 1, 1], tags) == 422
    assert complete(action, data, [1, 2], {**tags, 1: tags[2]}) == 404
    assert complete(action, data, [2, 1], tags) == 200
    assert held(hub, repo_id, data)
    assert complete(action, data, [1, 2], tags) == 200
    assert put(action["header"]["1"], b"\0" * PART).status_code in {403, 404}
    assert waiting(hub) == []


@straight_to_the_store
def test_the_store_takes_anything_and_the_hub_keeps_only_what_was_announced(hub: HfHub) -> None:
    repo_id, data = new_repo(hub), os.urandom(PART + 7)
    action = upload_action(hub, repo_id, data)
    wrong = [data[:PART], data[PART:] + b"more"]
    tags = {number: put(action["header"][str(number)], part).headers["etag"] for number, part in enumerate(wrong, 1)}
    assert complete({"href": action["href"].replace("direct=", "direct=0")}, data, [1, 2], tags) == 401
    assert complete({"href": action["href"].partition("&direct=")[0]}, data, [1, 2], tags) == 401
    assert complete(action, data, [1, 2], tags) == 422
    assert not held(hub, repo_id, data)
    assert waiting(hub) == []
    upload_action(hub, repo_id, data)
    assert sweep_parts(hub.services.blobs, dt.timedelta(hours=1)) == 0
    assert sweep_parts(hub.services.blobs, dt.timedelta(seconds=-60)) >= 1


@straight_to_the_store
def test_a_completion_that_was_cut_off_can_be_asked_for_again(hub: HfHub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo_id, data = new_repo(hub), os.urandom(PART + 7)
    action = upload_action(hub, repo_id, data)
    parts = {1: data[:PART], 2: data[PART:]}
    tags = {number: put(action["header"][str(number)], part).headers["etag"] for number, part in parts.items()}

    def stopped(*_: object) -> None:
        raise Unavailable("stopped", hint="")

    with monkeypatch.context() as patch:
        patch.setattr("hub_core.lfs.parts.PartsService._keep_direct", stopped)
        assert complete(action, data, [1, 2], tags) == 503
    assert complete(action, data, [1, 2], tags) == 200
    assert held(hub, repo_id, data)


@through_the_hub
def test_a_part_that_is_cut_off_leaves_nothing_and_may_be_sent_again(hub: HfHub) -> None:
    repo_id, data = new_repo(hub), os.urandom(2 * PART)
    action = upload_action(hub, repo_id, data)
    url = httpx.URL(action["header"]["1"])
    with socket.create_connection((url.host, url.port or 0)) as connection:
        head = f"PUT {url.raw_path.decode()} HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {PART}\r\n\r\n"
        connection.sendall(head.encode() + data[: PART // 2])
        until(lambda: staged(hub) != [])
    until(lambda: staged(hub) == [])
    assert waiting(hub) == []
    for number in (2, 1, 2):
        assert put(action["header"][str(number)], data[(number - 1) * PART : number * PART]).status_code == 200
    assert complete(action, data, [1, 2]) == 200
    assert held(hub, repo_id, data)
    assert waiting(hub) == []


@straight_to_the_store
def test_an_address_of_the_store_that_has_expired_is_asked_for_again(hub: HfHub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo_id, data = new_repo(hub), os.urandom(PART + 7)
    with monkeypatch.context() as patch:
        patch.setattr("hub_core.http.lfs_parts._EXPIRES_S", 1)
        action = upload_action(hub, repo_id, data)
    until(lambda: put(action["header"]["2"], data[PART:]).status_code == 403)
    assert complete(action, data, [1, 2]) == 403
    later = upload_action(hub, repo_id, data)
    tags = {1: put(later["header"]["1"], data[:PART]).headers["etag"], 2: put(later["header"]["2"], data[PART:]).headers["etag"]}
    assert complete(later, data, [1, 2], tags) == 200
    assert held(hub, repo_id, data)


def staged(hub: HfHub) -> list[str]:
    return [path.name for path in hub.services.blobs.staging.iterdir() if path.name.startswith("lfs-")]
