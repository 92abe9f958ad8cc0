"""Tools about collections: lists of repos with a title."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from hub_core.authz import Permission, Visibility
from hub_core.collections.naming import MAX_DESCRIPTION, MAX_NOTE, MAX_TITLE
from hub_core.collections.search import CollectionQuery
from hub_core.collections.views import CollectionView, ItemView
from hub_core.errors import InvalidInput, NotFound
from hub_core.repos.tables import Repo
from tools.catalog.fields import LimitArg
from tools.catalog.outputs import Page
from tools.catalog.repos import OneRepo, VisibilityArg, locate
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput

CollectionArg = Annotated[
    str,
    Slot(SlotType.COLLECTION),
    Field(description="A collection by its slug, or by its title.", min_length=1, max_length=300, examples=["Models for support"]),
]
TitleArg = Annotated[
    str,
    Slot(SlotType.TEXT),
    Field(description="Title of the collection.", min_length=1, max_length=MAX_TITLE, examples=["Models for support"]),
]
AboutArg = Annotated[str, Slot(SlotType.TEXT), Field(description="What the collection is for.", max_length=MAX_DESCRIPTION)]
_FACTS = ("title", "description", "visibility")


class CollectionItemOut(ToolOutput):
    """A repo in a collection."""

    repo: str = Field(description="`namespace/name`", examples=["acme/support-7b"])
    kind: str = Field(examples=["model"])
    note: str
    position: int
    description: str = Field(description="The repo's own.")


class CollectionOut(ToolOutput):
    """A collection. Repos that the caller may not see are not in it for them."""

    slug: str = Field(description="`namespace/title-number`; the number leads to it also after its title changed.")
    title: str
    owner: str = Field(description="The user or organisation that keeps it.")
    description: str
    visibility: str = Field(examples=["private"])
    role: str = Field(description="The caller's role on it.")
    size: int = Field(description="How many repos are in it.")
    created_at: dt.datetime
    updated_at: dt.datetime
    items: list[CollectionItemOut] = Field(description="The repos in it, in order; in a list of collections the first ones.")


class CollectionList(Page):
    """Collections that were found, those changed last first."""

    items: list[CollectionOut]


class OneCollection(ToolInput):
    """Names one collection."""

    collection: CollectionArg


def _out(view: CollectionView) -> CollectionOut:
    return CollectionOut(
        slug=view.slug, title=view.title, owner=view.namespace, description=view.description, visibility=view.visibility, role=view.role,
        size=view.size, created_at=view.created_at, updated_at=view.updated_at, items=[_item(item) for item in view.items],
    )  # fmt: skip


def _item(item: ItemView) -> CollectionItemOut:
    return CollectionItemOut(
        repo=item.repo.id, kind=item.repo.kind, note=item.note, position=item.position, description=item.repo.description
    )


class CreateCollectionInput(ToolInput):
    """What to make."""

    title: TitleArg
    owner: (
        Annotated[str, Slot(SlotType.OWNER), Field(description="User or organisation to keep it; oneself without it.", max_length=64)]
        | None
    ) = None
    description: AboutArg = ""
    visibility: VisibilityArg = Visibility.PRIVATE


class CreateCollection(Tool[CreateCollectionInput, CollectionOut]):
    """Make a new, empty collection of repos; private unless said otherwise."""

    name, group, input, output = "create_collection", "community", CreateCollectionInput, CollectionOut
    effect, permission = Effect.WRITE, Permission.REPO_CREATE

    def plan(self, ctx: ToolContext, args: CreateCollectionInput) -> Plan:
        """Check the title and the right to create there."""
        owner, title = ctx.services.collections.plan_create(ctx.actor, args.title, args.owner)
        resolved = args.model_dump(mode="json") | {"title": title, "owner": owner}
        changes = (Change("collection", None, title), Change("visibility", None, str(args.visibility)))
        return Plan(resolved, Effect.WRITE, changes, {}, Call("delete_collection", {"collection": f"{owner}/{title}"}))

    def run(self, ctx: ToolContext, args: CreateCollectionInput, plan: Plan) -> CollectionOut:
        """Make it."""
        made = ctx.services.collections.create(ctx.actor, args.title, args.owner, description=args.description, visibility=args.visibility)
        return _out(made)

    def inverse(self, ctx: ToolContext, args: CreateCollectionInput, plan: Plan, output: CollectionOut) -> Call:
        """Delete just this one, whatever its title is then."""
        return Call("delete_collection", {"collection": output.slug})


class ListCollectionsInput(ToolInput):
    """Filters; all optional."""

    owner: Annotated[str, Slot(SlotType.OWNER), Field(description="User or organisation that keeps them.", max_length=64)] | None = None
    query: Annotated[str, Slot(SlotType.QUERY), Field(description="Words of the title or description.", max_length=200)] = ""
    limit: LimitArg = 20
    cursor: Annotated[str, Field(description="`next` of the page before.", max_length=400)] | None = None


class ListCollections(Tool[ListCollectionsInput, CollectionList]):
    """List collections, all or those of one owner."""

    name, group, input, output = "list_collections", "community", ListCollectionsInput, CollectionList
    permission = Permission.REPO_READ

    def run(self, ctx: ToolContext, args: ListCollectionsInput, plan: Plan) -> CollectionList:
        """Search."""
        query = CollectionQuery(owners=[args.owner] if args.owner else (), words=args.query, limit=args.limit, cursor=args.cursor)
        page = ctx.services.collections.search(ctx.actor, query)
        return CollectionList(items=[_out(view) for view in page.items], next=page.next)


class GetCollection(Tool[OneCollection, CollectionOut]):
    """Show a collection: its repos in order, with their notes."""

    name, group, input, output = "get_collection", "community", OneCollection, CollectionOut
    permission = Permission.REPO_READ

    def plan(self, ctx: ToolContext, args: OneCollection) -> Plan:
        """Find it and read it, at once."""
        view = ctx.services.collections.get(ctx.actor, args.collection)
        return Plan({"collection": view.slug}, Effect.READ, prepared=view)

    def run(self, ctx: ToolContext, args: OneCollection, plan: Plan) -> CollectionOut:
        """Show what was read."""
        return _out(plan.prepared)


class UpdateCollectionInput(OneCollection):
    """Which collection, and its new facts."""

    title: TitleArg | None = None
    description: AboutArg | None = None
    visibility: VisibilityArg | None = None


class UpdateCollection(Tool[UpdateCollectionInput, CollectionOut]):
    """Change a collection's title, its description, or who sees it. Showing it to more people needs approval."""

    name, group, input, output = "update_collection", "community", UpdateCollectionInput, CollectionOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: UpdateCollectionInput) -> Plan:
        """The facts before and after; widening is destructive."""
        given = {field: getattr(args, field) for field in _FACTS}
        if all(value is None for value in given.values()):
            raise InvalidInput("Say what to change: the title, the description or who sees it.")
        view = ctx.services.collections.get(ctx.actor, args.collection, Permission.REPO_WRITE)
        new = ctx.services.collections.check_update(ctx.actor, view.id, **given)
        old = {field: getattr(view, field) for field in new}
        wider = "visibility" in new and Visibility(new["visibility"]).rank > Visibility(view.visibility).rank
        return Plan(
            args.model_dump(mode="json", exclude_none=True) | {"collection": view.slug},
            Effect.DESTRUCTIVE if wider else Effect.WRITE,
            tuple(Change(field, old[field], value) for field, value in new.items()),
            {"title": view.title},
            Call(self.name, {"collection": view.slug, **old}) if new else None,
            view,
        )

    def run(self, ctx: ToolContext, args: UpdateCollectionInput, plan: Plan) -> CollectionOut:
        """Set them."""
        return _out(ctx.services.collections.update(ctx.actor, plan.prepared.id, **{field: getattr(args, field) for field in _FACTS}))


class CollectionRepoInput(OneRepo, OneCollection):
    """A collection and a repo."""


class AddToCollectionInput(CollectionRepoInput):
    """A collection, a repo, and what to say of it there."""

    note: Annotated[str, Slot(SlotType.TEXT), Field(description="Why it is in the collection.", max_length=MAX_NOTE)] = ""
    position: Annotated[int, Field(description="Its place, counted from 0; the last one without it.", ge=0, le=1000)] | None = None


class AddToCollection(Tool[AddToCollectionInput, CollectionOut]):
    """Put a repo into a collection."""

    name, group, input, output = "add_to_collection", "community", AddToCollectionInput, CollectionOut
    effect, permission = Effect.WRITE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: AddToCollectionInput) -> Plan:
        """Nothing changes when it is in it already."""
        repo, view, resolved = _both(ctx, args)
        item = _found(view, repo)
        changes = () if item else (Change("item", None, repo.full_name),)
        inverse = Call("remove_from_collection", {"collection": view.slug, "repo": repo.full_name, "kind": repo.kind})
        return Plan(resolved, Effect.WRITE, changes, {"title": view.title}, None if item else inverse, (repo, view))

    def run(self, ctx: ToolContext, args: AddToCollectionInput, plan: Plan) -> CollectionOut:
        """Put it in."""
        repo, view = plan.prepared
        if not plan.changes:
            return _out(view)
        return _out(ctx.services.collections.add(ctx.actor, view.id, [repo], {repo.id: args.note}, position=args.position))


class RemoveFromCollection(Tool[CollectionRepoInput, CollectionOut]):
    """Take a repo out of a collection; the repo itself stays."""

    name, group, input, output = "remove_from_collection", "community", CollectionRepoInput, CollectionOut
    effect, permission = Effect.WRITE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: CollectionRepoInput) -> Plan:
        """What it leaves, with its note and place, so that it can come back there."""
        repo, view, resolved = _both(ctx, args)
        item = _found(view, repo)
        if item is None:
            raise NotFound(f"{repo.full_name} is not in this collection.", hint="get_collection shows what is in it.")
        back = {"collection": view.slug, "repo": repo.full_name, "kind": repo.kind, "note": item.note, "position": item.position}
        change = Change("item", repo.full_name, None)
        return Plan(resolved, Effect.WRITE, (change,), {"title": view.title}, Call("add_to_collection", back), (repo, view))

    def run(self, ctx: ToolContext, args: CollectionRepoInput, plan: Plan) -> CollectionOut:
        """Take it out."""
        repo, view = plan.prepared
        return _out(ctx.services.collections.remove(ctx.actor, view.id, [repo.id]))


class DeletedCollectionOut(ToolOutput):
    """A collection that was just deleted."""

    collection: str
    title: str
    deleted: bool = True


class DeleteCollection(Tool[OneCollection, DeletedCollectionOut]):
    """Delete a collection for good; the repos in it stay."""

    name, group, input, output = "delete_collection", "community", OneCollection, DeletedCollectionOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: OneCollection) -> Plan:
        """How many repos it holds together."""
        view = ctx.services.collections.get(ctx.actor, args.collection, Permission.REPO_ADMIN)
        change = Change("collection", view.title, None)
        return Plan({"collection": view.slug}, Effect.DESTRUCTIVE, (change,), {"title": view.title, "repos": view.size}, prepared=view)

    def run(self, ctx: ToolContext, args: OneCollection, plan: Plan) -> DeletedCollectionOut:
        """Delete it."""
        ctx.services.collections.delete(ctx.actor, plan.prepared.id)
        return DeletedCollectionOut(collection=plan.prepared.slug, title=plan.prepared.title)


def _both(ctx: ToolContext, args: CollectionRepoInput) -> tuple[Repo, CollectionView, dict[str, object]]:
    """The repo, the collection, which the caller may change, and the resolved arguments."""
    view = ctx.services.collections.get(ctx.actor, args.collection, Permission.REPO_WRITE)
    repo, resolved = locate(ctx, args)
    return repo, view, resolved | {"collection": view.slug}


def _found(view: CollectionView, repo: Repo) -> ItemView | None:
    return next((item for item in view.items if item.repo.repo_id == repo.id), None)


TOOLS = (
    CreateCollection(), ListCollections(), GetCollection(), UpdateCollection(), AddToCollection(), RemoveFromCollection(), DeleteCollection(),
)  # fmt: skip
