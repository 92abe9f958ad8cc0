"""Gated repos: what the real clients get before and after somebody lets them in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import BadRequestError, GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from hub_core.authz import Scope
from hub_core.gating.tables import Gating
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from tests.common.factories import actor_for, make_user
from tests.common.git_client import git
from tests.common.hf_hub import HfHub
from tests.common.hf_write import owner

pytestmark = pytest.mark.clients

WEIGHTS = bytes(range(256)) * 4_000
CARD = b"---\nlicense: llama3\npipeline_tag: text-generation\n---\nAsk before you use it.\n"


def gated_repo(hub: HfHub, gating: Gating = Gating.MANUAL, kind: RepoKind = RepoKind.MODEL) -> Repo:
    """A public repo of Ann's with a card, a small and a large file, and a gate."""
    repo = hub.repo({"README.md": CARD, "config.json": b'{"model_type": "llama"}', "data/train.csv": b"a,b\n1,2\n"}, kind=kind)
    HfApi(endpoint=hub.url, token=hub.ann_token).upload_file(
        path_or_fileobj=WEIGHTS, path_in_repo="model.bin", repo_id=repo.full_name, repo_type=str(kind)
    )
    hub.services.gating.set_gating(actor_for(hub.ann), repo, gating)
    return repo


def person(hub: HfHub) -> tuple[str, HfApi]:
    """Somebody new, and their client."""
    user = make_user(hub.services.db)
    return user.username, hub.api(hub.services.tokens.create(actor_for(user), "laptop", Scope.WRITE).token)


def readings(repo_id: str, folder: Path) -> dict[str, Callable[[HfApi], Any]]:
    """Every way in which the client reads what is in the files of a model."""
    return {
        "hf_hub_download": lambda api: api.hf_hub_download(repo_id, "config.json", cache_dir=folder / "a"),
        "large file": lambda api: api.hf_hub_download(repo_id, "model.bin", cache_dir=folder / "b"),
        "snapshot_download": lambda api: api.snapshot_download(repo_id, cache_dir=folder / "c"),
        "file_exists": lambda api: api.file_exists(repo_id, "config.json"),
        "auth_check": lambda api: api.auth_check(repo_id),
        "duplicate_repo": lambda api: api.duplicate_repo(repo_id, f"{api.whoami()['name']}/copy-of-{repo_id.partition('/')[2]}"),
    }


@pytest.mark.parametrize("way", ["hf_hub_download", "large file", "snapshot_download", "file_exists", "auth_check", "duplicate_repo"])
def test_the_files_are_closed_until_one_is_let_in(hub: HfHub, tmp_path: Path, way: str) -> None:
    repo, (name, api) = gated_repo(hub), person(hub)
    read = readings(repo.full_name, tmp_path)[way]
    with pytest.raises(GatedRepoError) as refused:
        read(api)
    assert refused.value.response.status_code == 403
    assert "Ask for it" in str(refused.value)
    hub.services.gating.let_in(actor_for(hub.ann), repo, name)
    read(api)
    hub.api().auth_check(repo.full_name)


def test_who_is_not_signed_in_hears_that_it_is_gated(hub: HfHub, tmp_path: Path) -> None:
    repo = gated_repo(hub)
    for way, read in readings(repo.full_name, tmp_path).items():
        if way == "duplicate_repo":
            continue  # asks who it is first
        with pytest.raises(GatedRepoError) as refused:
            read(hub.api(""))
        assert refused.value.response.status_code == 401, way
    with pytest.raises(GatedRepoError):
        hf_hub_download(repo.full_name, "config.json", endpoint=hub.url, token=False, cache_dir=tmp_path)
    with pytest.raises(GatedRepoError):
        snapshot_download(repo.full_name, endpoint=hub.url, token=False, cache_dir=tmp_path)


def test_facts_and_names_of_files_are_there_for_everybody(hub: HfHub, tmp_path: Path) -> None:
    repo = gated_repo(hub, Gating.AUTO)
    for api in (hub.api(""), hub.api(hub.ben_token)):
        info = api.model_info(repo.full_name, files_metadata=True)
        assert (info.gated, info.private, info.pipeline_tag) == ("auto", False, "text-generation")
        assert info.card_data is not None
        assert info.card_data["license"] == "llama3"
        assert {"README.md", "config.json", "model.bin"} <= set(api.list_repo_files(repo.full_name))
        assert [entry.path for entry in api.get_paths_info(repo.full_name, ["model.bin"])] == ["model.bin"]
        assert api.list_repo_commits(repo.full_name)
        assert [branch.name for branch in api.list_repo_refs(repo.full_name).branches] == ["main"]
        card = api.hf_hub_download(repo.full_name, "README.md", cache_dir=tmp_path)
        assert Path(card).read_bytes() == CARD


def test_the_card_of_an_old_commit_is_no_way_in(hub: HfHub, tmp_path: Path) -> None:
    repo = gated_repo(hub)
    commit = hub.services.git.resolve(repo.id)
    hub.commit(repo, {"README.md": b"New."})
    with pytest.raises(GatedRepoError):
        hub.api(hub.ben_token).hf_hub_download(repo.full_name, "README.md", revision=commit, cache_dir=tmp_path)


def test_lists_tell_gated_repos_from_others(hub: HfHub) -> None:
    closed, opened = gated_repo(hub, kind=RepoKind.DATASET), hub.repo(kind=RepoKind.DATASET)
    for gated, found in ((True, {closed.full_name}), (False, {opened.full_name}), (None, {closed.full_name, opened.full_name})):
        listed = {item.id: item.gated for item in hub.api().list_datasets(author="ann", gated=gated)}
        assert {closed.full_name, opened.full_name} & set(listed) == found
        assert listed.get(closed.full_name, "manual") == "manual"
        assert listed.get(opened.full_name, False) is False


def test_the_owner_s_client_closes_the_gate_and_opens_it(hub: HfHub, tmp_path: Path) -> None:
    repo = hub.repo({"config.json": b"{}"})
    api, ben = owner(hub), hub.api(hub.ben_token)
    for gated in ("manual", "auto"):
        api.update_repo_settings(repo.full_name, gated=gated)  # type: ignore[arg-type]
        assert api.model_info(repo.full_name).gated == gated
        with pytest.raises(GatedRepoError):
            ben.hf_hub_download(repo.full_name, "config.json", cache_dir=tmp_path)
    with pytest.raises(HfHubHTTPError) as refused:
        ben.update_repo_settings(repo.full_name, gated=False)
    assert refused.value.response.status_code == 403
    api.update_repo_settings(repo.full_name, gated=False, visibility="public")
    assert api.model_info(repo.full_name).gated is False
    ben.hf_hub_download(repo.full_name, "config.json", cache_dir=tmp_path)


def ask(hub: HfHub, repo_id: str, api: HfApi, **fields: str) -> httpx.Response:
    """What the form of a gated repo sends."""
    return httpx.post(f"{hub.url}/{repo_id}/ask-access", headers={"Authorization": f"Bearer {api.token}"}, data=fields)


def test_requests_are_listed_and_decided(hub: HfHub, tmp_path: Path) -> None:
    repo, api = gated_repo(hub), owner(hub)
    (name, asking), (other, _) = person(hub), person(hub)
    answer = ask(hub, repo.full_name, asking, reason="A thesis", country="Iceland")
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    (pending,) = api.list_pending_access_requests(repo.full_name)
    assert (pending.username, pending.status, pending.fields) == (name, "pending", {"reason": "A thesis", "country": "Iceland"})
    assert pending.email is None
    api.accept_access_request(repo.full_name, name)
    asking.hf_hub_download(repo.full_name, "model.bin", cache_dir=tmp_path)
    assert [item.username for item in api.list_accepted_access_requests(repo.full_name)] == [name]
    api.cancel_access_request(repo.full_name, request_id=pending.request_id)
    assert [item.username for item in api.list_pending_access_requests(repo.full_name)] == [name]
    with pytest.raises(GatedRepoError, match="waits for an answer"):
        asking.hf_hub_download(repo.full_name, "config.json", cache_dir=tmp_path)
    api.reject_access_request(repo.full_name, name, rejection_reason="Not this year.")
    assert [item.username for item in api.list_rejected_access_requests(repo.full_name)] == [name]
    with pytest.raises(GatedRepoError, match="was rejected"):
        asking.hf_hub_download(repo.full_name, "config.json", cache_dir=tmp_path)
    assert ask(hub, repo.full_name, asking).status_code == 403
    api.grant_access(repo.full_name, other)
    assert [item.username for item in api.list_accepted_access_requests(repo.full_name)] == [other]


def test_who_asks_at_an_automatic_gate_is_in(hub: HfHub, tmp_path: Path) -> None:
    repo, (_, api) = gated_repo(hub, Gating.AUTO), person(hub)
    assert ask(hub, repo.full_name, api).json()["status"] == "accepted"
    assert Path(api.hf_hub_download(repo.full_name, "model.bin", cache_dir=tmp_path)).read_bytes() == WEIGHTS


def test_what_cannot_be_decided_is_refused_as_the_client_says(hub: HfHub) -> None:
    repo, open_repo, api = gated_repo(hub), hub.repo(), owner(hub)
    name, asking = person(hub)
    with pytest.raises(HfHubHTTPError) as unknown:
        api.accept_access_request(repo.full_name, name)
    assert unknown.value.response.status_code == 404
    with pytest.raises(HfHubHTTPError) as nobody:
        api.grant_access(repo.full_name, "nobody-of-that-name")
    assert nobody.value.response.status_code == 404
    api.grant_access(repo.full_name, name)
    with pytest.raises(BadRequestError):
        api.grant_access(repo.full_name, name)
    with pytest.raises(HfHubHTTPError) as again:
        api.accept_access_request(repo.full_name, name)
    assert again.value.response.status_code == 404
    for act in (
        lambda: list(api.list_pending_access_requests(open_repo.full_name)),
        lambda: api.grant_access(open_repo.full_name, name),
        lambda: api.accept_access_request(open_repo.full_name, name),
    ):
        with pytest.raises(BadRequestError, match="is not gated"):
            act()
    for act in (lambda: list(asking.list_pending_access_requests(repo.full_name)), lambda: asking.grant_access(repo.full_name, name)):
        with pytest.raises(HfHubHTTPError) as refused:
            act()
        assert refused.value.response.status_code == 403
    assert ask(hub, open_repo.full_name, asking).status_code == 400
    assert httpx.post(f"{hub.url}/{repo.full_name}/ask-access").status_code == 401


def test_a_gated_repo_that_is_private_is_not_there(hub: HfHub, tmp_path: Path) -> None:
    repo = gated_repo(hub)
    name, api = person(hub)
    hub.services.gating.let_in(actor_for(hub.ann), repo, name)
    owner(hub).update_repo_settings(repo.full_name, private=True)
    with pytest.raises(RepositoryNotFoundError) as refused:
        api.hf_hub_download(repo.full_name, "config.json", cache_dir=tmp_path)
    assert not isinstance(refused.value, GatedRepoError)
    assert ask(hub, repo.full_name, api).status_code == 404


def test_a_large_file_cannot_be_had_by_its_hash(hub: HfHub) -> None:
    """Names and hashes of a gated repo are open; its bytes must not come along in a commit that only says the hash."""
    repo, (name, api) = gated_repo(hub), person(hub)
    (entry,) = api.get_paths_info(repo.full_name, ["model.bin"])
    assert entry.lfs is not None  # type: ignore[union-attr]
    own = api.create_repo(f"{name}/mine", private=True).repo_id
    line = {"key": "lfsFile", "value": {"path": "model.bin", "algo": "sha256", "oid": entry.lfs.sha256, "size": entry.lfs.size}}  # type: ignore[union-attr]
    header = {"key": "header", "value": {"summary": "take it"}}
    headers = {"Authorization": f"Bearer {api.token}"}
    body = "\n".join(json.dumps(part) for part in (header, line))
    url = f"{hub.url}/api/models/{own}/commit/main"
    assert httpx.post(url, headers=headers, content=body).status_code == 404
    hub.services.gating.let_in(actor_for(hub.ann), repo, name)
    assert httpx.post(url, headers=headers, content=body).status_code == 200


def test_the_copy_of_who_was_let_in_is_private_and_gated(hub: HfHub) -> None:
    repo, (name, api) = gated_repo(hub), person(hub)
    hub.services.gating.let_in(actor_for(hub.ann), repo, name)
    made = api.duplicate_repo(repo.full_name, f"{name}/copy")
    info = api.model_info(made.repo_id)
    assert (info.private, info.gated) == (True, "manual")


def test_git_asks_for_a_password_and_then_says_what_is_missing(hub: HfHub, work: Path) -> None:
    repo, (name, api) = gated_repo(hub), person(hub)
    nobody = git(work, "clone", f"{hub.url}/{repo.full_name}.git", "a", check=False)
    assert nobody.returncode
    assert "could not read Username" in nobody.stderr
    signed = hub.url.replace("://", f"://user:{api.token}@")
    refused = git(work, "clone", f"{signed}/{repo.full_name}.git", "b", check=False)
    assert refused.returncode
    assert "403" in refused.stderr
    hub.services.gating.let_in(actor_for(hub.ann), repo, name)
    git(work, "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false", "clone", "-q", f"{signed}/{repo.full_name}.git", "c")
    clone = work / "c"
    git(clone, "lfs", "install", "--local")
    git(clone, "lfs", "pull")
    assert (clone / "model.bin").read_bytes() == WEIGHTS
    hub.services.gating.decide(actor_for(hub.ann), repo, name, "rejected")  # type: ignore[arg-type]
    assert git(clone, "fetch", check=False).returncode
    (clone / "model.bin").unlink()
    for folder in (clone / ".git/lfs/objects").iterdir():
        shutil.rmtree(folder)
    assert git(clone, "lfs", "fetch", "--all", check=False).returncode


def test_addresses_of_large_files_end_with_the_access(hub: HfHub) -> None:
    repo, (name, api) = gated_repo(hub), person(hub)
    batch = f"{hub.url}/{repo.full_name}.git/info/lfs/objects/batch"
    (entry,) = hub.api().get_paths_info(repo.full_name, ["model.bin"])
    asked = {"operation": "download", "objects": [{"oid": entry.lfs.sha256, "size": entry.lfs.size}]}  # type: ignore[union-attr]
    headers = {"Authorization": f"Bearer {api.token}"}
    assert httpx.post(batch, json=asked).status_code == 401
    assert httpx.post(batch, json=asked, headers=headers).status_code == 403
    hub.services.gating.let_in(actor_for(hub.ann), repo, name)
    action = httpx.post(batch, json=asked, headers=headers).json()["objects"][0]["actions"]["download"]
    assert httpx.get(action["href"]).content == WEIGHTS
    hub.services.gating.decide(actor_for(hub.ann), repo, name, "rejected")  # type: ignore[arg-type]
    if action["href"].startswith(hub.url):
        assert httpx.get(action["href"]).status_code == 403


def test_members_and_collaborators_need_not_ask(hub: HfHub, tmp_path: Path) -> None:
    repo, (name, api) = gated_repo(hub), person(hub)
    hub.services.access.grant(actor_for(hub.ann), repo, name, "read")  # type: ignore[arg-type]
    api.hf_hub_download(repo.full_name, "model.bin", cache_dir=tmp_path)
    hub.api().create_commit(repo.full_name, [CommitOperationAdd("new.txt", b"new")], commit_message="Add")
    hub.api().hf_hub_download(repo.full_name, "new.txt", cache_dir=tmp_path)
