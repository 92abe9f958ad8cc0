"""Pull requests: their refs, who may push to them, merging, and what happens at the same moment, on both databases."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hub_core.authz import SYSTEM, Visibility
from hub_core.discussions.views import EventKind, Status
from hub_core.errors import (
    AlreadyExists,
    Conflict,
    DiscussionClosed,
    DiscussionNotFound,
    GatedRepo,
    HubError,
    InvalidInput,
    MergeConflict,
    PermissionDenied,
    RevisionNotFound,
    StaleBase,
)
from hub_core.gating.tables import Gating
from hub_core.git import ZERO, FileChange, RefUpdate
from tests.common.factories import lfs_bytes
from tests.unit.discussions.conftest import TEXT, Forum


def events(forum: Forum, number: int, kind: EventKind) -> list[str]:
    thread = forum.services.discussions.thread(forum.ann, forum.repo, number)
    return [event.text for event in thread.events if event.kind is kind]


def test_a_draft_begins_at_the_head_and_takes_commits_of_its_author(forum: Forum) -> None:
    pulls, before = forum.services.pulls, forum.refs()["refs/heads/main"]
    made = pulls.open(forum.rita, forum.repo, "Fix a typo", "See below.")
    assert (made.number, made.status, made.base, made.ref) == (1, Status.DRAFT, "main", "refs/pr/1")
    assert forum.refs()["refs/pr/1"] == before
    first = forum.commit({"a.txt": TEXT.replace("two", "2")}, "refs/pr/1", "rita", "Say it in digits")
    second = forum.commit({"b.txt": "new\n"}, "refs/pr/1", "will", "Add another file")
    assert forum.refs() == {"refs/heads/main": before, "refs/pr/1": second}
    assert events(forum, 1, EventKind.COMMIT) == ["Say it in digits", "Add another file"]
    changes = forum.services.merges.changes(forum.stan, forum.repo, 1)
    assert (changes.base, changes.head, [commit.sha for commit in changes.commits]) == (before, second, [second, first])
    assert [(item.path, item.status) for item in changes.files] == [("a.txt", "modified"), ("b.txt", "added")]
    assert changes.conflicts == []
    assert forum.read("b.txt", "refs/pr/1") == "new\n"


def test_a_reader_pushes_to_the_own_ref_and_nothing_else(forum: Forum) -> None:
    pulls, files = forum.services.pulls, forum.services.files
    pulls.open(forum.rita, forum.repo, "Mine")
    pulls.open(forum.stan, forum.repo, "Not mine")
    change = [FileChange("x.txt", b"x")]
    for branch in ("main", "refs/pr/2", "refs/heads/main", "refs/convert/parquet", "refs/pr/01"):
        with pytest.raises(PermissionDenied):
            files.commit(forum.rita, forum.repo, change, "No", branch=branch)
    with pytest.raises(RevisionNotFound):
        files.commit(forum.rita, forum.repo, change, "No", branch="refs/pr/9")
    # The same from inside, as a push comes in: the hook refuses what the doors let pass.
    hook, head = files.hook(forum.rita, forum.repo), forum.refs()["refs/pr/1"]
    for update in (
        RefUpdate("refs/heads/new", ZERO, head),
        RefUpdate("refs/tags/v1", ZERO, head),
        RefUpdate("refs/pr/2", head, head),
        RefUpdate("refs/pr/1", head, ZERO),
    ):
        with pytest.raises(PermissionDenied):
            forum.services.git.update_refs(forum.repo.id, [update], hook=hook)
    files.commit(forum.rita, forum.repo, change, "Yes", branch="refs/pr/1")


def test_large_files_come_from_writers_only(forum: Forum) -> None:
    pulls, files = forum.services.pulls, forum.services.files
    pulls.open(forum.rita, forum.repo, "Weights")
    weights = FileChange("model.safetensors", b"\0" * 2000)
    with pytest.raises(PermissionDenied, match="belongs in LFS"):
        files.commit(forum.rita, forum.repo, [weights], "Add weights", branch="refs/pr/1")
    with pytest.raises(PermissionDenied, match="belongs in LFS"):
        pulls.open_with_commit(forum.rita, forum.repo, [weights], "Add weights")
    with pytest.raises(PermissionDenied, match="belongs in LFS"):
        files.plan_upload(forum.rita, forum.repo, [("a.txt", 5), ("model.safetensors", 9)], proposed=True)
    assert len(files.plan_upload(forum.rita, forum.repo, [("b.txt", 5)], proposed=True)) == 1
    assert lfs_bytes(forum.services.db, forum.repo) == 0
    made, _ = pulls.open_with_commit(forum.will, forum.repo, [weights], "Add weights")
    # What the repo holds already may move.
    forum.services.merges.merge(forum.ann, forum.repo, made.number)
    moved = FileChange("weights/model.safetensors", move_from="model.safetensors")
    pulls.open_with_commit(forum.rita, forum.repo, [moved], "Move the weights")


def test_a_commit_opens_its_pull_request_in_one_step(forum: Forum) -> None:
    pulls, head = forum.services.pulls, forum.refs()["refs/heads/main"]
    later = forum.commit({"c.txt": "later\n"})
    made, done = pulls.open_with_commit(forum.rita, forum.repo, [FileChange("b.txt", b"b")], "Add b\n\nBecause.", parent=head)
    assert (made.title, made.status, made.author) == ("Add b", Status.OPEN, "rita")
    assert forum.services.git.commit_info(forum.repo.id, done.commit).parents == [head]
    assert forum.refs() == {"refs/heads/main": later, "refs/pr/1": done.commit}
    assert events(forum, 1, EventKind.COMMENT) == ["Because."]
    assert events(forum, 1, EventKind.COMMIT) == ["Add b"]
    with pytest.raises(HubError):
        pulls.open_with_commit(forum.rita, forum.repo, [FileChange("nosuch.txt", delete=True)], "Delete nothing")
    with pytest.raises(DiscussionNotFound):
        forum.services.discussions.get(forum.ann, forum.repo, 2)
    assert set(forum.refs()) == {"refs/heads/main", "refs/pr/1"}


def test_a_pull_request_from_a_branch_follows_it(forum: Forum) -> None:
    pulls, history = forum.services.pulls, forum.services.history
    history.create_branch(forum.will, forum.repo, "fix")
    with pytest.raises(InvalidInput, match="no commits"):
        pulls.open_from_branch(forum.rita, forum.repo, "Nothing", "fix")
    with pytest.raises(RevisionNotFound):
        pulls.open_from_branch(forum.rita, forum.repo, "Nothing", "nosuch")
    with pytest.raises(RevisionNotFound):
        pulls.open_from_branch(forum.rita, forum.repo, "Nothing", "fix", base="nosuch")
    first = forum.commit({"b.txt": "1\n"}, "fix", "will", "One")
    made = pulls.open_from_branch(forum.rita, forum.repo, "Fix it", "fix")
    assert (made.status, made.branch, forum.refs()["refs/pr/1"]) == (Status.OPEN, "fix", first)
    with pytest.raises(AlreadyExists, match="Pull request 1"):
        pulls.open_from_branch(forum.stan, forum.repo, "Again", "fix")
    second = forum.commit({"b.txt": "2\n"}, "fix", "will", "Two")
    assert forum.refs()["refs/pr/1"] == second
    assert events(forum, 1, EventKind.COMMIT) == ["One", "Two"]
    for who in ("rita", "ann"):
        with pytest.raises(Conflict, match="follows the branch 'fix'"):
            forum.commit({"b.txt": "3\n"}, "refs/pr/1", who)
    # A deleted branch takes nothing along.
    history.delete_branch(forum.will, forum.repo, "fix")
    third = forum.commit({"b.txt": "3\n"}, "refs/pr/1", "rita", "Three")
    history.create_branch(forum.will, forum.repo, "fix", "main")
    assert forum.refs()["refs/pr/1"] == third


def test_merging_moves_the_branch_and_settles_the_pull_request(forum: Forum) -> None:
    forum.services.pulls.open(forum.rita, forum.repo, "Add tags")
    head = forum.commit({"README.md": "---\nlicense: mit\ntags: [chat]\n---\n"}, "refs/pr/1", "rita")
    main = forum.commit({"c.txt": "meanwhile\n"})
    assert forum.repo.license == ""
    with pytest.raises(PermissionDenied):
        forum.services.merges.merge(forum.rita, forum.repo, 1)
    merged = forum.services.merges.merge(forum.will, forum.repo, 1, "Thanks!")
    info = forum.services.git.commit_info(forum.repo.id, merged.merge_commit)
    assert (merged.status, forum.refs()["refs/heads/main"], info.parents) == (Status.MERGED, merged.merge_commit, [main, head])
    assert (info.title, info.author.name) == ("Add tags (#1)", "will")
    assert (forum.repo.license, forum.read("c.txt")) == ("mit", "meanwhile\n")
    assert events(forum, 1, EventKind.COMMENT) == ["Thanks!"]
    assert events(forum, 1, EventKind.STATUS) == ["merged"]
    actions = [(actor, action) for actor, action, _ in forum.audited("pull_request.")]
    assert actions == [("rita", "pull_request.open"), ("rita", "pull_request.update"), ("will", "pull_request.merge")]
    assert forum.audited("pull_request.merge")[0][2] == {"number": 1, "title": "Add tags", "base": "main", "commit": merged.merge_commit}
    changes = forum.services.merges.changes(forum.stan, forum.repo, 1)
    assert [item.path for item in changes.files] == ["README.md"]
    for act in (
        lambda: forum.services.merges.merge(forum.ann, forum.repo, 1),
        lambda: forum.commit({"d.txt": "d"}, "refs/pr/1", "rita"),
        lambda: forum.services.discussions.set_status(forum.ann, forum.repo, 1, Status.OPEN),
    ):
        with pytest.raises(DiscussionClosed):
            act()


def test_a_closed_pull_request_takes_nothing_until_it_is_open_again(forum: Forum) -> None:
    forum.services.pulls.open(forum.rita, forum.repo, "Mine")
    forum.commit({"b.txt": "1\n"}, "refs/pr/1", "rita")
    forum.services.discussions.set_status(forum.rita, forum.repo, 1, Status.CLOSED)
    with pytest.raises(DiscussionClosed):
        forum.commit({"b.txt": "2\n"}, "refs/pr/1", "rita")
    with pytest.raises(DiscussionClosed):
        forum.services.merges.merge(forum.ann, forum.repo, 1)
    forum.services.discussions.set_status(forum.rita, forum.repo, 1, Status.OPEN)
    forum.commit({"b.txt": "2\n"}, "refs/pr/1", "rita")
    assert forum.services.merges.merge(forum.ann, forum.repo, 1).status is Status.MERGED


def test_conflicts_are_named_and_change_nothing(forum: Forum) -> None:
    forum.services.pulls.open(forum.rita, forum.repo, "Mine")
    forum.commit({"a.txt": TEXT.replace("two", "2"), "sub/b.txt": "mine\n"}, "refs/pr/1", "rita")
    forum.commit({"a.txt": TEXT.replace("two", "zwei"), "sub": "a file where a folder is\n"})
    before = forum.refs()
    assert forum.services.merges.changes(forum.stan, forum.repo, 1).conflicts == ["a.txt", "sub"]
    for act in (forum.services.merges.merge, forum.services.merges.check_merge):
        with pytest.raises(MergeConflict) as conflict:
            act(forum.ann, forum.repo, 1)
        assert conflict.value.details == {"number": 1, "paths": ["a.txt", "sub"]}
    assert forum.refs() == before
    assert forum.services.discussions.get(forum.ann, forum.repo, 1).status is Status.DRAFT
    # Lines of their own are no conflict.
    forum.commit({"a.txt": TEXT, "sub": None})
    forum.commit({"a.txt": TEXT.replace("five", "5")})
    forum.services.merges.merge(forum.ann, forum.repo, 1)
    assert forum.read("a.txt") == TEXT.replace("two", "2").replace("five", "5")


def test_what_the_branch_has_already_is_only_marked(forum: Forum) -> None:
    pulls, history = forum.services.pulls, forum.services.history
    head = forum.refs()["refs/heads/main"]
    pulls.open(forum.rita, forum.repo, "Empty")
    empty = forum.services.merges.merge(forum.ann, forum.repo, 1)
    assert (empty.status, empty.merge_commit, forum.refs()["refs/heads/main"]) == (Status.MERGED, head, head)
    history.create_branch(forum.will, forum.repo, "fix")
    forum.commit({"b.txt": "1\n"}, "fix", "will")
    pulls.open_from_branch(forum.will, forum.repo, "Fix", "fix")
    forum.services.git.merge(
        forum.repo.id, "main", forum.refs()["refs/heads/fix"], forum.services.files.author(forum.ann), "By hand",
        hook=forum.services.files.hook(forum.ann, forum.repo),
    )  # fmt: skip
    by_hand = forum.refs()["refs/heads/main"]
    assert forum.services.merges.merge(forum.ann, forum.repo, 2).merge_commit == by_hand
    assert forum.refs()["refs/heads/main"] == by_hand


def test_a_base_that_is_gone_is_told(forum: Forum) -> None:
    history = forum.services.history
    history.create_branch(forum.ann, forum.repo, "next")
    forum.services.pulls.open(forum.rita, forum.repo, "For next", base="next")
    forum.commit({"b.txt": "1\n"}, "refs/pr/1", "rita")
    history.delete_branch(forum.ann, forum.repo, "next")
    with pytest.raises(RevisionNotFound, match="'next'"):
        forum.services.merges.merge(forum.ann, forum.repo, 1)
    assert forum.services.merges.changes(forum.ann, forum.repo, 1).base is None
    with pytest.raises(InvalidInput, match="not a pull request"):
        number = forum.services.discussions.open(forum.rita, forum.repo, "Talk").number
        forum.services.merges.merge(forum.ann, forum.repo, number)


def test_a_push_in_the_moment_of_merging_is_not_lost(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    forum.services.pulls.open(forum.rita, forum.repo, "Mine")
    seen = forum.commit({"b.txt": "seen\n"}, "refs/pr/1", "rita")
    merge, pushed = forum.services.git.merge, []

    def late(*args: Any, **options: Any) -> Any:
        if not pushed:
            pushed.append(forum.commit({"b.txt": "not seen\n"}, "refs/pr/1", "rita"))
        return merge(*args, **options)

    monkeypatch.setattr(forum.services.git, "merge", late)
    before = forum.refs()["refs/heads/main"]
    with pytest.raises(StaleBase):
        forum.services.merges.merge(forum.ann, forum.repo, 1)
    assert forum.refs() == {"refs/heads/main": before, "refs/pr/1": pushed[0]}
    assert pushed[0] != seen
    assert forum.services.discussions.get(forum.ann, forum.repo, 1).status is Status.DRAFT
    forum.services.merges.merge(forum.ann, forum.repo, 1)
    assert forum.read("b.txt") == "not seen\n"


def test_merges_and_pushes_at_once_all_arrive_or_say_that_they_did_not(forum: Forum) -> None:
    for number in range(1, 5):
        forum.services.pulls.open(forum.rita, forum.repo, f"Change {number}")
        forum.commit({f"pr{number}.txt": "first\n"}, f"refs/pr/{number}", "rita")
    start = threading.Barrier(12)

    def run(act: Callable[[], object]) -> bool:
        start.wait()
        try:
            act()
        except (StaleBase, DiscussionClosed):
            return False
        return True

    def merge(number: int) -> Callable[[], object]:
        return lambda: forum.services.merges.merge(forum.ann, forum.repo, number)

    def push(number: int) -> Callable[[], object]:
        return lambda: forum.commit({f"pr{number}.txt": "second\n"}, f"refs/pr/{number}", "rita")

    def main(number: int) -> Callable[[], object]:
        return lambda: forum.commit({f"main{number}.txt": "main\n"}, "main", "will")

    acts = [make(number) for number in range(1, 5) for make in (merge, push, main)]
    with ThreadPoolExecutor(12) as pool:
        done = list(pool.map(run, acts))
    for index in range(4):
        merged, pushed, committed = done[3 * index : 3 * index + 3]
        number = index + 1
        view = forum.services.discussions.get(forum.ann, forum.repo, number)
        text = forum.read(f"pr{number}.txt", view.ref)
        assert committed and forum.read(f"main{number}.txt") == "main\n"
        assert (view.status is Status.MERGED) == merged
        assert text == ("second\n" if pushed else "first\n")
        if merged:
            assert forum.read(f"pr{number}.txt") == text, "what is merged is all that was pushed"
        else:
            assert pushed
    assert forum.services.git.verify(forum.repo.id) == []


def test_two_who_merge_at_once_merge_once(forum: Forum) -> None:
    forum.services.pulls.open(forum.rita, forum.repo, "Mine")
    forum.commit({"b.txt": "b\n"}, "refs/pr/1", "rita")

    def merge(who: str) -> bool:
        try:
            forum.services.merges.merge(forum.people[who], forum.repo, 1)
        except DiscussionClosed:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(merge, ("ann", "will"))) == [False, True]
    assert events(forum, 1, EventKind.STATUS) == ["merged"]
    assert len(forum.audited("pull_request.merge")) == 1


def test_rights_that_were_taken_away_end_the_own_pull_request_too(forum: Forum) -> None:
    forum.services.pulls.open(forum.rita, forum.repo, "Mine")
    forum.services.repos.set_visibility(forum.ann, forum.repo, Visibility.PRIVATE)
    with pytest.raises(HubError):
        forum.commit({"b.txt": "b\n"}, "refs/pr/1", "rita")
    limited = dataclasses.replace(forum.ann, repo_id=forum.repo.id + 1)
    with pytest.raises(HubError):
        forum.services.pulls.open(limited, forum.repo, "Elsewhere")


def test_pull_requests_stay_with_their_repo(forum: Forum) -> None:
    forum.services.pulls.open_with_commit(forum.rita, forum.repo, [FileChange("b.txt", b"b")], "Add b")
    before = forum.repo.updated_at
    forum.commit({"c.txt": "c\n"}, "refs/pr/1", "rita")
    assert forum.repo.updated_at == before
    forum.services.repos.fork(forum.rita, "ann/thing", "rita/mine")
    mine = forum.services.repos.find(forum.rita, "rita/mine")
    assert set(forum.services.git.refs(mine.id)) == {"refs/heads/main"}
    head = forum.refs()["refs/pr/1"]
    forum.services.git.consolidate(forum.repo.id)
    assert forum.services.git.verify(forum.repo.id) == []
    assert forum.read("c.txt", head) == "c\n"
    repo = forum.repo
    forum.services.repos.delete(forum.ann, repo)
    with forum.services.db.write() as session:
        session.delete(session.get_one(type(repo), repo.id))


def test_the_hub_itself_may_open_one(forum: Forum) -> None:
    made, _ = forum.services.pulls.open_with_commit(SYSTEM, forum.repo, [FileChange("b.txt", b"b")], "Convert")
    assert (made.author, made.status) == ("", Status.OPEN)


def test_on_a_gated_repo_people_talk_before_they_are_let_in(forum: Forum) -> None:
    services = forum.services
    services.pulls.open_with_commit(forum.rita, forum.repo, [FileChange("b.txt", b"b")], "Add b")
    services.gating.set_gating(forum.ann, forum.repo, Gating.MANUAL)
    services.discussions.open(forum.stan, forum.repo, "May I?")
    services.discussions.comment(forum.stan, forum.repo, 1, "What is in it?")
    assert services.merges.changes_to_show(forum.stan, forum.repo, 1) is None
    for act in (
        lambda: services.merges.changes(forum.stan, forum.repo, 1),
        lambda: services.pulls.open(forum.stan, forum.repo, "Blind"),
        lambda: services.pulls.open_with_commit(forum.stan, forum.repo, [FileChange("c.txt", b"c")], "Blind"),
        lambda: forum.commit({"c.txt": "c"}, "refs/pr/1", "rita"),
    ):
        with pytest.raises(GatedRepo):
            act()
    services.merges.merge(forum.ann, forum.repo, 1)
