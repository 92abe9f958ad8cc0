"""Life of repos, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_core.authz import Actor, Role, Visibility
from hub_core.errors import (
    AlreadyExists,
    AmbiguousRepo,
    Conflict,
    EntryNotFound,
    InvalidInput,
    PermissionDenied,
    RepoNotFound,
    RevisionNotFound,
    StaleBase,
)
from hub_core.git import FileChange
from hub_core.repos.kinds import RepoKind
from hub_core.repos.search import RepoQuery, RepoSort
from hub_core.repos.tags import TagMode
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_org, make_user


@pytest.fixture
def hub(db_url: str, tmp_path: Path) -> Iterator[Services]:
    with open_services(Settings(data_dir=tmp_path / "data", database_url=db_url, demo=False)) as services:
        yield services


@pytest.fixture
def alice(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "alice"))


@pytest.fixture
def bob(hub: Services) -> Actor:
    return actor_for(make_user(hub.db, "bob"))


def test_a_new_repo_is_private_and_has_a_first_commit(hub: Services, alice: Actor, bob: Actor) -> None:
    made = hub.repos.create(alice, "thing", RepoKind.MODEL, license="mit")
    assert (made.id, made.visibility, made.role) == ("alice/thing", "private", "admin")
    assert made.head
    assert {entry.path for entry in hub.files.tree(alice, hub.repos.find(alice, "thing")).entries} == {".gitattributes", "README.md"}
    with pytest.raises(RepoNotFound):
        hub.repos.get(bob, "alice/thing")


def test_names_are_taken_per_kind_without_regard_to_case(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL)
    hub.repos.create(alice, "thing", RepoKind.DATASET)
    with pytest.raises(AlreadyExists):
        hub.repos.create(alice, "Thing", RepoKind.MODEL)
    with pytest.raises(AmbiguousRepo) as error:
        hub.repos.find(alice, "thing")
    assert error.value.details["choices"] == ["dataset:alice/thing", "model:alice/thing"]
    assert hub.repos.find(alice, "datasets/alice/thing").kind == "dataset"


def test_only_members_with_write_create_in_an_organisation(hub: Services, alice: Actor, bob: Actor) -> None:
    with hub.db.read() as session:
        users = {name: hub.users.by_name(session, name) for name in ("alice", "bob")}
    make_org(hub.db, "acme", {users["alice"]: Role.WRITE, users["bob"]: Role.READ})
    made = hub.repos.create(alice, "acme/thing", RepoKind.CODE)
    with pytest.raises(PermissionDenied):
        hub.repos.create(bob, "acme/other", RepoKind.CODE)
    assert made.role == "admin", "who made it may also delete it"


def test_an_own_repo_wins_over_another_of_the_same_name(hub: Services, alice: Actor, bob: Actor) -> None:
    hub.repos.create(alice, "mini", RepoKind.MODEL, Visibility.PUBLIC)
    hub.repos.create(bob, "mini", RepoKind.MODEL, Visibility.PUBLIC)
    assert hub.repos.find(alice, "mini").namespace == "alice"


def test_old_names_lead_to_the_new_one_until_taken(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "old", RepoKind.MODEL)
    hub.repos.move(alice, hub.repos.find(alice, "old"), "new")
    assert hub.repos.get(alice, "alice/old").id == "alice/new"
    assert hub.repos.get(alice, "old").id == "alice/new"
    hub.repos.create(alice, "old", RepoKind.MODEL)
    assert hub.repos.get(alice, "alice/old").id == "alice/old"
    hub.repos.delete(alice, hub.repos.find(alice, "old"))
    hub.repos.move(alice, hub.repos.find(alice, "new"), "old")
    assert hub.repos.get(alice, "alice/new").id == "alice/old"


def test_a_transfer_needs_the_right_to_create_there(hub: Services, alice: Actor, bob: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL)
    with pytest.raises(PermissionDenied):
        hub.repos.move(alice, hub.repos.find(alice, "thing"), "bob/thing")
    assert hub.repos.get(alice, "thing").owner == "alice"


def test_delete_restore_and_a_name_taken_meanwhile(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL)
    repo = hub.repos.find(alice, "thing")
    hub.repos.delete(alice, repo)
    with pytest.raises(RepoNotFound):
        hub.repos.find(alice, "thing")
    assert [view.id for view in hub.search.search(alice, RepoQuery(deleted=True)).items] == ["alice/thing"]
    hub.repos.create(alice, "thing", RepoKind.MODEL)
    with pytest.raises(AlreadyExists):
        hub.repos.restore(alice, repo)
    hub.repos.delete(alice, hub.repos.find(alice, "thing"))
    assert hub.repos.restore(alice, repo).id == "alice/thing"
    with pytest.raises(Conflict):
        hub.repos.restore(alice, repo)


def test_the_card_sets_facts_and_later_pushes_change_only_what_they_changed(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL)
    repo = hub.repos.find(alice, "thing")

    def push(text: str) -> None:
        hub.files.commit(alice, repo, [FileChange("README.md", text.encode())], "card")

    push("---\nlicense: mit\ntags: [a, b]\nbase_model: alice/base\n---\n# Thing\n\nDoes things.\n")
    view = hub.repos.get(alice, "thing")
    assert (view.license, view.description) == ("mit", "Does things.")
    assert {"a", "b", "license:mit"} <= set(view.tags)
    assert [link.repo for link in hub.lineage.of(alice, repo).sources] == ["alice/base"]
    hub.repos.update(alice, repo, description="By hand")
    hub.tags.set(alice, repo, ["mine"], TagMode.ADD)
    push("---\nlicense: apache-2.0\ntags: [b]\n---\n# Thing\n\nDoes things.\n")
    view = hub.repos.get(alice, "thing")
    assert (view.license, view.description) == ("apache-2.0", "By hand")
    assert "a" not in view.tags
    assert {"b", "mine", "license:apache-2.0"} <= set(view.tags)


def test_a_broken_card_never_blocks_a_commit(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL)
    repo = hub.repos.find(alice, "thing")
    hub.files.commit(alice, repo, [FileChange("README.md", b"---\n: [\n---\n")], "broken")
    assert hub.repos.get(alice, "thing").license == ""


def test_commits_check_their_base(hub: Services, alice: Actor) -> None:
    base = hub.repos.create(alice, "thing", RepoKind.CODE).head
    repo = hub.repos.find(alice, "thing")
    hub.files.commit(alice, repo, [FileChange("a.txt", b"1\n"), FileChange("b/c.txt", b"2\n")], "two files", base=base)
    with pytest.raises(StaleBase):
        hub.files.commit(alice, repo, [FileChange("a.txt", b"3\n")], "late", base=base)
    assert hub.files.read_text(alice, repo, "a.txt").content == "1\n"
    with pytest.raises(InvalidInput):
        hub.files.commit(alice, repo, [FileChange("a.txt", b"1\n")], "nothing changes")
    with pytest.raises(EntryNotFound):
        hub.files.commit(alice, repo, [FileChange("nope.txt", delete=True)], "gone")


def test_large_and_binary_files_go_to_lfs_and_read_back(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL)
    repo = hub.repos.find(alice, "thing")
    content = bytes(range(256)) * 40_000
    hub.files.commit_stream(alice, repo, "model.bin", iter([content[:5_000_000], content[5_000_000:]]), "weights")
    entry = next(e for e in hub.files.tree(alice, repo).entries if e.path == "model.bin")
    assert entry.lfs is not None
    assert entry.size == len(content)
    reader = hub.files.reader(alice, repo, "model.bin")
    assert (reader.read(1000, 100), reader.size) == (content[1000:1100], len(content))
    assert hub.files.read_text(alice, repo, "model.bin").binary


def test_history_diff_compare_revert(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.CODE)
    repo = hub.repos.find(alice, "thing")
    hub.files.commit(alice, repo, [FileChange("a.txt", b"one\n")], "first")
    hub.history.create_branch(alice, repo, "dev")
    second = hub.files.commit(alice, repo, [FileChange("a.txt", b"two\n")], "second", branch="dev")
    compared = hub.history.compare(alice, repo, "main", "dev")
    assert [commit.title for commit in compared.commits] == ["second"]
    assert [(diff.path, diff.status) for diff in compared.files] == [("a.txt", "modified")]
    assert "+two" in compared.files[0].patch
    hub.history.revert(alice, repo, second.commit, branch="dev")
    assert hub.files.read_text(alice, repo, "a.txt", "dev").content == "one\n"
    with pytest.raises(Conflict):
        hub.history.delete_branch(alice, repo, "main")
    with pytest.raises(RevisionNotFound):
        hub.history.show(alice, repo, "nope")


def test_a_fork_is_a_whole_copy(hub: Services, alice: Actor, bob: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL, Visibility.INTERNAL)
    repo = hub.repos.find(alice, "thing")
    hub.files.commit(alice, repo, [FileChange("w.bin", b"\0\1" * 100)], "weights")
    fork = hub.repos.fork(bob, "alice/thing")
    assert (fork.id, fork.visibility) == ("bob/thing", "private")
    copy = hub.repos.find(bob, "bob/thing")
    assert hub.files.reader(bob, copy, "w.bin").read(0, 4) == b"\0\1\0\1"
    hub.repos.delete(alice, repo)
    assert hub.files.reader(bob, copy, "w.bin").read(0, 4) == b"\0\1\0\1"


def test_search_words_filters_orders_and_pages(hub: Services, alice: Actor, bob: Actor) -> None:
    for number in range(5):
        hub.repos.create(alice, f"ocr-{number}", RepoKind.MODEL, Visibility.PUBLIC, f"Reads plates {number}")
    hub.repos.create(alice, "hidden-ocr", RepoKind.MODEL)
    hub.repos.create(alice, "faq", RepoKind.DATASET, Visibility.PUBLIC)
    hub.tags.set(alice, hub.repos.find(alice, "ocr-3"), ["vision"], TagMode.ADD)
    assert {v.id for v in hub.search.search(bob, RepoQuery(words="ocr plates")).items} == {f"alice/ocr-{n}" for n in range(5)}
    assert [v.id for v in hub.search.search(bob, RepoQuery(tags=["vision"])).items] == ["alice/ocr-3"]
    assert {v.role for v in hub.search.search(bob, RepoQuery(words="ocr")).items} == {"read"}
    assert {v.role for v in hub.search.search(alice, RepoQuery(words="ocr")).items} == {"admin"}
    assert [v.id for v in hub.search.search(bob, RepoQuery(words="VISION")).items] == ["alice/ocr-3"]
    assert [v.id for v in hub.search.search(bob, RepoQuery(kind="dataset")).items] == ["alice/faq"]
    assert hub.search.search(bob, RepoQuery(words="100%_")).items == []
    for sort in RepoSort:
        seen: list[str] = []
        cursor = None
        while True:
            page = hub.search.search(bob, RepoQuery(sort=sort, limit=2, cursor=cursor))
            seen += [v.id for v in page.items]
            if page.next is None:
                break
            cursor = page.next
        assert len(seen) == len(set(seen)) == 6, sort
    with pytest.raises(InvalidInput):
        hub.search.search(bob, RepoQuery(cursor="bm9wZQ=="))


def test_access_lists_tell_members_who_and_outsiders_only_the_audience(hub: Services, alice: Actor, bob: Actor) -> None:
    carol = actor_for(make_user(hub.db, "carol"))
    hub.repos.create(alice, "thing", RepoKind.MODEL, Visibility.INTERNAL)
    repo = hub.repos.find(alice, "thing")
    hub.access.grant(alice, repo, "bob", Role.WRITE)
    assert [(e.username, e.role) for e in hub.access.entries(alice, repo)] == [
        ("every signed-in user", "read"), ("alice", "admin"), ("bob", "write"),
    ]  # fmt: skip
    assert [e.username for e in hub.access.entries(carol, repo)] == ["every signed-in user"]
    with pytest.raises(PermissionDenied):
        hub.access.grant(bob, repo, "carol", Role.READ)
    hub.access.revoke(alice, repo, "bob")
    with pytest.raises(Conflict):
        hub.access.revoke(alice, repo, "bob")


def test_likes_count_once(hub: Services, alice: Actor, bob: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL, Visibility.PUBLIC)
    repo = hub.repos.find(bob, "alice/thing")
    assert [hub.social.set_like(actor, repo, True) for actor in (bob, bob, alice)] == [1, 1, 2]
    assert hub.social.set_like(bob, repo, False) == 1


def test_every_change_leaves_an_event(hub: Services, alice: Actor, bob: Actor) -> None:
    from hub_core.repos.events import EventQuery

    hub.repos.create(alice, "thing", RepoKind.MODEL)
    repo = hub.repos.find(alice, "thing")
    hub.repos.set_visibility(alice, repo, Visibility.PUBLIC)
    events = hub.events.query(alice, EventQuery(repo_id=repo.id, action="visibility"))
    assert [(e.actor, e.details) for e in events] == [("alice", {"before": "private", "after": "public"})]
    assert hub.events.query(bob, EventQuery(repo_id=repo.id)) == []
