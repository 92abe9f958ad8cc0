"""Discussions over CSGHub's REST API."""

from __future__ import annotations

import pytest

from hub_core.authz import Visibility
from tests.clients.csghub.conftest import LOCAL_ONLY
from tests.clients.csghub.test_api import send
from tests.common.factories import actor_for
from tests.common.hf_hub import HfHub

pytestmark = [pytest.mark.clients, LOCAL_ONLY]


def test_a_discussion_is_opened_read_changed_and_closed(hub: HfHub) -> None:
    repo = hub.repo()
    base = f"models/{repo.full_name}/discussions"
    made = send(hub, "POST", base, hub.ben_token, json={"title": "Which licence?"}).json()["data"]
    assert (made["title"], made["user"]["name"], made["comment_count"]) == ("Which licence?", "ben", 0)
    one = f"discussions/{made['id']}"
    said = send(hub, "POST", f"{one}/comments", json={"content": "MIT"}).json()["data"]
    assert (said["content"], said["user"]["name"], said["commentable_id"]) == ("MIT", "ann", made["id"])
    send(hub, "POST", f"{one}/comments", hub.ben_token, json={"content": "Thanks"})
    assert send(hub, "PUT", one, hub.ben_token, json={"title": "Licence?"}).json()["msg"] == "OK"
    assert send(hub, "PUT", f"comments/{said['id']}", json={"content": "Apache"}).json()["msg"] == "OK"
    assert send(hub, "PUT", f"comments/{said['id']}", hub.ben_token, json={"content": "x"}).status_code == 403
    shown = send(hub, "GET", f"{one}?per=1&page=2", "").json()["data"]
    assert (shown["title"], shown["comment_count"], shown["comments"]["total"], shown["comments"]["page"]) == ("Licence?", 2, 2, 2)
    assert [item["content"] for item in shown["comments"]["data"]] == ["Thanks"]
    assert [item["content"] for item in send(hub, "GET", f"{one}/comments", "").json()["data"]] == ["Apache", "Thanks"]
    assert send(hub, "DELETE", f"comments/{said['id']}").json()["msg"] == "OK"
    assert [item["content"] for item in send(hub, "GET", f"{one}/comments", "").json()["data"]] == ["Thanks"]
    assert send(hub, "DELETE", one, hub.ben_token).json()["msg"] == "OK"
    hub.services.pulls.open(actor_for(hub.ben), repo, "No discussion")
    listed = send(hub, "GET", base, "").json()
    assert [(item["title"], item["status"]) for item in listed["data"]["discussions"]] == [("Licence?", "closed")]
    assert listed["total"] == 1


def test_what_is_not_there_and_what_is_hidden_look_the_same(hub: HfHub) -> None:
    repo = hub.repo(visibility=Visibility.PRIVATE)
    actor = actor_for(hub.ann)
    hidden = hub.services.discussions.open(actor, repo, "Secret")
    comment = hub.services.discussions.comment(actor, repo, hidden.number, "Secret")
    for method, path, body in (
        ("GET", "discussions/{}", None),
        ("PUT", "discussions/{}", {"title": "x"}),
        ("DELETE", "discussions/{}", None),
        ("GET", "discussions/{}/comments", None),
        ("POST", "discussions/{}/comments", {"content": "x"}),
        ("PUT", "comments/{}", {"content": "x"}),
        ("DELETE", "comments/{}", None),
    ):
        there = comment.id if path.startswith("comments") else hidden.id
        answers = [send(hub, method, path.format(number), hub.ben_token, json=body) for number in (there, 999_999_999)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text == answers[1].text
    assert send(hub, "GET", "discussions/x").status_code == 400
    assert send(hub, "POST", f"models/{repo.full_name}/discussions", hub.ben_token, json={"title": "x"}).status_code == 404
