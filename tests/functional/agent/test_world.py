"""What the planner may know: only what the person may see, and fresh after a change."""

from __future__ import annotations

from agent.world import HubWorld, WorldCache
from hub_core.authz import Actor, Scope, Visibility
from hub_core.repos.kinds import RepoKind
from tests.functional.agent.conftest import Hub


def names(hub: Hub, actor: Actor, cache: WorldCache, kind: str = "repo") -> set[str]:
    return {item.value for item in HubWorld(actor, hub.services, [], cache).entities() if item.type == kind}


def test_only_visible_names_are_known(any_hub: Hub) -> None:
    cache = WorldCache()
    any_hub.services.repos.create(any_hub.alice, "alice/secret", RepoKind.MODEL, Visibility.PRIVATE, "", "")
    any_hub.services.tokens.create(any_hub.alice, "ci-token", Scope.READ)
    assert "alice/secret" in names(any_hub, any_hub.alice, cache)
    assert names(any_hub, any_hub.bob, cache) == {"acme/support-7b", "acme/vision", "acme/tickets"}
    assert names(any_hub, any_hub.bob, cache, "user") == {"alice", "bob"}
    assert names(any_hub, any_hub.bob, cache, "org") == {"acme"}
    assert names(any_hub, any_hub.alice, cache, "token") == {"ci-token"}
    assert names(any_hub, any_hub.bob, cache, "token") == set()


def test_only_visible_collections_are_known(any_hub: Hub) -> None:
    cache = WorldCache()
    private = any_hub.services.collections.create(any_hub.alice, "Mine", "alice", visibility=Visibility.PRIVATE)
    public = any_hub.services.collections.create(any_hub.alice, "Ours", "alice", visibility=Visibility.PUBLIC)
    assert names(any_hub, any_hub.alice, cache, "collection") == {private.slug, public.slug}
    assert names(any_hub, any_hub.bob, cache, "collection") == {public.slug}


def test_the_list_is_kept_until_something_changes(hub: Hub) -> None:
    cache = WorldCache()
    world = HubWorld(hub.alice, hub.services, [], cache)
    first = world.entities()
    assert world.entities() is first
    hub.services.social.set_like(hub.alice, hub.services.repos.find(hub.alice, "acme/vision"), True)
    assert world.entities() is first
    hub.services.repos.delete(hub.alice, hub.services.repos.find(hub.alice, "acme/vision"))
    assert world.entities() is not first
    gone = [item for item in world.entities() if item.value == "acme/vision"]
    assert [item.deleted for item in gone] == [True]


def test_aliases_come_from_preferences(hub: Hub) -> None:
    hub.services.users.set_preference(hub.alice, "alias.prod", "acme/support-7b")
    world = HubWorld(hub.alice, hub.services, ["a.csv"], WorldCache())
    assert [item.aliases for item in world.entities() if item.value == "acme/support-7b"] == [("prod",)]
    assert list(world.attachments) == ["a.csv"]


def test_names_inside_a_repo_are_read_when_asked_for(hub: Hub) -> None:
    world = HubWorld(hub.alice, hub.services, [], WorldCache())
    assert list(world.branches("acme/vision")) == ["main"]
    assert list(world.git_tags("acme/vision")) == []
    assert ".gitattributes" in list(world.files("acme/vision"))
    assert list(world.branches("acme/nosuch")) == []
