"""Collections: who sees and changes them, what they hold, and how they are named. On both databases."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from hub_core.authz import ANONYMOUS, Actor, Permission, Role, Scope, Visibility
from hub_core.collections import service as collection_service
from hub_core.collections.naming import key_of, name_of
from hub_core.collections.search import CollectionQuery
from hub_core.collections.service import CollectionService
from hub_core.collections.views import CollectionView
from hub_core.db import Database, utcnow
from hub_core.errors import (
    AlreadyExists,
    AmbiguousCollection,
    CollectionNotFound,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    RepoNotFound,
    Unauthenticated,
)
from hub_core.names import RepoId
from hub_core.repos.events import EventQuery, EventService
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from tests.common.factories import actor_for, make_org, make_repo, make_user

People = dict[str, Actor]


@pytest.fixture
def people(db: Database) -> People:
    users = {name: make_user(db, name) for name in ("owner", "writer", "reader", "stranger")}
    make_org(db, "acme", {users["owner"]: Role.ADMIN, users["writer"]: Role.WRITE, users["reader"]: Role.READ})
    actors = {name: actor_for(user) for name, user in users.items()}
    return actors | {"admin": actor_for(make_user(db, "root", is_admin=True)), "anonymous": ANONYMOUS}


@pytest.fixture
def hub(db: Database) -> CollectionService:
    return CollectionService(db)


@pytest.fixture
def repo(db: Database, people: People) -> Callable[..., Repo]:
    owner = make_org(db, "things")

    def make(name: str, visibility: Visibility = Visibility.PUBLIC, kind: RepoKind = RepoKind.MODEL) -> Repo:
        return make_repo(db, owner, name, kind, visibility)

    return make


def names(view: CollectionView) -> list[str]:
    return [item.repo.id for item in view.items]


EXPECTED = {
    "owner": {"private": "admin", "internal": "admin", "public": "admin"},
    "writer": {"private": "write", "internal": "write", "public": "write"},
    "reader": {"private": "read", "internal": "read", "public": "read"},
    "stranger": {"private": None, "internal": "read", "public": "read"},
    "admin": {"private": "admin", "internal": "admin", "public": "admin"},
    "anonymous": {"private": None, "internal": None, "public": "read"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_one_look_and_lists_agree_on_who_sees_what(hub: CollectionService, people: People, name: str) -> None:
    slugs = {str(v): hub.create(people["owner"], f"For {v}", "acme", visibility=v).slug for v in Visibility}
    listed = {view.visibility: view.role for view in hub.search(people[name], CollectionQuery()).items}
    assert listed == {visibility: role for visibility, role in EXPECTED[name].items() if role}
    for visibility, role in EXPECTED[name].items():
        for said in (slugs[visibility], f"For {visibility}"):
            if role:
                assert hub.get(people[name], said).role == role
            else:
                with pytest.raises(CollectionNotFound) as hidden:
                    hub.get(people[name], said)
                with pytest.raises(CollectionNotFound) as absent:
                    hub.get(people[name], "no such list")
                assert hidden.value.message.replace(said, "no such list") == absent.value.message


def test_a_token_for_one_repo_sees_what_everybody_sees(hub: CollectionService, people: People) -> None:
    hub.create(people["owner"], "Own")
    hub.create(people["owner"], "Shown", visibility=Visibility.PUBLIC)
    limited = dataclasses.replace(people["owner"], repo_id=1)
    assert [view.title for view in hub.search(limited, CollectionQuery()).items] == ["Shown"]
    with pytest.raises(PermissionDenied):
        hub.create(limited, "More")


def test_a_new_collection_is_private_empty_and_one_s_own(hub: CollectionService, people: People) -> None:
    made = hub.create(people["owner"], "  Models   for Support ", description=" The best ")
    assert (made.title, made.namespace, made.visibility, made.description, made.items) == (
        "Models for Support", "owner", "private", "The best", (),
    )  # fmt: skip
    assert made.slug == f"owner/models-for-support-{made.id:024x}"
    assert hub.create(people["writer"], "Team", "acme").namespace == "acme"


@pytest.mark.parametrize(("who", "where"), [("reader", "acme"), ("stranger", "acme"), ("stranger", "owner"), ("owner", "stranger")])
def test_nobody_makes_collections_where_they_may_not(hub: CollectionService, people: People, who: str, where: str) -> None:
    with pytest.raises(PermissionDenied):
        hub.create(people[who], "Mine", where)


def test_making_needs_somebody_and_a_place(hub: CollectionService, people: People) -> None:
    with pytest.raises(Unauthenticated):
        hub.create(ANONYMOUS, "Mine", "acme")
    with pytest.raises(NotFound):
        hub.create(people["owner"], "Mine", "nowhere")
    with pytest.raises(PermissionDenied):
        hub.create(dataclasses.replace(people["owner"], scope=Scope.READ), "Mine")


@pytest.mark.parametrize("title", ["", "   ", "x" * 101, "a\u202eb", "a\0b", "a\ud800b"])
def test_titles_that_cannot_be_had(hub: CollectionService, people: People, title: str) -> None:
    with pytest.raises(InvalidInput):
        hub.create(people["owner"], title)


def test_a_title_is_there_once_in_a_namespace(hub: CollectionService, people: People) -> None:
    first = hub.create(people["owner"], "Models for Support")
    with pytest.raises(AlreadyExists) as taken:
        hub.create(people["owner"], "models for ＳＵＰＰＯＲＴ")
    assert taken.value.details["body"] == {"slug": first.slug}
    hub.create(people["owner"], "Models for Support", "acme")
    other = hub.create(people["owner"], "Others")
    with pytest.raises(AlreadyExists):
        hub.update(people["owner"], other.id, title="MODELS for support")
    assert hub.update(people["owner"], first.id, title="MODELS for support").title == "MODELS for support"


def test_a_collection_is_found_by_slug_and_by_title(hub: CollectionService, people: People) -> None:
    owner = people["owner"]
    made = hub.create(owner, "客服模型 Best", "acme")
    digits = made.slug.rpartition("-")[2]
    for said in (
        made.slug,
        f"acme/{digits}",
        digits,
        f"best-{digits}",
        "客服模型 best",
        "acme/客服模型 BEST",
        "best",
        "acme/best",
        " best ",
    ):
        assert hub.get(owner, said).id == made.id
    changed = hub.update(owner, made.id, title="GPU/CPU lists")
    assert changed.slug == f"acme/gpu-cpu-lists-{digits}"
    # A link from before goes on working; the number in another namespace leads nowhere.
    assert hub.get(owner, made.slug).title == hub.get(owner, "gpu/cpu lists").title == "GPU/CPU lists"
    for said in (f"owner/best-{digits}", "f" * 24, "客服模型 best", "", "/", "a" * 5000, "\ud800"):
        with pytest.raises(CollectionNotFound):
            hub.get(owner, said)


def test_a_title_that_fits_several_is_asked_back_and_one_s_own_comes_first(hub: CollectionService, people: People) -> None:
    slugs = [hub.create(people["owner"], "Best", place, visibility=Visibility.PUBLIC).slug for place in ("acme", "owner")]
    with pytest.raises(AmbiguousCollection) as asked:
        hub.get(people["stranger"], "best")
    assert asked.value.details["choices"] == slugs
    assert hub.get(people["owner"], "best").slug == slugs[1]
    assert hub.get(people["stranger"], "acme/best").slug == slugs[0]


def test_the_parts_of_a_name() -> None:
    assert key_of(" Ｂest\t Models ") == "best models"
    assert [name_of(title) for title in ("Crème & Brûlée!", "客服", "a" * 99)] == ["creme-brulee", "collection", "a" * 60]


def test_what_a_viewer_may_not_see_is_left_out_and_not_counted(
    db: Database, hub: CollectionService, people: People, repo: Callable[..., Repo]
) -> None:
    open_, hidden, inner = repo("open"), repo("hidden", Visibility.PRIVATE), repo("inner", Visibility.INTERNAL)
    made = hub.create(people["owner"], "Mixed", visibility=Visibility.PUBLIC)
    hub.add(people["admin"], made.id, [hidden, inner, open_])
    seen = {name: names(hub.get(people[name], made.slug)) for name in ("admin", "owner", "stranger", "anonymous")}
    assert seen == {
        "admin": ["things/hidden", "things/inner", "things/open"],
        "owner": ["things/inner", "things/open"],
        "stranger": ["things/inner", "things/open"],
        "anonymous": ["things/open"],
    }
    # Neither gaps in the numbers nor a filter tell of what is hidden.
    assert [item.position for item in hub.get(people["stranger"], made.slug).items] == [0, 1]
    asked = CollectionQuery(items=[(RepoKind.MODEL, RepoId("things", "hidden"))])
    assert [len(hub.search(people[name], asked).items) for name in ("admin", "stranger")] == [1, 0]
    with db.write() as session:
        session.get_one(Repo, open_.id).deleted_at = utcnow()
    assert names(hub.get(people["anonymous"], made.slug)) == []


def test_a_hidden_repo_cannot_be_put_in_or_taken_out(hub: CollectionService, people: People, repo: Callable[..., Repo]) -> None:
    hidden = repo("hidden", Visibility.PRIVATE)
    made = hub.create(people["owner"], "Mine")
    with pytest.raises(RepoNotFound):
        hub.add(people["owner"], made.id, [hidden])
    hub.add(people["admin"], made.id, [hidden])
    for act in (
        lambda: hub.remove(people["owner"], made.id, [hidden.id]),
        lambda: hub.change_item(people["owner"], made.id, hidden.id, note="x"),
    ):
        with pytest.raises(NotFound):
            act()
    assert names(hub.get(people["admin"], made.slug)) == ["things/hidden"]


def test_items_are_added_noted_moved_and_removed(hub: CollectionService, people: People, repo: Callable[..., Repo]) -> None:
    owner = people["owner"]
    repos = [repo(name) for name in "abcd"]
    made = hub.create(owner, "Mine")
    view = hub.add(owner, made.id, repos, {repos[1].id: " second "})
    assert [(item.repo.id, item.note, item.position) for item in view.items] == [
        ("things/a", "", 0), ("things/b", "second", 1), ("things/c", "", 2), ("things/d", "", 3),
    ]  # fmt: skip
    with pytest.raises(AlreadyExists):
        hub.add(owner, made.id, [repos[2]])
    assert names(hub.change_item(owner, made.id, repos[3].id, position=0)) == [f"things/{name}" for name in "dabc"]
    assert names(hub.change_item(owner, made.id, repos[3].id, position=99, note="last")) == [f"things/{name}" for name in "abcd"]
    assert names(hub.change_item(owner, made.id, repos[0].id, position=2)) == [f"things/{name}" for name in "bcad"]
    assert names(hub.remove(owner, made.id, [repos[1].id, repos[0].id])) == ["things/c", "things/d"]
    with pytest.raises(NotFound):
        hub.remove(owner, made.id, [repos[0].id])
    for wrong in ({"position": -1}, {"note": "x" * 501}):
        with pytest.raises(InvalidInput):
            hub.change_item(owner, made.id, repos[2].id, **wrong)  # type: ignore[arg-type]


def test_an_item_is_moved_among_those_that_are_seen(hub: CollectionService, people: People, repo: Callable[..., Repo]) -> None:
    a, hidden, b, c = repo("a"), repo("hidden", Visibility.PRIVATE), repo("b"), repo("c")
    made = hub.create(people["owner"], "Mine")
    hub.add(people["admin"], made.id, [a, hidden, b, c])
    assert names(hub.change_item(people["owner"], made.id, c.id, position=1)) == ["things/a", "things/c", "things/b"]
    assert names(hub.get(people["admin"], made.slug)) == ["things/a", "things/hidden", "things/c", "things/b"]


def test_a_full_collection_takes_no_more(
    hub: CollectionService, people: People, repo: Callable[..., Repo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection_service, "MAX_ITEMS", 1)
    made = hub.create(people["owner"], "Mine")
    with pytest.raises(LimitExceeded):
        hub.add(people["owner"], made.id, [repo("a"), repo("b")])
    assert hub.get(people["owner"], made.slug).items == ()


def test_in_an_organisation_write_changes_and_admin_shows_and_deletes(
    db: Database, hub: CollectionService, people: People, repo: Callable[..., Repo]
) -> None:
    made = hub.create(people["writer"], "Team", "acme")
    hub.add(people["writer"], made.id, [repo("a")])
    assert hub.update(people["writer"], made.id, description="Ours", theme="green", position=3).description == "Ours"
    for name in ("reader", "writer"):
        for act in (
            lambda actor: hub.update(actor, made.id, visibility=Visibility.PUBLIC),
            lambda actor: hub.delete(actor, made.id),
        ):
            with pytest.raises(PermissionDenied):
                act(people[name])
    with pytest.raises(PermissionDenied):
        hub.add(people["reader"], made.id, [repo("b")])
    for act in (
        lambda: hub.delete(people["stranger"], made.id),
        lambda: hub.update(people["stranger"], made.id, title="Theirs"),
        lambda: hub.open_collection(people["stranger"], made.id, Permission.REPO_WRITE),
    ):
        with pytest.raises(CollectionNotFound):
            act()
    assert hub.update(people["owner"], made.id, visibility=Visibility.PUBLIC).visibility == "public"
    with pytest.raises(PermissionDenied):
        hub.delete(dataclasses.replace(people["owner"], scope=Scope.WRITE), made.id)
    hub.delete(people["owner"], made.id)
    with pytest.raises(CollectionNotFound):
        hub.get(people["owner"], made.slug)
    actions = [event.action for event in EventService(db).query(people["admin"], EventQuery(action="collection"))]
    assert actions == ["collection.delete", "collection.update", "collection.update", "collection.add", "collection.create"]


def test_what_happens_in_a_private_collection_is_no_event_of_the_repo(db: Database, hub: CollectionService, people: People) -> None:
    mate = make_user(db, "mate")
    team = make_org(db, "team", {mate: Role.ADMIN})
    shared = make_repo(db, team, "shared", visibility=Visibility.PUBLIC)
    made = hub.create(people["owner"], "Secret plans")
    hub.add(people["owner"], made.id, [shared])
    assert not EventService(db).query(actor_for(mate), EventQuery(repo_id=shared.id))
    assert not EventService(db).query(actor_for(mate), EventQuery(action="collection"))


@pytest.mark.parametrize("wrong", [{"theme": "plaid"}, {"position": -1}, {"position": 10**9}, {"description": "x" * 1001}, {"title": ""}])
def test_facts_that_cannot_be_had_change_nothing(hub: CollectionService, people: People, wrong: dict[str, object]) -> None:
    made = hub.create(people["owner"], "Mine")
    with pytest.raises(InvalidInput):
        hub.update(people["owner"], made.id, **wrong)
    assert hub.get(people["owner"], made.slug) == made


def test_collections_of_a_deleted_organisation_are_gone_until_it_is_back(db: Database, hub: CollectionService, people: People) -> None:
    from hub_core.accounts.orgs import OrgService

    made = hub.create(people["owner"], "Team", "acme", visibility=Visibility.PUBLIC)
    OrgService(db).delete(people["owner"], "acme")
    for who in ("owner", "stranger", "admin"):
        with pytest.raises(CollectionNotFound):
            hub.get(people[who], made.slug)
        with pytest.raises(CollectionNotFound):
            hub.open_collection(people[who], made.id)
        assert not hub.search(people[who], CollectionQuery()).items
    OrgService(db).restore(people["admin"], "acme")
    assert hub.get(people["stranger"], made.slug).title == "Team"


def test_lists_are_filtered_paged_and_hold_the_first_items(hub: CollectionService, people: People, repo: Callable[..., Repo]) -> None:
    owner = people["owner"]
    repos = [repo(f"r{number}") for number in range(6)]
    made = [hub.create(owner, f"List {number}", "acme" if number % 2 else None) for number in range(5)]
    hub.add(owner, made[0].id, repos)
    page = hub.search(owner, CollectionQuery(limit=2))
    assert ([view.title for view in page.items], page.total) == (["List 0", "List 4"], 5)
    assert names(page.items[0]) == [f"things/r{number}" for number in range(4)]
    rest = hub.search(owner, CollectionQuery(limit=100, cursor=page.next))
    assert [view.title for view in rest.items] == ["List 3", "List 2", "List 1"]
    assert rest.next is None
    assert [view.title for view in hub.search(owner, CollectionQuery(owners=["acme"])).items] == ["List 3", "List 1"]
    assert [view.title for view in hub.search(owner, CollectionQuery(words="LIST 2")).items] == ["List 2"]
    assert [view.title for view in hub.search(owner, CollectionQuery(skip=3, limit=1)).items] == ["List 2"]
    holds = CollectionQuery(items=[(RepoKind.MODEL, RepoId("things", "R5"))])
    assert [view.title for view in hub.search(owner, holds).items] == ["List 0"]
    for wrong in (CollectionQuery(limit=0), CollectionQuery(limit=101), CollectionQuery(cursor="x"), CollectionQuery(cursor="W10=")):
        with pytest.raises(InvalidInput):
            hub.search(owner, wrong)
