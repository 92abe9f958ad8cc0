"""Tools: who can do what on a repo; giving and taking roles."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hub_core.authz import Permission, Role
from hub_core.repos.tables import Repo
from tools.catalog.fields import UserArg
from tools.catalog.outputs import Page
from tools.catalog.repos import OneRepo, locate
from tools.catalog.requests import RequestItem, request_item
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolOutput

RoleArg = Annotated[Role, Slot(SlotType.ROLE), Field(description="read, write or admin.")]


class AccessItem(ToolOutput):
    """One person or audience."""

    username: str
    role: str
    reason: str = Field(description="Where the role comes from.")
    is_audience: bool = False


class AccessList(Page):
    """Who can do what on a repo."""

    repo: str
    visibility: str
    gated: str = Field(default="off", description="off, auto or manual.")
    items: list[AccessItem]
    requests: list[RequestItem] = Field(
        default_factory=list, description="Requests for access that wait for an answer; who cannot answer sees their own."
    )


class ListAccess(Tool[OneRepo, AccessList]):
    """Show who can see and change a repo, with which role, and why, and who asks for access."""

    name, group, input, output, permission = "list_access", "people", OneRepo, AccessList, Permission.REPO_READ

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> AccessList:
        """Read the roles and the requests."""
        repo: Repo = plan.prepared
        entries = ctx.services.access.entries(ctx.actor, repo)
        items = [AccessItem(username=e.username, role=e.role, reason=e.reason, is_audience=e.is_audience) for e in entries]
        requests = [request_item(request) for request in ctx.services.gating.requests(ctx.actor, repo)]
        return AccessList(repo=repo.full_name, visibility=repo.visibility, gated=repo.gated, items=items, requests=requests)


class GrantInput(OneRepo):
    """Whom, on which repo, which role."""

    username: UserArg
    role: RoleArg


class GrantOut(ToolOutput):
    """A person's role on a repo."""

    repo: str
    username: str
    role: str | None


class GrantAccess(Tool[GrantInput, GrantOut]):
    """Give a person a role on a repo (read, write, admin), or change the one they have. Lowering it needs approval."""

    name, group, input, output = "grant_access", "people", GrantInput, GrantOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: GrantInput) -> Plan:
        """Raising is a write, lowering takes access away."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        before = ctx.services.access.direct_role(repo, args.username)
        lowered = before is not None and args.role.rank < before.rank
        changes = (Change("role", str(before) if before else None, str(args.role)),) if before is not args.role else ()
        base = {"repo": repo.full_name, "kind": repo.kind, "username": args.username.lower()}
        inverse = Call("grant_access", base | {"role": str(before)}) if before else Call("revoke_access", base)
        facts = {"repo": repo.full_name, "username": args.username.lower()}
        effect = Effect.DESTRUCTIVE if lowered else Effect.WRITE
        return Plan(resolved | {"username": args.username.lower()}, effect, changes, facts, inverse if changes else None, repo)

    def run(self, ctx: ToolContext, args: GrantInput, plan: Plan) -> GrantOut:
        """Set the role."""
        ctx.services.access.grant(ctx.actor, plan.prepared, args.username, args.role)
        return GrantOut(repo=plan.prepared.full_name, username=args.username.lower(), role=str(args.role))


class RevokeInput(OneRepo):
    """Whose role, on which repo."""

    username: UserArg


class RevokeAccess(Tool[RevokeInput, GrantOut]):
    """Take a person's own role on a repo away."""

    name, group, input, output = "revoke_access", "people", RevokeInput, GrantOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_ADMIN

    def plan(self, ctx: ToolContext, args: RevokeInput) -> Plan:
        """What would be lost."""
        repo, resolved = locate(ctx, args, Permission.REPO_ADMIN)
        before = ctx.services.access.check_revocable(repo, args.username)
        username = args.username.lower()
        inverse = Call("grant_access", {"repo": repo.full_name, "kind": repo.kind, "username": username, "role": str(before)})
        facts = {"repo": repo.full_name, "username": username}
        return Plan(resolved | {"username": username}, Effect.DESTRUCTIVE, (Change("role", str(before), None),), facts, inverse, repo)

    def run(self, ctx: ToolContext, args: RevokeInput, plan: Plan) -> GrantOut:
        """Take it."""
        ctx.services.access.revoke(ctx.actor, plan.prepared, args.username)
        return GrantOut(repo=plan.prepared.full_name, username=args.username.lower(), role=None)


TOOLS = (ListAccess(), GrantAccess(), RevokeAccess())
