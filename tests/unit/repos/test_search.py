"""Search gives the same in a small hub, which is read through, and in a large one, which is not; on both databases."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from hub_core.accounts.tables import Org, User
from hub_core.authz import ANONYMOUS, Actor, Visibility
from hub_core.db import Database, utcnow
from hub_core.errors import InvalidInput
from hub_core.repos import finding, narrowing
from hub_core.repos.kinds import RepoKind
from hub_core.repos.search import RepoQuery, RepoSort, SearchService
from hub_core.repos.tables import Collaborator, Like, Repo, RepoTag
from hub_core.repos.terms import fold, words_of
from tests.common.factories import actor_for, make_org, make_user, namespace_of

WORDS = ("llama", "bert", "roberta", "客服", "机器翻译", "分類", "지원", "t5", "vision", "Straße", "ﬁne-tuned")
TAGS = ("gguf", "language:en", "en", "license:mit", "two words", "客服")
COUNT = 80


class World:
    """A hub with many repos, and what a search should give by the plainest reading of its rule."""

    def __init__(self, db: Database, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        self.db, self.search = db, SearchService(db)
        self.user, other, stranger = make_user(db, "alice"), make_user(db, "bob"), make_user(db, "carol")
        self.admin = actor_for(make_user(db, "root", is_admin=True))
        self.alice, self.carol = actor_for(self.user), actor_for(stranger)
        owners: list[User | Org] = [self.user, other, make_org(db, "acme", {self.user: "read"}), make_org(db, "umbrella")]
        self.given: set[int] = set()
        self.member = {self.user.id, owners[2].id}
        self.repos: list[Repo] = []
        self.tags: dict[int, set[str]] = {}
        with db.write() as session:
            for number in range(COUNT):
                self._make(session, chance.choice(owners), number)

    def _make(self, session: Session, owner: User | Org, number: int) -> None:
        chance, now = self.chance, utcnow()
        name = f"{chance.choice(('llama', 'bert', 'T5'))}-{number}"
        repo = Repo(
            namespace_id=owner.id, namespace=namespace_of(owner), name=name, key=name.lower(), kind=chance.choice(list(RepoKind)).value,
            visibility=chance.choice(list(Visibility)).value, description=" ".join(chance.sample(WORDS, 3)), created_at=now, updated_at=now,
            license=chance.choice(("mit", "MIT", "")), likes=chance.choice((0, 0, 0, 3)), downloads=chance.choice((0, 0, 7, number)), card={},
        )  # fmt: skip
        session.add(repo)
        session.flush()
        self.repos.append(repo)
        self.tags[repo.id] = set(chance.sample(TAGS, 2))
        session.add_all(RepoTag(repo_id=repo.id, tag=tag, source="user") for tag in self.tags[repo.id])
        if chance.random() < 0.1:
            self.given.add(repo.id)
            session.add(Collaborator(repo_id=repo.id, user_id=self.user.id, role="read"))
        if number % 9 == 0:
            session.add(Like(repo_id=repo.id, user_id=self.user.id, created_at=now))

    def sees(self, actor: Actor, repo: Repo) -> bool:
        """The rule of visibility."""
        mine = actor.username == "alice" and (repo.namespace_id in self.member or repo.id in self.given)
        return actor.is_admin or repo.visibility == "public" or (repo.visibility == "internal" and not actor.is_anonymous) or mine

    def fits(self, repo: Repo, query: RepoQuery) -> bool:
        """The rule of words and filters."""
        tags = self.tags[repo.id]
        text = "\n".join(map(fold, (repo.full_name, repo.license, repo.description, *tags)))
        return (
            all(word in text for word in words_of(query.words))
            and all(fold(name) in repo.full_name.lower() for name in query.names)
            and query.kind in (None, repo.kind)
            and query.owner in (None, repo.namespace)
            and (query.license is None or repo.license.lower() == query.license.lower())
            and query.visibility in (None, repo.visibility)
            and all(self._tagged(repo, tag) for tag in query.tags)
        )

    def _tagged(self, repo: Repo, tag: str) -> bool:
        rest = tag.partition(":")[2]
        other = (tag.startswith("language:") and rest in self.tags[repo.id]) or (
            tag.startswith("license:") and repo.license.lower() == rest
        )
        return tag in self.tags[repo.id] or other

    def expected(self, actor: Actor, query: RepoQuery) -> list[int]:
        """Ids of the whole result, in its order."""
        value: Callable[[Repo], tuple[object, int]] = {
            RepoSort.UPDATED: lambda repo: (repo.updated_at, repo.id),
            RepoSort.CREATED: lambda repo: (repo.created_at, repo.id),
            RepoSort.LIKES: lambda repo: (repo.likes, repo.id),
            RepoSort.DOWNLOADS: lambda repo: (repo.downloads, repo.id),
            RepoSort.NAME: lambda repo: (repo.key, repo.id),
        }[query.sort]
        found = [repo for repo in self.repos if self.sees(actor, repo) and self.fits(repo, query)]
        up = query.ascending or query.sort is RepoSort.NAME
        return [repo.id for repo in sorted(found, key=value, reverse=not up)]

    def given_out(self, actor: Actor, query: RepoQuery) -> list[int]:
        """The same by the service, page by page."""
        found: list[int] = []
        cursor = None
        while True:
            asked = RepoQuery(
                query.words, query.names, query.kind, query.owner, query.tags, query.license, query.visibility,
                sort=query.sort, ascending=query.ascending, limit=query.limit, cursor=cursor,
            )  # fmt: skip
            page = self.search.search(actor, asked)
            found += [view.repo_id for view in page.items]
            cursor = page.next
            if cursor is None:
                return found

    def query(self) -> RepoQuery:
        """Some question."""
        chance = self.chance

        def maybe(*values: object) -> object:
            return chance.choice((*[None] * 6, *values))

        word = " ".join(chance.sample([*WORDS, "-1", "b", "服", "nothing-has-this"], chance.choice((0, 0, 1, 1, 2))))
        return RepoQuery(
            words=word, names=[str(name)] if (name := maybe("a-1", "LLAMA", "acme/")) else [],
            kind=maybe("model", "dataset"), owner=maybe("acme", "bob", "nobody"), license=maybe("MIT"), visibility=maybe("private", "public"),  # type: ignore[arg-type]
            tags=chance.sample([*TAGS, "license:mit", "no-such"], chance.choice((0, 0, 0, 1, 2))),
            sort=chance.choice(list(RepoSort)), ascending=chance.random() < 0.3, limit=chance.choice((2, 7, 50)),
        )  # fmt: skip


@pytest.mark.parametrize("size", ["small", "large"])
def test_pages_hold_exactly_what_the_rule_says(db: Database, monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    world = World(db, seed=11)
    if size == "large":
        monkeypatch.setattr(finding, "SMALL_HUB", 0)
        monkeypatch.setattr(finding, "WALKS", (6, 9))
    actors = [world.alice, world.admin, world.carol, ANONYMOUS]
    found = 0
    for number in range(100):
        actor, query = actors[number % 4], world.query()
        expected = world.expected(actor, query)
        assert world.given_out(actor, query) == expected, query
        found += len(expected)
    assert found > 100


def test_a_walk_that_finds_little_is_left_for_the_index(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways through the index: few ids that are sorted, many that are met on a walk."""
    world = World(db, seed=12)
    monkeypatch.setattr(finding, "SMALL_HUB", 0)
    monkeypatch.setattr(finding, "WALKS", (2,))
    for words, sort in zip(("llama", "客服", "alice/", "t5-1", "bert"), RepoSort, strict=True):
        query = RepoQuery(words=words, sort=sort, limit=5)
        assert world.given_out(world.alice, query) == world.expected(world.alice, query)


def test_what_the_index_thinks_common_changes_no_result(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(db, seed=15)
    monkeypatch.setattr(finding, "SMALL_HUB", 0)
    monkeypatch.setattr(finding, "WALKS", (1,))
    for many in (0, 3, 40):
        monkeypatch.setattr(narrowing, "MANY", many)
        world.search = SearchService(db)
        for query in (RepoQuery(words="llama vision", tags=["gguf"], limit=3), RepoQuery(names=["bert-1"], kind="model", limit=3)):
            assert world.given_out(world.alice, query) == world.expected(world.alice, query)


def test_the_trash_and_liked_repos_of_a_large_hub(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(db, seed=13)
    monkeypatch.setattr(finding, "SMALL_HUB", 0)
    monkeypatch.setattr(finding, "WALKS", (2,))
    liked = world.search.search(world.alice, RepoQuery(liked=True, limit=100)).items
    assert {view.repo_id for view in liked} == {repo.id for repo in world.repos[::9] if world.sees(world.alice, repo)}
    gone = world.repos[5]
    with db.write() as session:
        session.get_one(Repo, gone.id).deleted_at = gone.created_at
    assert [view.repo_id for view in world.search.search(world.admin, RepoQuery(deleted=True)).items] == [gone.id]
    assert gone.id not in world.given_out(world.admin, RepoQuery(limit=50))


def test_a_cursor_belongs_to_its_order(db: Database) -> None:
    world = World(db, seed=14)
    page = world.search.search(world.admin, RepoQuery(limit=2))
    with pytest.raises(InvalidInput):
        world.search.search(world.admin, RepoQuery(sort=RepoSort.LIKES, cursor=page.next))
