"""A token that is limited to one repo sees and changes that repo, and what is public; nothing else of its owner."""

from __future__ import annotations

from typing import Any

import pytest

from hub_core.authz import Actor, Scope
from hub_core.errors import PermissionDenied
from hub_core.repos.events import EventQuery
from hub_core.repos.search import RepoQuery
from tests.functional.security.conftest import Guarded


@pytest.fixture
def limited(hub: Guarded) -> Actor:
    secret = hub.services.tokens.create(hub.alice, "ci", Scope.ADMIN, repo="alice/open").token
    return hub.services.tokens.authenticate_token(secret, "api")


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("create_repo", {"name": "other", "kind": "model"}),
        ("fork_repo", {"repo": "alice/open", "to": "copy"}),
        ("move_repo", {"repo": "alice/open", "new_name": "carol/open"}),
        ("create_org", {"name": "lab"}),
        ("create_token", {"name": "wider", "scope": "admin"}),
        ("list_tokens", {}),
        ("list_approvals", {}),
        ("set_preference", {"key": "language", "value": "ko"}),
    ],
)
def test_it_makes_nothing_beside_its_repo(hub: Guarded, tool: str, args: dict[str, Any]) -> None:
    headers = hub.token(hub.alice, "ci", repo="alice/open")
    answer = hub.client.post(f"/api/v1/tools/{tool}", json=args, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_it_works_on_its_own_repo(hub: Guarded) -> None:
    headers = hub.token(hub.alice, "ci", repo="alice/open")
    for tool, args in (("update_repo", {"repo": "open", "description": "New"}), ("move_repo", {"repo": "open", "new_name": "opened"})):
        assert hub.client.post(f"/api/v1/tools/{tool}", json=args, headers=headers).status_code == 200


def test_it_reads_no_audit_events_and_no_trash_of_other_repos(hub: Guarded, limited: Actor) -> None:
    services = hub.services
    services.repos.delete(hub.alice, services.repos.find(hub.alice, "alice/secret"))
    events = services.events.query(limited, EventQuery(limit=100))
    assert {event.target for event in events} <= {"alice/open", "alice/ci"}
    assert services.search.search(limited, RepoQuery(deleted=True)).items == []
    assert len(services.search.search(hub.alice, RepoQuery(deleted=True)).items) == 1


def test_an_administrators_limited_token_is_limited_too(hub: Guarded) -> None:
    secret = hub.services.tokens.create(hub.root, "ci", Scope.ADMIN, repo="alice/open").token
    actor = hub.services.tokens.authenticate_token(secret, "api")
    assert {event.repo_id for event in hub.services.events.query(actor, EventQuery(limit=100))} == {actor.repo_id}
    assert [view.id for view in hub.services.search.search(actor, RepoQuery()).items] == ["alice/open"]


def test_it_takes_no_part_in_conversations(hub: Guarded, limited: Actor) -> None:
    thread = hub.services.conversations.create_thread(hub.alice, title="about alice/secret")
    for act in (
        lambda: hub.services.conversations.list_threads(limited),
        lambda: hub.services.conversations.get_thread(limited, thread.id),
        lambda: hub.services.conversations.list_messages(limited, thread.id),
        lambda: hub.services.conversations.create_thread(limited),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_a_smaller_token_does_not_get_the_result_of_a_larger_one_by_its_key(hub: Guarded) -> None:
    key = {"Idempotency-Key": "k1"}
    args = {"name": "nightly", "scope": "write"}
    first = hub.client.post("/api/v1/tools/create_token", json=args, headers=hub.token(hub.alice, "a") | key)
    assert first.status_code == 200
    smaller = hub.client.post("/api/v1/tools/create_token", json=args, headers=hub.token(hub.alice, "r", Scope.READ) | key)
    assert smaller.status_code == 403
