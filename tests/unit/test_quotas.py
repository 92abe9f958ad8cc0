"""How much repos and owners may take, on every way in which bytes come."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from hub_core.authz import Actor
from hub_core.errors import QuotaExceeded
from hub_core.git import FileChange
from hub_core.lfs.pointer import LfsPointer
from hub_core.quotas import GIB, Quotas, size_text, used
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_org, make_user

KIB = 1024
Opened = Callable[..., Services]


@pytest.fixture
def opened(settings: Settings, db_url: str) -> Iterator[Opened]:
    """Open a hub with quotas in KiB."""
    stack = []

    def open_with(repo: int = 0, owner: int = 0) -> Services:
        quotas = {"repo_quota_gb": repo * KIB / GIB, "owner_quota_gb": owner * KIB / GIB}
        context = open_services(dataclasses.replace(settings, database_url=db_url, **quotas))  # type: ignore[arg-type]
        stack.append(context)
        return context.__enter__()

    yield open_with
    for context in stack:
        context.__exit__(None, None, None)


@pytest.fixture
def people(opened: Opened) -> dict[str, Actor]:
    services = opened()
    ann, ben = make_user(services.db, "ann"), make_user(services.db, "ben")
    make_org(services.db, "lab", {ann: "admin"})
    return {"ann": actor_for(ann), "ben": actor_for(ben)}


def new_repo(services: Services, actor: Actor, name: str) -> Repo:
    services.repos.create(actor, name, RepoKind.MODEL)
    return services.repos.find(actor, name)


def bytes_of(services: Services, repo: Repo) -> int:
    with services.db.read() as session:
        return used(session, [repo.id])[repo.id]


def content(size: int, salt: int = 0) -> bytes:
    """Bytes that do not get smaller in a pack."""

    return random.Random(size + salt).randbytes(size)


def test_a_large_file_that_does_not_fit_is_refused_before_and_while_it_comes(opened: Opened, people: dict[str, Actor]) -> None:
    services = opened(repo=20)
    lfs, repo = services.lfs, new_repo(services, people["ann"], "ann/full")
    lfs.store(repo.id, iter([content(15 * KIB)]))
    held = LfsPointer("a" * 64, 8 * KIB)
    (item,) = lfs.batch(repo.id, "upload", [held])
    assert item.action is None
    assert item.error is not None
    assert item.error[0] == 413
    assert "ann/full may take 20 KiB" in item.error[1]
    with pytest.raises(QuotaExceeded):
        lfs.begin_upload(repo.id, "a" * 64, 8 * KIB)
    with pytest.raises(QuotaExceeded), lfs.begin_upload(repo.id) as upload:
        for _ in range(8):
            upload.write(content(KIB))
    before = bytes_of(services, repo)
    with pytest.raises(QuotaExceeded):
        lfs.store(repo.id, iter([content(8 * KIB, salt=1)]))
    assert bytes_of(services, repo) == before
    small = lfs.store(repo.id, iter([content(KIB, salt=2)]))
    assert lfs.has(repo.id, small.oid) == KIB


def test_objects_of_one_batch_are_counted_together(opened: Opened, people: dict[str, Actor]) -> None:
    services = opened(repo=20)
    repo = new_repo(services, people["ann"], "ann/batch")
    wanted = [LfsPointer(digit * 64, 8 * KIB) for digit in "abc"]
    assert [item.action for item in services.lfs.batch(repo.id, "upload", wanted[:2])] == ["upload", "upload"]
    assert [item.action for item in services.lfs.batch(repo.id, "upload", wanted)] == [None, None, None]


def test_what_a_repo_holds_already_can_be_sent_again(opened: Opened, people: dict[str, Actor]) -> None:
    services = opened(repo=20)
    repo = new_repo(services, people["ann"], "ann/again")
    data = content(15 * KIB)
    pointer = services.lfs.store(repo.id, iter([data]))
    (item,) = services.lfs.batch(repo.id, "upload", [pointer])
    assert (item.action, item.error) == (None, None)
    assert services.lfs.upload(repo.id, pointer.oid, pointer.size, [data]) == pointer


def test_a_commit_that_does_not_fit_leaves_nothing(opened: Opened, people: dict[str, Actor]) -> None:
    services = opened(repo=20)
    repo = new_repo(services, people["ann"], "ann/git")
    services.files.commit(people["ann"], repo, [FileChange("a.txt", content(12 * KIB))], "fits")
    head, before = services.git.resolve(repo.id), bytes_of(services, repo)
    with pytest.raises(QuotaExceeded) as error:
        services.files.commit(people["ann"], repo, [FileChange("b.txt", content(12 * KIB, salt=1))], "does not")
    assert "may take 20 KiB and has 1" in error.value.message
    assert (services.git.resolve(repo.id), bytes_of(services, repo)) == (head, before)
    services.history.create_branch(people["ann"], repo, "dev")
    services.history.delete_branch(people["ann"], repo, "dev")
    services.files.commit(people["ann"], repo, [FileChange("a.txt", delete=True)], "less")


def test_all_repos_of_an_owner_count_together(opened: Opened, people: dict[str, Actor]) -> None:
    services, ann = opened(owner=30), people["ann"]
    one, two = new_repo(services, ann, "ann/one"), new_repo(services, ann, "ann/two")
    data = content(18 * KIB)
    pointer = services.lfs.store(one.id, iter([data]))
    with pytest.raises(QuotaExceeded) as error:
        services.lfs.store(two.id, iter([data]))
    assert error.value.message.startswith("All repos of ann together may take 30 KiB; there is no room for 18 KiB more")
    with pytest.raises(QuotaExceeded):
        services.lfs.link_from(two.id, one.id, [pointer.oid])
    with pytest.raises(QuotaExceeded):
        services.files.commit(ann, two, [FileChange("a.txt", content(14 * KIB))], "too much")
    other = new_repo(services, ann, "lab/other")
    services.lfs.store(other.id, iter([data]))
    services.repos.delete(ann, one)
    services.lfs.store(two.id, iter([data]))


def test_copies_and_transfers_need_room_at_their_new_owner(opened: Opened, people: dict[str, Actor]) -> None:
    services, ann = opened(owner=30), people["ann"]
    source, other = new_repo(services, ann, "ann/source"), new_repo(services, ann, "lab/other")
    services.lfs.store(source.id, iter([content(18 * KIB)]))
    services.lfs.store(other.id, iter([content(18 * KIB, salt=1)]))
    with pytest.raises(QuotaExceeded):
        services.repos.fork(ann, "ann/source", "lab/copy")
    with pytest.raises(QuotaExceeded):
        services.repos.move(ann, source, "lab/source")
    assert services.repos.get(ann, "ann/source").id == "ann/source"
    with services.db.read() as session:
        assert set(session.scalars(sa.select(Repo.name))) == {"source", "other"}
    services.repos.delete(ann, other)
    assert services.repos.fork(ann, "ann/source", "lab/copy").id == "lab/copy"
    assert services.repos.move(ann, source, "renamed").id == "ann/renamed"


@pytest.mark.parametrize("quota", ["repo", "owner"])
def test_many_at_once_do_not_get_past_the_limit(opened: Opened, people: dict[str, Actor], quota: str) -> None:
    services, ann = opened(**{quota: 40}), people["ann"]
    repos = [new_repo(services, ann, f"ann/r{number}") for number in range(1 if quota == "repo" else 4)]

    def bring(number: int) -> bool:
        repo = repos[number % len(repos)]
        try:
            if number % 3:
                services.lfs.store(repo.id, iter([content(6 * KIB, salt=number)]))
            else:
                services.files.commit(ann, repo, [FileChange(f"f{number}.txt", content(6 * KIB, salt=number))], "more")
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(bring, range(16)))
    total = sum(bytes_of(services, repo) for repo in repos)
    assert 1 < sum(done) < 16
    assert 30 * KIB < total <= 40 * KIB


def test_without_quotas_nothing_is_asked_of_the_database(opened: Opened, people: dict[str, Actor]) -> None:
    quotas, asked = Quotas(), list[str]()
    services = opened()
    repo = new_repo(services, people["ann"], "ann/free")
    sa.event.listen(services.db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    with services.db.read() as session:
        quotas.check(session, repo.id, 10**15)
        assert quotas.left(session, repo.id) is None
    services.lfs.check_room(repo.id, {"a" * 64: 10**15})
    assert asked == []


def test_sizes_are_said_for_people() -> None:
    assert [size_text(size) for size in (0, 1023, 1536, 20 * KIB, 3 * GIB, 5 * 1024 * GIB)] == [
        "0 bytes", "1023 bytes", "1.5 KiB", "20 KiB", "3 GiB", "5 TiB",
    ]  # fmt: skip
