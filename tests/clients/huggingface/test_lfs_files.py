"""Large files as stored things: copied between repos, listed, and not taken from under commits. With the real client."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationCopy, hf_hub_download
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError

from hub_core.authz import SYSTEM, Role, Visibility
from hub_core.repos.kinds import RepoKind
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub
from tests.common.hf_write import new_repo, owner

pytestmark = pytest.mark.clients


def upload(hub: HfHub, repo_id: str, data: bytes, path: str = "model.safetensors") -> str:
    """Ann uploads a large file; returns its id."""
    hub.api().upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=repo_id)
    return hashlib.sha256(data).hexdigest()


def duplicate(hub: HfHub, source: str, into: str, oid: str, token: str | None = None, **body: Any) -> httpx.Response:
    given = {"target": {"type": "model", "name": into}, "files": [{"sha256": oid, "xetHash": "0" * 64, "filename": "x"}], **body}
    headers = {"authorization": f"Bearer {token or hub.ann_token}"}
    return httpx.post(f"{hub.url}/api/models/{source}/lfs-files/duplicate", json=given, headers=headers)


def test_files_are_copied_from_another_repo(hub: HfHub, tmp_path: Path) -> None:
    source, target, data = new_repo(hub), hub.repo(kind=RepoKind.DATASET).full_name, os.urandom(300_000)
    upload(hub, source, data, "weights/model.safetensors")
    hub.api().upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id=source)
    operations = [
        CommitOperationCopy("weights/model.safetensors", "model.safetensors", src_repo_id=source, src_repo_type="model"),
        CommitOperationCopy("config.json", "config.json", src_repo_id=source, src_repo_type="model"),
    ]
    hub.api().create_commit(target, operations, commit_message="Take over", repo_type="dataset")
    got = hf_hub_download(target, "model.safetensors", repo_type="dataset", endpoint=hub.url, cache_dir=tmp_path, token=False)
    assert Path(got).read_bytes() == data
    assert "config.json" in hub.api().list_repo_files(target, repo_type="dataset")
    # The copy holds the file by itself.
    owner(hub).delete_repo(source)
    assert httpx.get(f"{hub.url}/datasets/{target}/resolve/main/model.safetensors", follow_redirects=True).content == data


def test_only_who_reads_the_source_and_writes_the_target_copies(hub: HfHub) -> None:
    hidden, open_ = hub.repo(visibility=Visibility.PRIVATE).full_name, new_repo(hub)
    oid = upload(hub, hidden, b"a" * 200_000)
    theirs = hub.api(hub.ben_token).create_repo(f"ben/target-{next(hub.numbers)}", private=False).repo_id
    assert duplicate(hub, hidden, theirs, oid, hub.ben_token).status_code == 404
    assert duplicate(hub, hidden, theirs, oid).status_code == 403  # Ann reads the one, and may not write the other
    assert duplicate(hub, hidden, "ben/absent", oid).status_code == 404
    assert duplicate(hub, open_, theirs, oid, hub.ben_token).json()["failed"][0]["sha256"] == oid
    assert hub.services.lfs.has(hub.services.repos.find(SYSTEM, f"model:{theirs}").id, oid) is None
    assert duplicate(hub, hidden, open_, oid).json() == {"success": True, "failed": []}
    assert duplicate(hub, open_, theirs, oid, hub.ben_token).json()["success"]


def test_the_files_of_a_gated_repo_are_copied_by_those_who_were_let_in(hub: HfHub) -> None:
    source = hub.repo()
    oid = upload(hub, source.full_name, b"gated" * 50_000)
    owner(hub).update_repo_settings(source.full_name, gated="manual")
    theirs = hub.api(hub.ben_token).create_repo(f"ben/target-{next(hub.numbers)}").repo_id
    assert duplicate(hub, source.full_name, theirs, oid, hub.ben_token).status_code == 403
    hub.services.access.grant(actor_for(hub.ann), source, "ben", Role.READ)
    assert duplicate(hub, source.full_name, theirs, oid, hub.ben_token).json()["success"]


@pytest.mark.parametrize(
    "wrong",
    [{"target": None}, {"target": {"type": "paper", "name": "a/b"}}, {"target": {"type": "model", "name": "a b"}}, {"files": None}, {"files": [{}]}, {"files": ["x"]}],
)  # fmt: skip
def test_a_malformed_copy_is_refused(hub: HfHub, wrong: dict[str, Any]) -> None:
    repo_id = new_repo(hub)
    assert duplicate(hub, repo_id, repo_id, "0" * 64, **wrong).status_code == 400


def test_all_large_files_are_listed_also_those_of_old_commits(hub: HfHub) -> None:
    repo_id = new_repo(hub)
    old, new = upload(hub, repo_id, b"old" * 50_000), upload(hub, repo_id, b"new" * 60_000)
    hub.api().create_branch(repo_id, branch="dev")
    hub.api().upload_file(path_or_fileobj=b"dev" * 70_000, path_in_repo="dev.bin", repo_id=repo_id, revision="dev")
    found = {item.oid: item for item in hub.api().list_lfs_files(repo_id)}
    assert len(found) == 3
    assert (found[new].filename, found[new].ref, found[new].size, found[new].file_oid) == (
        "model.safetensors",
        "refs/heads/main",
        180_000,
        new,
    )
    assert (found[old].filename, found[old].ref) == ("", None)
    assert {(item.filename, item.ref) for item in found.values()} >= {("dev.bin", "refs/heads/dev")}
    headers = {"authorization": f"Bearer {hub.ann_token}"}
    page = httpx.get(f"{hub.url}/api/models/{repo_id}/lfs-files?limit=2", headers=headers)
    rest = httpx.get(page.links["next"]["url"], headers=headers)
    assert {item["oid"] for item in page.json() + rest.json()} == set(found)
    assert httpx.get(f"{hub.url}/api/models/{repo_id}/lfs-files?cursor=x", headers=headers).status_code == 400
    with pytest.raises(HfHubHTTPError) as refused:
        list(hub.api(hub.ben_token).list_lfs_files(repo_id))
    assert refused.value.response.status_code == 403


def test_what_commits_name_is_not_removed(hub: HfHub) -> None:
    repo_id = hub.repo(visibility=Visibility.PRIVATE).full_name
    oid = upload(hub, repo_id, b"kept" * 50_000)
    api = owner(hub)
    files = list(api.list_lfs_files(repo_id))
    with pytest.raises(BadRequestError) as refused:
        api.permanently_delete_lfs_files(repo_id, files)
    assert "super_squash_history" in str(refused.value)
    with pytest.raises(RepositoryNotFoundError):
        hub.api(hub.ben_token).permanently_delete_lfs_files(repo_id, files)
    assert [item.oid for item in api.list_lfs_files(repo_id)] == [oid]
