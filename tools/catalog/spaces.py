"""Tools about what Spaces run with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from hub_core.authz import Permission
from hub_core.errors import InvalidInput, NotFound, RepoNotFound
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.spaces.service import MAX_VALUE, Setting
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput

# A conversation cannot hide shorter ones: they would be found in too much that is none.
_SHORTEST = 6


class SetSecretInput(ToolInput):
    """Whose secret, its name and its value."""

    target: Annotated[
        str,
        Slot(SlotType.REPO, ("space",)),
        Field(description="The Space, as `namespace/name` or a bare name.", min_length=1, max_length=200),
    ]
    name: Annotated[
        str,
        Slot(SlotType.NEW_NAME),
        Field(description="Name of the environment variable that holds it.", min_length=1, max_length=128, examples=["API_KEY"]),
    ]
    value: Annotated[
        str,
        Slot(SlotType.SECRET),
        Field(
            description="The secret, at least 6 characters; never shown again. Empty removes the secret.",
            max_length=MAX_VALUE,
            examples=["change-me"],
        ),
    ]

    @field_validator("value")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if value and len(value) < _SHORTEST:
            raise ValueError(f"has fewer than {_SHORTEST} characters")
        return value


class SecretOut(ToolOutput):
    """A secret that was set or removed; its value is not shown again."""

    target: str
    name: str
    is_set: bool


class SetSecret(Tool[SetSecretInput, SecretOut]):
    """Give a Space a secret (an API key, a password) as an environment variable. It is stored encrypted and never shown again."""

    name, group, input, output = "set_secret", "deployments", SetSecretInput, SecretOut
    effect, permission = Effect.DESTRUCTIVE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: SetSecretInput) -> Plan:
        """A new one is an ordinary change; one that is replaced or removed is lost. The value stays out of the plan."""
        repo = _space(ctx, args.target)
        there = ctx.services.spaces.has_secret(ctx.actor, repo, args.name)
        if args.value:
            ctx.services.spaces.check([Setting(args.name, args.value, secret=True)])
        elif not there:
            raise NotFound(f"{repo.full_name} has no secret '{args.name}'.", hint="Names differ by upper and lower case.")
        known = {"target": repo.full_name, "name": args.name}
        change = Change("secret", "current" if there else None, "given" if args.value else None)
        return Plan(
            known if args.value else {**known, "value": ""},
            Effect.DESTRUCTIVE if there else Effect.WRITE,
            (change,),
            {"repo": repo.full_name},
            None if there else Call(self.name, {**known, "value": ""}),
            repo,
        )

    def run(self, ctx: ToolContext, args: SetSecretInput, plan: Plan) -> SecretOut:
        """Set or remove it."""
        if args.value:
            ctx.services.spaces.set(ctx.actor, plan.prepared, [Setting(args.name, args.value, secret=True)])
        else:
            ctx.services.spaces.remove(ctx.actor, plan.prepared, args.name, secret=True)
        return SecretOut(target=plan.prepared.full_name, name=args.name, is_set=bool(args.value))


def _space(ctx: ToolContext, said: str) -> Repo:
    """The Space of that name; a repo of another kind is told from one that is not there."""
    try:
        repo = ctx.services.repos.find(ctx.actor, said, RepoKind.SPACE)
    except RepoNotFound:
        repo = ctx.services.repos.find(ctx.actor, said)
    if repo.kind != RepoKind.SPACE:
        raise InvalidInput(f"{repo.full_name} is a {repo.kind}; only Spaces have secrets.", hint="Name a Space.")
    return repo


TOOLS = (SetSecret(),)
