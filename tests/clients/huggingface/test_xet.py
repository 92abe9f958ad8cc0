"""The real hf-xet, driven by the real `huggingface_hub`, against a live hub."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from hub_core.authz import Role, Scope, Visibility
from hub_core.http.huggingface import xet as xet_edge
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.settings import Settings
from hub_core.xet.reconstruct import Reconstruction
from hub_core.xet.xorbs import contents
from tests.clients.conftest import LiveHub
from tests.common.factories import actor_for
from tests.common.git_client import git
from tests.common.hf_hub import on_swift
from tests.common.waiting import until
from tests.common.xet_client import XetClient
from tests.common.xet_files import ShardFile, Xorb, shard

pytestmark = pytest.mark.clients
MB = 1_000_000
everywhere = pytest.mark.parametrize(
    "git_app_settings", ["local", pytest.param("production", marks=pytest.mark.xdist_group("production"))], indirect=True
)


@pytest.fixture
def git_app_settings(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """SQLite and local files, or PostgreSQL and S3."""
    if getattr(request, "param", "local") == "local":
        yield replace(settings, database_url=request.getfixturevalue("sqlite_url"), max_body_mb=64)
        return
    postgres, swift = request.getfixturevalue("postgres_server"), request.getfixturevalue("swift_server")
    with postgres.database() as url:
        yield on_swift(
            replace(settings, database_url=url), swift.endpoint, swift.access_key, swift.secret_key, f"xet-{settings.data_dir.name}"
        )


@pytest.fixture
def laptop(live_git_hub: LiveHub, tmp_path: Path) -> XetClient:
    """A machine that has never spoken with the hub."""
    return XetClient(live_git_hub.url, tmp_path / "laptop")


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def holds(hub: LiveHub, repo: Repo, data: bytes) -> bool:
    oid = hashlib.sha256(data).hexdigest()
    lfs = hub.services.lfs
    return lfs.has(repo.id, oid) == len(data) and b"".join(lfs.read(repo.id, oid)) == data


def token(hub: LiveHub, right: str = "write", *, name: str = "big", hub_token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {hub_token or hub.ann_token}"}
    return httpx.get(f"{hub.url}/api/models/ann/{name}/xet-{right}-token/main", headers=headers)


def post(given: httpx.Response, path: str, body: bytes, access: str = "") -> httpx.Response:
    said = given.json()
    return httpx.post(said["casUrl"] + path, content=body, headers={"Authorization": f"Bearer {access or said['accessToken']}"})


@everywhere
def test_large_files_become_lfs_objects(live_git_hub: LiveHub, laptop: XetClient, work: Path) -> None:
    """Random bytes, text and numbers: hf-xet stores them plain, pressed, and grouped and pressed."""
    repo = live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    contents = [os.urandom(20 * MB), b"a line of text\n" * MB, b"".join(number.to_bytes(4, "little") for number in range(3 * MB))]
    paths = [write(work, f"{number}.bin", data) for number, data in enumerate(contents)]
    done = laptop.upload("ann/big", live_git_hub.ann_token, paths[:2], as_bytes=paths[2:])
    assert done.error == ""
    assert done.oids == [hashlib.sha256(data).hexdigest() for data in contents]
    assert all(holds(live_git_hub, repo, data) for data in contents)
    assert left_behind(live_git_hub) == []


@everywhere
def test_a_file_of_several_xorbs_and_many_small_files(live_git_hub: LiveHub, laptop: XetClient, work: Path) -> None:
    repo = live_git_hub.repo("data", RepoKind.DATASET)
    contents = [os.urandom(100 * MB), *(os.urandom(100 + number) for number in range(100))]
    paths = [write(work, f"{number}.bin", data) for number, data in enumerate(contents)]
    assert laptop.upload("ann/data", live_git_hub.ann_token, paths, kind="dataset").error == ""
    assert all(holds(live_git_hub, repo, data) for data in contents)


@everywhere
def test_what_was_sent_once_is_not_sent_again(live_git_hub: LiveHub, laptop: XetClient, work: Path) -> None:
    """hf-xet remembers: for a second version, and for another repo, it sends what is new and refers to the rest."""
    first, second = live_git_hub.repo("big"), live_git_hub.repo("other", visibility=Visibility.PRIVATE)
    data = os.urandom(20 * MB)
    changed = data[: 10 * MB] + b"changed" + data[10 * MB :]
    assert laptop.upload("ann/big", live_git_hub.ann_token, [write(work, "one.bin", data)]).error == ""
    before = stored(live_git_hub)
    assert laptop.upload("ann/big", live_git_hub.ann_token, [write(work, "two.bin", changed)]).error == ""
    assert stored(live_git_hub) - before < MB
    assert laptop.upload("ann/other", live_git_hub.ann_token, [work / "one.bin"]).error == ""
    assert stored(live_git_hub) - before < MB
    assert holds(live_git_hub, first, changed)
    assert holds(live_git_hub, second, data)


def left_behind(hub: LiveHub) -> list[Path]:
    return list(hub.services.blobs.staging.iterdir())


def stored(hub: LiveHub) -> int:
    return sum(blob.size for blob in hub.services.blobs.list("") if not blob.key.startswith("git/"))


def test_a_second_version_from_another_machine_sends_and_stores_what_is_new(
    live_git_hub: LiveHub, laptop: XetClient, work: Path, tmp_path: Path
) -> None:
    repo = live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    data = os.urandom(150 * MB)
    assert laptop.upload("ann/big", live_git_hub.ann_token, [write(work, "one.bin", data)]).error == ""
    before = stored(live_git_hub)
    assert before < 151 * MB
    changed = data[: 100 * MB] + os.urandom(1500_000) + data[101 * MB :]
    other = XetClient(live_git_hub.url, tmp_path / "other")
    assert other.upload("ann/big", live_git_hub.ann_token, [write(work, "two.bin", changed)]).error == ""
    assert stored(live_git_hub) - before < 4 * MB
    assert holds(live_git_hub, repo, changed)


def test_a_repo_may_go_while_the_client_still_refers_to_what_it_sent(live_git_hub: LiveHub, laptop: XetClient, work: Path) -> None:
    services, repo = live_git_hub.services, live_git_hub.repo("big")
    data = os.urandom(3 * MB)
    path = write(work, "one.bin", data)
    assert laptop.upload("ann/big", live_git_hub.ann_token, [path]).error == ""
    services.repos.delete(actor_for(live_git_hub.ann), repo)
    assert services.xet.gc() == 0
    again = live_git_hub.repo("big")
    assert laptop.upload("ann/big", live_git_hub.ann_token, [path]).error == ""
    assert holds(live_git_hub, again, data)


def test_another_person_sends_the_same_content_anew(live_git_hub: LiveHub, laptop: XetClient, work: Path, tmp_path: Path) -> None:
    live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    services = live_git_hub.services
    services.repos.create(actor_for(live_git_hub.ben), "ben/copy", RepoKind.MODEL)
    repo = services.repos.find(actor_for(live_git_hub.ben), "model:ben/copy")
    data = os.urandom(3 * MB)
    path = write(work, "one.bin", data)
    assert laptop.upload("ann/big", live_git_hub.ann_token, [path]).error == ""
    before = stored(live_git_hub)
    other = XetClient(live_git_hub.url, tmp_path / "other")
    assert other.upload("ben/copy", live_git_hub.ben_token, [path]).error == ""
    assert stored(live_git_hub) == before
    assert holds(live_git_hub, repo, data)


@pytest.mark.parametrize(
    ("visibility", "who", "status"),
    [
        (Visibility.PUBLIC, "ben", 403),
        (Visibility.PRIVATE, "ben", 404),
        (Visibility.PUBLIC, "read", 403),
        (Visibility.PUBLIC, "wrong", 401),
    ],
)
def test_who_may_not_write_is_told_at_once(
    live_git_hub: LiveHub, laptop: XetClient, work: Path, visibility: Visibility, who: str, status: int
) -> None:
    live_git_hub.repo("big", visibility=visibility)
    reading = live_git_hub.services.tokens.create(actor_for(live_git_hub.ann), "reader", Scope.READ).token
    secret = {"ben": live_git_hub.ben_token, "read": reading, "wrong": "hub_wrong"}[who]
    done = laptop.upload("ann/big", secret, [write(work, "one.bin", os.urandom(MB))])
    assert str(status) in done.error
    assert list(live_git_hub.services.blobs.list("xet/")) == []


def test_a_token_is_for_one_repo_and_one_right_and_a_while(live_git_hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo, other = live_git_hub.repo("big", visibility=Visibility.PRIVATE), live_git_hub.repo("other")
    xorb = Xorb([b"some chunk"])
    path, file = f"/v1/xorbs/default/{xorb.hash}", shard(ShardFile([(xorb, 0, 1)]))
    given = token(live_git_hub)
    said = given.json()
    assert given.headers["X-Xet-Cas-Url"] == said["casUrl"]
    assert post(given, path, xorb.body).json() == {"was_inserted": True}
    assert post(given, "/v1/shards", file).json() == {"result": 1}
    assert post(given, "/v1/shards", file).json() == {"result": 1}
    assert holds(live_git_hub, repo, b"some chunk")
    assert not holds(live_git_hub, other, b"some chunk")
    assert post(token(live_git_hub, "read"), path, xorb.body).status_code == 403
    wrong = [said["accessToken"][:-4] + "AAAA", "xet_", "xet_%", "nonsense", live_git_hub.ann_token]
    assert {post(given, path, xorb.body, access).status_code for access in wrong} == {401}
    assert httpx.post(said["casUrl"] + path, content=xorb.body).status_code == 401
    monkeypatch.setattr(xet_edge, "TOKEN_S", -1)
    assert post(token(live_git_hub), path, xorb.body).status_code == 401


def test_a_right_that_was_taken_away_ends_the_token(live_git_hub: LiveHub) -> None:
    services, repo = live_git_hub.services, live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    services.access.grant(actor_for(live_git_hub.ann), repo, "ben", Role.WRITE)
    given = token(live_git_hub, hub_token=live_git_hub.ben_token)
    xorb = Xorb([b"some chunk"])
    path = f"/v1/xorbs/default/{xorb.hash}"
    assert post(given, path, xorb.body).status_code == 200
    services.access.revoke(actor_for(live_git_hub.ann), repo, "ben")
    assert post(given, path, xorb.body).status_code == 403


@everywhere
def test_wrong_uploads_get_an_answer_and_leave_nothing(live_git_hub: LiveHub) -> None:
    live_git_hub.repo("big")
    given, xorb = token(live_git_hub), Xorb([os.urandom(100_000)])
    path = f"/v1/xorbs/default/{xorb.hash}"
    answers = [
        post(given, path, xorb.body[:-1]),
        post(given, path, b""),
        post(given, path, os.urandom(70 * MB)),
        post(given, path.replace(xorb.hash, "0" * 64), xorb.body),
        post(given, path.replace(xorb.hash, "nonsense"), xorb.body),
        post(given, "/v1/shards", b""),
        post(given, "/v1/shards", os.urandom(MB)),
        post(given, "/v1/shards", shard(ShardFile([(xorb, 0, 1)]))),
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert all(answer.json()["error"] for answer in answers)
    assert post(given, "/v1/shards", shard() + bytes(90 * MB)).status_code == 413
    assert list(live_git_hub.services.blobs.list("xet/")) == []
    assert left_behind(live_git_hub) == []


_SEND = """
from huggingface_hub import HfApi
api = HfApi(token={token!r})
print(api.upload_file(path_or_fileobj={path!r}, path_in_repo="model.bin", repo_id="ann/big").oid)
print(api.upload_file(path_or_fileobj=open({path!r}, "rb").read()[:-1], path_in_repo="bytes.bin", repo_id="ann/big").oid)
"""
_FETCH = """
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
print(hf_hub_download("ann/big", "model.bin", token={token!r}))
print(snapshot_download("ann/big", token={token!r}))
print([item.xet_hash for item in HfApi(token={token!r}).list_repo_tree("ann/big") if item.path.endswith(".bin")])
"""


@everywhere
def test_files_are_uploaded_and_downloaded_by_chunks(
    live_git_hub: LiveHub, laptop: XetClient, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    data = os.urandom(20 * MB)
    sent = laptop.python(_SEND.format(token=live_git_hub.ann_token, path=str(write(work, "one.bin", data))))
    assert sent.returncode == 0, sent.stderr
    assert holds(live_git_hub, repo, data)
    assert stored(live_git_hub) < 21 * MB
    plans: list[int] = []
    plan = Reconstruction.plan
    monkeypatch.setattr(Reconstruction, "plan", lambda *args: plans.append(1) or plan(*args))
    other = XetClient(live_git_hub.url, tmp_path / "other")
    got = other.python(_FETCH.format(token=live_git_hub.ann_token))
    assert got.returncode == 0, got.stderr
    one, folder, hashes = got.stdout.splitlines()
    assert Path(one).read_bytes() == data
    assert (Path(folder) / "bytes.bin").read_bytes() == data[:-1]
    assert "None" not in hashes
    assert plans
    assert live_git_hub.services.repos.get(actor_for(live_git_hub.ann), "ann/big").downloads == 1
    unknown = XetClient(live_git_hub.url, tmp_path / "unknown").python(_FETCH.format(token=live_git_hub.ben_token))
    assert "RepositoryNotFoundError" in unknown.stderr


def test_chunks_are_given_only_for_files_that_one_may_read(live_git_hub: LiveHub) -> None:
    live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    live_git_hub.repo("other", visibility=Visibility.PRIVATE)
    xorb = Xorb([os.urandom(1000), os.urandom(2000), os.urandom(3000)])
    given, file = token(live_git_hub), ShardFile([(xorb, 1, 3)])
    assert post(given, f"/v1/xorbs/default/{xorb.hash}", xorb.body).status_code == 200
    assert post(given, "/v1/shards", shard(file)).status_code == 200

    def ask(given: httpx.Response, hash_: str, range_: str = "") -> httpx.Response:
        said = given.json()
        headers = {"Authorization": f"Bearer {said['accessToken']}", **({"Range": range_} if range_ else {})}
        return httpx.get(f"{said['casUrl']}/v1/reconstructions/{hash_}", headers=headers)

    reading = token(live_git_hub, "read")
    whole = ask(reading, file.hash).json()
    (piece,) = whole["fetch_info"][xorb.hash]
    assert whole["terms"] == [{"hash": xorb.hash, "unpacked_length": 5000, "range": {"start": 1, "end": 3}}]
    part = ask(reading, file.hash, "bytes=1990-2009").json()
    assert (part["offset_into_first_range"], part["terms"][0]["unpacked_length"]) == (1990, 5000)
    assert ask(reading, file.hash, "bytes=5000-").status_code == 416
    assert ask(reading, "0" * 64).status_code == 404
    assert ask(token(live_git_hub, "read", name="other"), file.hash).status_code == 404
    assert token(live_git_hub, "read", hub_token=live_git_hub.ben_token).status_code == 404

    span = piece["url_range"]
    got = httpx.get(piece["url"], headers={"Range": f"bytes={span['start']}-{span['end']}"})
    assert (got.status_code, b"".join(contents([got.content]))) == (206, file.data)
    assert httpx.get(piece["url"]).content == got.content
    assert httpx.get(piece["url"], headers={"Range": "bytes=0-100"}).status_code == 403
    assert len(httpx.get(piece["url"], headers={"Range": "bytes=1010-99999"}).content) < len(got.content)
    assert httpx.get(piece["url"].replace("from=1008", "from=0")).status_code == 403
    assert httpx.get(piece["url"].partition("&u=")[0]).status_code == 403


def test_why_a_shard_is_refused_reaches_people(live_git_hub: LiveHub, laptop: XetClient, work: Path) -> None:
    """hf-xet says only the status of an error, but passes on the last line of this answer."""
    live_git_hub.repo("big")
    path = write(work, "one.bin", os.urandom(MB))
    assert laptop.upload("ann/big", live_git_hub.ann_token, [path]).error == ""
    services = live_git_hub.services
    with services.db.write() as session:
        for table in ("xet_files", "xet_chunks", "xet_xorbs"):
            session.execute(sa.text(f"DELETE FROM {table}"))
    for blob in list(services.blobs.list("xet/")):
        services.blobs.delete(blob.key)
    error = laptop.upload("ann/big", live_git_hub.ann_token, [path]).error
    assert "Empty the folder 'xet' in HF_HOME and upload again" in error


@everywhere
def test_a_shard_is_answered_line_by_line(live_git_hub: LiveHub) -> None:
    repo = live_git_hub.repo("big")
    given, xorb = token(live_git_hub), Xorb([os.urandom(1000)])
    file = ShardFile([(xorb, 0, 1)])

    def lines(body: bytes) -> list[dict[str, object]]:
        answer = post(given, "/v2/shards", body)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
        return [json.loads(line) for line in answer.text.splitlines()]

    (refused,) = lines(shard(file))
    assert (refused["type"], refused["retryable"]) == ("error", False)
    assert post(given, f"/v1/xorbs/default/{xorb.hash}", xorb.body).status_code == 200
    assert lines(shard(file))[-1] == {"type": "result"}
    assert holds(live_git_hub, repo, file.data)
    assert lines(b"nonsense")[-1]["type"] == "error"
    assert left_behind(live_git_hub) == []


def test_what_the_hub_does_not_offer_is_absent(live_git_hub: LiveHub) -> None:
    live_git_hub.repo("big")
    given = token(live_git_hub)
    assert post(given, f"/v1/xorb-grants/default/{'0' * 64}", b"{}").status_code == 404
    said = given.json()
    headers = {"Authorization": f"Bearer {said['accessToken']}"}
    assert httpx.get(f"{said['casUrl']}/v1/chunks/default/{'0' * 64}", headers=headers).status_code == 404
    assert httpx.post(f"{live_git_hub.url}/xet/other-instance/v1/shards").status_code == 404


@pytest.mark.parametrize("git_app_settings", ["production"], indirect=True)
def test_a_store_gives_the_chunks_of_a_file_and_no_others(live_git_hub: LiveHub) -> None:
    live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    xorb = Xorb([os.urandom(1000), os.urandom(2000), os.urandom(3000)])
    given, file = token(live_git_hub), ShardFile([(xorb, 1, 3)])
    assert post(given, f"/v1/xorbs/default/{xorb.hash}", xorb.body).status_code == 200
    assert post(given, "/v1/shards", shard(file)).status_code == 200
    said = token(live_git_hub, "read").json()
    headers = {"Authorization": f"Bearer {said['accessToken']}"}
    ((piece,),) = httpx.get(f"{said['casUrl']}/v1/reconstructions/{file.hash}", headers=headers).json()["fetch_info"].values()
    assert not piece["url"].startswith(live_git_hub.url)
    start, end = piece["url_range"]["start"], piece["url_range"]["end"]
    got = httpx.get(piece["url"], headers={"Range": f"bytes={start}-{end}"})
    assert (got.status_code, b"".join(contents([got.content]))) == (206, file.data)
    for other in ({}, {"Range": f"bytes=0-{end}"}, {"Range": f"bytes={start}-{end + 1}"}, {"Range": f"bytes={start}-{end - 1}"}):
        assert httpx.get(piece["url"], headers=other).status_code == 403


@everywhere
def test_an_upload_that_is_cut_off_leaves_nothing_and_may_be_sent_again(live_git_hub: LiveHub) -> None:
    repo = live_git_hub.repo("big")
    given, xorb = token(live_git_hub), Xorb([os.urandom(100_000) for _ in range(40)])
    url = httpx.URL(given.json()["casUrl"] + f"/v1/xorbs/default/{xorb.hash}")
    with socket.create_connection((url.host, url.port or 0)) as connection:
        head = f"POST {url.path} HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer {given.json()['accessToken']}\r\n"
        connection.sendall(f"{head}Content-Length: {len(xorb.body)}\r\n\r\n".encode() + xorb.body[: len(xorb.body) // 2])
        until(lambda: left_behind(live_git_hub) != [])
    until(lambda: left_behind(live_git_hub) == [])
    assert list(live_git_hub.services.blobs.list("xet/")) == []
    file = ShardFile([(xorb, 0, 40)])
    assert post(given, f"/v1/xorbs/default/{xorb.hash}", xorb.body).json() == {"was_inserted": True}
    assert post(given, "/v1/shards", shard(file)).status_code == 200
    assert holds(live_git_hub, repo, file.data)


@everywhere
def test_one_object_is_the_same_by_chunks_by_lfs_and_by_plain_download(live_git_hub: LiveHub, laptop: XetClient, work: Path) -> None:
    live_git_hub.repo("big", visibility=Visibility.PRIVATE)
    data = os.urandom(3 * MB)
    sent = laptop.python(_SEND.format(token=live_git_hub.ann_token, path=str(write(work, "one.bin", data))))
    assert sent.returncode == 0, sent.stderr
    git(work, "clone", "-q", live_git_hub.address("/ann/big.git", live_git_hub.ann_token), "clone")
    git(work / "clone", "lfs", "install", "--local")
    git(work / "clone", "lfs", "pull")
    assert (work / "clone" / "model.bin").read_bytes() == data
    headers = {"Authorization": f"Bearer {live_git_hub.ann_token}"}
    plain = httpx.get(f"{live_git_hub.url}/ann/big/resolve/main/model.bin", headers=headers, follow_redirects=True)
    assert plain.content == data
    part = httpx.get(
        f"{live_git_hub.url}/ann/big/resolve/main/model.bin", headers={**headers, "Range": "bytes=70000-2999999"}, follow_redirects=True
    )
    assert (part.status_code, part.content) == (206, data[70_000:])
