"""Which chunks clients are told not to send: those of files that the person may read, and of no others."""

from __future__ import annotations

import io
import os
import struct

import pytest

from hub_core.authz import Actor, Visibility
from hub_core.db import Database, utcnow
from hub_core.lfs.objects import WholeObjects
from hub_core.lfs.service import LfsService
from hub_core.repos.tables import Repo
from hub_core.storage import MemoryBlobStore
from hub_core.xet.hashes import is_landmark, masked, to_text
from hub_core.xet.objects import XetObjects
from hub_core.xet.service import XetService
from hub_core.xet.shards import TAG, read_files
from hub_core.xet.store import XorbStore
from tests.common.factories import actor_for, make_repo, make_user
from tests.common.xet_files import END, ShardFile, Xorb, shard

FIRST, SECOND = Xorb([os.urandom(100) for _ in range(3)]), Xorb([os.urandom(50)])
FILE = ShardFile([(FIRST, 1, 3), (SECOND, 0, 1)])
BEGINNING = to_text(FIRST.hashes[1])


@pytest.fixture
def xet(db: Database) -> XetService:
    blobs = MemoryBlobStore()
    xorbs = XorbStore(db, blobs)
    objects = XetObjects(db, WholeObjects(blobs), xorbs)
    return XetService(db, xorbs, objects, LfsService(db, blobs, source=objects))


def keep(xet: XetService, repo: Repo) -> None:
    for xorb in (FIRST, SECOND):
        with xet.begin_xorb(xorb.hash) as upload:
            upload.write(xorb.body)
            upload.finish()
    xet.take_shard(repo.id, io.BytesIO(shard(FILE)))


def test_a_file_is_found_by_its_first_chunk_with_all_its_xorbs(xet: XetService, db: Database) -> None:
    ann = make_user(db)
    keep(xet, make_repo(db, ann))
    found = xet.chunks.find(actor_for(ann), BEGINNING)
    assert found is not None
    assert list(read_files(io.BytesIO(found))) == []
    version, files, infos, *_, end = struct.unpack("<3Q176x", found[-200:]) + struct.unpack("<Q", found[-8:])
    assert (found[:32], version, found[files : files + 48], end) == (TAG, 1, END, len(found) - 200)
    key, made, until = struct.unpack("<72x32sQQ80x", found[-200:])
    assert made < until
    # The first xorb, its chunks, the second, its chunk, and the end.
    records = [found[start : start + 48] for start in range(infos, end, 48)]
    assert records[0] == FIRST.raw_hash + struct.pack("<IIII", 0, 3, 300, len(FIRST.body))
    for number in range(3):
        assert records[1 + number] == masked(FIRST.hashes[number], key) + struct.pack("<II8x", 100 * number, 100)
    assert records[4][:32] == SECOND.raw_hash
    assert records[6:] == [END]
    assert not any(hash_ in found for hash_ in FIRST.hashes)


def test_nothing_is_told_of_what_one_may_not_read(xet: XetService, db: Database) -> None:
    ann, ben = make_user(db), make_user(db)
    repo, other = make_repo(db, ann), make_repo(db, ann)
    keep(xet, repo)

    def tells(actor: Actor) -> bool:
        return xet.chunks.find(actor, BEGINNING) is not None

    assert tells(actor_for(ann))
    assert not tells(actor_for(ben))
    assert not tells(Actor())
    assert not tells(actor_for(ann, repo_id=other.id))
    assert tells(actor_for(ann, repo_id=repo.id))
    with db.write() as session:
        session.get_one(Repo, repo.id).visibility = Visibility.PUBLIC
    assert tells(actor_for(ben))
    assert tells(Actor())
    with db.write() as session:
        session.get_one(Repo, repo.id).deleted_at = utcnow()
    assert not tells(actor_for(ann))


def test_unknown_chunks_are_not_found(xet: XetService, db: Database) -> None:
    ann = make_user(db)
    keep(xet, make_repo(db, ann))
    for hash_ in ("0" * 64, "nonsense", to_text(FIRST.hashes[0])):
        assert xet.chunks.find(actor_for(ann), hash_) is None


def test_one_chunk_in_a_thousand_is_a_landmark(xet: XetService, db: Database) -> None:
    ann = make_user(db)
    number = next(number for number in range(10**6) if is_landmark(Xorb([b"%d" % number]).hashes[0]))
    xorb = Xorb([b"first", b"%d" % number])
    with xet.begin_xorb(xorb.hash) as upload:
        upload.write(xorb.body)
        upload.finish()
    xet.take_shard(make_repo(db, ann).id, io.BytesIO(shard(ShardFile([(xorb, 0, 2)]))))
    assert xet.chunks.find(actor_for(ann), to_text(xorb.hashes[1])) is not None
