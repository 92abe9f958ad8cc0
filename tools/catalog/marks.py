"""Tools: likes, watches, descriptive tags, lineage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hub_core.authz import Permission
from hub_core.repos.social import WatchLevel
from hub_core.repos.tags import TagMode, check_tags, next_tags
from tools.catalog.fields import TagText
from tools.catalog.outputs import Page
from tools.catalog.repos import OneRepo, locate
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput


class LikeOut(ToolOutput):
    """Likes of a repo."""

    repo: str
    liked: bool
    likes: int


class _LikeTool(Tool[OneRepo, LikeOut]):
    liked: bool
    group, input, output, effect, permission = "repos", OneRepo, LikeOut, Effect.WRITE, Permission.USER_SELF

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """Nothing changes when it is so already."""
        repo, resolved = locate(ctx, args)
        before = ctx.services.social.liked(ctx.actor, repo)
        changes = (Change("liked", before, self.liked),) if before != self.liked else ()
        back = "unlike_repo" if self.liked else "like_repo"
        inverse = Call(back, {"repo": repo.full_name, "kind": repo.kind}) if changes else None
        return Plan(resolved, Effect.WRITE, changes, {"repo": repo.full_name}, inverse, repo)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> LikeOut:
        """Set or take the like."""
        likes = ctx.services.social.set_like(ctx.actor, plan.prepared, self.liked)
        return LikeOut(repo=plan.prepared.full_name, liked=self.liked, likes=likes)


class LikeRepo(_LikeTool):
    """Like a repo (a star, a favourite)."""

    name, liked = "like_repo", True


class UnlikeRepo(_LikeTool):
    """Take one's like of a repo back."""

    name, liked = "unlike_repo", False


class WatchInput(OneRepo):
    """Which repo, and how much to hear of it."""

    level: Annotated[WatchLevel, Slot(SlotType.CHOICE), Field(description="all, mentions, or none to stop.")] = WatchLevel.ALL


class WatchOut(ToolOutput):
    """How a repo is watched."""

    repo: str
    level: str


class WatchRepo(Tool[WatchInput, WatchOut]):
    """Follow what happens in a repo, or stop following it (level none)."""

    name, group, input, output = "watch_repo", "repos", WatchInput, WatchOut
    effect, permission = Effect.WRITE, Permission.USER_SELF

    def plan(self, ctx: ToolContext, args: WatchInput) -> Plan:
        """Old and new level."""
        repo, resolved = locate(ctx, args)
        before = ctx.services.social.watch_level(ctx.actor, repo)
        changes = (Change("watch", str(before), str(args.level)),) if before is not args.level else ()
        inverse = Call("watch_repo", {"repo": repo.full_name, "kind": repo.kind, "level": str(before)}) if changes else None
        return Plan(resolved, Effect.WRITE, changes, {"repo": repo.full_name}, inverse, repo)

    def run(self, ctx: ToolContext, args: WatchInput, plan: Plan) -> WatchOut:
        """Set the level."""
        ctx.services.social.watch(ctx.actor, plan.prepared, args.level)
        return WatchOut(repo=plan.prepared.full_name, level=str(args.level))


class SetTagsInput(OneRepo):
    """Which tags, and how they meet the ones that are there."""

    tags: Annotated[
        list[TagText],
        Slot(SlotType.TAGS),
        Field(description="Tags.", min_length=1, max_length=100, examples=[["support", "text-generation"]]),
    ]
    mode: Annotated[TagMode, Slot(SlotType.CHOICE), Field(description="add, remove or replace.")] = TagMode.ADD


class TagsOut(ToolOutput):
    """Tags of a repo."""

    repo: str
    tags: list[str]


class SetTags(Tool[SetTagsInput, TagsOut]):
    """Add tags to a repo, remove some, or replace them all."""

    name, group, input, output = "set_tags", "repos", SetTagsInput, TagsOut
    effect, permission = Effect.WRITE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: SetTagsInput) -> Plan:
        """Tags before and after."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        tags, before = check_tags(args.tags), ctx.services.tags.of(repo)
        after = next_tags(before, tags, args.mode)
        changes = (Change("tags", before, after),) if before != after else ()
        return Plan(
            resolved | {"tags": tags},
            Effect.WRITE,
            changes,
            {"repo": repo.full_name},
            _inverse(repo.full_name, repo.kind, before, after),
            repo,
        )

    def run(self, ctx: ToolContext, args: SetTagsInput, plan: Plan) -> TagsOut:
        """Set them."""
        return TagsOut(repo=plan.prepared.full_name, tags=ctx.services.tags.set(ctx.actor, plan.prepared, args.tags, args.mode))


def _inverse(repo: str, kind: str, before: list[str], after: list[str]) -> Call | None:
    args = {"repo": repo, "kind": kind}
    if before == after:
        return None
    if not before:
        return Call("set_tags", args | {"tags": after, "mode": "remove"})
    return Call("set_tags", args | {"tags": before, "mode": "replace"})


class ListTagsInput(ToolInput):
    """Which tags."""

    category: (
        Annotated[str, Slot(SlotType.TEXT), Field(description="Part before ':' (license, dataset ...) or a repo kind.", max_length=64)]
        | None
    ) = None


class TagCount(ToolOutput):
    """A tag and how many repos carry it."""

    tag: str
    repos: int


class TagList(Page):
    """Tags in use."""

    items: list[TagCount]


class ListTags(Tool[ListTagsInput, TagList]):
    """List the descriptive tags in use on the hub, most used first."""

    name, group, input, output, permission = "list_tags", "repos", ListTagsInput, TagList, Permission.REPO_READ

    def run(self, ctx: ToolContext, args: ListTagsInput, plan: Plan) -> TagList:
        """Count them."""
        found = ctx.services.tags.in_use(ctx.actor, args.category)
        return TagList(items=[TagCount(tag=tag, repos=count) for tag, count in found])


class LineageItem(ToolOutput):
    """One link of lineage."""

    relation: str = Field(description="base_model, dataset or fork")
    repo: str
    on_hub: bool


class LineageOut(ToolOutput):
    """Where a repo comes from and what came of it."""

    repo: str
    sources: list[LineageItem]
    derived: list[LineageItem]


class GetLineage(Tool[OneRepo, LineageOut]):
    """Show where a repo comes from (base model, training data, fork) and what was made from it."""

    name, group, input, output, permission = "get_lineage", "repos", OneRepo, LineageOut, Permission.REPO_READ

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> LineageOut:
        """Read the links."""
        lineage = ctx.services.lineage.of(ctx.actor, plan.prepared)
        items = [
            [LineageItem(relation=link.relation, repo=link.repo, on_hub=link.on_hub) for link in links]
            for links in (lineage.sources, lineage.derived)
        ]
        return LineageOut(repo=plan.prepared.full_name, sources=items[0], derived=items[1])


TOOLS = (LikeRepo(), UnlikeRepo(), WatchRepo(), SetTags(), ListTags(), GetLineage())
