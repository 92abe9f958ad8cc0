"""Tools about organisations and their members."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import Field

from hub_core.accounts.views import MemberChange, OrgView
from hub_core.authz import Permission, Role
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput


class OrgOut(ToolOutput):
    """An organisation."""

    name: str
    description: str
    role: Role | None = Field(description="the caller's role there; null for others")
    created_at: dt.datetime


class MemberOut(ToolOutput):
    """A member."""

    username: str
    role: Role


class OrgDetailOut(OrgOut):
    """An organisation and its members."""

    members: list[MemberOut]


class OrgsOut(ToolOutput):
    """A part of the list of organisations."""

    items: list[OrgOut]
    next: str | None


class RoleChangeOut(ToolOutput):
    """A person's role in an organisation before and after; null is 'not a member'."""

    org: str
    username: str
    before: Role | None
    role: Role | None


class OrgIn(ToolInput):
    """An organisation by name."""

    org: Annotated[str, Slot(SlotType.ORG)] = Field(description="the organisation's name", max_length=64)


class MemberIn(OrgIn):
    """A person in an organisation."""

    username: Annotated[str, Slot(SlotType.USER)] = Field(description="the user's name", max_length=64)


class MemberRoleIn(MemberIn):
    """A person's role in an organisation."""

    role: Annotated[Role, Slot(SlotType.ROLE)] = Field(description="read, write or admin")


def _org_fields(view: OrgView) -> dict[str, Any]:
    return {"name": view.name, "description": view.description, "role": view.role, "created_at": view.created_at}


def _detail(view: OrgView) -> OrgDetailOut:
    return OrgDetailOut(**_org_fields(view), members=[MemberOut(username=member.username, role=member.role) for member in view.members])


def _change_out(change: MemberChange) -> RoleChangeOut:
    return RoleChangeOut(org=change.org, username=change.username, before=change.before, role=change.after)


def _member_plan(ctx: ToolContext, change: MemberChange, *, self_service: bool = False) -> Plan:
    """A change of one role: losing something is destructive, the rest is an ordinary change."""
    who = {"org": change.org, "username": change.username}
    role = {"role": str(change.after)} if change.after else {}
    args = {"org": change.org} if self_service else {**who, **role}
    if change.before is change.after:
        return Plan(args=args, effect=Effect.WRITE, facts=who)
    before, after = (str(held) if held else None for held in (change.before, change.after))
    return Plan(
        args=args,
        effect=Effect.DESTRUCTIVE if change.lowers else Effect.WRITE,
        changes=(Change("role", before, after),),
        facts=who,
        inverse=_way_back(ctx, change, who),
    )


def _way_back(ctx: ToolContext, change: MemberChange, who: dict[str, str]) -> Call | None:
    gives_up_own_right = change.user_id == ctx.actor.user_id and change.lowers and not ctx.actor.is_admin
    if gives_up_own_right:
        return None
    if change.before is None:
        return Call("remove_org_member", who)
    return Call("update_org_member" if change.after else "add_org_member", {**who, "role": str(change.before)})


class CreateOrgIn(ToolInput):
    """The new organisation."""

    name: Annotated[str, Slot(SlotType.NEW_NAME)] = Field(description="the new organisation's name", max_length=64)
    description: Annotated[str, Slot(SlotType.TEXT)] = Field("", description="what it is for", max_length=2000)


class CreateOrg(Tool[CreateOrgIn, OrgDetailOut]):
    """Make an organisation (a team that owns repos together). Who makes it is its first admin."""

    name = "create_org"
    group = "people"
    input = CreateOrgIn
    output = OrgDetailOut
    effect = Effect.WRITE
    permission = Permission.ORG_CREATE

    def plan(self, ctx: ToolContext, args: CreateOrgIn) -> Plan:
        """The new organisation."""
        name = ctx.services.orgs.check_create(ctx.actor, args.name)
        known = {"name": name, **({"description": args.description} if args.description else {})}
        return Plan(args=known, effect=Effect.WRITE, changes=(Change("org", None, name),), inverse=Call("delete_org", {"org": name}))

    def run(self, ctx: ToolContext, args: CreateOrgIn, plan: Plan) -> OrgDetailOut:
        """See the class."""
        return _detail(ctx.services.orgs.create(ctx.actor, args.name, args.description))


class ListOrgsIn(ToolInput):
    """What to list."""

    limit: int = Field(50, ge=1, le=200, description="most organisations to return")
    cursor: str | None = Field(None, description="`next` of the previous part", max_length=400)


class ListOrgs(Tool[ListOrgsIn, OrgsOut]):
    """List the organisations of this hub, those one belongs to first, with one's role."""

    name = "list_orgs"
    group = "people"
    input = ListOrgsIn
    output = OrgsOut
    permission = Permission.ORG_READ

    def run(self, ctx: ToolContext, args: ListOrgsIn, plan: Plan) -> OrgsOut:
        """See the class."""
        page = ctx.services.orgs.list_orgs(ctx.actor, cursor=args.cursor, limit=args.limit)
        return OrgsOut(items=[OrgOut(**_org_fields(view)) for view in page.items], next=page.next)


class GetOrg(Tool[OrgIn, OrgDetailOut]):
    """Show an organisation: who its members are and what role each has."""

    name = "get_org"
    group = "people"
    input = OrgIn
    output = OrgDetailOut
    permission = Permission.ORG_READ

    def run(self, ctx: ToolContext, args: OrgIn, plan: Plan) -> OrgDetailOut:
        """See the class."""
        return _detail(ctx.services.orgs.get(ctx.actor, args.org))


class DeletedOrgOut(ToolOutput):
    """An organisation that was just deleted."""

    org: str
    deleted: bool = True


class DeleteOrg(Tool[OrgIn, DeletedOrgOut]):
    """Delete an organisation that owns no repos any more. Its members lose their roles there; the name stays taken."""

    name = "delete_org"
    group = "people"
    input = OrgIn
    output = DeletedOrgOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.ORG_ADMIN

    def plan(self, ctx: ToolContext, args: OrgIn) -> Plan:
        """Who loses a role."""
        view = ctx.services.orgs.check_delete(ctx.actor, args.org)
        return Plan(
            args={"org": view.name},
            effect=Effect.DESTRUCTIVE,
            changes=(Change("org", view.name, None),),
            facts={"members": [member.username for member in view.members]},
        )

    def run(self, ctx: ToolContext, args: OrgIn, plan: Plan) -> DeletedOrgOut:
        """See the class."""
        return DeletedOrgOut(org=ctx.services.orgs.delete(ctx.actor, args.org).name)


class LeaveOrg(Tool[OrgIn, RoleChangeOut]):
    """Leave an organisation oneself. Its last admin cannot."""

    name = "leave_org"
    group = "people"
    input = OrgIn
    output = RoleChangeOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.USER_SELF

    def plan(self, ctx: ToolContext, args: OrgIn) -> Plan:
        """The role one gives up."""
        return _member_plan(ctx, ctx.services.orgs.check_leave(ctx.actor, args.org), self_service=True)

    def run(self, ctx: ToolContext, args: OrgIn, plan: Plan) -> RoleChangeOut:
        """See the class."""
        return _change_out(ctx.services.orgs.leave(ctx.actor, args.org))


class AddOrgMember(Tool[MemberRoleIn, RoleChangeOut]):
    """Give a person a role in an organisation, whether they are a member already or not."""

    name = "add_org_member"
    group = "people"
    input = MemberRoleIn
    output = RoleChangeOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.ORG_ADMIN

    def plan(self, ctx: ToolContext, args: MemberRoleIn) -> Plan:
        """The role before and after."""
        return _member_plan(ctx, ctx.services.orgs.check_member(ctx.actor, args.org, args.username, args.role))

    def run(self, ctx: ToolContext, args: MemberRoleIn, plan: Plan) -> RoleChangeOut:
        """See the class."""
        return _change_out(ctx.services.orgs.set_member(ctx.actor, args.org, args.username, args.role))


class UpdateOrgMember(Tool[MemberRoleIn, RoleChangeOut]):
    """Change the role of a member of an organisation."""

    name = "update_org_member"
    group = "people"
    input = MemberRoleIn
    output = RoleChangeOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.ORG_ADMIN

    def plan(self, ctx: ToolContext, args: MemberRoleIn) -> Plan:
        """The role before and after."""
        return _member_plan(ctx, ctx.services.orgs.check_member(ctx.actor, args.org, args.username, args.role, must_be_in=True))

    def run(self, ctx: ToolContext, args: MemberRoleIn, plan: Plan) -> RoleChangeOut:
        """See the class."""
        return _change_out(ctx.services.orgs.set_member(ctx.actor, args.org, args.username, args.role, must_be_in=True))


class RemoveOrgMember(Tool[MemberIn, RoleChangeOut]):
    """Take a person out of an organisation; they lose what the membership gave them."""

    name = "remove_org_member"
    group = "people"
    input = MemberIn
    output = RoleChangeOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.ORG_ADMIN

    def plan(self, ctx: ToolContext, args: MemberIn) -> Plan:
        """The role the person loses."""
        return _member_plan(ctx, ctx.services.orgs.check_member(ctx.actor, args.org, args.username, None, must_be_in=True))

    def run(self, ctx: ToolContext, args: MemberIn, plan: Plan) -> RoleChangeOut:
        """See the class."""
        return _change_out(ctx.services.orgs.remove_member(ctx.actor, args.org, args.username))


TOOLS = (
    CreateOrg(), ListOrgs(), GetOrg(), DeleteOrg(), LeaveOrg(), AddOrgMember(), UpdateOrgMember(), RemoveOrgMember(),
)  # fmt: skip
