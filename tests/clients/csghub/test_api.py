"""The calls of the CSGHub dialect themselves, for what the client does not show."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from hub_core.authz import Scope, Visibility
from tests.clients.csghub.conftest import LOCAL_ONLY
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub

pytestmark = [pytest.mark.clients, LOCAL_ONLY]


def send(hub: HfHub, method: str, path: str, token: str | None = None, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {hub.ann_token if token is None else token}"} if token != "" else {}
    return httpx.request(method, f"{hub.url}/api/v1/{path}", headers=headers, **more)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_repo_is_made_shown_changed_and_deleted(hub: HfHub) -> None:
    name = f"made-{next(hub.numbers)}"
    token = hub.services.tokens.create(actor_for(hub.ann), name, Scope.ADMIN).token
    made = send(hub, "POST", "datasets", token, json={"namespace": "lab", "name": name, "license": "mit", "description": "First"}).json()
    assert (made["msg"], made["data"]["path"], made["data"]["private"], made["data"]["license"]) == ("OK", f"lab/{name}", True, "mit")
    changed = send(hub, "PUT", f"datasets/lab/{name}", token, json={"description": "Second", "private": False}).json()["data"]
    assert (changed["description"], changed["private"]) == ("Second", False)
    assert send(hub, "DELETE", f"datasets/lab/{name}", token).json()["msg"] == "OK"
    assert send(hub, "GET", f"datasets/lab/{name}").status_code == 404


def test_files_are_planned_committed_and_read(hub: HfHub) -> None:
    repo = hub.repo({"docs/a.txt": b"a", "gone.txt": b"x"})
    base = f"models/{repo.full_name}"
    asked = [{"path": "docs", "size": 3}, {"path": "docs/a.txt", "size": 1}, {"path": "m.safetensors", "size": 9}]
    planned = send(hub, "POST", f"{base}/preupload/main", json={"files": asked}).json()["data"]["files"]
    assert [(file["isDir"], file["uploadMode"], bool(file["oid"]), file["shouldIgnore"]) for file in planned] == [
        (True, "regular", False, False), (False, "regular", True, False), (False, "lfs", False, False),
    ]  # fmt: skip
    files = [
        {"path": "docs/a.txt", "action": "update", "content": b64("new")},
        {"path": "b.txt", "action": "create", "content": b64("b")},
        {"path": "gone.txt", "action": "delete"},
    ]
    for _ in range(2):
        changes = files if _ == 0 else files[:2]
        assert send(hub, "POST", f"{base}/commit/main", json={"message": "several", "files": changes}).json()["msg"] == "OK"
    assert send(hub, "GET", f"{base}/raw/docs/a.txt").json()["data"] == "new"
    names = {entry["path"]: entry["type"] for entry in send(hub, "GET", f"{base}/tree").json()["data"]}
    assert names["docs"] == "dir"
    assert "gone.txt" not in names
    assert send(hub, "GET", f"{base}/commits").json()["data"][0]["message"] == "several"


def test_the_answer_is_the_same_for_absent_and_hidden(hub: HfHub) -> None:
    repo = hub.repo(visibility=Visibility.PRIVATE)
    for token, status in ((hub.ben_token, 404), ("", 401)):
        hidden = send(hub, "GET", f"models/{repo.full_name}/branches", token)
        absent = send(hub, "GET", "models/ann/absent/branches", token)
        assert (hidden.status_code, absent.status_code) == (status, status)
        assert hidden.text.replace(repo.full_name, "ann/absent") == absent.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "commit/main", {"message": "m", "files": "no"}, 400),
        ("POST", "commit/main", {"message": "m", "files": [{"path": "a", "action": "burn"}]}, 400),
        ("POST", "commit/main", {"message": "m", "files": [{"path": "../a", "action": "create", "content": ""}]}, 400),
        ("POST", "commit/main", {"message": "m", "files": [{"path": "a", "action": "create", "content": "?"}]}, 400),
        ("POST", "commit/absent", {"message": "m", "files": [{"path": "a", "action": "create", "content": b64("a")}]}, 404),
        ("POST", "preupload/main", {"files": [{"path": "a", "size": -1}]}, 400),
        ("POST", "raw/a", {"content": 7}, 400),
        ("PUT", "", {"private": "yes"}, 400),
        ("POST", "upload_file", {}, 400),
    ],
)
def test_bad_input_gets_a_code_and_changes_nothing(hub: HfHub, method: str, path: str, body: dict[str, Any], status: int) -> None:
    repo = hub.repo()
    before = hub.services.git.refs(repo.id)
    answer = send(hub, method, f"models/{repo.full_name}/{path}".rstrip("/"), json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "msg"}
    assert hub.services.git.refs(repo.id) == before


def test_others_change_nothing(hub: HfHub) -> None:
    repo = hub.repo()
    base = f"models/{repo.full_name}"
    files = [{"path": "a", "action": "create", "content": b64("a")}]
    assert send(hub, "POST", f"{base}/commit/main", hub.ben_token, json={"message": "m", "files": files}).status_code == 403
    assert send(hub, "POST", f"{base}/upload_file", hub.ben_token, files={"file": b"a"}, data={"file_path": "a"}).status_code == 403
    assert send(hub, "POST", f"{base}/upload_file", "", files={"file": b"a"}, data={"file_path": "a"}).status_code == 401
    assert send(hub, "DELETE", base, hub.ben_token).status_code == 403
    assert send(hub, "POST", "models", hub.ben_token, json={"namespace": "ann", "name": "theirs"}).status_code == 403
