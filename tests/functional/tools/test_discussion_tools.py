"""Discussions and pull requests over the tool API: filters, pages, refusals, and taking a merge back."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from hub_core.git import FileChange
from tests.functional.tools.test_contract import post
from tests.functional.tools.world import MODEL, World

R = {"repo": MODEL}


def numbers(world: World, **wanted: Any) -> list[int]:
    return [item["number"] for item in world.call("alice", "list_discussions", **R, **wanted)["items"]]


def test_lists_take_a_type_a_status_an_author_and_pages(shared: World) -> None:
    assert numbers(shared) == [3, 2, 1]
    assert numbers(shared, type="pull_request") == numbers(shared, kind="pull_request") == [3]
    assert numbers(shared, kind="discussion", status="open") == [1]
    assert numbers(shared, kind="model", status="closed") == [2]
    assert numbers(shared, author="dave") == [3]
    page = shared.call("alice", "list_discussions", **R, limit=2)
    assert ([item["number"] for item in page["items"]], page["next"]) == ([3, 2], "2")
    assert numbers(shared, limit=2, cursor=page["next"]) == [1]


def test_a_pull_request_is_shown_with_what_it_changes(shared: World) -> None:
    shown = shared.call("dave", "get_discussion", **R, number=3)
    assert (shown["type"], shown["status"], shown["author"], shown["base"]) == ("pull_request", "open", "dave", "main")
    assert [(item["path"], item["status"]) for item in shown["files"]] == [("notes.txt", "added")]
    assert [commit["title"] for commit in shown["commits"]] == ["Add notes"]
    assert [(event["kind"], event["text"]) for event in shown["events"]] == [("commit", "Add notes")]
    assert (shown["conflicts"], shown["truncated"]) == ([], False)
    talk = shared.call("dave", "get_discussion", **R, number=1)
    assert ([event["text"] for event in talk["events"]], talk["files"]) == (["The card says none."], [])


def test_a_merge_says_what_it_brings_and_is_taken_back(world: World, client: TestClient) -> None:
    plan = post(client, world, "merge_pull_request", {**R, "number": 3}, dry_run="true").json()["plan"]
    assert (plan["effect"], plan["facts"]["files"], plan["facts"]["base"]) == ("write", ["notes.txt"], "main")
    thread = world.services.conversations.create_thread(world.actor("alice")).id
    merged = world.call("alice", "merge_pull_request", thread, **R, number=3, comment="Thanks!")
    assert (merged["status"], merged["comments"]) == ("merged", 1)
    files = {item["path"] for item in world.call("alice", "list_files", **R)["items"]}
    assert "notes.txt" in files
    world.call("alice", "undo", thread)
    assert "notes.txt" not in {item["path"] for item in world.call("alice", "list_files", **R)["items"]}
    again = post(client, world, "merge_pull_request", {**R, "number": 3})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "discussion_closed")


def test_conflicts_are_a_409_that_names_the_files(world: World, client: TestClient) -> None:
    alice, repo = world.actor("alice"), world.services.repos.find(world.actor("alice"), MODEL)
    world.services.files.commit(alice, repo, [FileChange("notes.txt", b"Other notes\n")], "Add other notes")
    for dry_run in ("true", "false"):
        answer = post(client, world, "merge_pull_request", {**R, "number": 3}, dry_run=dry_run)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["details"]["paths"]) == (409, "merge_conflict", ["notes.txt"])
    assert world.call("alice", "get_discussion", **R, number=3)["conflicts"] == ["notes.txt"]


def test_what_stands_so_already_changes_nothing(world: World) -> None:
    before = world.dump()
    assert world.call("alice", "close_discussion", **R, number=2, comment="Again")["status"] == "closed"
    assert world.call("alice", "reopen_discussion", **R, number=1)["status"] == "open"
    assert world.dump() == before


def test_people_hear_what_they_may_not_do(shared: World, shared_client: TestClient) -> None:
    cases: tuple[tuple[str, str, dict[str, Any], int, str], ...] = (
        ("dave", "merge_pull_request", {"number": 3}, 403, "forbidden"),
        ("dave", "close_discussion", {"number": 1}, 403, "forbidden"),
        ("alice (read)", "open_discussion", {"title": "x"}, 403, "forbidden"),
        ("alice (read)", "comment_discussion", {"number": 1, "body": "x"}, 403, "forbidden"),
        ("", "open_discussion", {"title": "x"}, 401, "unauthenticated"),
        ("carol", "get_discussion", {"number": 1}, 404, "repo_not_found"),
        ("carol", "comment_discussion", {"number": 99, "body": "x"}, 404, "repo_not_found"),
        ("alice", "get_discussion", {"number": 99}, 404, "discussion_not_found"),
        ("alice", "merge_pull_request", {"number": 1}, 422, "invalid_input"),
        ("alice", "reopen_discussion", {"number": 0}, 422, "invalid_arguments"),
        ("alice", "open_discussion", {"title": "\u202e"}, 422, "invalid_input"),
        ("alice", "open_pull_request", {"title": "x", "branch": "nosuch"}, 404, "revision_not_found"),
        ("alice", "open_pull_request", {"title": "x", "branch": "main"}, 422, "invalid_input"),
        ("alice", "list_discussions", {"cursor": "x"}, 422, "invalid_input"),
    )
    before = shared.dump()
    for who, tool, args, status, code in cases:
        for dry_run in ("true", "false"):
            answer = post(shared_client, shared, tool, {**R, **args}, who, dry_run=dry_run)
            if tool in ("get_discussion", "list_discussions") and dry_run == "true" and who != "carol":
                continue
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (who, tool, args, answer.text)
    assert shared.dump() == before


def test_a_reader_s_own_is_closed_by_the_reader(world: World) -> None:
    assert world.call("dave", "close_discussion", **R, number=3)["status"] == "closed"
    made = world.call("dave", "open_pull_request", **R, title="Bring the work", branch="dev", body="It is ready.")
    assert (made["number"], made["branch"], made["base"], made["status"]) == (4, "dev", "main", "open")
    assert world.call("bob", "merge_pull_request", **R, number=4)["status"] == "merged"
    assert "dev.txt" in {item["path"] for item in world.call("alice", "list_files", **R)["items"]}
