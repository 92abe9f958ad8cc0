"""Tools: run Spaces and stop them, and what they run with."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field, field_validator

from hub_core.authz import Permission
from hub_core.errors import InvalidInput, NotFound, RepoNotFound
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.running_errors import NoSuchHardware
from hub_core.spaces.images import DOCKER
from hub_core.spaces.running import Planned, SpaceState, app_path
from hub_core.spaces.service import MAX_VALUE, Setting
from tools.catalog.deployments import cost
from tools.catalog.fields import HardwareArg, SpaceArg
from tools.catalog.spending import budget_facts
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
        repo = space_of(ctx, args.target, "have secrets")
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


class OneSpace(ToolInput):
    """Names a Space."""

    repo: SpaceArg


class RunSpaceInput(OneSpace):
    """Which Space, and on what."""

    hardware: HardwareArg | None = None


class SpaceOut(ToolOutput):
    """How a Space stands."""

    repo: str = Field(examples=["acme/demo-app"])
    stage: str = Field(description="RUNNING, APP_STARTING, BUILDING, SLEEPING, PAUSED, STOPPED, BUILD_ERROR, RUNTIME_ERROR or NO_APP_FILE.")
    sdk: str = Field(description="gradio, streamlit, docker or static")
    path: str = Field(description="Where its app is opened, at the hub's address.", examples=["/spaces/acme/demo-app/app"])
    reason: str = Field(description="Why it is so, in plain words; empty when all is well.")
    deployment: str | None = Field(description="The deployment that runs it; none for static pages.")
    commit: str | None = None
    hardware: str | None = None
    price_per_hour: float = 0
    currency: str
    on_demand: bool = Field(default=False, description="It goes to sleep when nobody opens it, and wakes when somebody does.")


def space_out(ctx: ToolContext, repo: Repo, state: SpaceState) -> SpaceOut:
    """A state as a tool's result."""
    row, revision, platform = state.run, state.revision, ctx.services.platform
    price = 0.0
    if row is not None and revision is not None and not row.stopped:
        with suppress(NoSuchHardware):  # the operator took it out of the catalogue
            price = platform.hardware.get(revision.hardware).price * row.replicas
    return SpaceOut(
        repo=repo.full_name, stage=state.stage, sdk=state.sdk, path=app_path(repo), reason=row.reason if row else "",
        deployment=f"{repo.namespace}/{row.name}" if row else None, commit=revision.commit if revision else None,
        hardware=revision.hardware if revision else None, price_per_hour=round(price, 4), currency=platform.hardware.currency,
        on_demand=bool(row and row.on_demand),
    )  # fmt: skip


class RunSpace(Tool[RunSpaceInput, SpaceOut]):
    """Run a Space: start its Gradio, Streamlit or Docker app from the newest commit, on hardware that is paid by the hour; asleep while unused."""

    name, group, input, output = "run_space", "deployments", RunSpaceInput, SpaceOut
    effect, permission = Effect.SPEND, Permission.DEPLOYMENT_MANAGE

    def plan(self, ctx: ToolContext, args: RunSpaceInput) -> Plan:
        """Work out what would run, and what it costs; static pages cost nothing and are there already."""
        repo = space_of(ctx, args.repo, "have apps")
        planned = ctx.services.space_runs.plan(ctx.actor, repo, args.hardware)
        facts: dict[str, Any] = {"repo": repo.full_name, "path": app_path(repo), "sdk": planned.state.sdk}
        resolved: dict[str, Any] = {"repo": repo.full_name}
        changes = _run_changes(planned)
        spec = planned.spec
        if spec is not None or planned.found is not None:
            hardware = spec.hardware if spec else ctx.services.platform.hardware.get(planned.found.view.hardware)  # type: ignore[union-attr]
            resolved["hardware"] = str(hardware)
            facts |= (
                cost(ctx, hardware, 1)
                | budget_facts(ctx, repo.namespace_id, hardware.price)
                | {"runs": "while people use it", "sleeps": True}
            )
        if spec is not None:
            facts |= {"commit": spec.commit, "runtime": spec.runtime.title, "packages": len(spec.options.get("requirements", ()))}
            facts |= {"builds_image": True} if spec.runtime.name == DOCKER else {}
        undone = Call("stop_space", {"repo": repo.full_name}) if changes else None
        return Plan(resolved, Effect.SPEND if changes else Effect.READ, changes, facts, undone, (repo, planned))

    def run(self, ctx: ToolContext, args: RunSpaceInput, plan: Plan) -> SpaceOut:
        """Write down that it shall run; what runs already goes on."""
        prepared: tuple[Repo, Planned] = plan.prepared
        repo, planned = prepared
        state = ctx.services.space_runs.run(ctx.actor, repo, planned) if planned.changes else planned.state
        return space_out(ctx, repo, state)


def _run_changes(planned: Planned) -> tuple[Change, ...]:
    if not planned.changes:
        return ()
    found, spec = planned.found, planned.spec
    if found is None or spec is None:
        return (Change("status", found.view.status if found else None, "running"),)
    pairs = (("commit", found.view.commit, spec.commit), ("hardware", found.view.hardware, str(spec.hardware)))
    changed = tuple(Change(what, before, after) for what, before, after in pairs if before != after)
    return changed or (Change("status", found.view.status, "running"),)


class StopSpace(Tool[OneSpace, SpaceOut]):
    """Stop a Space: its app answers nobody and costs nothing until somebody runs it again."""

    name, group, input, output = "stop_space", "deployments", OneSpace, SpaceOut
    effect, permission = Effect.DESTRUCTIVE, Permission.DEPLOYMENT_MANAGE

    def plan(self, ctx: ToolContext, args: OneSpace) -> Plan:
        """What would stop."""
        repo = space_of(ctx, args.repo, "have apps")
        view = ctx.services.space_runs.found(ctx.actor, repo).view
        changes = () if view.stopped else (Change("status", view.status, "stopped"),)
        again = Call("run_space", {"repo": repo.full_name, "hardware": view.hardware}) if changes else None
        facts = {"repo": repo.full_name, "status": view.status}
        return Plan({"repo": repo.full_name}, Effect.DESTRUCTIVE if changes else Effect.WRITE, changes, facts, again, repo)

    def run(self, ctx: ToolContext, args: OneSpace, plan: Plan) -> SpaceOut:
        """Stop it."""
        runs = ctx.services.space_runs
        state = runs.stop(ctx.actor, plan.prepared) if plan.changes else runs.state(ctx.actor, plan.prepared)
        return space_out(ctx, plan.prepared, state)


def space_of(ctx: ToolContext, said: str, what: str) -> Repo:
    """The Space of that name; a repo of another kind is told from one that is not there. `what` only Spaces do."""
    try:
        repo = ctx.services.repos.find(ctx.actor, said, RepoKind.SPACE)
    except RepoNotFound:
        repo = ctx.services.repos.find(ctx.actor, said)
    if repo.kind != RepoKind.SPACE:
        raise InvalidInput(f"{repo.full_name} is a {repo.kind}; only Spaces {what}.", hint="Name a Space.")
    return repo


TOOLS = (RunSpace(), StopSpace(), SetSecret())
