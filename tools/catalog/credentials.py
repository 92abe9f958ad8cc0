"""Tools about access tokens and SSH keys."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import Field

from hub_core.accounts.views import SshKeyView, TokenView
from hub_core.authz import Permission, Scope
from tools.contract import Call, Change, Effect, NoInput, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput


class TokenOut(ToolOutput):
    """A token without its secret."""

    username: str
    name: str
    scope: Scope
    repo: str | None = Field(description="the one repo it is limited to")
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None


class NewTokenOut(TokenOut):
    """A token that was just made."""

    token: Annotated[str, Slot(SlotType.SECRET)] = Field(description="the secret, shown once")


class TokensOut(ToolOutput):
    """Tokens."""

    items: list[TokenOut]
    next: str | None = None


class RevokedTokenOut(ToolOutput):
    """A token that was just revoked."""

    username: str
    name: str
    revoked: bool = True


class SshKeyOut(ToolOutput):
    """A public key."""

    title: str
    type: str
    fingerprint: str
    created_at: dt.datetime


class SshKeysOut(ToolOutput):
    """Public keys."""

    items: list[SshKeyOut]
    next: str | None = None


class DeletedKeyOut(ToolOutput):
    """A key that was just removed."""

    title: str
    fingerprint: str
    deleted: bool = True


def _token_fields(view: TokenView) -> dict[str, Any]:
    return {field: getattr(view, field) for field in TokenOut.model_fields}


def _key_out(view: SshKeyView) -> SshKeyOut:
    return SshKeyOut(title=view.title, type=view.type, fingerprint=view.fingerprint, created_at=view.created_at)


def _whose(ctx: ToolContext, username: str) -> dict[str, str]:
    """The owner as an argument, left out for one's own."""
    return {} if username == ctx.actor.username else {"username": username}


class CreateTokenIn(ToolInput):
    """The new token."""

    name: Annotated[str, Slot(SlotType.NEW_NAME)] = Field(description="a name to recognise it by", max_length=96)
    scope: Annotated[Scope, Slot(SlotType.SCOPE)] = Field(description="read, write, or admin (also manages people, access and credentials)")
    username: Annotated[str | None, Slot(SlotType.USER)] = Field(None, description="whose token; oneself without it", max_length=64)
    repo: Annotated[str | None, Slot(SlotType.REPO)] = Field(None, description="limit it to this repo", max_length=200)
    expires: Annotated[str | None, Slot(SlotType.WHEN)] = Field(
        None, description="30d, 12h, 2w, 1y, a date, or never (the default)", max_length=40
    )


class CreateToken(Tool[CreateTokenIn, NewTokenOut]):
    """Make an access token for Git, the API and scripts. Its secret is shown once."""

    name = "create_token"
    group = "credentials"
    input = CreateTokenIn
    output = NewTokenOut
    effect = Effect.WRITE
    permission = Permission.CREDENTIALS

    def plan(self, ctx: ToolContext, args: CreateTokenIn) -> Plan:
        """The new token."""
        view = ctx.services.tokens.check_create(
            ctx.actor, args.name, args.scope, username=args.username, repo=args.repo, expires=args.expires
        )
        known = {"name": view.name, "scope": str(view.scope), **_whose(ctx, view.username)}
        known |= {"repo": view.repo} if view.repo else {}
        known |= {"expires": args.expires} if args.expires else {}
        return Plan(
            args=known,
            effect=Effect.WRITE,
            changes=(Change("token", None, view.name), Change("scope", None, str(view.scope))),
            facts={"expires_at": view.expires_at.isoformat() if view.expires_at else None},
            inverse=Call("revoke_token", {"name": view.name, **_whose(ctx, view.username)}),
        )

    def run(self, ctx: ToolContext, args: CreateTokenIn, plan: Plan) -> NewTokenOut:
        """See the class."""
        made = ctx.services.tokens.create(ctx.actor, args.name, args.scope, username=args.username, repo=args.repo, expires=args.expires)
        return NewTokenOut(**_token_fields(made.view), token=made.token)


class ListTokensIn(ToolInput):
    """Whose tokens."""

    username: Annotated[str | None, Slot(SlotType.USER)] = Field(None, description="whose tokens; one's own without it", max_length=64)


class ListTokens(Tool[ListTokensIn, TokensOut]):
    """List access tokens: names, scopes, when they end and were last used; never their secrets."""

    name = "list_tokens"
    group = "credentials"
    input = ListTokensIn
    output = TokensOut
    permission = Permission.CREDENTIALS

    def run(self, ctx: ToolContext, args: ListTokensIn, plan: Plan) -> TokensOut:
        """See the class."""
        return TokensOut(items=[TokenOut(**_token_fields(view)) for view in ctx.services.tokens.list_tokens(ctx.actor, args.username)])


class RevokeTokenIn(ToolInput):
    """Which token."""

    name: Annotated[str, Slot(SlotType.TOKEN)] = Field(description="the token's name", max_length=96)
    username: Annotated[str | None, Slot(SlotType.USER)] = Field(None, description="whose token; one's own without it", max_length=64)


class RevokeToken(Tool[RevokeTokenIn, RevokedTokenOut]):
    """Revoke an access token. Whatever uses it is refused at once."""

    name = "revoke_token"
    group = "credentials"
    input = RevokeTokenIn
    output = RevokedTokenOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.CREDENTIALS

    def plan(self, ctx: ToolContext, args: RevokeTokenIn) -> Plan:
        """The token that goes."""
        view = ctx.services.tokens.check_revoke(ctx.actor, args.name, args.username)
        used = view.last_used_at.isoformat() if view.last_used_at else None
        return Plan(
            args={"name": view.name, **_whose(ctx, view.username)},
            effect=Effect.DESTRUCTIVE,
            changes=(Change("token", view.name, None),),
            facts={"scope": str(view.scope), "repo": view.repo, "last_used_at": used},
            prepared=view.username,
        )

    def run(self, ctx: ToolContext, args: RevokeTokenIn, plan: Plan) -> RevokedTokenOut:
        """See the class."""
        ctx.services.tokens.revoke(ctx.actor, args.name, args.username)
        return RevokedTokenOut(username=plan.prepared, name=plan.args["name"])


class AddSshKeyIn(ToolInput):
    """The new key."""

    title: Annotated[str, Slot(SlotType.NEW_NAME)] = Field(description="a name to recognise it by, such as the computer's", max_length=96)
    key: Annotated[str, Slot(SlotType.TEXT)] = Field(description="the public key, one line: ssh-ed25519 AAAA... name", max_length=16_384)


class AddSshKey(Tool[AddSshKeyIn, SshKeyOut]):
    """Add an SSH public key to one's account."""

    name = "add_ssh_key"
    group = "credentials"
    input = AddSshKeyIn
    output = SshKeyOut
    effect = Effect.WRITE
    permission = Permission.CREDENTIALS

    def plan(self, ctx: ToolContext, args: AddSshKeyIn) -> Plan:
        """The new key."""
        view = ctx.services.ssh_keys.check_add(ctx.actor, args.title, args.key)
        return Plan(
            args={"title": view.title, "key": args.key},
            effect=Effect.WRITE,
            changes=(Change("ssh_key", None, view.title),),
            facts={"fingerprint": view.fingerprint},
            inverse=Call("delete_ssh_key", {"title": view.title}),
        )

    def run(self, ctx: ToolContext, args: AddSshKeyIn, plan: Plan) -> SshKeyOut:
        """See the class."""
        return _key_out(ctx.services.ssh_keys.add(ctx.actor, args.title, args.key))


class ListSshKeys(Tool[NoInput, SshKeysOut]):
    """List one's SSH keys with their fingerprints."""

    name = "list_ssh_keys"
    group = "credentials"
    output = SshKeysOut
    permission = Permission.CREDENTIALS

    def run(self, ctx: ToolContext, args: NoInput, plan: Plan) -> SshKeysOut:
        """See the class."""
        return SshKeysOut(items=[_key_out(view) for view in ctx.services.ssh_keys.list_keys(ctx.actor)])


class DeleteSshKeyIn(ToolInput):
    """Which key."""

    title: Annotated[str, Slot(SlotType.SSH_KEY)] = Field(description="the key's title", max_length=96)


class DeleteSshKey(Tool[DeleteSshKeyIn, DeletedKeyOut]):
    """Remove an SSH key from one's account; it lets nobody in any more."""

    name = "delete_ssh_key"
    group = "credentials"
    input = DeleteSshKeyIn
    output = DeletedKeyOut
    effect = Effect.DESTRUCTIVE
    permission = Permission.CREDENTIALS

    def plan(self, ctx: ToolContext, args: DeleteSshKeyIn) -> Plan:
        """The key that goes."""
        view = ctx.services.ssh_keys.check_delete(ctx.actor, args.title)
        return Plan(
            args={"title": view.title},
            effect=Effect.DESTRUCTIVE,
            changes=(Change("ssh_key", view.title, None),),
            facts={"fingerprint": view.fingerprint},
        )

    def run(self, ctx: ToolContext, args: DeleteSshKeyIn, plan: Plan) -> DeletedKeyOut:
        """See the class."""
        view = ctx.services.ssh_keys.delete(ctx.actor, args.title)
        return DeletedKeyOut(title=view.title, fingerprint=view.fingerprint)


TOOLS = (CreateToken(), ListTokens(), RevokeToken(), AddSshKey(), ListSshKeys(), DeleteSshKey())
