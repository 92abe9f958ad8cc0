"""What the real clients hear where a quota is reached: git, git-lfs, and the Hugging Face client in each of its ways."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from hub_core.quotas import GIB
from hub_core.settings import Settings
from tests.common.factories import actor_for
from tests.common.git_client import commit_file, git
from tests.common.hf_hub import HfHub, hf_hub

pytestmark = pytest.mark.clients
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[HfHub]:
    """A hub whose repos may take 2 MiB each."""
    folder = tmp_path_factory.mktemp("quota")
    shutil.copyfile(sqlite_template, folder / "hub.db")
    settings = Settings(data_dir=folder, database_url=f"sqlite:///{folder / 'hub.db'}", demo=False)
    with hf_hub(replace(settings, repo_quota_gb=2 * MIB / GIB)) as served:
        yield served


def clone_of(hub: HfHub, name: str, work: Path) -> Path:
    git(work, "clone", "-q", hub.url.replace("://", f"://user:{hub.ann_token}@") + f"/{name}.git", "clone")
    git(work / "clone", "lfs", "install", "--local")
    return work / "clone"


def test_git_says_why_a_push_was_refused(hub: HfHub, work: Path) -> None:
    repo = hub.repo()
    clone = clone_of(hub, repo.full_name, work)
    commit_file(clone, "fits.txt", os.urandom(MIB).hex()[: MIB // 2])
    git(clone, "push", "-q", "origin", "HEAD")
    head = hub.services.git.resolve(repo.id)
    commit_file(clone, "more.txt", os.urandom(3 * MIB))
    refused = git(clone, "push", "-q", "origin", "HEAD", check=False)
    assert refused.returncode
    assert f"The repo {repo.full_name} may take 2 MiB and has" in refused.stderr
    assert "ask an administrator of the hub for more room" in refused.stderr
    assert hub.services.git.resolve(repo.id) == head
    git(clone, "push", "-q", "origin", "HEAD~1:refs/heads/other")
    git(clone, "push", "-q", "origin", ":refs/heads/other")


def test_git_lfs_says_so_before_it_sends_anything(hub: HfHub, work: Path) -> None:
    repo = hub.repo()
    clone = clone_of(hub, repo.full_name, work)
    git(clone, "lfs", "track", "*.bin")
    commit_file(clone, "a.bin", os.urandom(MIB))
    git(clone, "push", "-q", "origin", "HEAD")
    commit_file(clone, "b.bin", os.urandom(2 * MIB))
    refused = git(clone, "push", "-q", "origin", "HEAD", check=False)
    assert refused.returncode
    assert "may take 2 MiB" in refused.stderr
    assert "there is no room for 2 MiB more" in refused.stderr
    assert list(hub.services.blobs.staging.glob("lfs-*")) == []


@pytest.mark.parametrize("way", ["commit", "lfs", "xet"])
def test_the_hugging_face_client_says_why(hub: HfHub, way: str) -> None:
    repo = hub.repo()
    api: HfApi = hub.api()
    data = os.urandom(3 * MIB)
    given = {"commit": ("notes.txt", data), "lfs": ("model.bin", io.BytesIO(data)), "xet": ("model.bin", data)}[way]
    with pytest.raises((HfHubHTTPError, ValueError, RuntimeError, ConnectionError, OSError)) as refused:
        api.upload_file(path_in_repo=given[0], path_or_fileobj=given[1], repo_id=repo.full_name)
    assert "may take 2 MiB" in str(refused.value) or "413" in str(refused.value)
    if way != "xet":
        assert "may take 2 MiB" in str(refused.value)
    assert set(api.list_repo_files(repo.full_name)) == {".gitattributes"}
    api.upload_file(path_in_repo=given[0], path_or_fileobj=data[:MIB], repo_id=repo.full_name)


def test_owners_see_how_full_their_repos_are(hub: HfHub) -> None:
    repo = hub.repo({"a.txt": os.urandom(MIB)})
    found = httpx.get(f"{hub.url}/api/settings/repositories", headers={"Authorization": f"Bearer {hub.ann_token}"}).json()
    (item,) = [item for item in found if item["id"] == repo.full_name]
    assert MIB < item["storage"] < MIB + 100_000
    assert item["storagePercent"] == 50
    hub.services.repos.delete(actor_for(hub.ann), repo)
