"""The real `git-lfs` program, and plain HTTP, against a live hub."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_core.authz import Visibility
from hub_core.http import bodies
from hub_core.signing import UrlSigner
from tests.clients.conftest import BOTH, LiveHub
from tests.common.factories import actor_for, lfs_bytes
from tests.common.git_client import commit_file, git

pytestmark = pytest.mark.clients
LFS_TYPE = "application/vnd.git-lfs+json"


def clone(hub: LiveHub, work: Path, folder: str, name: str = "big") -> Path:
    git(work, "clone", "-q", hub.address(f"/ann/{name}.git", hub.ann_token), folder)
    git(work / folder, "lfs", "install", "--local")
    return work / folder


def call(
    url: str, body: Any = None, *, method: str = "", token: str = "", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method or ("POST" if data is not None else "GET"), headers=headers or {})
    if body is not None:
        request.add_header("Content-Type", "application/octet-stream" if isinstance(body, bytes) else LFS_TYPE)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def batch(hub: LiveHub, name: str, operation: str, *objects: tuple[str, int], token: str = "") -> tuple[int, Any]:
    body = {"operation": operation, "transfers": ["basic"], "objects": [{"oid": oid, "size": size} for oid, size in objects]}
    status, headers, raw = call(f"{hub.url}/ann/{name}.git/info/lfs/objects/batch", body, token=token)
    assert headers.get("content-type", headers.get("Content-Type")) == LFS_TYPE
    return status, json.loads(raw)


@BOTH
def test_large_files_are_pushed_and_come_back_byte_for_byte(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    folder = clone(live_git_hub, work, "one")
    git(folder, "lfs", "track", "*.bin")
    content = os.urandom(5 * 1024 * 1024 + 17)
    commit_file(folder, "weights.bin", content)
    git(folder, "push", "-q", "origin", "main")
    entry = live_git_hub.services.git.entry(repo.id, live_git_hub.services.git.resolve(repo.id), "weights.bin")
    assert entry.lfs is not None
    assert entry.size == len(content)
    again = clone(live_git_hub, work, "two")
    git(again, "lfs", "pull")
    assert (again / "weights.bin").read_bytes() == content
    # The second push of the same object sends nothing.
    commit_file(folder, "copy.bin", content)
    assert "Uploading LFS objects: 100% (1/1)" not in git(folder, "push", "origin", "main").stderr


@BOTH
def test_many_small_objects_in_one_push(live_git_hub: LiveHub, work: Path) -> None:
    repo = live_git_hub.repo("big")
    folder = clone(live_git_hub, work, "one")
    git(folder, "lfs", "track", "*.bin")
    for number in range(120):
        (folder / f"{number}.bin").write_bytes(os.urandom(1000))
    commit_file(folder, "x.bin", b"")
    git(folder, "push", "-q", "origin", "main")
    assert lfs_bytes(live_git_hub.services.db, repo) == 120_000


@BOTH
def test_locks_are_taken_shown_and_released(live_git_hub: LiveHub, work: Path) -> None:
    live_git_hub.repo("big")
    folder = clone(live_git_hub, work, "one")
    git(folder, "lfs", "track", "--lockable", "*.bin")
    commit_file(folder, "a.bin", b"1")
    git(folder, "push", "-q", "origin", "main")
    git(folder, "lfs", "lock", "a.bin")
    assert "a.bin" in git(folder, "lfs", "locks").stdout
    again = git(folder, "lfs", "lock", "a.bin", check=False)
    assert again.returncode != 0
    git(folder, "lfs", "unlock", "a.bin")
    assert "a.bin" not in git(folder, "lfs", "locks").stdout


@BOTH
def test_a_push_whose_objects_are_missing_is_refused_with_a_hint(live_git_hub: LiveHub, work: Path) -> None:
    live_git_hub.repo("big")
    folder = clone(live_git_hub, work, "one")
    git(folder, "lfs", "track", "*.bin")
    commit_file(folder, "a.bin", b"content")
    refused = git(folder, "push", "--no-verify", "origin", "main", check=False)
    assert refused.returncode != 0
    assert "LFS object(s) of these commits are not on the hub" in refused.stderr
    assert "git lfs push --all" in refused.stderr


def test_objects_of_another_repo_are_neither_given_nor_accepted_unproved(live_git_hub: LiveHub) -> None:
    secret = live_git_hub.repo("secret", visibility=Visibility.PRIVATE)
    live_git_hub.repo("open")
    data = b"private weights"
    pointer = live_git_hub.services.lfs.store(secret.id, [data])
    status, answer = batch(live_git_hub, "open", "download", (pointer.oid, pointer.size))
    assert (status, answer["objects"][0]["error"]["code"]) == (200, 404)
    status, answer = batch(live_git_hub, "open", "upload", (pointer.oid, pointer.size), token=live_git_hub.ann_token)
    action = answer["objects"][0]["actions"]["upload"]
    assert call(action["href"], b"something else!", method="PUT")[0] == 422
    assert live_git_hub.services.lfs.missing(
        live_git_hub.services.repos.find(actor_for(live_git_hub.ann), "ann/open").id, [pointer.oid]
    ) == {pointer.oid}
    assert call(action["href"], data, method="PUT")[0] == 200
    assert batch(live_git_hub, "open", "download", (pointer.oid, pointer.size))[1]["objects"][0]["actions"]["download"]


@pytest.mark.parametrize("body", [b"x", b"x" * 100, b""])
def test_wrong_bytes_leave_nothing_behind(live_git_hub: LiveHub, body: bytes) -> None:
    live_git_hub.repo("big")
    data = b"the announced bytes"
    oid = hashlib.sha256(data).hexdigest()
    _, answer = batch(live_git_hub, "big", "upload", (oid, len(data)), token=live_git_hub.ann_token)
    actions = answer["objects"][0]["actions"]
    assert call(actions["upload"]["href"], body, method="PUT")[0] == 422
    verify = actions["upload"]["href"].partition("?")[0] + "/verify"
    assert call(verify, {"oid": oid, "size": len(data)}, token=live_git_hub.ann_token)[0] == 404
    assert [path for path in live_git_hub.services.blobs.staging.iterdir() if path.name.startswith("lfs-")] == []
    assert live_git_hub.services.blobs.size(f"lfs/{oid[:2]}/{oid[2:4]}/{oid}") is None


def test_addresses_are_bound_to_their_object_purpose_and_signature(live_git_hub: LiveHub) -> None:
    live_git_hub.repo("big")
    one, two = b"one", b"two"
    oid, other = hashlib.sha256(one).hexdigest(), hashlib.sha256(two).hexdigest()
    _, answer = batch(live_git_hub, "big", "upload", (oid, 3), token=live_git_hub.ann_token)
    href = answer["objects"][0]["actions"]["upload"]["href"]
    assert call(href.replace(oid, other), two, method="PUT")[0] == 401
    assert call(href.replace("&size=3", "&size=4"), one, method="PUT")[0] == 401
    assert call(href.replace("s=", "s=0"), one, method="PUT")[0] == 401
    assert call(href.partition("?")[0], one, method="PUT")[0] == 401
    assert call(href)[0] == 401
    assert call(href, one, method="PUT")[0] == 200


def test_ranges_of_an_object(live_git_hub: LiveHub) -> None:
    repo = live_git_hub.repo("big")
    data = bytes(range(256)) * 10_000
    pointer = live_git_hub.services.lfs.store(repo.id, [data])
    _, answer = batch(live_git_hub, "big", "download", (pointer.oid, pointer.size))
    href = answer["objects"][0]["actions"]["download"]["href"]
    status, headers, body = call(href)
    assert (status, body, headers["etag"]) == (200, data, f'"{pointer.oid}"')
    for asked, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=100-1999999", 100, 2_000_000),
        ("bytes=2559990-", 2_559_990, None),
        ("bytes=-5", -5, None),
    ):
        status, headers, body = call(href, headers={"Range": asked})
        assert (status, body) == (206, data[start:end]), asked
    status, headers, body = call(href, headers={"Range": "bytes=2560000-"})
    assert (status, headers["content-range"], body) == (416, "bytes */2560000", b"")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"operation": "steal", "objects": []}, 422),
        ({"operation": "download"}, 422),
        ({"operation": "download", "objects": [{"oid": 1, "size": 2}]}, 422),
        ({"operation": "download", "objects": [], "hash_algo": "md5"}, 422),
        ([], 422),
    ],
)
def test_broken_batches_are_told_what_is_wrong(live_git_hub: LiveHub, body: Any, expected: int) -> None:
    live_git_hub.repo("big")
    status, _, raw = call(f"{live_git_hub.url}/ann/big.git/info/lfs/objects/batch", body, token=live_git_hub.ann_token)
    assert status == expected
    assert json.loads(raw)["message"]


def test_hidden_repos_ask_anonymous_callers_to_sign_in(live_git_hub: LiveHub) -> None:
    live_git_hub.repo("secret", visibility=Visibility.PRIVATE)
    for name in ("secret", "absent"):
        status, headers, _ = call(f"{live_git_hub.url}/ann/{name}.git/info/lfs/objects/batch", {"operation": "download", "objects": []})
        assert status == 401
        assert headers["lfs-authenticate"].startswith("Basic")
    status, _, _ = call(f"{live_git_hub.url}/ann/secret.git/info/lfs/locks", token=live_git_hub.ben_token)
    assert status == 404


def test_git_lfs_asks_again_when_an_address_has_expired(live_git_hub: LiveHub, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the clocks of hub and client differ: each address is too old when it is used first."""
    repo = live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    folder = clone(live_git_hub, work, "one")
    git(folder, "lfs", "track", "*.bin")
    content = os.urandom(100_000)
    commit_file(folder, "weights.bin", content)
    given: dict[str, int] = {}
    usual = UrlSigner.query

    def old_at_first(self: UrlSigner, purpose: str, *facts: object, user_id: int | None, seconds: int = 3600) -> str:
        given[purpose] = given.get(purpose, 0) + 1
        return usual(self, purpose, *facts, user_id=user_id, seconds=-1 if given[purpose] == 1 else seconds)

    monkeypatch.setattr(UrlSigner, "query", old_at_first)
    git(folder, "push", "-q", "origin", "main")
    assert lfs_bytes(live_git_hub.services.db, repo) == len(content)
    again = clone(live_git_hub, work, "two")
    git(again, "lfs", "pull")
    assert (again / "weights.bin").read_bytes() == content
    assert given["upload"] > 1
    assert given["download"] > 1


def test_a_fetch_that_was_cut_off_goes_on_where_it_stopped(live_git_hub: LiveHub, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = live_git_hub.repo("big")
    content = os.urandom(6 * 1024 * 1024)
    folder = clone(live_git_hub, work, "one")
    git(folder, "lfs", "track", "*.bin")
    commit_file(folder, "weights.bin", content)
    git(folder, "push", "-q", "origin", "main")
    oid = hashlib.sha256(content).hexdigest()
    again = clone(live_git_hub, work, "two")
    asked: list[int] = []
    usual = bodies._of_file

    def cut(path: Path, start: int, end: int) -> Iterator[bytes]:
        asked.append(start)
        for number, chunk in enumerate(usual(path, start, end)):
            if len(asked) == 1 and number == 3:
                raise OSError("the cable was pulled")
            yield chunk

    monkeypatch.setattr(bodies, "_of_file", cut)
    git(again, "-c", "lfs.transfer.maxretries=1", "lfs", "fetch", check=False)
    git(again, "lfs", "pull")
    assert (again / "weights.bin").read_bytes() == content
    assert asked[0] == 0
    assert any(start > 1024 * 1024 for start in asked[1:])
    assert live_git_hub.services.lfs.has(repo.id, oid) == len(content)
