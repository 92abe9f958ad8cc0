"""Collections, people, likes and tags of the CSGHub dialect. Its client has no calls for them: these are those of its REST API."""

from __future__ import annotations

from typing import Any

import pytest

from hub_core.authz import Scope, Visibility
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tags import TagMode
from tests.clients.csghub.conftest import Run
from tests.clients.csghub.test_api import send
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub

pytestmark = pytest.mark.clients


def admin_token(hub: HfHub) -> str:
    return hub.services.tokens.create(actor_for(hub.ann), f"admin-{next(hub.numbers)}", Scope.ADMIN).token


def made(hub: HfHub, **given: Any) -> dict[str, Any]:
    body = {"name": f"collection{next(hub.numbers)}", "private": True, **given}
    answer = send(hub, "POST", "collections", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


def test_a_collection_is_made_filled_changed_and_deleted(hub: HfHub) -> None:
    token, repos = admin_token(hub), [hub.repo(), hub.repo(kind=RepoKind.DATASET)]
    first = made(hub, namespace="lab", nickname="Für den Support", description="Ours")
    base = f"collections/{first['id']}"
    assert (first["namespace"], first["nickname"], first["private"], first["repositories"]) == ("lab", "Für den Support", True, [])
    body = {"repo_ids": [repo.id for repo in repos], "remarks": {str(repos[1].id): "Tickets"}}
    assert send(hub, "POST", f"{base}/repos", json=body).json()["msg"] == "OK"
    assert send(hub, "POST", f"{base}/repos", json=body).status_code == 409
    seen = send(hub, "GET", base).json()["data"]
    assert [(item["path"], item["repository_type"], item["remark"]) for item in seen["repositories"]] == [
        (repos[0].full_name, "model", ""), (repos[1].full_name, "dataset", "Tickets"),
    ]  # fmt: skip
    assert (seen["can_write"], seen["can_admin"]) == (True, True)
    assert send(hub, "PUT", f"{base}/repos/{repos[0].id}", json={"remark": "Small"}).status_code == 200
    assert send(hub, "DELETE", f"{base}/repos", json={"repo_ids": [repos[1].id]}).status_code == 200
    assert send(hub, "PUT", base, json={"private": False}).status_code == 403  # a token that may write shows nothing to others
    changed = send(hub, "PUT", base, token, json={"name": "renamed", "private": False}).json()["data"]
    assert (changed["nickname"], changed["private"], [item["remark"] for item in changed["repositories"]]) == ("renamed", False, ["Small"])
    assert send(hub, "GET", base, "").json()["data"]["can_write"] is False
    assert send(hub, "DELETE", base, token).json()["msg"] == "OK"
    assert send(hub, "GET", base, token).status_code == 404


def test_hidden_and_absent_collections_answer_the_same(hub: HfHub) -> None:
    first, hidden = made(hub), hub.repo(visibility=Visibility.PRIVATE)
    send(hub, "POST", f"collections/{first['id']}/repos", json={"repo_ids": [hidden.id]})
    for token in (hub.ben_token, ""):
        seen = send(hub, "GET", f"collections/{first['id']}", token)
        assert seen.status_code == 404
        assert seen.text.replace(str(first["id"]), "999999") == send(hub, "GET", "collections/999999", token).text
    theirs = send(hub, "POST", "collections", hub.ben_token, json={"name": f"c{next(hub.numbers)}"}).json()["data"]
    body = {"repo_ids": [hidden.id]}
    answers = [
        send(hub, "POST", f"collections/{theirs['id']}/repos", hub.ben_token, json={"repo_ids": [id_]}) for id_ in (hidden.id, 999999)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(str(hidden.id), "999999") == answers[1].text
    assert send(hub, "DELETE", f"collections/{theirs['id']}/repos", hub.ben_token, json=body).status_code == 404


def test_collections_are_listed_by_pages_and_owners(hub: HfHub) -> None:
    org = f"org{next(hub.numbers)}"
    hub.services.orgs.create(actor_for(hub.ann), org)
    for number in range(3):
        made(hub, namespace=org, name=f"list {number}")
    first = send(hub, "GET", f"organization/{org}/collections?per=2").json()
    rest = send(hub, "GET", f"organization/{org}/collections?per=2&page=2").json()
    assert ([item["nickname"] for item in first["data"]], first["total"]) == (["list 2", "list 1"], 3)
    assert ([item["nickname"] for item in rest["data"]], rest["total"]) == (["list 0"], 3)
    assert send(hub, "GET", f"organization/{org}/collections", hub.ben_token).json() == {"msg": "OK", "data": [], "total": 0}
    mine = made(hub)
    assert mine["id"] in {item["id"] for item in send(hub, "GET", "user/ann/collections").json()["data"]}
    assert [item["id"] for item in send(hub, "GET", f"collections?search={mine['nickname']}").json()["data"]] == [mine["id"]]
    assert send(hub, "GET", "user/nobody-here/collections").status_code == 404


def test_people_organisations_and_what_is_theirs(hub: HfHub) -> None:
    org = f"org{next(hub.numbers)}"
    hub.services.orgs.create(actor_for(hub.ann), org, "Trials")
    shown, hidden = hub.repo(owner=org), hub.repo(owner=org, visibility=Visibility.PRIVATE)
    ann = send(hub, "GET", "user/ann").json()["data"]
    assert (ann["username"], ann["email"], ("lab", "admin") in {(item["path"], item["role"]) for item in ann["orgs"]}) == (
        "ann",
        "ann@example.org",
        True,
    )
    assert send(hub, "GET", "user/ann", hub.ben_token).json()["data"]["email"] == ""
    assert send(hub, "GET", f"organization/{org}").json()["data"]["description"] == "Trials"
    assert org in {item["path"] for item in send(hub, "GET", "organizations?per=100").json()["data"]}
    assert send(hub, "GET", f"organizations/{org}/members").json()["data"] == {
        "data": [{"username": "ann", "nickname": "ann", "role": "admin"}], "total": 1,
    }  # fmt: skip
    for token, expected in ((None, {shown.full_name, hidden.full_name}), (hub.ben_token, {shown.full_name})):
        listed = send(hub, "GET", f"organization/{org}/models", token).json()
        assert ({item["path"] for item in listed["data"]}, listed["total"]) == (expected, len(expected))
    assert send(hub, "GET", f"organization/{org}/datasets").json()["total"] == 0
    assert len(send(hub, "GET", f"organization/{org}/models?per=1&page=2").json()["data"]) == 1
    assert send(hub, "GET", "user/ben/models").json()["msg"] == "OK"
    for path in ("user/ann", f"organization/{org}", "organizations", "user/ann/models"):
        assert send(hub, "GET", path, "").status_code == 401


def test_people_like_for_themselves(hub: HfHub) -> None:
    repo, hidden = hub.repo(), hub.repo(visibility=Visibility.PRIVATE)
    assert send(hub, "PUT", f"user/ben/likes/{repo.id}", hub.ben_token).status_code == 200
    assert send(hub, "PUT", f"user/ann/likes/{repo.id}", hub.ben_token).status_code == 403
    assert send(hub, "PUT", f"user/ben/likes/{hidden.id}", hub.ben_token).status_code == 404
    assert repo.full_name in {item["path"] for item in send(hub, "GET", "user/ben/likes/models").json()["data"]}
    assert send(hub, "DELETE", f"user/ben/likes/{repo.id}", hub.ben_token).status_code == 200
    assert repo.full_name not in {item["path"] for item in send(hub, "GET", "user/ben/likes/models").json()["data"]}


def test_tags_in_use_are_told_with_their_category(hub: HfHub) -> None:
    repo = hub.repo()
    hub.services.tags.set(actor_for(hub.ann), repo, ["task:ocr", "ja", "receipts"], TagMode.ADD)
    found = {item["name"]: (item["category"], item["show_name"]) for item in send(hub, "GET", "tags?scope=model").json()["data"]}
    assert found.items() >= {"task:ocr": ("task", "ocr"), "ja": ("language", "ja"), "receipts": ("other", "receipts")}.items()
    assert [item["name"] for item in send(hub, "GET", "tags?category=task").json()["data"]] == ["task:ocr"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "collections/abc", None), ("GET", "collections/-1", None), ("GET", "collections?per=0", None), ("GET", "collections?page=x", None),
        ("POST", "collections", {"name": ""}), ("POST", "collections", {"name": "x", "private": "yes"}), ("POST", "collections", {}),
        ("GET", "tags?scope=paper", None), ("PUT", "user/ann/likes/x", None), ("GET", "user/ann/models?page=9999", None), ("GET", "organizations?page=2", None),
    ],
)  # fmt: skip
def test_bad_input_gets_a_code(hub: HfHub, method: str, path: str, body: dict[str, Any] | None) -> None:
    answer = send(hub, method, path, json=body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"code", "msg"}


@pytest.mark.parametrize(
    "body", [{}, {"repo_ids": 1}, {"repo_ids": ["x"]}, {"repo_ids": [1], "remarks": []}, {"repo_ids": list(range(200))}]
)
def test_wrong_repos_change_nothing(hub: HfHub, body: dict[str, Any]) -> None:
    first = made(hub)
    repo = hub.repo()
    answer = send(
        hub, "POST", f"collections/{first['id']}/repos", json=body if "remarks" not in body else {"repo_ids": [repo.id], "remarks": [1]}
    )
    assert answer.status_code == 400
    assert send(hub, "GET", f"collections/{first['id']}").json()["data"]["repositories"] == []


def test_the_sdk_s_client_has_collections_too(hub: HfHub, run: Run) -> None:
    """`csghub-sdk` hands out a client of the Hugging Face dialect under `/hf`."""
    script = (
        "from pycsghub.api_client import get_csghub_api\n"
        f"client = get_csghub_api(endpoint='{hub.url}', token='{hub.ann_token}')\n"
        f"made = client.create_collection('From the SDK {next(hub.numbers)}', private=True, namespace='ann')\n"
        "print(client.get_collection(made.slug).slug == made.slug)\n"
    )
    assert run(python=script).stdout.strip().endswith("True")
