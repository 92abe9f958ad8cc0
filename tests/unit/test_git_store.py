"""Reading and writing repositories in process, on both databases."""

from __future__ import annotations

import datetime as dt
import shutil
import string
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_core.db import Database
from hub_core.errors import (
    AlreadyExists,
    Conflict,
    CorruptStorage,
    EntryNotFound,
    HubError,
    InvalidInput,
    InvalidPath,
    InvalidRef,
    RevisionNotFound,
    StaleBase,
    TooLarge,
)
from hub_core.git import Author, FileChange, GitStore, valid_ref
from hub_core.git.merging import merge_lines
from hub_core.lfs.pointer import LfsPointer, format_pointer
from hub_core.repos.tables import Repo
from hub_core.storage import LocalBlobStore
from tests.common.factories import make_repo, make_user
from tests.common.git_client import git

ANN = Author("Ann", "ann@example.org")


@pytest.fixture
def store(db: Database, tmp_path: Path) -> Iterator[GitStore]:
    opened = GitStore(db, LocalBlobStore(tmp_path / "blobs"), tmp_path / "cache")
    yield opened
    opened.close()


@pytest.fixture
def repo(db: Database) -> Repo:
    return make_repo(db, make_user(db))


def write(store: GitStore, repo: Repo, message: str = "change", branch: str = "main", **files: str) -> str:
    changes = [FileChange(path.replace("__", "/"), content.encode()) for path, content in files.items()]
    return store.commit(repo.id, branch, None, changes, ANN, message, create=True).commit


def text(store: GitStore, repo: Repo, path: str, revision: str = "main") -> str:
    return store.read_file(repo.id, store.resolve(repo.id, revision), path).decode()


def test_commits_read_back_and_pass_git_fsck(store: GitStore, repo: Repo) -> None:
    first = write(store, repo, "First\n\nbody", readme="one", src__deep__a="2")
    second = write(store, repo, "Second", src__deep__b="3")
    assert [entry.path for entry in store.tree(repo.id, second, recursive=True)] == [
        "readme",
        "src",
        "src/deep",
        "src/deep/a",
        "src/deep/b",
    ]
    assert [entry.path for entry in store.tree(repo.id, second, "src/deep")] == ["src/deep/a", "src/deep/b"]
    log = store.log(repo.id, second)
    assert [(info.title, info.author.name, info.parents) for info in log] == [("Second", "Ann", [first]), ("First", "Ann", [])]
    assert store.log(repo.id, second, after=second) == log[1:]
    assert [info.title for info in store.log(repo.id, second, "src/deep/b")] == ["Second"]
    assert store.last_commits(repo.id, second, ["readme"])["readme"].sha == first
    assert log[0].committed_at.tzinfo is dt.UTC
    snapshot = store._cache.snapshot(store.state(repo.id))
    assert git(snapshot, "--git-dir", str(snapshot), "fsck", "--strict", "--full").stderr == ""


def test_a_stale_base_writes_nothing_and_no_base_means_the_newest(store: GitStore, repo: Repo) -> None:
    first = write(store, repo, a="1")
    second = write(store, repo, a="2")
    with pytest.raises(StaleBase):
        store.commit(repo.id, "main", first, [FileChange("a", b"3")], ANN, "stale")
    assert store.resolve(repo.id, "main") == second
    done = store.commit(repo.id, "main", second[:7], [FileChange("a", b"3")], ANN, "fresh")
    assert done.parent == second


def test_of_eight_commits_on_one_base_at_once_one_wins(store: GitStore, repo: Repo) -> None:
    base = write(store, repo, a="0")

    def attempt(number: int) -> str:
        try:
            return store.commit(repo.id, "main", base, [FileChange("a", str(number + 1).encode())], ANN, "race").commit
        except StaleBase:
            return ""

    with ThreadPoolExecutor(8) as pool:
        won = [commit for commit in pool.map(attempt, range(8)) if commit]
    assert len(won) == 1
    assert store.resolve(repo.id, "main") == won[0]


def test_eight_commits_without_base_at_once_are_all_kept(store: GitStore, repo: Repo) -> None:
    write(store, repo, start="0")
    with ThreadPoolExecutor(8) as pool:
        commits = list(pool.map(lambda number: write(store, repo, **{f"f{number}": str(number)}), range(8)))
    head = store.resolve(repo.id, "main")
    assert {entry.path for entry in store.tree(repo.id, head)} == {"start", *(f"f{number}" for number in range(8))}
    assert all(store.is_ancestor(repo.id, commit, head) for commit in commits)
    assert store.verify(repo.id) == []


def test_files_and_folders_are_moved_and_deleted(store: GitStore, repo: Repo) -> None:
    write(store, repo, a__x="1", a__y="2", b="3")
    store.commit(repo.id, "main", None, [FileChange("c", move_from="a"), FileChange("b", delete=True)], ANN, "move")
    head = store.resolve(repo.id)
    assert [entry.path for entry in store.tree(repo.id, head, recursive=True)] == ["c", "c/x", "c/y"]
    store.commit(repo.id, "main", None, [FileChange("c/x", delete=True), FileChange("c/y", delete=True)], ANN, "empty")
    assert store.tree(repo.id, store.resolve(repo.id)) == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (FileChange("a", b"1"), InvalidInput),
        (FileChange("absent", delete=True), EntryNotFound),
        (FileChange("z", move_from="absent"), EntryNotFound),
        (FileChange("a/below", b"x"), InvalidPath),
        (FileChange("folder", b"x"), InvalidPath),
        (FileChange("folder/f/inside", move_from="folder"), InvalidPath),
        (FileChange("folder/f", move_from="a"), InvalidPath),
        (FileChange("../x", b"x"), InvalidPath),
        (FileChange(".git/config", b"x"), InvalidPath),
        (FileChange("x", blob="1" * 40), EntryNotFound),
        (FileChange("x"), InvalidInput),
        (FileChange("x", b"x", delete=True), InvalidInput),
    ],
)
def test_changes_that_make_no_sense_are_refused(store: GitStore, repo: Repo, change: FileChange, error: type[HubError]) -> None:
    head = write(store, repo, a="1", folder__f="2")
    with pytest.raises(error):
        store.commit(repo.id, "main", None, [change], ANN, "no")
    assert store.resolve(repo.id) == head


def test_modes_are_kept_and_blobs_can_be_reused(store: GitStore, repo: Repo) -> None:
    store.commit(repo.id, "main", None, [FileChange("run.sh", b"#!/bin/sh\n", executable=True)], ANN, "one", create=True)
    store.commit(repo.id, "main", None, [FileChange("run.sh", b"#!/bin/sh\ntrue\n")], ANN, "two")
    entry = store.entry(repo.id, store.resolve(repo.id), "run.sh")
    assert entry.mode == 0o100755
    store.commit(repo.id, "main", None, [FileChange("copy.sh", blob=entry.sha)], ANN, "three")
    assert text(store, repo, "copy.sh") == "#!/bin/sh\ntrue\n"


def test_lfs_pointers_show_the_size_of_their_object(store: GitStore, repo: Repo) -> None:
    pointer = LfsPointer("a" * 64, 10**12)
    store.commit(repo.id, "main", None, [FileChange("w.bin", format_pointer(pointer)), FileChange("t", b"text")], ANN, "x", create=True)
    entries = {entry.path: entry for entry in store.tree(repo.id, store.resolve(repo.id))}
    assert (entries["w.bin"].lfs, entries["w.bin"].size) == (pointer, 10**12)
    assert (entries["t"].lfs, entries["t"].size) == (None, 4)


def test_revisions_resolve_by_every_kind_of_name(store: GitStore, repo: Repo) -> None:
    first = write(store, repo, a="1")
    second = write(store, repo, a="2")
    store.create_branch(repo.id, "feature/x", first)
    store.create_tag(repo.id, "v1", first, "Release", ANN)
    store.create_tag(repo.id, "light", second)
    for name, commit in {
        "": second,
        "HEAD": second,
        "main": second,
        "refs/heads/main": second,
        "feature/x": first,
        "v1": first,
        "light": second,
    }.items():
        assert store.resolve(repo.id, name) == commit
    assert store.resolve(repo.id, first) == store.resolve(repo.id, first[:7]) == store.resolve(repo.id, first[:8].upper()) == first
    for name in ("absent", first[:6], "0" * 40, "refs/heads/absent", "main~1", "..", "\0"):
        with pytest.raises(RevisionNotFound):
            store.resolve(repo.id, name)
    assert store.tags(repo.id) == {"v1": first, "light": second}


def test_branches_and_tags_are_made_once_and_deleted(store: GitStore, repo: Repo) -> None:
    head = write(store, repo, a="1")
    store.create_branch(repo.id, "x", head)
    with pytest.raises(AlreadyExists):
        store.create_branch(repo.id, "x", head)
    with pytest.raises(Conflict):
        store.create_branch(repo.id, "x/y", head)
    with pytest.raises(InvalidRef):
        store.create_branch(repo.id, "a..b", head)
    with pytest.raises(HubError):
        store.create_branch(repo.id, "y", "1" * 40)
    assert store.delete_branch(repo.id, "x") == head
    with pytest.raises(RevisionNotFound):
        store.delete_branch(repo.id, "x")
    with pytest.raises(Conflict):
        store.delete_branch(repo.id, "main")


def test_a_diff_tells_added_changed_moved_and_deleted_files(store: GitStore, repo: Repo) -> None:
    base = write(store, repo, same="0", edit="a\nb\nc\n", gone="x", old="moved content")
    changes = [
        FileChange("edit", b"a\nB\nc\nd\n"),
        FileChange("gone", delete=True),
        FileChange("new", move_from="old"),
        FileChange("extra", b"1\n"),
        FileChange("bin", b"\0\1"),
    ]
    head = store.commit(repo.id, "main", None, changes, ANN, "x").commit
    found = {item.path: item for item in store.diff(repo.id, base, head)}
    assert {path: item.status for path, item in found.items()} == {
        "edit": "modified", "gone": "deleted", "new": "renamed", "extra": "added", "bin": "added",
    }  # fmt: skip
    assert (found["edit"].additions, found["edit"].deletions) == (2, 1)
    assert "-b\n+B\n" in found["edit"].patch
    assert found["new"].old_path == "old"
    assert found["bin"].binary
    assert len(store.diff(repo.id, None, base)) == 4


def test_a_merge_joins_lines_and_reports_conflicts(store: GitStore, repo: Repo) -> None:
    base = write(store, repo, text="1\n2\n3\n4\n5\n", other="x")
    store.create_branch(repo.id, "side", base)
    side = write(store, repo, branch="side", text="1\n2\n3\n4\nfive\n", fresh="new")
    write(store, repo, text="one\n2\n3\n4\n5\n")
    merged = store.merge(repo.id, "main", side, ANN, "Merge side")
    assert text(store, repo, "text") == "one\n2\n3\n4\nfive\n"
    assert text(store, repo, "fresh") == "new"
    assert len(store.commit_info(repo.id, merged.commit).parents) == 2
    with pytest.raises(InvalidInput):
        store.merge(repo.id, "main", side, ANN, "again")
    clash = write(store, repo, branch="side", text="eins\n2\n3\n4\nfive\n")
    before = store.resolve(repo.id)
    with pytest.raises(Conflict) as caught:
        store.merge(repo.id, "main", clash, ANN, "no")
    assert caught.value.details["paths"] == ["text"]
    assert store.resolve(repo.id) == before
    assert store.merge_base(repo.id, before, clash) == side


def test_a_commit_is_reverted_unless_later_ones_are_in_the_way(store: GitStore, repo: Repo) -> None:
    first = write(store, repo, a="1\n", b="1\n")
    second = write(store, repo, "Break it", a="2\n", c="new")
    write(store, repo, b="2\n")
    done = store.revert(repo.id, "main", second, ANN)
    assert (text(store, repo, "a"), text(store, repo, "b")) == ("1\n", "2\n")
    assert done.changed == ["a", "c"]
    assert store.commit_info(repo.id, done.commit).title == 'Revert "Break it"'
    with pytest.raises(InvalidInput):
        store.revert(repo.id, "main", second, ANN)
    write(store, repo, a="3\n")
    with pytest.raises(Conflict):
        store.revert(repo.id, "main", second, ANN)
    with pytest.raises(RevisionNotFound):
        store.revert(repo.id, "main", "1" * 40, ANN)
    assert first


def test_a_file_over_the_limit_is_not_read(store: GitStore, repo: Repo) -> None:
    head = write(store, repo, a="x" * 1000)
    with pytest.raises(TooLarge):
        store.read_file(repo.id, head, "a", limit=999)
    with pytest.raises(EntryNotFound):
        store.read_file(repo.id, head, "b")


def test_another_node_serves_what_the_first_one_wrote(store: GitStore, repo: Repo, db: Database, tmp_path: Path) -> None:
    head = write(store, repo, a="1")
    other = GitStore(db, LocalBlobStore(tmp_path / "blobs"), tmp_path / "other")
    assert other.read_file(repo.id, head, "a") == b"1"
    second = other.commit(repo.id, "main", head, [FileChange("a", b"2")], ANN, "by the other").commit
    assert text(store, repo, "a") == "2"
    assert store.resolve(repo.id) == second
    other.close()


def test_consolidation_keeps_everything_reachable_and_retires_the_rest_after_a_grace(store: GitStore, repo: Repo, tmp_path: Path) -> None:
    for number in range(6):
        write(store, repo, **{f"f{number}": str(number)})
    head = store.resolve(repo.id)
    report = store.consolidate(repo.id)
    assert (report.packs_before, report.packs_after, report.changed) == (6, 1, True)
    assert len(store.state(repo.id).packs) == 1
    assert store.gc(repo.id) == 0
    assert len(list((tmp_path / "blobs" / "git").rglob("*.pack"))) == 7
    assert store.gc(repo.id, retired=dt.timedelta(0)) == 12
    assert len(list((tmp_path / "blobs" / "git").rglob("*.pack"))) == 1
    shutil.rmtree(tmp_path / "cache")
    assert text(store, repo, "f5") == "5"
    assert store.verify(repo.id) == []
    assert not store.consolidate(repo.id).changed
    assert store.resolve(repo.id) == head


def test_damage_in_the_storage_is_found_and_never_served(store: GitStore, repo: Repo, tmp_path: Path) -> None:
    head = write(store, repo, a="1")
    [pack] = (tmp_path / "blobs" / "git").rglob("*.pack")
    data = bytearray(pack.read_bytes())
    data[30] ^= 1
    pack.unlink()
    pack.write_bytes(data)
    assert "damaged" in store.verify(repo.id)[0]
    store.close()
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(CorruptStorage):
        store.read_file(repo.id, head, "a")
    pack.unlink()
    assert "missing" in store.verify(repo.id)[0]


def test_a_fork_has_the_same_content_and_its_own_life(store: GitStore, repo: Repo, db: Database) -> None:
    head = write(store, repo, a="1")
    store.create_tag(repo.id, "v1", head, "Release", ANN)
    copy = make_repo(db, make_user(db))
    store.fork(repo.id, copy.id)
    assert store.refs(copy.id) == store.refs(repo.id)
    assert store.tags(copy.id) == {"v1": head}
    write(store, copy, a="2")
    assert text(store, repo, "a") == "1"
    store.delete_repo(repo.id)
    assert text(store, copy, "a") == "2"
    with pytest.raises(Conflict):
        store.fork(repo.id, copy.id)


# --- properties ---


@given(st.text(max_size=60))
def test_ref_names_are_valid_exactly_when_git_says_so_or_the_hub_is_stricter(name: str) -> None:
    full = f"refs/heads/{name}"
    if valid_ref(full):
        assert not any(char in name for char in " ~^:?*[\\\x7f")
        assert ".." not in name
        assert not name.endswith((".lock", "/", "."))


@given(st.lists(st.text(alphabet=string.ascii_letters + "./@{~^:?*[ \\-", min_size=1, max_size=12), min_size=1, max_size=25))
def test_no_ref_name_is_accepted_that_git_refuses(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in names[:3]:
        full = f"refs/heads/{name}"
        if valid_ref(full):
            assert git(folder, "check-ref-format", full, check=False).returncode == 0, full


lines = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d\n"]), max_size=12)


@given(lines, lines)
def test_merging_with_an_unchanged_side_gives_the_other_side(base: list[bytes], changed: list[bytes]) -> None:
    assert merge_lines(base, base, changed) == b"".join(changed)
    assert merge_lines(base, changed, base) == b"".join(changed)
    assert merge_lines(base, changed, changed) == b"".join(changed)


@given(lines, lines, lines)
def test_merging_does_not_depend_on_the_order_of_the_sides(base: list[bytes], ours: list[bytes], theirs: list[bytes]) -> None:
    assert merge_lines(base, ours, theirs) == merge_lines(base, theirs, ours)
