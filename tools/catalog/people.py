"""Tools about users."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import Field

from hub_core.accounts.views import UserStatus, UserView
from hub_core.authz import CredentialKind, Permission, Role, Scope
from tools.contract import Call, Change, Effect, NoInput, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput


class OrgRoleOut(ToolOutput):
    """An organisation and the person's role in it."""

    name: str
    role: Role


class UserOut(ToolOutput):
    """A person."""

    username: str
    status: str = Field(description="active or disabled")
    site_admin: bool
    email: str = Field(description="empty when the caller may not see it")
    created_at: dt.datetime


class UserDetailOut(UserOut):
    """A person and their organisations."""

    orgs: list[OrgRoleOut]


class WhoAmIOut(UserDetailOut):
    """The person who asks, and the credential in use."""

    credential: CredentialKind
    scope: Scope
    token: str | None = Field(description="the name of the token in use, if it is one")


class UsersOut(ToolOutput):
    """A part of the list of users."""

    items: list[UserOut]
    next: str | None


class NewUserOut(UserOut):
    """A user that was just made."""

    password: Annotated[str | None, Slot(SlotType.SECRET)] = Field(
        description="the generated password, shown once; null when one was given"
    )


class UsernameIn(ToolInput):
    """A person by name."""

    username: Annotated[str, Slot(SlotType.USER)] = Field(description="the user's name", max_length=64)


def user_out(view: UserView) -> UserOut:
    """A service's view of a person as a result."""
    return UserOut(**_fields(view))


def _fields(view: UserView) -> dict[str, Any]:
    return {
        "username": view.username,
        "status": view.status,
        "site_admin": view.is_admin,
        "email": view.email,
        "created_at": view.created_at,
    }


def _orgs(view: UserView) -> list[OrgRoleOut]:
    return [OrgRoleOut(name=org.name, role=org.role) for org in view.orgs]


class WhoAmI(Tool[NoInput, WhoAmIOut]):
    """Show who is signed in: name, organisations with roles, and what the credential in use may do."""

    name = "whoami"
    group = "people"
    output = WhoAmIOut
    permission = Permission.USER_READ

    def run(self, ctx: ToolContext, args: NoInput, plan: Plan) -> WhoAmIOut:
        """See the class."""
        view, actor = ctx.services.users.get(ctx.actor), ctx.actor
        return WhoAmIOut(**_fields(view), orgs=_orgs(view), credential=actor.credential, scope=actor.scope, token=actor.token_name or None)


class GetUser(Tool[UsernameIn, UserDetailOut]):
    """Show a person: status, organisations and roles, since when."""

    name = "get_user"
    group = "people"
    input = UsernameIn
    output = UserDetailOut
    permission = Permission.USER_READ

    def run(self, ctx: ToolContext, args: UsernameIn, plan: Plan) -> UserDetailOut:
        """See the class."""
        view = ctx.services.users.get(ctx.actor, args.username)
        return UserDetailOut(**_fields(view), orgs=_orgs(view))


class ListUsersIn(ToolInput):
    """What to list."""

    query: Annotated[str, Slot(SlotType.QUERY)] = Field("", description="part of the name", max_length=64)
    status: Annotated[UserStatus | None, Slot(SlotType.STATUS)] = Field(None, description="only users with this status")
    limit: int = Field(50, ge=1, le=200, description="most users to return")
    cursor: str | None = Field(None, description="`next` of the previous part", max_length=400)


class ListUsers(Tool[ListUsersIn, UsersOut]):
    """List the users of this hub by name."""

    name = "list_users"
    group = "people"
    input = ListUsersIn
    output = UsersOut
    permission = Permission.USER_READ

    def run(self, ctx: ToolContext, args: ListUsersIn, plan: Plan) -> UsersOut:
        """See the class."""
        page = ctx.services.users.list_users(ctx.actor, query=args.query, status=args.status, cursor=args.cursor, limit=args.limit)
        return UsersOut(items=[user_out(view) for view in page.items], next=page.next)


class CreateUserIn(ToolInput):
    """The new user."""

    username: Annotated[str, Slot(SlotType.NEW_NAME)] = Field(description="the new user's name", max_length=64)
    email: Annotated[str, Slot(SlotType.EMAIL)] = Field("", description="e-mail address", max_length=254)
    password: Annotated[str | None, Slot(SlotType.SECRET)] = Field(
        None, description="at least 8 characters; one is generated without it", max_length=1000
    )


class CreateUser(Tool[CreateUserIn, NewUserOut]):
    """Make a user account. Without a password one is generated and shown once. For site administrators."""

    name = "create_user"
    group = "people"
    input = CreateUserIn
    output = NewUserOut
    effect = Effect.WRITE
    permission = Permission.USER_ADMIN

    def plan(self, ctx: ToolContext, args: CreateUserIn) -> Plan:
        """The new user; the password stays out of the plan, which is shown and stored."""
        username = ctx.services.users.check_create(ctx.actor, args.username, args.email)
        known = {"username": username, **({"email": args.email} if args.email else {})}
        return Plan(
            args=known,
            effect=Effect.WRITE,
            changes=(Change("user", None, username),),
            facts={"password": "given" if args.password else "generated"},
            inverse=Call("delete_user", {"username": username}),
        )

    def run(self, ctx: ToolContext, args: CreateUserIn, plan: Plan) -> NewUserOut:
        """See the class."""
        made = ctx.services.users.create(ctx.actor, args.username, email=args.email, password=args.password)
        return NewUserOut(**_fields(made.user), password=made.password)


class SetUserStatusIn(UsernameIn):
    """A person and their new status."""

    status: Annotated[UserStatus, Slot(SlotType.STATUS)] = Field(description="active, or disabled: locked out at once, nothing is deleted")


class SetUserStatus(Tool[SetUserStatusIn, UserOut]):
    """Disable a user (locked out at once, nothing is deleted) or make the account active again. For site administrators."""

    name = "set_user_status"
    group = "people"
    input = SetUserStatusIn
    output = UserOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.USER_ADMIN

    def plan(self, ctx: ToolContext, args: SetUserStatusIn) -> Plan:
        """Disabling takes access away; letting somebody in again is an ordinary change."""
        view = ctx.services.users.check_status(ctx.actor, args.username, args.status)
        known = {"username": view.username}
        new = str(args.status)
        if view.status == new:
            return Plan(args={**known, "status": new}, effect=Effect.WRITE)
        return Plan(
            args={**known, "status": new},
            effect=Effect.DESTRUCTIVE if args.status is UserStatus.DISABLED else Effect.WRITE,
            changes=(Change("status", view.status, new),),
            inverse=Call(self.name, {**known, "status": view.status}),
        )

    def run(self, ctx: ToolContext, args: SetUserStatusIn, plan: Plan) -> UserOut:
        """See the class."""
        return user_out(ctx.services.users.set_status(ctx.actor, args.username, args.status))


class ResetPasswordIn(ToolInput):
    """Whose password."""

    username: Annotated[str | None, Slot(SlotType.USER)] = Field(None, description="the user's name; oneself without it", max_length=64)
    # No slot: in "reset the password of charlie" the built-in planner would take the name for it.
    new_password: str | None = Field(None, description="at least 8 characters; one is generated without it", max_length=1000)


class NewPasswordOut(ToolOutput):
    """A password that was just replaced."""

    username: str
    password: Annotated[str | None, Slot(SlotType.SECRET)] = Field(
        description="the generated password, shown once; null when one was given"
    )


class ResetPassword(Tool[ResetPasswordIn, NewPasswordOut]):
    """Replace one's own password, or as site administrator somebody's. Without a new one, one is generated and shown once. Ends sessions."""

    name = "reset_password"
    group = "people"
    input = ResetPasswordIn
    output = NewPasswordOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.CREDENTIALS

    def plan(self, ctx: ToolContext, args: ResetPasswordIn) -> Plan:
        """One's own is an ordinary change; somebody else is locked out until they are told the new one."""
        view = ctx.services.users.check_reset_password(ctx.actor, args.username)
        return Plan(
            args={"username": view.username},
            effect=Effect.WRITE if view.id == ctx.actor.user_id else Effect.DESTRUCTIVE,
            changes=(Change("password", "current", "given" if args.new_password else "generated"),),
            facts={"ends_sessions": True},
            prepared=view.username,
        )

    def run(self, ctx: ToolContext, args: ResetPasswordIn, plan: Plan) -> NewPasswordOut:
        """See the class."""
        password = ctx.services.users.reset_password(ctx.actor, plan.prepared, args.new_password)
        return NewPasswordOut(username=plan.prepared, password=password)


class DeletedUserOut(ToolOutput):
    """A user that was just deleted."""

    username: str
    deleted: bool = True


class DeleteUser(Tool[UsernameIn, DeletedUserOut]):
    """Delete a user: their tokens, SSH keys, sessions and memberships go, the name stays taken. For site administrators."""

    name = "delete_user"
    group = "people"
    input = UsernameIn
    output = DeletedUserOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.USER_ADMIN

    def plan(self, ctx: ToolContext, args: UsernameIn) -> Plan:
        """What goes with the person."""
        removal = ctx.services.users.check_delete(ctx.actor, args.username)
        memberships = {org.name: str(org.role) for org in removal.orgs}
        return Plan(
            args={"username": removal.user.username},
            effect=Effect.DESTRUCTIVE,
            changes=(Change("user", removal.user.username, None),),
            facts={"orgs": memberships, "tokens": removal.tokens, "ssh_keys": removal.ssh_keys},
        )

    def run(self, ctx: ToolContext, args: UsernameIn, plan: Plan) -> DeletedUserOut:
        """See the class."""
        return DeletedUserOut(username=ctx.services.users.delete(ctx.actor, args.username).user.username)


TOOLS = (WhoAmI(), GetUser(), ListUsers(), CreateUser(), SetUserStatus(), ResetPassword(), DeleteUser())
