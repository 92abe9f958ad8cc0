"""Tools: find, make and change repos."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hub_core.authz import Permission, Visibility
from hub_core.repos.kinds import RepoKind
from hub_core.repos.search import RepoQuery, RepoSort
from hub_core.repos.tables import Repo
from tools.catalog.fields import LimitArg, RepoArg, TagText
from tools.catalog.outputs import Page, RepoOut, repo_out
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolInput

KindArg = Annotated[RepoKind, Slot(SlotType.KIND), Field(description="Kind of repo.")]
VisibilityArg = Annotated[
    Visibility, Slot(SlotType.VISIBILITY), Field(description="private: members only; internal: every signed-in user; public: everybody.")
]
LicenseArg = Annotated[
    str, Slot(SlotType.LICENSE), Field(description="Licence id, e.g. apache-2.0.", max_length=64, examples=["apache-2.0"])
]
DescriptionArg = Annotated[str, Slot(SlotType.TEXT), Field(description="Short description.", max_length=2000)]


class OneRepo(ToolInput):
    """Names one repo."""

    repo: RepoArg
    kind: KindArg | None = None


def locate(
    ctx: ToolContext, args: Any, permission: Permission = Permission.REPO_READ, *, deleted: bool = False
) -> tuple[Repo, dict[str, Any]]:
    """The repo row that `args.repo` (and `args.kind`) mean, with the permission checked, and the resolved arguments."""
    kind = getattr(args, "kind", None)
    repo = ctx.services.repos.find(ctx.actor, args.repo, kind, permission=permission, deleted=deleted)
    return repo, _resolved(args, repo.full_name, repo.kind)


def _resolved(args: Any, full_name: str, kind: str) -> dict[str, Any]:
    resolved: dict[str, Any] = args.model_dump(mode="json", exclude_none=True) | {"repo": full_name}
    return resolved | {"kind": kind} if "kind" in type(args).model_fields else resolved


class SearchReposInput(ToolInput):
    """Filters; all optional."""

    query: Annotated[str, Slot(SlotType.QUERY), Field(description="Words to look for in names, descriptions and tags.", max_length=200)] = (
        ""
    )
    kind: KindArg | None = None
    owner: Annotated[str, Slot(SlotType.OWNER), Field(description="User or organisation that owns them.", max_length=64)] | None = None
    tags: Annotated[list[TagText], Slot(SlotType.TAGS), Field(description="Tags they all carry.", max_length=20)] = Field(
        default_factory=list
    )
    license: LicenseArg | None = None
    visibility: VisibilityArg | None = None
    deleted: Annotated[bool, Slot(SlotType.FLAG), Field(description="Look in the trash.")] = False
    sort: Annotated[RepoSort, Slot(SlotType.CHOICE), Field(description="Order.")] = RepoSort.UPDATED
    limit: LimitArg = 20
    cursor: Annotated[str, Field(description="`next` of the page before.", max_length=400)] | None = None


class RepoList(Page):
    """Repos that were found."""

    items: list[RepoOut]


class SearchRepos(Tool[SearchReposInput, RepoList]):
    """Search or list repos by words, kind, owner, tags, licence or visibility; also what lies in the trash."""

    name, group, input, output, permission = "search_repos", "repos", SearchReposInput, RepoList, Permission.REPO_READ

    def run(self, ctx: ToolContext, args: SearchReposInput, plan: Plan) -> RepoList:
        """Search."""
        query = RepoQuery(
            words=args.query, kind=args.kind, owner=args.owner, tags=args.tags, license=args.license, visibility=args.visibility,
            deleted=args.deleted, sort=args.sort, limit=args.limit, cursor=args.cursor,
        )  # fmt: skip
        page = ctx.services.search.search(ctx.actor, query)
        return RepoList(items=[repo_out(view) for view in page.items], next=page.next)


class GetRepo(Tool[OneRepo, RepoOut]):
    """Show one repo: kind, visibility, description, licence, tags, owner, likes, last change."""

    name, group, input, output, permission = "get_repo", "repos", OneRepo, RepoOut, Permission.REPO_READ

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """Resolve the name and read it, at once: this is the tool that is called most."""
        view = ctx.services.repos.get(ctx.actor, args.repo, args.kind)
        return Plan(_resolved(args, view.id, view.kind), Effect.READ, prepared=view)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> RepoOut:
        """Show what was read."""
        return repo_out(plan.prepared)


class CreateRepoInput(ToolInput):
    """What to make."""

    name: Annotated[
        str,
        Slot(SlotType.NEW_NAME),
        Field(
            description="`name` in one's own namespace, or `namespace/name`.", min_length=1, max_length=200, examples=["acme/support-8b"]
        ),
    ]
    kind: KindArg
    visibility: VisibilityArg = Visibility.PRIVATE
    description: DescriptionArg = ""
    license: LicenseArg = ""


class CreateRepo(Tool[CreateRepoInput, RepoOut]):
    """Make a new repo (model, dataset, space, code, prompt, mcp or skill); private unless said otherwise."""

    name, group, input, output = "create_repo", "repos", CreateRepoInput, RepoOut
    effect, permission = Effect.WRITE, Permission.REPO_CREATE

    def plan(self, ctx: ToolContext, args: CreateRepoInput) -> Plan:
        """Check the name and the right to create there."""
        target = str(ctx.services.repos.plan_create(ctx.actor, args.name, args.kind))
        resolved = args.model_dump(mode="json") | {"name": target}
        changes = (Change("repo", None, target), Change("kind", None, str(args.kind)), Change("visibility", None, str(args.visibility)))
        return Plan(resolved, Effect.WRITE, changes, {"repo": target}, Call("delete_repo", {"repo": target, "kind": str(args.kind)}))

    def run(self, ctx: ToolContext, args: CreateRepoInput, plan: Plan) -> RepoOut:
        """Make it."""
        made = ctx.services.repos.create(ctx.actor, plan.args["name"], args.kind, args.visibility, args.description, args.license)
        return repo_out(made)


class UpdateRepoInput(OneRepo):
    """What to change; leave out what stays."""

    description: DescriptionArg | None = None
    license: LicenseArg | None = None
    default_branch: Annotated[str, Slot(SlotType.BRANCH), Field(description="Branch that is shown first.", max_length=200)] | None = None


class UpdateRepo(Tool[UpdateRepoInput, RepoOut]):
    """Change a repo's description, licence or default branch."""

    name, group, input, output = "update_repo", "repos", UpdateRepoInput, RepoOut
    effect, permission = Effect.WRITE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: UpdateRepoInput) -> Plan:
        """Old and new values."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        given = {field: getattr(args, field) for field in ("description", "license", "default_branch") if getattr(args, field) is not None}
        ctx.services.repos.check_update(repo, **given)
        changes = tuple(Change(field, getattr(repo, field), value) for field, value in given.items() if getattr(repo, field) != value)
        back = {change.what: change.before for change in changes}
        inverse = Call("update_repo", {"repo": repo.full_name, "kind": repo.kind, **back}) if back else None
        return Plan(resolved, Effect.WRITE, changes, {"repo": repo.full_name}, inverse, repo)

    def run(self, ctx: ToolContext, args: UpdateRepoInput, plan: Plan) -> RepoOut:
        """Change it."""
        ctx.services.repos.update(ctx.actor, plan.prepared, **{change.what: change.after for change in plan.changes})
        return repo_out(ctx.services.repos.get(ctx.actor, f"{plan.prepared.kind}:{plan.prepared.full_name}"))


class SetVisibilityInput(OneRepo):
    """Which repo, and who shall see it."""

    visibility: VisibilityArg


class SetVisibility(Tool[SetVisibilityInput, RepoOut]):
    """Set who can see a repo: private, internal or public. Showing it to more people needs approval."""

    name, group, input, output = "set_visibility", "repos", SetVisibilityInput, RepoOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: SetVisibilityInput) -> Plan:
        """Widening is destructive, narrowing is not."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        before = Visibility(repo.visibility)
        effect = Effect.DESTRUCTIVE if args.visibility.rank > before.rank else Effect.WRITE
        changes = (Change("visibility", str(before), str(args.visibility)),) if before is not args.visibility else ()
        inverse = Call("set_visibility", {"repo": repo.full_name, "kind": repo.kind, "visibility": str(before)}) if changes else None
        return Plan(resolved, effect, changes, {"repo": repo.full_name}, inverse, repo)

    def run(self, ctx: ToolContext, args: SetVisibilityInput, plan: Plan) -> RepoOut:
        """Set it."""
        if plan.changes:
            ctx.services.repos.set_visibility(ctx.actor, plan.prepared, args.visibility)
        return repo_out(ctx.services.repos.get(ctx.actor, f"{plan.prepared.kind}:{plan.prepared.full_name}"))


class MoveRepoInput(OneRepo):
    """Which repo, and its new name."""

    new_name: Annotated[
        str,
        Slot(SlotType.NEW_NAME),
        Field(description="A new name (rename), or `namespace/name` (transfer).", min_length=1, max_length=200),
    ]


class MoveRepo(Tool[MoveRepoInput, RepoOut]):
    """Rename a repo, or move it to another owner. The old name keeps leading to it. A new owner needs approval."""

    name, group, input, output = "move_repo", "repos", MoveRepoInput, RepoOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: MoveRepoInput) -> Plan:
        """A rename can be undone at will; a transfer changes who has rights."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        target = ctx.services.repos.plan_move(ctx.actor, repo, args.new_name)
        effect = Effect.WRITE if target.namespace == repo.namespace else Effect.DESTRUCTIVE
        changes = [Change("name", repo.full_name, str(target))]
        if target.namespace != repo.namespace:
            changes.append(Change("owner", repo.namespace, target.namespace))
        inverse = Call("move_repo", {"repo": str(target), "kind": repo.kind, "new_name": repo.full_name})
        return Plan(resolved | {"new_name": str(target)}, effect, tuple(changes), {"repo": repo.full_name}, inverse, repo)

    def run(self, ctx: ToolContext, args: MoveRepoInput, plan: Plan) -> RepoOut:
        """Move it."""
        return repo_out(ctx.services.repos.move(ctx.actor, plan.prepared, plan.args["new_name"]))


class ForkRepoInput(OneRepo):
    """Which repo, and where to."""

    to: (
        Annotated[
            str,
            Slot(SlotType.NEW_NAME),
            Field(description="New name, namespace, or `namespace/name`; default: the same name in one's own namespace.", max_length=200),
        ]
        | None
    ) = None


class ForkRepo(Tool[ForkRepoInput, RepoOut]):
    """Copy a repo with its whole history into one's own or an organisation's namespace."""

    name, group, input, output = "fork_repo", "repos", ForkRepoInput, RepoOut
    effect, permission = Effect.WRITE, Permission.REPO_CREATE

    def plan(self, ctx: ToolContext, args: ForkRepoInput) -> Plan:
        """Check the target."""
        repo, resolved = locate(ctx, args, Permission.REPO_FILES)
        target = str(ctx.services.repos.plan_fork(ctx.actor, repo, args.to))
        changes = (Change("repo", None, target),)
        inverse = Call("delete_repo", {"repo": target, "kind": repo.kind})
        return Plan(resolved | {"to": target}, Effect.WRITE, changes, {"repo": repo.full_name}, inverse, repo)

    def run(self, ctx: ToolContext, args: ForkRepoInput, plan: Plan) -> RepoOut:
        """Copy it."""
        return repo_out(ctx.services.repos.fork(ctx.actor, f"{plan.prepared.kind}:{plan.prepared.full_name}", plan.args["to"]))


class DeleteRepo(Tool[OneRepo, RepoOut]):
    """Delete a repo. It can be restored for 30 days."""

    name, group, input, output = "delete_repo", "repos", OneRepo, RepoOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """What would be gone."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        facts = {"repo": repo.full_name, "kind": repo.kind, "restorable_days": ctx.services.settings.trash_days}
        inverse = Call("restore_repo", {"repo": repo.full_name, "kind": repo.kind})
        return Plan(resolved, Effect.DESTRUCTIVE, (Change("repo", repo.full_name, None),), facts, inverse, repo)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> RepoOut:
        """Delete it."""
        ctx.services.repos.delete(ctx.actor, plan.prepared)
        return repo_out(ctx.services.repos.get(ctx.actor, plan.prepared.full_name, RepoKind(plan.prepared.kind), deleted=True))


class RestoreRepo(Tool[OneRepo, RepoOut]):
    """Bring a deleted repo back from the trash."""

    name, group, input, output = "restore_repo", "repos", OneRepo, RepoOut
    effect, permission = Effect.WRITE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """Check that it can come back."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN, deleted=True)
        ctx.services.repos.check_restorable(repo)
        inverse = Call("delete_repo", {"repo": repo.full_name, "kind": repo.kind})
        return Plan(resolved, Effect.WRITE, (Change("repo", None, repo.full_name),), {"repo": repo.full_name}, inverse, repo)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> RepoOut:
        """Restore it."""
        return repo_out(ctx.services.repos.restore(ctx.actor, plan.prepared))


TOOLS = (SearchRepos(), GetRepo(), CreateRepo(), UpdateRepo(), SetVisibility(), MoveRepo(), ForkRepo(), DeleteRepo(), RestoreRepo())
