"""Collections with the real client."""

from __future__ import annotations

import httpx
import pytest
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError

from hub_core.authz import Visibility
from hub_core.repos.kinds import RepoKind
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub
from tests.common.hf_write import owner

pytestmark = pytest.mark.clients


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return int(error.value.response.status_code)


def title(hub: HfHub) -> str:
    return f"Best models {next(hub.numbers)}"


def test_a_collection_is_made_filled_changed_and_deleted(hub: HfHub) -> None:
    api, said = owner(hub), title(hub)
    model, data = hub.repo(), hub.repo(kind=RepoKind.DATASET)
    made = api.create_collection(said, description="For support", private=True)
    assert (made.title, made.description, made.private, made.items, made.owner["name"]) == (said, "For support", True, [], "ann")  # type: ignore[index]
    assert made.slug.startswith("ann/best-models-")
    assert made.url == f"{hub.url}/collections/{made.slug}"
    api.add_collection_item(made.slug, model.full_name, "model", note="The small one")
    filled = api.add_collection_item(made.slug, data.full_name, "dataset")
    assert [(item.item_id, item.item_type, item.note, item.position) for item in filled.items] == [
        (model.full_name, "model", "The small one", 0), (data.full_name, "dataset", None, 1),
    ]  # fmt: skip
    api.update_collection_item(made.slug, filled.items[1].item_object_id, note="Tickets", position=0)
    changed = api.update_collection_metadata(made.slug, title=said + "!", description="Other", theme="green", private=False, position=2)
    assert (changed.title, changed.description, changed.theme, changed.private, changed.position) == (
        said + "!",
        "Other",
        "green",
        False,
        2,
    )
    seen = hub.api("").get_collection(made.slug)
    assert [(item.item_id, item.note) for item in seen.items] == [(data.full_name, "Tickets"), (model.full_name, "The small one")]
    api.delete_collection_item(made.slug, seen.items[0].item_object_id)
    with pytest.raises(HfHubHTTPError) as gone:
        api.delete_collection_item(made.slug, seen.items[0].item_object_id)
    assert status(gone) == 404
    api.delete_collection_item(made.slug, seen.items[0].item_object_id, missing_ok=True)
    assert len(api.get_collection(made.slug).items) == 1
    api.delete_collection(made.slug)
    api.delete_collection(made.slug, missing_ok=True)
    with pytest.raises(HfHubHTTPError) as gone:
        api.get_collection(made.slug)
    assert status(gone) == 404


def test_what_is_there_already_is_a_conflict_that_the_client_can_take(hub: HfHub) -> None:
    api, said, model = hub.api(), title(hub), hub.repo()
    made = api.create_collection(said, namespace="lab", private=True)
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_collection(said, namespace="lab")
    assert status(refused) == 409
    assert api.create_collection(said, namespace="lab", exists_ok=True).slug == made.slug
    api.add_collection_item(made.slug, model.full_name, "model")
    with pytest.raises(HfHubHTTPError) as refused:
        api.add_collection_item(made.slug, model.full_name, "model")
    assert status(refused) == 409
    assert len(api.add_collection_item(made.slug, model.full_name, "model", exists_ok=True).items) == 1


def test_others_see_neither_a_private_collection_nor_a_private_repo_in_a_public_one(hub: HfHub) -> None:
    api, said = owner(hub), title(hub)
    shown, hidden = hub.repo(), hub.repo(visibility=Visibility.PRIVATE)
    closed, open_ = api.create_collection(said, private=True), api.create_collection(said + " open", private=False)
    for slug in (closed.slug, open_.slug):
        for repo in (hidden, shown):
            api.add_collection_item(slug, repo.full_name, "model")
    assert len(api.get_collection(open_.slug).items) == 2
    for token in (hub.ben_token, ""):
        other = hub.api(token)
        assert [(item.item_id, item.position) for item in other.get_collection(open_.slug).items] == [(shown.full_name, 0)]
        answers = [
            httpx.get(f"{hub.url}/api/collections/{slug}", headers={"authorization": f"Bearer {token}"} if token else {})
            for slug in (closed.slug, closed.slug[:-24] + "f" * 24)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text.replace(closed.slug, "") == answers[1].text.replace(closed.slug[:-24] + "f" * 24, "")
        assert closed.slug not in {item.slug for item in other.list_collections(owner="ann")}
        assert list(other.list_collections(item=f"models/{hidden.full_name}")) == []
        assert [item.slug for item in other.list_collections(item=[f"models/{shown.full_name}"])] == [open_.slug]
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api(hub.ben_token).update_collection_metadata(open_.slug, title="Mine")
    assert status(refused) == 403
    with pytest.raises(HfHubHTTPError) as refused:
        hub.api("").create_collection("Mine", namespace="ann")
    assert status(refused) == 401


def test_a_list_is_paged_and_cut_to_the_first_items(hub: HfHub) -> None:
    org = f"org{next(hub.numbers)}"
    hub.services.orgs.create(actor_for(hub.ann), org)
    api = hub.api()
    repos = [hub.repo() for _ in range(5)]
    made = [api.create_collection(f"List {number}", namespace=org, private=True) for number in range(4)]
    for repo in repos:
        api.add_collection_item(made[0].slug, repo.full_name, "model")
    found = list(api.list_collections(owner=[org, "nobody"], sort="lastModified"))
    assert [item.title for item in found] == ["List 0", "List 3", "List 2", "List 1"]
    assert [item.position for item in found] == [0, 1, 2, 3]
    assert len(found[0].items) == 4
    assert [item.title for item in api.list_collections(owner=org, limit=3)] == ["List 0", "List 3", "List 2"]
    first = httpx.get(f"{hub.url}/api/collections?owner={org}&limit=2", headers={"authorization": f"Bearer {hub.ann_token}"})
    assert "position" not in first.json()[0]
    following = httpx.get(first.links["next"]["url"], headers={"authorization": f"Bearer {hub.ann_token}"})
    assert [item["title"] for item in following.json()] == ["List 2", "List 1"]
    assert "next" not in following.links
    assert list(api.list_collections(item="papers/2307.09288")) == []


@pytest.mark.parametrize("type_", ["paper", "collection", "bucket"])
def test_what_is_no_repo_is_refused_with_a_reason(hub: HfHub, type_: str) -> None:
    made = hub.api().create_collection(title(hub), private=True)
    with pytest.raises(BadRequestError) as refused:
        hub.api().add_collection_item(made.slug, "2307.09288", type_)  # type: ignore[arg-type]
    assert "holds repos" in str(refused.value)


def test_bad_input_is_told_and_changes_nothing(hub: HfHub) -> None:
    api = hub.api()
    made = api.create_collection(title(hub), private=True)
    for wrong in ({"title": "x" * 200}, {"theme": "plaid"}, {"description": "x" * 5000}):
        with pytest.raises(BadRequestError):
            api.update_collection_metadata(made.slug, **wrong)  # type: ignore[arg-type]
    with pytest.raises(RepositoryNotFoundError):
        api.add_collection_item(made.slug, "ann/absent", "model")
    with pytest.raises(HfHubHTTPError) as refused:
        api.delete_collection(made.slug)  # a token that may write may not delete
    assert status(refused) == 403
    headers = {"authorization": f"Bearer {hub.ann_token}"}
    for method, path, body in (
        ("POST", "", {"title": 7}),
        ("POST", "", {"title": "x", "private": "yes"}),
        ("POST", "", {"title": "x", "resourceGroupId": "1"}),
        ("POST", f"/{made.slug}/items", {"item": "x"}),
        ("POST", f"/{made.slug}/items", {"item": {"type": "model", "id": "a b"}}),
        ("PATCH", f"/{made.slug}", {"position": -1}),
    ):
        assert httpx.request(method, f"{hub.url}/api/collections{path}", headers=headers, json=body).status_code == 400, body
    for query in ("limit=0", "limit=x", "sort=best", "cursor=zzz"):
        assert httpx.get(f"{hub.url}/api/collections?{query}", headers=headers).status_code == 400, query
    again = api.get_collection(made.slug)
    assert (again.title, again.items) == (made.title, [])


def test_collections_are_there_under_hf_too(hub: HfHub) -> None:
    api = hub.api(prefix="/hf")
    made = api.create_collection(title(hub), private=True)
    assert api.get_collection(made.slug).title == made.title
