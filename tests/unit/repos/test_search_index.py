"""The search index follows every change of a repo, in the same transaction, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub_core import housekeeping
from hub_core.authz import Actor, Role, Visibility
from hub_core.db import Database, utcnow
from hub_core.git import FileChange
from hub_core.repos import search_index
from hub_core.repos.kinds import RepoKind
from hub_core.repos.search_index import candidates, drifted, facet
from hub_core.repos.tables import Repo, RepoTag, RepoText
from hub_core.repos.tags import TagMode
from hub_core.repos.terms import any_of, word_terms
from hub_core.services import Services, open_services
from hub_core.settings import Settings
from tests.common.factories import actor_for, make_org, make_repo, make_user


@pytest.fixture
def hub(db_url: str, tmp_path: Path) -> Iterator[Services]:
    with open_services(Settings(data_dir=tmp_path / "data", database_url=db_url, demo=False)) as services:
        yield services


@pytest.fixture
def alice(hub: Services) -> Actor:
    user = make_user(hub.db, "alice")
    make_org(hub.db, "acme", {user: Role.ADMIN})
    return actor_for(user)


def by_word(db: Database, word: str) -> set[int]:
    """Ids that the index gives for a word."""
    with db.read() as session:
        return set(session.scalars(candidates(session, [[number] for number in word_terms(word)])))


def by_facet(db: Database, name: str, value: str) -> set[int]:
    """Ids that the index gives for a facet."""
    with db.read() as session:
        return set(session.scalars(candidates(session, [any_of([facet(name, value)])])))


def in_step(db: Database) -> bool:
    """Whether the texts are what the rows say."""
    with db.read() as session:
        return drifted(session) == []


CARD = b"---\nlicense: mit\ntags: [vision, ocr]\npretty_name: \xe5\xae\xa2\xe6\x9c\x8d\n---\nReads number plates.\n"
Change = Callable[[Services, Actor, Repo], object]
CHANGES: dict[str, tuple[Change, str, str]] = {
    "description": (lambda hub, actor, repo: hub.repos.update(actor, repo, description="Answers tickets"), "ticket", "seed"),
    "name": (lambda hub, actor, repo: hub.repos.move(actor, repo, "renamed"), "renamed", "thing"),
    "owner": (lambda hub, actor, repo: hub.repos.move(actor, repo, "acme/thing"), "acme", "alice"),
    "tag added": (lambda hub, actor, repo: hub.tags.set(actor, repo, ["speech"], TagMode.ADD), "speech", "none-of-it"),
    "tags replaced": (lambda hub, actor, repo: hub.tags.set(actor, repo, ["speech"], TagMode.REPLACE), "speech", "first-tag"),
    "card": (lambda hub, actor, repo: hub.files.commit(actor, repo, [FileChange("README.md", CARD)], "card"), "plates", "seed"),
    "title": (lambda hub, actor, repo: hub.files.commit(actor, repo, [FileChange("README.md", CARD)], "card"), "客服", "seed"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_found_at_once_and_what_was_before_is_not(hub: Services, alice: Actor, what: str) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL, description="seed of it")
    repo = hub.repos.find(alice, "thing")
    hub.tags.set(alice, repo, ["first-tag"], TagMode.ADD)
    change, after, before = CHANGES[what]
    assert repo.id in by_word(hub.db, "seed") and repo.id in by_word(hub.db, "first-tag")
    change(hub, alice, repo)
    assert by_word(hub.db, after) == {repo.id}
    assert by_word(hub.db, before) == set()
    assert in_step(hub.db)


def test_facets_follow_too(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL, license="MIT")
    repo = hub.repos.find(alice, "thing")
    assert by_facet(hub.db, "visibility", "private") == by_facet(hub.db, "license", "mit") == by_facet(hub.db, "kind", "model") == {repo.id}
    hub.repos.set_visibility(alice, repo, Visibility.PUBLIC)
    assert (by_facet(hub.db, "visibility", "private"), by_facet(hub.db, "visibility", "public")) == (set(), {repo.id})
    hub.tags.set(alice, repo, ["two words"], TagMode.ADD)
    assert by_facet(hub.db, "tag", "two words") == {repo.id}
    assert in_step(hub.db)


def test_a_card_whose_tags_change_takes_the_old_ones_along(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL)
    repo = hub.repos.find(alice, "thing")
    hub.files.commit(alice, repo, [FileChange("README.md", CARD)], "card")
    hub.files.commit(alice, repo, [FileChange("README.md", CARD.replace(b"ocr", b"scan"))], "card")
    assert (by_facet(hub.db, "tag", "ocr"), by_facet(hub.db, "tag", "scan")) == (set(), {repo.id})
    assert in_step(hub.db)


def test_a_fork_is_found_by_what_it_took_over(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL, description="seed of it")
    hub.tags.set(alice, hub.repos.find(alice, "thing"), ["speech"], TagMode.ADD)
    hub.repos.fork(alice, "alice/thing", "acme/copy")
    assert len(by_word(hub.db, "speech")) == len(by_word(hub.db, "seed")) == 2
    assert in_step(hub.db)


def test_a_transaction_that_fails_leaves_the_index_as_it_was(db: Database) -> None:
    repo = make_repo(db, make_user(db), "thing", description="before")
    with pytest.raises(RuntimeError), db.write() as session:
        session.get_one(Repo, repo.id).description = "after"
        session.add(RepoTag(repo_id=repo.id, tag="speech", source="user"))
        session.flush()
        raise RuntimeError
    assert (by_word(db, "before"), by_word(db, "after"), by_word(db, "speech")) == ({repo.id}, set(), set())
    assert in_step(db)


def test_what_is_purged_leaves_the_index(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "thing", RepoKind.MODEL)
    repo = hub.repos.find(alice, "thing")
    hub.repos.delete(alice, repo)
    assert by_word(hub.db, "thing") == {repo.id}
    with hub.db.write() as session:
        long_ago = utcnow().replace(year=2001)
        session.execute(sa.update(Repo).values(created_at=long_ago, deleted_at=long_ago))
    assert housekeeping.run_once(hub).purged == 1
    assert by_word(hub.db, "thing") == by_facet(hub.db, "kind", "model") == set()
    with hub.db.read() as session:
        assert session.scalars(sa.select(RepoText.repo_id)).all() == []


def test_an_index_is_made_anew_for_rows_that_were_written_past_the_hub(db: Database) -> None:
    owner = make_user(db)
    kept = make_repo(db, owner, "kept", description="one")
    changed = make_repo(db, owner, "changed", description="two")
    with db.write() as session:
        session.execute(sa.update(Repo).where(Repo.id == changed.id).values(description="three"))
        session.execute(sa.insert(RepoTag), [{"repo_id": kept.id, "tag": "speech", "source": "user"}])
    with db.read() as session:
        assert drifted(session) == [kept.id, changed.id]
    with db.engine.begin() as connection:
        assert search_index.rebuild(connection) == 2
    assert (by_word(db, "two"), by_word(db, "three"), by_word(db, "speech")) == (set(), {changed.id}, {kept.id})
    assert in_step(db)


def test_a_change_of_many_repos_in_one_transaction(db: Database) -> None:
    owner = make_user(db)
    repos = [make_repo(db, owner, f"thing-{number}") for number in range(5)]
    with db.write() as session:
        for number, repo in enumerate(repos):
            session.get_one(Repo, repo.id).description = f"número {number}"
    assert by_word(db, "NÚMERO".lower()) == {repo.id for repo in repos}
    assert in_step(db)


def test_people_who_tag_one_repo_at_once_do_not_wait_for_each_other_for_ever(hub: Services, alice: Actor) -> None:
    hub.repos.create(alice, "alice/busy", RepoKind.MODEL)
    repo = hub.repos.find(alice, "alice/busy")
    barrier = threading.Barrier(6)

    def tag(number: int) -> None:
        for time in range(5):
            barrier.wait(30)
            hub.tags.set(alice, repo, [f"t{number}-{time}"], TagMode.ADD)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(tag, range(6)))
    assert len(hub.tags.of(repo)) == 30
    assert in_step(hub.db)
