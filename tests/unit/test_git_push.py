"""Pushes: what is accepted, what is refused, and what is left when something breaks in between."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from dulwich.objects import Blob, Commit, Tree
from dulwich.pack import create_delta
from sqlalchemy.orm import Session

from hub_core.db import Database
from hub_core.errors import Conflict, InvalidInput, Unavailable
from hub_core.git import ZERO, Author, FileChange, GitLimits, GitStore, MaintenanceReport, RefsApply, RefsChange, RefUpdate
from hub_core.git import ingest as ingest_module
from hub_core.git import maintenance as maintenance_module
from hub_core.git import process as process_module
from hub_core.git import upload as upload_module
from hub_core.repos.tables import Repo
from hub_core.storage import MemoryBlobStore
from tests.common.factories import make_repo, make_user
from tests.common.packs import commit_of, create, pack_of, push_body, raw_pack, raw_tree, simple_commit, tree_of

ANN = Author("Ann", "ann@example.org")
MIB = 1024 * 1024


@pytest.fixture(params=["with-git", "without-git"])
def store(request: pytest.FixtureRequest, sqlite_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitStore]:
    """A store whose packs are checked by C Git, or in process because there is no `git` program."""
    limits = GitLimits(max_pack_bytes=8 * MIB, max_object_bytes=4 * MIB, max_expanded_bytes=12 * MIB, in_process_bytes=0)
    if request.param == "without-git":
        for module in (ingest_module, maintenance_module, process_module, upload_module):
            monkeypatch.setattr(module, "git_binary", lambda: None)
    git = GitStore(sqlite_db, MemoryBlobStore(), tmp_path / "cache", limits)
    yield git
    git.close()


@pytest.fixture
def repo(sqlite_db: Database) -> Repo:
    return make_repo(sqlite_db, make_user(sqlite_db))


def receive(store: GitStore, repo: Repo, pack: bytes, *commands: tuple[str, str, str]) -> str:
    return store.receive_pack(repo.id, push_body(pack, *commands)).decode()


def test_a_sound_push_is_accepted(store: GitStore, repo: Repo) -> None:
    commit, objects = simple_commit()
    answer = receive(store, repo, pack_of(objects), create("main", commit))
    assert "unpack ok" in answer
    assert "ok refs/heads/main" in answer
    assert store.refs(repo.id) == {"refs/heads/main": commit.id.decode()}
    assert store.read_file(repo.id, commit.id.decode(), "file") == b"hello"
    assert store.verify(repo.id) == []


def test_a_thin_pack_is_completed(store: GitStore, repo: Repo) -> None:
    old_text = os.urandom(5000)
    commit, objects = simple_commit(old_text)
    receive(store, repo, pack_of(objects), create("main", commit))
    old, new = Blob.from_string(old_text), Blob.from_string(old_text + b"more")
    delta = b"".join(create_delta(old.data, new.data))
    tree = tree_of(file=new)
    second = commit_of(tree, commit.id)
    pack = raw_pack(
        (7, len(delta), bytes.fromhex(old.id.decode()), delta),
        (2, tree.raw_length(), b"", tree.as_raw_string()),
        (1, second.raw_length(), b"", second.as_raw_string()),
    )
    answer = receive(store, repo, pack, ("refs/heads/main", commit.id.decode(), second.id.decode()))
    assert "ok refs/heads/main" in answer
    assert store.read_file(repo.id, second.id.decode(), "file") == old_text + b"more"
    assert store.verify(repo.id) == []


def _refused(store: GitStore, repo: Repo, pack: bytes, commit: Commit) -> str:
    answer = receive(store, repo, pack, create("main", commit))
    assert "ng refs/heads/main" in answer, answer
    assert store.refs(repo.id) == {}
    assert store.state(repo.id).packs == ()
    return answer


@pytest.mark.parametrize("cut", [1, 10, 20, 21, 60, 100])
def test_a_truncated_pack_is_refused(store: GitStore, repo: Repo, cut: int) -> None:
    commit, objects = simple_commit(os.urandom(500))
    _refused(store, repo, pack_of(objects)[:-cut], commit)


@pytest.mark.parametrize("position", [0, 5, 9, 15, 40, -21, -1])
def test_a_pack_with_a_flipped_bit_is_refused(store: GitStore, repo: Repo, position: int) -> None:
    commit, objects = simple_commit(os.urandom(500))
    pack = bytearray(pack_of(objects))
    pack[position] ^= 4
    _refused(store, repo, bytes(pack), commit)


def test_a_push_without_a_pack_is_refused(store: GitStore, repo: Repo) -> None:
    commit, _ = simple_commit()
    _refused(store, repo, b"", commit)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_pack_that_lacks_objects_it_needs_is_refused(store: GitStore, repo: Repo, missing: int) -> None:
    commit, objects = simple_commit()
    _refused(store, repo, pack_of([item for index, item in enumerate(objects) if index != missing]), commit)


def test_a_tip_that_is_nowhere_is_refused(store: GitStore, repo: Repo) -> None:
    _, objects = simple_commit()
    absent = commit_of(tree_of(), message=b"absent\n")
    _refused(store, repo, pack_of(objects), absent)


def test_a_branch_cannot_lead_to_a_blob_and_a_tree_entry_not_to_another_type(store: GitStore, repo: Repo) -> None:
    blob = Blob.from_string(b"x")
    answer = receive(store, repo, pack_of([blob]), ("refs/heads/main", ZERO, blob.id.decode()))
    assert "ng refs/heads/main" in answer
    wrong = raw_tree((b"40000", b"dir", blob.id))
    commit = commit_of(wrong)
    _refused(store, repo, pack_of([blob, wrong, commit]), commit)


@pytest.mark.parametrize(
    "name",
    [
        b".git",
        b".GIT",
        b"..",
        b".",
        b"",
        b"a/b",
        b"git~1",
        b".git ",
        b"a\\b",
        b"a\nb",
        "zero\u200bwidth".encode(),
        "\u202egnp".encode(),
        b"\xff",
        b"x" * 300,
    ],
)
def test_hostile_file_names_are_refused(store: GitStore, repo: Repo, name: bytes) -> None:
    blob = Blob.from_string(b"x")
    tree = raw_tree((b"100644", name, blob.id))
    commit = commit_of(tree)
    _refused(store, repo, pack_of([blob, tree, commit]), commit)


@pytest.mark.parametrize(
    "entries",
    [
        [(b"100644", b"b"), (b"100644", b"a")],
        [(b"100644", b"a"), (b"100644", b"a")],
        [(b"100777", b"a")],
        [(b"0100644", b"a")],
    ],
    ids=["unsorted", "twice", "odd-mode", "zero-padded"],
)
def test_malformed_trees_are_refused(store: GitStore, repo: Repo, entries: list[tuple[bytes, bytes]]) -> None:
    blob = Blob.from_string(b"x")
    tree = raw_tree(*[(mode, name, blob.id) for mode, name in entries])
    commit = commit_of(tree)
    _refused(store, repo, pack_of([blob, tree, commit]), commit)


def test_ordinary_file_names_of_all_languages_are_accepted(store: GitStore, repo: Repo) -> None:
    blob = Blob.from_string(b"x")
    names = sorted(
        name.encode() for name in ("数据 (1).csv", "データ.txt", "모델.bin", "café.md", ".gitignore", ".github", "git", "a~1", "-x")
    )
    tree = raw_tree(*[(b"100644", name, blob.id) for name in names])
    commit = commit_of(tree)
    assert "ok refs/heads/main" in receive(store, repo, pack_of([blob, tree, commit]), create("main", commit))


def test_a_malformed_commit_is_refused(store: GitStore, repo: Repo) -> None:
    tree = Tree()
    for text in (b"tree " + tree.id + b"\n\nno author\n", b"not a commit", b"tree 123\nauthor x\n\n"):
        sha = hashlib.sha1(b"commit %d\0%s" % (len(text), text), usedforsecurity=False).hexdigest()
        answer = receive(store, repo, raw_pack((2, 0, b"", b""), (1, len(text), b"", text)), ("refs/heads/main", ZERO, sha))
        assert "ng refs/heads/main" in answer
        assert store.refs(repo.id) == {}


def test_a_pack_that_expands_beyond_the_limit_is_refused(store: GitStore, repo: Repo) -> None:
    bomb = b"\0" * (5 * MIB)
    blob = Blob.from_string(bomb)
    tree = tree_of(file=blob)
    commit = commit_of(tree)
    assert len(pack_of([blob])) < 50_000
    _refused(store, repo, pack_of([blob, tree, commit]), commit)


def test_a_pack_whose_deltas_expand_beyond_the_limit_is_refused(store: GitStore, repo: Repo) -> None:
    base = b"x" * MIB
    # Each delta copies the base over and over; together they are far larger than the pack.
    copy = b"\xf0" + (0xFFFF).to_bytes(2, "little") + b"\x00"
    size = 0xFFFF * 40
    delta = _varint(len(base)) + _varint(size) + copy * 40
    blob = Blob.from_string(base)
    entries = [(3, len(base), b"", base)] + [(7, len(delta), bytes.fromhex(blob.id.decode()), delta)] * 12
    commit, objects = simple_commit()
    entries += [(item.type_num, item.raw_length(), b"", item.as_raw_string()) for item in objects]
    _refused(store, repo, raw_pack(*entries), commit)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("size", [0, 4, 5_000_000, 2**40])
def test_a_pack_that_lies_about_sizes_is_refused(store: GitStore, repo: Repo, size: int) -> None:
    commit, objects = simple_commit()
    entries = [(item.type_num, item.raw_length(), b"", item.as_raw_string()) for item in objects[1:]]
    _refused(store, repo, raw_pack((3, size, b"", b"hello"), *entries), commit)


def test_a_header_that_announces_millions_of_objects_is_refused_at_once(store: GitStore, repo: Repo) -> None:
    commit, objects = simple_commit()
    pack = bytearray(pack_of(objects))
    pack[8:12] = b"\xff\xff\xff\xff"
    _refused(store, repo, bytes(pack), commit)


@pytest.mark.parametrize("body", [b"", b"0000", b"0004", b"zzzz", b"00", b"0009hello", b"fff0abc", b"\0" * 100])
def test_a_body_that_is_no_push_changes_nothing(store: GitStore, repo: Repo, body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(body)
    with path.open("rb", buffering=0) as file, contextlib.suppress(InvalidInput):
        assert store.receive_pack(repo.id, file) == b"0000"
    assert store.refs(repo.id) == {}


@pytest.mark.parametrize(
    "name",
    [
        "refs/pr/1",
        "refs/heads",
        "HEAD",
        "refs/heads/",
        "refs/heads/a..b",
        "refs/heads/.a",
        "refs/heads/a.lock",
        "refs/heads/a b",
        "refs/heads/a\x01",
        "../x",
    ],
)
def test_ref_names_that_are_reserved_or_malformed_are_refused(store: GitStore, repo: Repo, name: str) -> None:
    commit, objects = simple_commit()
    answer = receive(store, repo, pack_of(objects), (name, ZERO, commit.id.decode()))
    assert f"ng {name}" in answer
    assert store.refs(repo.id) == {}


def test_without_atomic_the_good_refs_of_a_push_move_and_with_it_none(store: GitStore, repo: Repo) -> None:
    commit, objects = simple_commit()
    sha = commit.id.decode()
    commands = [create("main", commit), ("refs/heads/other", "1" * 40, sha)]
    answer = store.receive_pack(repo.id, push_body(pack_of(objects), *commands)).decode()
    assert answer.count("ng ") == 2
    assert store.refs(repo.id) == {}
    answer = store.receive_pack(repo.id, push_body(pack_of(objects), *commands, capabilities="report-status")).decode()
    assert "ok refs/heads/main" in answer
    assert "ng refs/heads/other" in answer
    assert store.refs(repo.id) == {"refs/heads/main": sha}


def test_a_hook_refuses_a_push_with_its_own_words(store: GitStore, repo: Repo) -> None:
    commit, objects = simple_commit()

    def hook(change: RefsChange) -> None:
        assert change.read(commit.id.decode(), "file") == b"hello"
        raise Conflict("The branch is frozen.", hint="Wait.")

    answer = store.receive_pack(repo.id, push_body(pack_of(objects), create("main", commit)), hook=hook).decode()
    assert "unpack ok" in answer
    assert "ng refs/heads/main The branch is frozen." in answer
    assert store.refs(repo.id) == {}


class Crash(BaseException):
    """The process dies here."""


def test_a_crash_before_the_refs_move_leaves_the_old_state(store: GitStore, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    first, objects = simple_commit(b"one")
    receive(store, repo, pack_of(objects), create("main", first))
    before = store.state(repo.id)
    second, objects = simple_commit(b"two", first.id)
    command = ("refs/heads/main", first.id.decode(), second.id.decode())

    def crash(*_: object, **__: object) -> None:
        raise Crash

    for target in (
        "hub_core.git.cache.NodeCache.adopt",
        "hub_core.git.refs.RefStore.publish",
        "hub_core.git.refs._write",
        "hub_core.git.refs.register_pack",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, crash)
            with pytest.raises(Crash):
                receive(store, repo, pack_of(objects), command)
        assert store.state(repo.id) == before
        assert store.verify(repo.id) == []
    assert "ok refs/heads/main" in receive(store, repo, pack_of(objects), command)
    assert store.verify(repo.id) == []


def test_a_crash_inside_the_ref_transaction_leaves_the_old_state(store: GitStore, repo: Repo) -> None:
    commit, objects = simple_commit()

    def hook(_change: RefsChange) -> RefsApply:
        def inside(_session: Session, _updates: object) -> None:
            raise Crash

        return inside

    with pytest.raises(Crash):
        store.receive_pack(repo.id, push_body(pack_of(objects), create("main", commit)), hook=hook)
    assert store.refs(repo.id) == {}
    assert store.state(repo.id).packs == ()


def test_a_blob_store_that_fails_refuses_the_push(store: GitStore, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, objects = simple_commit()

    def fail(*_: object, **__: object) -> None:
        raise Unavailable("The blob storage does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryBlobStore, "put_file", fail)
        answer = receive(store, repo, pack_of(objects), create("main", commit))
    assert "unpack The blob storage does not answer." in answer
    assert store.refs(repo.id) == {}


def test_objects_of_a_refused_push_do_not_count_as_present(store: GitStore, repo: Repo) -> None:
    """A later push that leans on them would be a broken repo on every other node."""
    commit, objects = simple_commit()
    receive(store, repo, pack_of(objects), ("refs/heads/main", "1" * 40, commit.id.decode()))

    def hook(_change: RefsChange) -> None:
        raise Conflict("no")

    store.receive_pack(repo.id, push_body(pack_of(objects), create("main", commit)), hook=hook)
    second = commit_of(tree_of(), commit.id)
    answer = receive(store, repo, pack_of([Tree(), second]), create("main", second))
    assert "ng refs/heads/main" in answer


def test_a_push_that_meets_a_consolidation_is_checked_again(store: GitStore, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.commit(repo.id, "main", None, [FileChange("a", b"1")], ANN, "one", create=True)
    second = store.commit(repo.id, "main", None, [FileChange("a", b"2")], ANN, "two")
    tree = tree_of(file=Blob.from_string(b"hello"))
    commit = commit_of(tree, second.commit.encode())
    met: list[MaintenanceReport] = []

    def hook(_change: RefsChange) -> None:
        if not met:
            met.append(store.consolidate(repo.id))

    pack = pack_of([Blob.from_string(b"hello"), tree, commit])
    answer = store.receive_pack(repo.id, push_body(pack, ("refs/heads/main", second.commit, commit.id.decode())), hook=hook).decode()
    assert met[0].changed
    assert "ok refs/heads/main" in answer
    assert store.verify(repo.id) == []
    assert store.is_ancestor(repo.id, first.commit, commit.id.decode())


def test_an_object_that_a_consolidation_left_behind_does_not_carry_a_push(store: GitStore, repo: Repo) -> None:
    main = store.commit(repo.id, "main", None, [FileChange("a", b"1")], ANN, "one", create=True)
    lost = store.commit(repo.id, "side", main.commit, [FileChange("b", b"2")], ANN, "side", create=True)
    store.delete_branch(repo.id, "side")

    def hook(_change: RefsChange) -> None:
        store.consolidate(repo.id)

    results = []
    body = push_body(pack_of([]), ("refs/heads/side", ZERO, lost.commit))
    results.append(store.receive_pack(repo.id, body, hook=hook).decode())
    assert "ng refs/heads/side" in results[0]
    assert store.verify(repo.id) == []


def test_refs_move_only_from_where_they_are(store: GitStore, repo: Repo) -> None:
    one = store.commit(repo.id, "main", None, [FileChange("a", b"1")], ANN, "one", create=True)
    two = store.commit(repo.id, "main", None, [FileChange("a", b"2")], ANN, "two")
    stale = store.update_refs(repo.id, [RefUpdate("refs/heads/main", one.commit, two.commit)])
    assert not stale[0].ok
    gone = store.update_refs(repo.id, [RefUpdate("refs/heads/main", two.commit, ZERO)])
    assert "default branch" in gone[0].reason
    assert store.refs(repo.id) == {"refs/heads/main": two.commit}
