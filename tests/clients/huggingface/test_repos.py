"""Repos as things: made, changed, copied, moved and removed by the real client."""

from __future__ import annotations

import pytest
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from hub_core.authz import Visibility
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub
from tests.common.hf_write import new_repo, owner

pytestmark = pytest.mark.clients


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return int(error.value.response.status_code)


@pytest.mark.parametrize(("repo_type", "prefix"), [(None, ""), ("model", ""), ("dataset", "datasets/"), ("space", "spaces/")])
def test_a_repo_of_each_type_is_made_and_has_a_first_commit(hub: HfHub, repo_type: str | None, prefix: str) -> None:
    name = f"first-{repo_type}"
    sdk = "gradio" if repo_type == "space" else None
    made = hub.api().create_repo(name, repo_type=repo_type, space_sdk=sdk, private=True)
    assert (str(made), made.repo_id) == (f"{hub.url}/{prefix}ann/{name}", f"ann/{name}")
    view = hub.services.repos.get(actor_for(hub.ann), f"{repo_type or 'model'}:ann/{name}")
    assert view.visibility == "private"
    assert view.head
    assert view.card.get("front_matter", {}) in ({}, {"sdk": "gradio"})


def test_a_repo_that_exists_is_taken_with_exist_ok_and_refused_without(hub: HfHub) -> None:
    repo_id = new_repo(hub)
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api().create_repo(repo_id)
    assert status(refused) == 409
    assert hub.api().create_repo(repo_id, exist_ok=True).repo_id == repo_id
    # Names differ in letters only, and a model and a dataset may share one.
    assert hub.api().create_repo(repo_id.upper().replace("ANN/", "ann/"), exist_ok=True).repo_id.lower() == repo_id
    assert hub.api().create_repo(repo_id, repo_type="dataset").repo_type == "dataset"


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "private"), ({"private": False}, "public"), ({"private": True}, "private"), ({"visibility": "private"}, "private")],
)
def test_who_sees_a_new_repo(hub: HfHub, given: dict[str, bool], expected: str) -> None:
    name = f"ann/seen-{expected}-{'-'.join(given) or 'default'}"
    hub.api().create_repo(name, **given)  # type: ignore[arg-type]
    assert hub.services.repos.get(actor_for(hub.ann), name).visibility == expected


def test_repos_are_made_where_one_may_and_nowhere_else(hub: HfHub) -> None:
    assert hub.api().create_repo("lab/shared").repo_id == "lab/shared"
    for api in (hub.api(hub.ben_token), owner(hub)):
        taken = "ann/mine" if api.token == hub.ben_token else "ben/mine"
        with pytest.raises(HfHubHTTPError) as refused:
            api.create_repo(taken)
        assert status(refused) == 403
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api("").create_repo("ann/unsigned")
    assert status(refused) == 401
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api().create_repo("lab/with-hardware", repo_type="space", space_sdk="docker", space_hardware="cpu-basic")
    assert status(refused) == 400
    assert "hardware" in str(refused.value)


def test_a_deleted_repo_is_gone_and_in_the_trash(hub: HfHub) -> None:
    repo_id = new_repo(hub)
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api().delete_repo(repo_id)  # a token that may write may not delete
    assert status(refused) == 403
    with pytest.raises(RepositoryNotFoundError):
        hub.api("").delete_repo("ann/absent")
    api = owner(hub)
    api.delete_repo(repo_id)
    assert not api.repo_exists(repo_id)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo_id)
    api.delete_repo(repo_id, missing_ok=True)
    assert hub.services.repos.get(actor_for(hub.ann), repo_id, deleted=True).id == repo_id
    assert api.create_repo(repo_id).repo_id == repo_id


def test_an_old_name_leads_to_the_repo_but_does_not_delete_it(hub: HfHub) -> None:
    repo_id, api = new_repo(hub), owner(hub)
    renamed = f"lab/{repo_id.partition('/')[2]}-new"
    api.move_repo(repo_id, renamed)
    assert api.upload_file(path_or_fileobj=b"1", path_in_repo="one.txt", repo_id=repo_id).repo_url.repo_id == renamed
    assert api.file_exists(renamed, "one.txt")
    assert api.file_exists(repo_id, "one.txt")
    assert api.create_repo(renamed, exist_ok=True).repo_id == renamed
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo_id)
    assert api.repo_exists(renamed)
    other = new_repo(hub)
    with pytest.raises(HfHubHTTPError) as refused:
        api.move_repo(other, renamed)
    assert status(refused) == 409
    with pytest.raises(HfHubHTTPError) as refused:
        api.move_repo(other, "ben/theirs")
    assert status(refused) == 403


def test_settings(hub: HfHub) -> None:
    repo_id, api = new_repo(hub), owner(hub)
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api().update_repo_settings(repo_id, private=True)
    assert status(refused) == 403
    api.update_repo_settings(repo_id, private=True)
    assert hub.services.repos.get(actor_for(hub.ann), repo_id).visibility == "private"
    with pytest.raises(RepositoryNotFoundError):
        hub.api(hub.ben_token).update_repo_settings(repo_id, private=False)
    api.update_repo_settings(repo_id, visibility="public", gated=False)
    assert hub.services.repos.get(actor_for(hub.ann), repo_id).visibility == "public"


def test_a_copy_has_the_files_and_the_visibility_that_was_asked_for(hub: HfHub) -> None:
    repo_id = new_repo(hub)
    hub.api().upload_file(path_or_fileobj=b"content", path_in_repo="a.txt", repo_id=repo_id)
    made = hub.api().duplicate_repo(repo_id, f"lab/copy-of-{repo_id[4:]}", private=True)
    assert (made.repo_id, made.files_copy_pending) == (f"lab/copy-of-{repo_id[4:]}", False)
    assert hub.services.repos.get(actor_for(hub.ann), made.repo_id).visibility == Visibility.PRIVATE
    assert hub.api().file_exists(made.repo_id, "a.txt")
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api().duplicate_repo(repo_id, made.repo_id)
    assert status(refused) == 409
    assert hub.api().duplicate_repo(repo_id, made.repo_id, exist_ok=True).repo_id == made.repo_id
    with pytest.raises(RepositoryNotFoundError):
        hub.api(hub.ben_token).duplicate_repo(made.repo_id, "ben/stolen")


def test_auth_check_says_who_may_what(hub: HfHub) -> None:
    repo_id = new_repo(hub)
    hub.api().auth_check(repo_id, write=True)
    hub.api("").auth_check(repo_id)
    hub.api(hub.ben_token).auth_check(repo_id)
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api(hub.ben_token).auth_check(repo_id, write=True)
    assert status(refused) == 403
    owner(hub).update_repo_settings(repo_id, private=True)
    for token in ("", hub.ben_token):
        with pytest.raises(RepositoryNotFoundError):
            hub.api(token).auth_check(repo_id)


def test_unlike_takes_a_like_back(hub: HfHub) -> None:
    repo_id = new_repo(hub)
    repo = hub.services.repos.find(actor_for(hub.ann), repo_id)
    hub.services.social.set_like(actor_for(hub.ben), repo, True)
    hub.api(hub.ben_token).unlike(repo_id)
    hub.api(hub.ben_token).unlike(repo_id)
    assert hub.services.repos.get(actor_for(hub.ann), repo_id).likes == 0
