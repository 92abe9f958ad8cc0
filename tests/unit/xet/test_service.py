"""What Xet uploads leave in the hub: xorbs, LFS objects, and nothing of what was wrong."""

from __future__ import annotations

import datetime as dt
import io
import os

import pytest
import sqlalchemy as sa

from hub_core.db import Database
from hub_core.errors import HashMismatch, InvalidInput, TooLarge
from hub_core.lfs.service import LfsService
from hub_core.repos.tables import Repo
from hub_core.storage import MemoryBlobStore
from hub_core.xet.service import XetService
from hub_core.xet.store import xorb_key
from hub_core.xet.tables import XetXorb
from tests.common.factories import make_repo, make_user
from tests.common.xet_files import ShardFile, Xorb, shard

XORB = Xorb([os.urandom(500), b"a" * 700, os.urandom(300)], scheme=1)


@pytest.fixture
def blobs() -> MemoryBlobStore:
    return MemoryBlobStore()


@pytest.fixture
def lfs(db: Database, blobs: MemoryBlobStore) -> LfsService:
    return LfsService(db, blobs, max_object_bytes=10_000)


@pytest.fixture
def xet(db: Database, blobs: MemoryBlobStore, lfs: LfsService) -> XetService:
    return XetService(db, blobs, lfs)


@pytest.fixture
def repo(db: Database) -> Repo:
    return make_repo(db, make_user(db))


def send(xet: XetService, xorb: Xorb, body: bytes | None = None) -> bool:
    with xet.begin_xorb(xorb.hash) as upload:
        upload.write(xorb.body if body is None else body)
        return upload.finish()


def take(xet: XetService, repo: Repo, *files: ShardFile) -> bool:
    return xet.take_shard(repo.id, io.BytesIO(shard(*files)))


def test_a_file_is_put_together_from_chunks_of_several_xorbs(xet: XetService, lfs: LfsService, repo: Repo) -> None:
    other = Xorb([b"x" * 100], scheme=2)
    assert send(xet, XORB)
    assert send(xet, other, other.body + b"XETBLOB footer")
    assert not send(xet, XORB)
    file = ShardFile([(XORB, 1, 3), (other, 0, 1), (XORB, 0, 2)])
    assert take(xet, repo, file)
    assert b"".join(lfs.read(repo.id, file.oid)) == file.data
    assert not take(xet, repo, file)


def test_a_file_without_a_sha256_gets_its_own(xet: XetService, lfs: LfsService, repo: Repo) -> None:
    send(xet, XORB)
    file = ShardFile([(XORB, 0, 1)], flags=1 << 31)
    assert take(xet, repo, file)
    assert lfs.has(repo.id, file.oid) == 500


def test_xorbs_serve_other_repos_and_outlive_the_first(xet: XetService, lfs: LfsService, repo: Repo, db: Database) -> None:
    send(xet, XORB)
    file = ShardFile([(XORB, 0, 3)])
    take(xet, repo, file)
    with db.write() as session:
        session.execute(sa.delete(Repo).where(Repo.id == repo.id))
    assert lfs.gc(dt.timedelta(0)) == 1
    assert xet.gc() == 0
    other = make_repo(db, make_user(db))
    assert take(xet, other, file)
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
def test_who_does_not_show_to_know_the_chunks_gets_nothing(xet: XetService, lfs: LfsService, repo: Repo, file: ShardFile) -> None:
    """Knowing a xorb's hash, and even the SHA-256 of the file, is not enough; the answer does not tell what is there."""
    send(xet, XORB)
    with pytest.raises(InvalidInput, match="does not have, or that this client has not shown to have") as caught:
        take(xet, repo, ShardFile([(XORB, 0, 1)]), file)
    assert "xet" in caught.value.hint
    assert lfs.usage(repo.id) == 0


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
    xet: XetService, lfs: LfsService, repo: Repo, blobs: MemoryBlobStore, file: ShardFile, error: type[Exception]
) -> None:
    send(xet, XORB)
    with pytest.raises(error):
        take(xet, repo, file)
    assert lfs.usage(repo.id) == 0
    assert list(blobs.staging.iterdir()) == []
    assert [blob.key for blob in blobs.list("")] == [xorb_key(XORB.hash)]


@pytest.mark.parametrize("body", [XORB.body[:-1], XORB.body + b"\0", b"", XORB.body[:700], os.urandom(100)])
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
        session.execute(sa.update(XetXorb).values(used_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)))
    take(xet, repo, ShardFile([(used, 0, 1)]))
    assert xet.gc() == 1
    assert blobs.size(xorb_key(stale.hash)) is None
    assert blobs.size(xorb_key(used.hash)) is not None
    assert send(xet, stale)


def test_xorbs_that_an_older_database_does_not_know_are_found_again(xet: XetService, lfs: LfsService, repo: Repo, db: Database) -> None:
    send(xet, XORB)
    with db.write() as session:
        session.execute(sa.delete(XetXorb))
    file = ShardFile([(XORB, 0, 3)])
    assert take(xet, repo, file)
    assert b"".join(lfs.read(repo.id, file.oid)) == file.data
