"""Branches, tags and squashing with the real client."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RevisionNotFoundError

from tests.common.git_client import git
from tests.common.hf_hub import HfHub
from tests.common.hf_write import new_repo, sound_clone

pytestmark = pytest.mark.clients


def test_branches_are_made_listed_committed_to_and_deleted(hub: HfHub) -> None:
    repo_id, api = new_repo(hub), hub.api()
    first = api.repo_info(repo_id).sha
    api.create_branch(repo_id, branch="feat/x")
    made = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo_id, revision="feat/x")
    api.create_branch(repo_id, branch="old", revision=first)
    api.create_branch(repo_id, branch="short", revision=made.oid[:9])
    assert {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).branches} == {
        "main": first, "feat/x": made.oid, "old": first, "short": made.oid,
    }  # fmt: skip
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_branch(repo_id, branch="old")
    assert refused.value.response.status_code == 409
    api.create_branch(repo_id, branch="old", exist_ok=True)
    api.delete_branch(repo_id, branch="feat/x")
    with pytest.raises(RevisionNotFoundError):
        api.delete_branch(repo_id, branch="feat/x")
    with pytest.raises(HfHubHTTPError) as refused:
        api.delete_branch(repo_id, branch="main")
    assert 400 <= refused.value.response.status_code < 500
    with pytest.raises(BadRequestError):
        api.create_branch(repo_id, branch="a..b")
    with pytest.raises(RevisionNotFoundError):
        api.create_branch(repo_id, branch="from-nothing", revision="absent")
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api(hub.ben_token).create_branch(repo_id, branch="theirs")
    assert refused.value.response.status_code == 403
    hub.api(hub.ben_token).create_branch(repo_id, branch="old", exist_ok=True)


def test_tags_with_and_without_a_message(hub: HfHub, tmp_path: Path) -> None:
    repo_id, api = new_repo(hub), hub.api()
    first = api.repo_info(repo_id).sha
    api.create_tag(repo_id, tag="v0.1")
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo_id)
    api.create_tag(repo_id, tag="v0.2/rc", tag_message="The second\n\none", revision="main")
    api.create_tag(repo_id, tag="v0.1", exist_ok=True)
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_tag(repo_id, tag="v0.1")
    assert refused.value.response.status_code == 409
    tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
    assert tags == {"v0.1": first, "v0.2/rc": api.repo_info(repo_id).sha}
    clone = sound_clone(hub, repo_id, tmp_path / "clone")
    assert git(clone, "tag", "-l", "--format=%(objecttype) %(contents:subject)", "v0.2/rc").stdout.strip() == "tag The second"
    api.delete_tag(repo_id, tag="v0.2/rc")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo_id, tag="v0.2/rc")
    with pytest.raises(BadRequestError):
        api.create_tag(repo_id, tag="with space")


def test_a_squashed_branch_keeps_its_files_and_loses_its_history(hub: HfHub, tmp_path: Path) -> None:
    repo_id, api = new_repo(hub), hub.api()
    for number in range(4):
        api.upload_file(path_or_fileobj=str(number).encode(), path_in_repo=f"{number % 3}.txt", repo_id=repo_id)
    before = api.repo_info(repo_id).sha
    api.create_tag(repo_id, tag="before")
    api.super_squash_history(repo_id, commit_message="All in one")
    assert [commit.title for commit in api.list_repo_commits(repo_id)] == ["All in one"]
    assert api.list_repo_files(repo_id) == [".gitattributes", "0.txt", "1.txt", "2.txt"]
    assert len(api.list_repo_commits(repo_id, revision="before")) == 5
    assert api.repo_info(repo_id, revision=before).sha == before
    clone = sound_clone(hub, repo_id, tmp_path / "clone")
    assert (clone / "0.txt").read_text() == "3"
    with pytest.raises(BadRequestError):
        api.super_squash_history(repo_id, branch="before")
    with pytest.raises(RevisionNotFoundError):
        api.super_squash_history(repo_id, branch="absent")
