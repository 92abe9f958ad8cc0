"""LFS pointers, objects, links and locks."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_core.db import Database
from hub_core.errors import HashMismatch, InvalidInput, LockHeld, NotFound, PermissionDenied, TooLarge
from hub_core.lfs.locks import LockService
from hub_core.lfs.objects import object_key
from hub_core.lfs.pointer import MAX_SIZE, LfsPointer, format_pointer, parse_pointer
from hub_core.lfs.service import LfsService
from hub_core.lfs.tables import LfsLink
from hub_core.repos.tables import Repo
from hub_core.storage import MemoryBlobStore
from tests.common.factories import actor_for, lfs_bytes, make_repo, make_user

pointers = st.builds(LfsPointer, st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, MAX_SIZE))


@given(pointers)
def test_a_pointer_survives_writing_and_reading(pointer: LfsPointer) -> None:
    assert parse_pointer(format_pointer(pointer)) == pointer


@given(pointers, st.integers(0, 130), st.binary(max_size=3))
def test_a_changed_pointer_is_another_pointer_or_none(pointer: LfsPointer, position: int, inserted: bytes) -> None:
    text = format_pointer(pointer)
    changed = text[:position] + inserted + text[position:]
    found = parse_pointer(changed)
    assert found is None or format_pointer(found).strip() == changed.strip() or changed.startswith(b"version https://hawser")


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_never_a_pointer_by_accident(data: bytes) -> None:
    assert parse_pointer(data) is None
    assert parse_pointer(b"version https://git-lfs.github.com/spec/v1\n" + data) is None or b"oid sha256:" in data


@pytest.mark.parametrize("tail", [b"x" * 1000, b"extra line\n", b"\n\n"])
def test_a_text_that_only_begins_like_a_pointer_is_a_text(tail: bytes) -> None:
    assert parse_pointer(format_pointer(LfsPointer("a" * 64, 1)) + tail) is None


@pytest.fixture
def blobs() -> MemoryBlobStore:
    return MemoryBlobStore()


@pytest.fixture
def lfs(db: Database, blobs: MemoryBlobStore) -> LfsService:
    return LfsService(db, blobs, max_object_bytes=1000)


@pytest.fixture
def repo(db: Database) -> Repo:
    return make_repo(db, make_user(db))


def pointer_of(data: bytes) -> LfsPointer:
    return LfsPointer(hashlib.sha256(data).hexdigest(), len(data))


def test_an_object_is_stored_linked_and_read(db: Database, lfs: LfsService, repo: Repo) -> None:
    pointer = lfs.store(repo.id, [b"hello ", b"world"])
    assert pointer == pointer_of(b"hello world")
    assert b"".join(lfs.read(repo.id, pointer.oid)) == b"hello world"
    assert b"".join(lfs.read(repo.id, pointer.oid, 6, 11)) == b"world"
    assert lfs.has(repo.id, pointer.oid) == 11
    assert lfs_bytes(db, repo) == 11
    lfs.verify(repo.id, pointer.oid, 11)
    assert list(lfs.damaged()) == []


@pytest.mark.parametrize(("data", "size"), [(b"wrong", 5), (b"right!", 6), (b"righ", 4), (b"right", 6), (b"right", 4)])
def test_what_is_not_as_announced_leaves_nothing(lfs: LfsService, repo: Repo, blobs: MemoryBlobStore, data: bytes, size: int) -> None:
    with pytest.raises(HashMismatch):
        lfs.upload(repo.id, pointer_of(b"right").oid, size, [data])
    assert list(blobs.list("")) == []
    assert list(blobs.staging.iterdir()) == []
    assert lfs.missing(repo.id, [pointer_of(b"right").oid]) == {pointer_of(b"right").oid}


def test_a_source_that_breaks_leaves_nothing(lfs: LfsService, repo: Repo, blobs: MemoryBlobStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        lfs.store(repo.id, broken())
    assert list(blobs.list("")) == []
    assert list(blobs.staging.iterdir()) == []


def test_objects_over_the_limit_are_refused(lfs: LfsService, repo: Repo) -> None:
    with pytest.raises(TooLarge):
        lfs.begin_upload(repo.id, "a" * 64, 1001)
    with pytest.raises(TooLarge):
        lfs.store(repo.id, [b"x" * 600, b"x" * 600])
    assert lfs.batch(repo.id, "upload", [LfsPointer("a" * 64, 1001)])[0].error == (413, "A file may have 0 GiB.")


def test_an_object_of_another_repo_is_not_there_until_its_bytes_are_sent(lfs: LfsService, repo: Repo, db: Database) -> None:
    other = make_repo(db, make_user(db))
    pointer = lfs.store(other.id, [b"secret"])
    assert lfs.batch(repo.id, "download", [pointer])[0].error == (404, "This repo has no such object.")
    assert lfs.batch(repo.id, "upload", [pointer])[0].action == "upload"
    with pytest.raises(NotFound):
        lfs.read(repo.id, pointer.oid)
    with pytest.raises(HashMismatch):
        lfs.upload(repo.id, pointer.oid, 6, [b"guess!"])
    with pytest.raises(NotFound):
        lfs.verify(repo.id, pointer.oid, 6)
    lfs.upload(repo.id, pointer.oid, 6, [b"secret"])
    assert lfs.batch(repo.id, "upload", [pointer])[0].action is None
    assert lfs.batch(repo.id, "download", [pointer])[0].action == "download"


def test_links_are_taken_only_from_a_repo_that_holds_the_object(lfs: LfsService, repo: Repo, db: Database) -> None:
    other, third = make_repo(db, make_user(db)), make_repo(db, make_user(db))
    pointer = lfs.store(other.id, [b"data"])
    with pytest.raises(NotFound):
        lfs.link_from(repo.id, third.id, [pointer.oid])
    lfs.link_from(repo.id, other.id, [pointer.oid])
    lfs.link_from(repo.id, other.id, [pointer.oid])
    lfs.copy_links(other.id, third.id)
    assert lfs.has(repo.id, pointer.oid) == lfs.has(third.id, pointer.oid) == 4


def test_batches_name_each_wrong_object_and_refuse_wrong_requests(lfs: LfsService, repo: Repo) -> None:
    good = lfs.store(repo.id, [b"data"])
    items = lfs.batch(repo.id, "upload", [good, LfsPointer(good.oid, 5), LfsPointer("xyz", 1), LfsPointer("b" * 64, -1)])
    assert [item.error[0] if item.error else None for item in items] == [None, 422, 422, 422]
    with pytest.raises(InvalidInput):
        lfs.batch(repo.id, "delete", [])
    with pytest.raises(InvalidInput):
        lfs.batch(repo.id, "download", [good] * 1001)


def test_objects_that_nobody_holds_are_removed_after_a_grace(lfs: LfsService, repo: Repo, db: Database, blobs: MemoryBlobStore) -> None:
    kept, dropped = lfs.store(repo.id, [b"kept"]), lfs.store(repo.id, [b"dropped"])
    with db.write() as session:
        session.delete(session.get_one(LfsLink, (repo.id, dropped.oid)))
    assert lfs.gc() == 0
    assert lfs.gc(dt.timedelta(0)) == 1
    assert blobs.size(object_key(dropped.oid)) is None
    assert blobs.size(object_key(kept.oid)) == 4
    lfs.store(repo.id, [b"dropped"])
    assert b"".join(lfs.read(repo.id, dropped.oid)) == b"dropped"


def test_damaged_objects_are_found(lfs: LfsService, repo: Repo, blobs: MemoryBlobStore) -> None:
    one, two = lfs.store(repo.id, [b"one"]), lfs.store(repo.id, [b"two"])
    lfs.store(repo.id, [b"fine"])
    blobs.put(object_key(one.oid), [b"eno"])
    blobs.delete(object_key(two.oid))
    assert set(lfs.damaged()) == {one.oid, two.oid}


def test_locks_are_held_by_one_and_broken_only_by_force(db: Database) -> None:
    locks, ann, ben = LockService(db), make_user(db), make_user(db)
    repo = make_repo(db, ann)
    lock = locks.lock(actor_for(ann), repo.id, "a/b.bin")
    with pytest.raises(LockHeld) as caught:
        locks.lock(actor_for(ben), repo.id, "a/b.bin")
    assert caught.value.details["lock"] == lock
    with pytest.raises(PermissionDenied):
        locks.unlock(actor_for(ben), repo.id, lock.id)
    with pytest.raises(NotFound):
        locks.unlock(actor_for(ann), repo.id + 1, lock.id)
    assert locks.unlock(actor_for(ben), repo.id, lock.id, force=True) == lock
    for number in range(5):
        locks.lock(actor_for(ann), repo.id, f"{number}")
    page, cursor = locks.locks(repo.id, limit=3)
    rest, end = locks.locks(repo.id, limit=3, cursor=cursor)
    assert [item.path for item in page + rest] == ["0", "1", "2", "3", "4"]
    assert end == ""
