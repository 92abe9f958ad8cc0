"""Commits by the real client: what it adds, copies and deletes, and what the hub refuses."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from hub_core.authz import Visibility
from hub_core.repos.kinds import RepoKind
from tests.common.factories import actor_for
from tests.common.git_client import git
from tests.common.hf_hub import HfHub
from tests.common.hf_write import new_repo, owner, sound_clone

pytestmark = pytest.mark.clients
POINTER = "version https://git-lfs"


@pytest.fixture(autouse=True)
def _without_xet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


def read(hub: HfHub, repo_id: str, path: str, revision: str = "") -> bytes:
    repo = hub.services.repos.find(actor_for(hub.ann), repo_id)
    reader = hub.services.files.reader(actor_for(hub.ann), repo, path, revision)
    return reader.read(0, reader.size)


def test_files_go_up_from_bytes_a_path_and_a_file_object(hub: HfHub, tmp_path: Path) -> None:
    repo_id, api, large = new_repo(hub), hub.api(), os.urandom(9 << 20)
    (tmp_path / "w.bin").write_bytes(large)
    made = api.upload_file(
        path_or_fileobj=b"one", path_in_repo="a/é 日本.txt", repo_id=repo_id, commit_message="Add one", commit_description="Why"
    )
    assert made.commit_url == f"{hub.url}/{repo_id}/commit/{made.oid}"
    assert api.list_repo_commits(repo_id)[0].title == "Add one"
    assert api.list_repo_commits(repo_id)[0].message == "Why"
    api.upload_file(path_or_fileobj=tmp_path / "w.bin", path_in_repo="w.bin", repo_id=repo_id)
    with (tmp_path / "w.bin").open("rb") as file:
        api.upload_file(path_or_fileobj=file, path_in_repo="copies/w.txt", repo_id=repo_id)
    api.upload_file(path_or_fileobj=io.BytesIO(b""), path_in_repo="empty.bin", repo_id=repo_id)
    assert read(hub, repo_id, "a/é 日本.txt") == b"one"
    clone = sound_clone(hub, repo_id, tmp_path / "clone")
    assert (clone / "w.bin").read_bytes() == (clone / "copies/w.txt").read_bytes() == large
    assert (clone / "empty.bin").read_bytes() == b""
    assert git(clone, "status", "--porcelain").stdout == ""


@pytest.mark.parametrize("repo_type", ["dataset", "space"])
def test_other_types_of_repo_take_files_too(hub: HfHub, repo_type: str) -> None:
    api = hub.api()
    repo_id = api.create_repo(f"ann/typed-{repo_type}", repo_type=repo_type, space_sdk="static" if repo_type == "space" else None).repo_id
    made = api.upload_file(path_or_fileobj=b"{}", path_in_repo="x.json", repo_id=repo_id, repo_type=repo_type)
    assert made.commit_url == f"{hub.url}/{repo_type}s/{repo_id}/commit/{made.oid}"
    assert made.repo_url.repo_type == repo_type


def test_one_commit_adds_copies_and_deletes(hub: HfHub, tmp_path: Path) -> None:
    repo_id, api = new_repo(hub), hub.api()
    files = {"large.bin": b"large", "small.txt": b"small", "old/a.txt": b"a", "old/deep/b.txt": b"b", "gone.txt": b"gone", "swap": b"file"}
    api.create_commit(repo_id, [add(path, data) for path, data in files.items()], commit_message="add")
    operations = [
        CommitOperationCopy("large.bin", "copies/large.bin"),
        CommitOperationCopy("small.txt", "copies/small.txt"),
        CommitOperationDelete("old/"),
        CommitOperationDelete("gone.txt"),
        CommitOperationDelete("swap"),
        add("swap/inside.txt", b"folder"),
        add("small.txt", b"changed"),
    ]
    made = api.create_commit(repo_id, operations, commit_message="change")
    assert api.list_repo_files(repo_id, revision=made.oid) == [
        ".gitattributes", "copies/large.bin", "copies/small.txt", "large.bin", "small.txt", "swap/inside.txt",
    ]  # fmt: skip
    assert (read(hub, repo_id, "copies/large.bin"), read(hub, repo_id, "copies/small.txt"), read(hub, repo_id, "small.txt")) == (
        b"large", b"small", b"changed",
    )  # fmt: skip
    sound_clone(hub, repo_id, tmp_path / "clone")


def test_deleting_what_is_not_there_is_explained(hub: HfHub) -> None:
    repo_id, api = new_repo(hub), hub.api()
    api.upload_file(path_or_fileobj=b"1", path_in_repo="folder/a.txt", repo_id=repo_id)
    for operation in (CommitOperationDelete("absent.txt"), CommitOperationDelete("folder"), CommitOperationDelete("absent/")):
        with pytest.raises(EntryNotFoundError, match="differentiate file and folder"):
            api.create_commit(repo_id, [operation], commit_message="delete")
    api.delete_folder("folder", repo_id=repo_id)
    assert api.list_repo_files(repo_id) == [".gitattributes"]


def test_a_commit_without_a_change_is_the_head(hub: HfHub) -> None:
    repo_id, api = new_repo(hub), hub.api()
    made = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo_id)
    assert api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo_id).oid == made.oid
    status, answer = raw_commit(hub, repo_id, {"path": "a.txt", "content": "MQ==", "encoding": "base64"})
    assert (status, answer["commitOid"]) == (200, made.oid)
    assert len(api.list_repo_commits(repo_id)) == 2


def test_a_stale_parent_is_refused_and_an_abbreviated_one_taken(hub: HfHub) -> None:
    repo_id, api = new_repo(hub), hub.api()
    first = api.repo_info(repo_id).sha
    made = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo_id, parent_commit=first)
    with pytest.raises(HfHubHTTPError) as refused:
        api.upload_file(path_or_fileobj=b"2", path_in_repo="a.txt", repo_id=repo_id, parent_commit=first)
    assert refused.value.response.status_code == 412
    api.upload_file(path_or_fileobj=b"3", path_in_repo="a.txt", repo_id=repo_id, parent_commit=made.oid[:7])
    assert read(hub, repo_id, "a.txt") == b"3"


def test_no_concurrent_commit_is_lost(hub: HfHub, tmp_path: Path) -> None:
    repo_id, made = new_repo(hub), []

    def upload(number: int) -> None:
        made.append(hub.api().upload_file(path_or_fileobj=str(number).encode(), path_in_repo=f"{number}.txt", repo_id=repo_id).oid)

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8
    assert {commit.commit_id for commit in hub.api().list_repo_commits(repo_id)} >= set(made)
    assert len(hub.api().list_repo_files(repo_id)) == 9
    sound_clone(hub, repo_id, tmp_path / "clone")


def test_a_readme_is_checked_before_it_goes_up(hub: HfHub) -> None:
    repo_id, api = new_repo(hub), hub.api()
    with pytest.raises(ValueError, match=r"not valid YAML \(line 3\)"):
        api.upload_file(path_or_fileobj=b"---\ntags: [a\n---\n", path_in_repo="README.md", repo_id=repo_id)
    with pytest.warns(UserWarning, match="no metadata"):
        api.upload_file(path_or_fileobj=b"# Title\n", path_in_repo="README.md", repo_id=repo_id)
    api.upload_file(path_or_fileobj=b"---\nlicense: mit\ntags: [x]\n---\n", path_in_repo="README.md", repo_id=repo_id)
    assert hub.services.repos.get(actor_for(hub.ann), repo_id).license == "mit"


def test_who_may_not_write_is_told_before_anything_goes_up(hub: HfHub) -> None:
    repo_id = new_repo(hub)
    for token, expected in (("", 401), (hub.ben_token, 403)):
        with pytest.raises(HfHubHTTPError) as refused:
            hub.api(token).upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo_id)
        assert refused.value.response.status_code == expected
        assert "/preupload/" in str(refused.value.response.url)
    owner(hub).update_repo_settings(repo_id, private=True)
    for token in ("", hub.ben_token):
        with pytest.raises(RepositoryNotFoundError):
            hub.api(token).upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo_id)
    with pytest.raises(RevisionNotFoundError):
        hub.api().upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo_id, revision="absent")
    for path in (".git/config", "a//b", "x\x00y", "a/" + "b" * 2000):
        status, _ = raw_commit(hub, repo_id, {"path": path, "content": "MQ==", "encoding": "base64"})
        assert status == 400


def test_an_object_that_only_somebody_else_holds_is_not_accepted(hub: HfHub) -> None:
    repo_id, secret = new_repo(hub), b"weights of a private model"
    hidden = hub.services.repos.create(actor_for(hub.ben), "ben/hidden", RepoKind.MODEL, Visibility.PRIVATE)
    hub.services.lfs.store(hidden.repo_id, [secret])
    stolen = {"path": "x.bin", "algo": "sha256", "oid": hashlib.sha256(secret).hexdigest(), "size": len(secret)}
    status, answer = raw_commit(hub, repo_id, stolen, key="lfsFile")
    assert status == 404
    assert "was not uploaded" in answer["error"]
    shown = new_repo(hub)
    hub.api().upload_file(path_or_fileobj=io.BytesIO(b"shared"), path_in_repo="y.bin", repo_id=shown)
    copied = {"path": "y.bin", "algo": "sha256", "oid": hashlib.sha256(b"shared").hexdigest()}
    assert raw_commit(hub, repo_id, copied, key="lfsFile")[0] == 200
    assert raw_commit(hub, repo_id, {**copied, "path": "z.bin", "size": 7}, key="lfsFile")[0] == 400
    assert read(hub, repo_id, "y.bin") == b"shared"


def raw_commit(hub: HfHub, repo_id: str, value: dict[str, Any], *, key: str = "file", **headers: str) -> tuple[int, dict[str, Any]]:
    lines = [{"key": "header", "value": {"summary": "raw", "description": ""}}, {"key": key, "value": value}]
    return send(hub, repo_id, "\n\n".join(json.dumps(line) for line in lines).encode(), **headers)


def send(hub: HfHub, repo_id: str, body: bytes, *, token: str | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
    token = hub.ann_token if token is None else token
    headers = {"Content-Type": "application/x-ndjson", **({"Authorization": f"Bearer {token}"} if token else {}), **headers}
    answer = httpx.post(f"{hub.url}/api/models/{repo_id}/commit/main", content=body, headers=headers, timeout=120)
    return answer.status_code, answer.json()


HEADER = b'{"key":"header","value":{"summary":"x"}}\n'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"key":"file","value":{"path":"a","content":""}}',
        HEADER + b"{",
        HEADER + b'{"key":"file"}',
        HEADER + b'{"key":"file","value":{"content":"MQ=="}}',
        HEADER + b'{"key":"file","value":{"path":"a","content":"M","encoding":"base64"}}',
        HEADER + b'{"key":"file","value":{"path":"a","content":"x","encoding":"rot13"}}',
        HEADER + b'{"key":"lfsFile","value":{"path":"a","algo":"md5","oid":"00"}}',
        HEADER + b'{"key":"lfsFile","value":{"path":"a","algo":"sha256","oid":"' + b"0" * 64 + b'","size":"1"}}',
        HEADER + b'{"key":"chmod","value":{"path":"a"}}',
        b'{"key":"header","value":{"summary":" "}}\n{"key":"file","value":{"path":"a","content":"MQ=="}}',
    ],
)
def test_a_broken_body_is_refused_with_the_reason(hub: HfHub, body: bytes) -> None:
    repo_id = new_repo(hub)
    status, answer = send(hub, repo_id, body)
    assert status == 400
    assert answer["error"]
    assert len(hub.api().list_repo_commits(repo_id)) == 1


def test_a_large_compressed_body_of_many_files_is_one_commit(hub: HfHub) -> None:
    repo_id, data = new_repo(hub), base64.b64encode(os.urandom(30_000)).decode()
    lines = [json.dumps({"key": "file", "value": {"path": f"{n % 7}/{n}.txt", "content": data, "encoding": "base64"}}) for n in range(600)]
    body = gzip.compress(HEADER + "\n".join(lines).encode(), 1)
    assert send(hub, repo_id, body, **{"Content-Encoding": "gzip"})[0] == 200
    assert len(hub.api().list_repo_files(repo_id)) == 601
    status, _ = send(hub, repo_id, HEADER * 60_000, token="")
    assert status == 401


def test_a_file_that_belongs_in_lfs_is_not_taken_at_any_size(hub: HfHub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo_id, content = new_repo(hub), base64.b64encode(os.urandom(9 << 20)).decode()
    # Sent against advice, it is put where it belongs.
    assert raw_commit(hub, repo_id, {"path": "large.txt", "content": content, "encoding": "base64"})[0] == 200
    assert read(hub, repo_id, "large.txt") == base64.b64decode(content)
    assert b"/large.txt filter=lfs" in read(hub, repo_id, ".gitattributes")
    monkeypatch.setattr("hub_core.http.huggingface.commit.MAX_LINE", 12 << 20)
    status, answer = raw_commit(hub, repo_id, {"path": "larger.txt", "content": content, "encoding": "base64"})
    assert (status, "LFS or Xet" in answer["error"]) == (413, True)


def test_folders_go_up_with_patterns_and_ignored_files(hub: HfHub, tmp_path: Path) -> None:
    repo_id, api, folder = new_repo(hub), hub.api(), tmp_path / "folder"
    for path in ("a.txt", "sub/b.json", "sub/w.bin", "skip/c.txt", "x.log", "logs/y.txt"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    (folder / ".gitignore").write_text("*.log\nlogs/\n")
    api.upload_file(path_or_fileobj=b"old", path_in_repo="old/data.csv", repo_id=repo_id)
    api.upload_file(path_or_fileobj=b"old", path_in_repo="kept.md", repo_id=repo_id)
    api.upload_folder(repo_id=repo_id, folder_path=folder, ignore_patterns="skip/*", delete_patterns="old/*")
    expected = [".gitattributes", ".gitignore", "a.txt", "kept.md", "sub/b.json", "sub/w.bin"]
    assert api.list_repo_files(repo_id) == expected
    commits = len(api.list_repo_commits(repo_id))
    # Ignored by what the repo has by now, and unchanged otherwise: nothing to do.
    api.upload_folder(repo_id=repo_id, folder_path=folder, allow_patterns=["*.txt", "*.log"], ignore_patterns="skip/*")
    assert (api.list_repo_files(repo_id), len(api.list_repo_commits(repo_id))) == (expected, commits)
    api.upload_folder(repo_id=repo_id, folder_path=folder / "sub", path_in_repo="elsewhere")
    assert read(hub, repo_id, "elsewhere/w.bin") == b"sub/w.bin"
    sound_clone(hub, repo_id, tmp_path / "clone")


def test_files_sent_before_the_commit(hub: HfHub) -> None:
    repo_id, api = new_repo(hub), hub.api()
    additions = [CommitOperationAdd(f"{n}.bin", os.urandom(1000)) for n in range(5)]
    expected = {item.path_in_repo: item.path_or_fileobj for item in additions}
    api.preupload_lfs_files(repo_id, additions)
    assert api.list_repo_files(repo_id) == [".gitattributes"]
    api.create_commit(repo_id, additions, commit_message="now")
    assert {path: read(hub, repo_id, path) for path in expected} == expected


def test_the_same_under_the_other_prefix(hub: HfHub) -> None:
    api: HfApi = hub.api(prefix="/hf")
    made = api.create_repo("ann/under-hf", exist_ok=True)
    assert str(made) == f"{hub.url}/hf/ann/under-hf"
    assert api.create_repo("ann/under-hf", exist_ok=True) == made
    done = api.upload_file(path_or_fileobj=io.BytesIO(b"large"), path_in_repo="a.bin", repo_id="ann/under-hf")
    assert done.commit_url.startswith(f"{hub.url}/hf/ann/under-hf/commit/")
    assert read(hub, "ann/under-hf", "a.bin") == b"large"
