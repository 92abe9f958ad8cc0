"""What Xet uploads leave in the hub: xorbs, LFS objects, and nothing of what was wrong."""

from __future__ import annotations

import datetime as dt
import io
import os

import pytest
import sqlalchemy as sa

from hub_core.db import Database
from hub_core.errors import HashMismatch, InvalidInput, NotFound, TooLarge
from hub_core.lfs.objects import WholeObjects, object_key
from hub_core.lfs.service import LfsService
from hub_core.repos.tables import Repo
from hub_core.storage import MemoryBlobStore
from hub_core.xet.objects import XetObjects
from hub_core.xet.service import XetService
from hub_core.xet.store import XorbStore, xorb_key
from hub_core.xet.tables import XetXorb
from hub_core.xet.xorbs import contents
from tests.common.factories import lfs_bytes, make_repo, make_user
from tests.common.xet_files import ShardFile, Xorb, shard

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
XORB = Xorb([os.urandom(500), b"a" * 700, os.urandom(300)], scheme=1)


@pytest.fixture
def blobs() -> MemoryBlobStore:
    return MemoryBlobStore()


@pytest.fixture
def objects(db: Database, blobs: MemoryBlobStore) -> XetObjects:
    return XetObjects(db, WholeObjects(blobs), XorbStore(db, blobs))


@pytest.fixture
def lfs(db: Database, blobs: MemoryBlobStore, objects: XetObjects) -> LfsService:
    return LfsService(db, blobs, max_object_bytes=10_000, source=objects)


@pytest.fixture
def xet(db: Database, blobs: MemoryBlobStore, objects: XetObjects, lfs: LfsService) -> XetService:
    return XetService(db, XorbStore(db, blobs), objects, lfs)


@pytest.fixture
def repo(db: Database) -> Repo:
    return make_repo(db, make_user(db))


def send(xet: XetService, xorb: Xorb, body: bytes | None = None) -> bool:
    with xet.begin_xorb(xorb.hash) as upload:
        upload.write(xorb.body if body is None else body)
        return upload.finish()


def take(xet: XetService, repo: Repo, *files: ShardFile) -> None:
    xet.take_shard(repo.id, io.BytesIO(shard(*files)))


def test_a_file_is_put_together_from_chunks_of_several_xorbs(db: Database, xet: XetService, lfs: LfsService, repo: Repo) -> None:
    other = Xorb([b"x" * 100], scheme=2)
    assert send(xet, XORB)
    assert send(xet, other, other.body + b"XETBLOB footer")
    assert not send(xet, XORB)
    file = ShardFile([(XORB, 1, 3), (other, 0, 1), (XORB, 0, 2)])
    take(xet, repo, file)
    assert b"".join(lfs.read(repo.id, file.oid)) == file.data
    take(xet, repo, file)
    assert lfs_bytes(db, repo) == len(file.data)


def test_a_file_without_a_sha256_gets_its_own(xet: XetService, lfs: LfsService, repo: Repo) -> None:
    send(xet, XORB)
    file = ShardFile([(XORB, 0, 1)], flags=1 << 31)
    take(xet, repo, file)
    assert lfs.has(repo.id, file.oid) == 500


def test_xorbs_serve_other_repos_and_outlive_the_first(xet: XetService, lfs: LfsService, repo: Repo, db: Database) -> None:
    send(xet, XORB)
    file = ShardFile([(XORB, 0, 3)])
    take(xet, repo, file)
    with db.write() as session:
        session.execute(sa.delete(Repo).where(Repo.id == repo.id))
    assert lfs.gc(dt.timedelta(0)) == 1
    assert xet.gc() == 0
    assert lfs.source.size(file.oid) is None
    other = make_repo(db, make_user(db))
    take(xet, other, file)
    assert b"".join(lfs.read(other.id, file.oid)) == file.data


@pytest.mark.parametrize(
    "file",
    [
        ShardFile([(Xorb([b"unknown"]), 0, 1)]),
        ShardFile([(XORB, 0, 2)], proofs=[bytes(32)]),
        ShardFile([(XORB, 0, 2), (XORB, 2, 3)], proofs=[ShardFile([(XORB, 0, 2)]).pack()[96:128], bytes(32)]),
    ],
    ids=["unknown", "guessed", "second-guessed"],
)
def test_who_does_not_show_to_know_the_chunks_gets_nothing(
    db: Database, xet: XetService, lfs: LfsService, repo: Repo, file: ShardFile
) -> None:
    """Knowing a xorb's hash, and even the SHA-256 of the file, is not enough; the answer does not tell what is there."""
    send(xet, XORB)
    with pytest.raises(InvalidInput, match="does not have, or that this client has not shown to have") as caught:
        take(xet, repo, ShardFile([(XORB, 0, 1)]), file)
    assert "xet" in caught.value.hint
    assert lfs_bytes(db, repo) == 0


def test_a_range_beyond_the_xorb_is_as_unknown(xet: XetService, repo: Repo) -> None:
    send(xet, XORB)
    longer = Xorb([*XORB.chunks, b"more"])
    pack = shard(ShardFile([(longer, 0, 4)])).replace(longer.raw_hash, XORB.raw_hash)
    with pytest.raises(InvalidInput, match="has not shown to have"):
        xet.take_shard(repo.id, io.BytesIO(pack))


@pytest.mark.parametrize(
    ("file", "error"),
    [
        (ShardFile([(XORB, 0, 2)], sizes=[1199]), InvalidInput),
        (ShardFile([(XORB, 0, 2)], file_hash=b"\1" * 32), InvalidInput),
        (ShardFile([(XORB, 0, 2)], sha256="a" * 64), HashMismatch),
        (ShardFile([(XORB, 0, 3)] * 8), TooLarge),
    ],
    ids=["size", "file-hash", "sha256", "too-large"],
)
def test_a_file_that_is_not_as_described_is_refused(
    db: Database, xet: XetService, lfs: LfsService, repo: Repo, blobs: MemoryBlobStore, file: ShardFile, error: type[Exception]
) -> None:
    send(xet, XORB)
    with pytest.raises(error):
        take(xet, repo, file)
    assert lfs_bytes(db, repo) == 0
    assert list(blobs.staging.iterdir()) == []
    assert [blob.key for blob in blobs.list("")] == [xorb_key(XORB.hash)]


@pytest.mark.parametrize("body", [XORB.body[:-1], XORB.body + b"\0", b"", XORB.body[:700], bytes(range(100))])
def test_a_wrong_xorb_leaves_nothing(xet: XetService, blobs: MemoryBlobStore, body: bytes) -> None:
    with pytest.raises(InvalidInput):
        send(xet, XORB, body)
    assert list(blobs.list("")) == []
    assert list(blobs.staging.iterdir()) == []
    assert send(xet, XORB)


@pytest.mark.parametrize("name", ["", "A" * 64, "a" * 63, "../" + "a" * 61])
def test_a_xorb_has_a_proper_name(xet: XetService, name: str) -> None:
    with pytest.raises(InvalidInput):
        xet.begin_xorb(name)


def test_xorbs_go_when_no_client_can_remember_them(xet: XetService, repo: Repo, db: Database, blobs: MemoryBlobStore) -> None:
    stale, used = XORB, Xorb([b"used"])
    for xorb in (stale, used):
        send(xet, xorb)
    with db.write() as session:
        session.execute(sa.update(XetXorb).values(used_at=LONG_AGO))
    xet.xorbs.use({used.hash})
    assert xet.gc() == 1
    assert blobs.size(xorb_key(stale.hash)) is None
    assert blobs.size(xorb_key(used.hash)) is not None
    assert send(xet, stale)


def test_a_xorb_stays_as_long_as_a_file_needs_it(xet: XetService, lfs: LfsService, repo: Repo, db: Database) -> None:
    send(xet, XORB)
    file = ShardFile([(XORB, 0, 3)])
    take(xet, repo, file)
    with db.write() as session:
        session.execute(sa.update(XetXorb).values(used_at=LONG_AGO))
    assert xet.gc() == 0
    assert b"".join(lfs.read(repo.id, file.oid)) == file.data
    with db.write() as session:
        session.execute(sa.delete(Repo).where(Repo.id == repo.id))
    assert lfs.gc(dt.timedelta(0)) == 1
    assert xet.gc() == 1


def test_chunks_are_stored_once_and_any_range_reads_back(xet: XetService, lfs: LfsService, repo: Repo, blobs: MemoryBlobStore) -> None:
    other = Xorb([os.urandom(size) for size in (10, 1, 250)], scheme=2)
    send(xet, XORB)
    send(xet, other)
    file = ShardFile([(XORB, 0, 2), (other, 1, 3), (XORB, 2, 3), (XORB, 0, 1)])
    take(xet, repo, file)
    assert {blob.key for blob in blobs.list("")} == {xorb_key(XORB.hash), xorb_key(other.hash)}
    assert lfs.has(repo.id, file.oid) == len(file.data)
    assert lfs.local_path(repo.id, file.oid) is None
    edges = [0, 1, 499, 500, 501, 1199, 1200, 1201, 1450, 1451, 1751, len(file.data)]
    for start in edges:
        for end in edges:
            assert b"".join(lfs.read(repo.id, file.oid, start, end)) == file.data[start:end]
    lfs.verify(repo.id, file.oid, len(file.data))
    assert list(lfs.damaged()) == []


def test_damage_to_a_xorb_is_damage_to_its_files(xet: XetService, lfs: LfsService, repo: Repo, blobs: MemoryBlobStore) -> None:
    send(xet, XORB)
    whole, file = lfs.store(repo.id, [b"whole"]), ShardFile([(XORB, 0, 3)])
    take(xet, repo, file)
    key = xorb_key(XORB.hash)
    stored = blobs.read(key)
    blobs.put(key, [stored[:100] + bytes([stored[100] ^ 1]) + stored[101:]])
    assert list(lfs.damaged(hashes=False)) == []
    assert list(lfs.damaged()) == [file.oid]
    blobs.put(key, [stored[:-1]])
    assert list(lfs.damaged(hashes=False)) == [file.oid]
    blobs.delete(key)
    assert list(lfs.damaged()) == [file.oid]
    assert whole.oid not in set(lfs.damaged())


def test_a_file_is_kept_once_whichever_way_it_came_first(xet: XetService, lfs: LfsService, repo: Repo, blobs: MemoryBlobStore) -> None:
    send(xet, XORB)
    file = ShardFile([(XORB, 0, 1)])
    take(xet, repo, file)
    assert lfs.upload(repo.id, file.oid, len(file.data), [file.data]).oid == file.oid
    assert blobs.size(object_key(file.oid)) is None
    pushed = ShardFile([(XORB, 1, 2)])
    lfs.store(repo.id, [pushed.data])
    take(xet, repo, pushed)
    assert lfs.local_path(repo.id, pushed.oid) == blobs.local_path(object_key(pushed.oid))
    assert b"".join(lfs.read(repo.id, pushed.oid)) == pushed.data


def test_nothing_of_a_shard_is_kept_when_its_last_file_is_wrong(db: Database, xet: XetService, lfs: LfsService, repo: Repo) -> None:
    send(xet, XORB)
    with pytest.raises(HashMismatch):
        take(xet, repo, ShardFile([(XORB, 0, 1)]), ShardFile([(XORB, 0, 2)], sha256="a" * 64))
    assert lfs_bytes(db, repo) == 0


def test_an_empty_file_is_a_file(xet: XetService, lfs: LfsService, repo: Repo) -> None:
    file = ShardFile([])
    take(xet, repo, file)
    assert lfs.has(repo.id, file.oid) == 0
    assert b"".join(lfs.read(repo.id, file.oid)) == b""


def test_xorbs_that_an_older_database_does_not_know_are_found_again(xet: XetService, lfs: LfsService, repo: Repo, db: Database) -> None:
    send(xet, XORB)
    with db.write() as session:
        session.execute(sa.delete(XetXorb))
    file = ShardFile([(XORB, 0, 3)])
    take(xet, repo, file)
    assert b"".join(lfs.read(repo.id, file.oid)) == file.data


def test_a_plan_for_any_range_gives_its_bytes(xet: XetService, repo: Repo, db: Database) -> None:
    other = Xorb([os.urandom(size) for size in (10, 1, 250)], scheme=2)
    send(xet, XORB)
    send(xet, other)
    file = ShardFile([(XORB, 1, 3), (other, 0, 3), (XORB, 0, 1)])
    take(xet, repo, file)
    assert xet.files.hashes(repo.id, [file.oid, "0" * 64]) == {file.oid: file.hash}
    layout = xet.files.open(repo.id, file.hash)
    for start, end in [(0, layout.size), (0, 1), (699, 701), (1000, 1011), (1010, 1012), (1261, 1761), (1760, 1761)]:
        plan = xet.files.plan(layout, start, end)
        content = b"".join(
            b"".join(contents(xet.files.body(piece.chunks.xorb, piece.chunks.start, piece.chunks.stop))) for piece in plan.pieces
        )
        assert content[plan.skip : plan.skip + end - start] == file.data[start:end]
        assert len(content) == sum(piece.size for piece in plan.pieces)
    assert [(piece.chunks.first, piece.chunks.end) for piece in xet.files.plan(layout, 1010, 1012).pieces] == [(1, 3)]
    stranger = make_repo(db, make_user(db))
    assert xet.files.hashes(stranger.id, [file.oid]) == {}
    with pytest.raises(NotFound):
        xet.files.open(stranger.id, file.hash)


def test_many_small_files_cost_few_reads(
    xet: XetService, lfs: LfsService, repo: Repo, blobs: MemoryBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    xorb = Xorb([b"%d" % number for number in range(200)], scheme=1)
    send(xet, xorb)
    reads: list[str] = []
    get = blobs.get
    monkeypatch.setattr(blobs, "get", lambda key, *span: reads.append(key) or get(key, *span))
    files = [ShardFile([(xorb, number, number + 1)]) for number in range(200)]
    take(xet, repo, *files, ShardFile([(xorb, 5, 200), (xorb, 0, 5)]))
    assert len(reads) <= 3
    assert lfs.sizes(repo.id, [file.oid for file in files]) == {file.oid: len(file.data) for file in files}
