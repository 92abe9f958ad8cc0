"""Tools: change what runs: update, roll back, start, stop, restart, scale, delete deployments."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field

from hub_core.authz import Permission, Visibility
from hub_core.deployments.service import MAX_REPLICAS, Found, check_replicas
from hub_core.deployments.specs import Asked, Spec
from hub_core.deployments.traffic import ALL
from hub_core.errors import InvalidInput
from hub_core.running_errors import NoSuchHardware
from tools.catalog.deployments import (
    DeploymentOut,
    EnvironmentArg,
    OneDeployment,
    ReplicasArg,
    cost,
    deployment_out,
    found,
    start_facts,
    variables,
)
from tools.catalog.fields import HardwareArg, RevisionArg
from tools.catalog.repos import VisibilityArg
from tools.catalog.spending import budget_facts
from tools.catalog.splitting import moved_split, new_split, shift_effect, shift_inverse
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolOutput


class _Changes(Tool[Any, Any]):
    """Base of what changes one deployment."""

    group, permission = "deployments", Permission.DEPLOYMENT_MANAGE
    output: ClassVar[type[BaseModel]] = DeploymentOut

    def begin(self, ctx: ToolContext, args: Any) -> tuple[Found, dict[str, Any], dict[str, Any]]:
        """The deployment, the resolved arguments and the facts that every summary has."""
        one, resolved = found(ctx, args, Permission.DEPLOYMENT_MANAGE)
        return one, resolved, {"deployment": one.view.name, "repo": one.view.repo, "status": one.view.status, "ready": one.view.ready}

    def paid(self, ctx: ToolContext, one: Found, plan: Plan) -> Plan:
        """The plan with what is left of the budget that pays for it.

        Raises:
            BudgetSpent: it would spend, and nothing is left.
        """
        if plan.effect is not Effect.SPEND:
            return plan
        return replace(plan, facts=plan.facts | budget_facts(ctx, one.repo.namespace_id, float(plan.facts.get("price_per_hour", 0))))


def _price(ctx: ToolContext, one: Found, replicas: int) -> dict[str, Any]:
    try:
        hardware = ctx.services.platform.hardware.get(one.view.hardware)
    except NoSuchHardware:
        return {"hardware": one.view.hardware, "replicas": replicas}
    return cost(ctx, hardware, replicas)


TrafficArg = Annotated[
    int,
    Slot(SlotType.NUMBER),
    Field(
        description="Per cent of the requests for the new revision; the older one keeps the rest. 100 completes the roll-out, 0 takes it back.",
        ge=0,
        le=100,
        examples=[10],
    ),
]


class UpdateInput(OneDeployment):
    """What to change; leave out what stays."""

    revision: RevisionArg | None = None
    hardware: HardwareArg | None = None
    environment: EnvironmentArg | None = None
    visibility: VisibilityArg | None = None
    traffic: TrafficArg | None = None


class UpdateDeployment(_Changes):
    """Change a deployment: another revision, hardware, environment or visibility, or what share of the requests a new revision gets."""

    name, input, effect = "update_deployment", UpdateInput, Effect.SPEND

    def plan(self, ctx: ToolContext, args: UpdateInput) -> Plan:
        """Dearer hardware is spending; to show it to more people is destructive; the rest can be rolled back."""
        one, resolved, facts = self.begin(ctx, args)
        spec = self._spec(ctx, one, args)
        changes = [*_spec_changes(one, spec, args)]
        effect = Effect.WRITE
        inverse = Call("rollback_deployment", {"deployment": one.view.name}) if changes else None
        if spec is not None:
            facts |= start_facts(spec)
            beside = args.traffic is not None and args.traffic < ALL
            if str(spec.hardware) != one.view.hardware:
                facts |= {} if beside else cost(ctx, spec.hardware, one.view.replicas)
                effect = Effect.SPEND if spec.hardware.price > _each(ctx, one) else Effect.WRITE
                resolved["hardware"] = str(spec.hardware)
            if beside and args.traffic is not None:
                changes.append(Change("traffic", 0, args.traffic))
                facts |= new_split(ctx, one, spec, args.traffic)
                effect = Effect.SPEND
        elif args.traffic is not None:
            changes += [Change("traffic", one.view.traffic, args.traffic)] if args.traffic != one.view.traffic else []
            facts |= moved_split(ctx, one, args.traffic)
            effect = shift_effect(one, args.traffic)
            inverse = shift_inverse(one, args.traffic) if changes else None
        before = Visibility(one.view.visibility)
        if args.visibility is not None and args.visibility is not before:
            changes.append(Change("visibility", str(before), str(args.visibility)))
            effect = Effect.DESTRUCTIVE if args.visibility.rank > before.rank else effect
            if spec is None:
                inverse = Call("update_deployment", {"deployment": one.view.name, "visibility": str(before)})
        return self.paid(ctx, one, Plan(resolved, effect, tuple(changes), facts, inverse, (one, spec)))

    def run(self, ctx: ToolContext, args: UpdateInput, plan: Plan) -> DeploymentOut:
        """Roll it out."""
        prepared: tuple[Found, Spec | None] = plan.prepared
        one, spec = prepared
        view = one.view
        if any(change.what == "visibility" for change in plan.changes) and args.visibility is not None:
            view = ctx.services.deployments.set_visibility(ctx.actor, one, args.visibility)
        if spec is not None:
            view = ctx.services.deployments.roll_out(ctx.actor, one, spec, ALL if args.traffic is None else args.traffic)
        elif any(change.what == "traffic" for change in plan.changes) and args.traffic is not None:
            view = ctx.services.deployments.shift(ctx.actor, one, args.traffic)
        return deployment_out(view)

    def _spec(self, ctx: ToolContext, one: Found, args: UpdateInput) -> Spec | None:
        """What would be rolled out; with a share of the requests alone and nothing under way, what the branch has by now.

        Raises:
            InvalidInput: there is nothing that the share could be for.
        """
        service = ctx.services.deployments
        named = args.revision is not None or args.hardware is not None or args.environment is not None
        spec = None
        if named:
            spec = service.plan_update(ctx.actor, one, Asked(args.revision or "", args.hardware, None, variables(args.environment)))
        elif args.traffic is not None and not one.view.split:
            spec = service.plan_update(ctx.actor, one, Asked(one.view.said))
        if args.traffic is None or (spec is None and one.view.split):
            return spec
        if spec is None:
            told = f"{one.view.name} has one revision only, and '{one.view.said}' has nothing newer."
            raise InvalidInput(told, hint="Name the revision or the hardware to roll out.")
        if args.traffic == 0:
            raise InvalidInput("A new revision gets 1 to 100 per cent of the requests.", hint="0 takes back what is being rolled out.")
        return spec


def _each(ctx: ToolContext, one: Found) -> float:
    try:
        return ctx.services.platform.hardware.get(one.view.hardware).price
    except NoSuchHardware:
        return 0.0


def _spec_changes(one: Found, spec: Spec | None, args: UpdateInput) -> list[Change]:
    if spec is None:
        return []
    view = one.view
    changes = [Change("hardware", view.hardware, str(spec.hardware)), Change("commit", view.commit, spec.commit)]
    changes.append(Change("runtime", view.runtime, spec.runtime.name))
    if args.environment is not None:
        changes.append(Change("environment", sorted(view.environment), sorted(spec.environment)))
    return [change for change in changes if change.before != change.after or change.what == "environment"]


class RollbackDeployment(_Changes):
    """Roll a deployment back to what ran before: the revision, hardware and environment of then. A second rollback takes it back."""

    name, input, effect = "rollback_deployment", OneDeployment, Effect.DESTRUCTIVE

    def plan(self, ctx: ToolContext, args: OneDeployment) -> Plan:
        """What it goes back to."""
        one, resolved, facts = self.begin(ctx, args)
        row, view = ctx.services.deployments.previous(one), one.view
        facts |= {"to_revision": row.number}
        if view.split:
            back = (Change("traffic", view.traffic, 0),)
            return Plan(resolved, Effect.DESTRUCTIVE, back, facts | moved_split(ctx, one, 0), shift_inverse(one, 0), one)
        pairs = (("commit", view.commit, row.commit), ("hardware", view.hardware, row.hardware), ("runtime", view.runtime, row.runtime))
        changes = tuple(Change(what, before, after) for what, before, after in pairs if before != after)
        changes = changes or (Change("revision", view.revision, row.number),)
        inverse = Call("rollback_deployment", {"deployment": view.name})
        return Plan(resolved, Effect.DESTRUCTIVE, changes, facts, inverse, one)

    def run(self, ctx: ToolContext, args: OneDeployment, plan: Plan) -> DeploymentOut:
        """Go back."""
        return deployment_out(ctx.services.deployments.roll_back(ctx.actor, plan.prepared))


class StartDeployment(_Changes):
    """Start a deployment that is stopped or asleep."""

    name, input, effect = "start_deployment", OneDeployment, Effect.SPEND

    def plan(self, ctx: ToolContext, args: OneDeployment) -> Plan:
        """What it will cost."""
        one, resolved, facts = self.begin(ctx, args)
        replicas = max(1, one.view.replicas)
        runs = not one.view.stopped and one.view.replicas > 0
        changes = () if runs else (Change("status", one.view.status, "running"),)
        inverse = None if runs else Call("stop_deployment", {"deployment": one.view.name})
        effect = Effect.WRITE if runs else Effect.SPEND
        return self.paid(ctx, one, Plan(resolved, effect, changes, facts | _price(ctx, one, replicas), inverse, one))

    def run(self, ctx: ToolContext, args: OneDeployment, plan: Plan) -> DeploymentOut:
        """Start it; what runs goes on."""
        return deployment_out(ctx.services.deployments.start(ctx.actor, plan.prepared) if plan.changes else plan.prepared.view)


class StopDeployment(_Changes):
    """Stop a deployment: it answers no more and costs nothing until somebody starts it."""

    name, input, effect = "stop_deployment", OneDeployment, Effect.DESTRUCTIVE

    def plan(self, ctx: ToolContext, args: OneDeployment) -> Plan:
        """What would stop."""
        one, resolved, facts = self.begin(ctx, args)
        changes = () if one.view.stopped else (Change("status", one.view.status, "stopped"),)
        inverse = Call("start_deployment", {"deployment": one.view.name}) if changes else None
        return Plan(resolved, Effect.DESTRUCTIVE if changes else Effect.WRITE, changes, facts, inverse, one)

    def run(self, ctx: ToolContext, args: OneDeployment, plan: Plan) -> DeploymentOut:
        """Stop it."""
        return deployment_out(ctx.services.deployments.stop(ctx.actor, plan.prepared) if plan.changes else plan.prepared.view)


class RestartDeployment(_Changes):
    """Restart a deployment: end what runs and start it anew; requests fail for a moment."""

    name, input, effect = "restart_deployment", OneDeployment, Effect.DESTRUCTIVE

    def plan(self, ctx: ToolContext, args: OneDeployment) -> Plan:
        """What would be interrupted."""
        one, resolved, facts = self.begin(ctx, args)
        changes = (Change("status", one.view.status, "restarted"),)
        idle = one.view.stopped or one.view.replicas == 0
        facts |= _price(ctx, one, max(1, one.view.replicas)) if idle else {}
        return self.paid(ctx, one, Plan(resolved, Effect.SPEND if idle else Effect.DESTRUCTIVE, changes, facts, None, one))

    def run(self, ctx: ToolContext, args: OneDeployment, plan: Plan) -> DeploymentOut:
        """Restart it."""
        return deployment_out(ctx.services.deployments.restart(ctx.actor, plan.prepared))


MaxArg = Annotated[
    int,
    Slot(SlotType.NUMBER),
    Field(
        description=f"Most copies, 1 to {MAX_REPLICAS}: between `replicas` and so many, the number follows the requests.",
        ge=1,
        le=MAX_REPLICAS,
        examples=[4],
    ),
]


class ScaleInput(OneDeployment):
    """Which deployment, and how many copies."""

    replicas: ReplicasArg
    max: MaxArg | None = None


class ScaleDeployment(_Changes):
    """Scale a deployment to a number of copies (replicas), or between two: then it follows the requests. At zero it sleeps until one comes."""

    name, input, effect = "scale_deployment", ScaleInput, Effect.SPEND

    def plan(self, ctx: ToolContext, args: ScaleInput) -> Plan:
        """More is spending, none is an interruption, fewer is neither."""
        one, resolved, facts = self.begin(ctx, args)
        check_replicas(args.replicas, args.max)
        view = one.view
        before = 0 if view.stopped else view.replicas
        most, most_before = args.max or args.replicas, view.max_replicas or before
        effect = Effect.SPEND if most > most_before or args.replicas > before else Effect.WRITE
        if most == 0 and (before > 0 or view.ready):
            effect = Effect.DESTRUCTIVE
        at, wanted = (view.min_replicas, view.max_replicas) if view.max_replicas else (before, None), (args.replicas, args.max)
        same = at == wanted and (args.max is not None or view.on_demand == (args.replicas == 0))
        changes = () if same else (Change("replicas", _copies(*at), _copies(*wanted)),)
        again = {"replicas": view.min_replicas if view.max_replicas else view.replicas} | (
            {"max": view.max_replicas} if view.max_replicas else {}
        )
        inverse = Call("scale_deployment", {"deployment": view.name, **again}) if changes else None
        facts |= _price(ctx, one, args.replicas) | ({"most": args.max, "most_price": _price(ctx, one, args.max)} if args.max else {})
        return self.paid(ctx, one, Plan(resolved, effect, changes, facts, inverse, one))

    def run(self, ctx: ToolContext, args: ScaleInput, plan: Plan) -> DeploymentOut:
        """Scale it."""
        return deployment_out(
            ctx.services.deployments.scale(ctx.actor, plan.prepared, args.replicas, args.max) if plan.changes else plan.prepared.view
        )


def _copies(least: int | None, most: int | None) -> int | str:
    return least or 0 if most is None else f"{least or 0}–{most}"


class DeletedOut(ToolOutput):
    """What was deleted."""

    deployment: str
    repo: str
    deleted: bool = Field(default=True)


class DeleteDeployment(_Changes):
    """Delete a deployment for good: it stops, and its revisions and logs are gone; the model stays."""

    name, input, output, effect = "delete_deployment", OneDeployment, DeletedOut, Effect.DESTRUCTIVE

    def plan(self, ctx: ToolContext, args: OneDeployment) -> Plan:
        """What would be gone, and how to deploy it again."""
        one, resolved, facts = self.begin(ctx, args)
        view = one.view
        again = {
            "repo": view.repo,
            "name": one.deployment.name,
            "revision": view.commit,
            "hardware": view.hardware,
            "runtime": view.runtime,
        }
        inverse = Call(
            "deploy_model",
            again
            | {
                "replicas": view.min_replicas if view.max_replicas else view.replicas,
                "environment": [f"{name}={value}" for name, value in view.environment.items()],
            },
        )
        return Plan(resolved, Effect.DESTRUCTIVE, (Change("deployment", view.name, None),), facts, inverse, one)

    def run(self, ctx: ToolContext, args: OneDeployment, plan: Plan) -> DeletedOut:
        """Delete it."""
        ctx.services.deployments.delete(ctx.actor, plan.prepared)
        return DeletedOut(deployment=plan.prepared.view.name, repo=plan.prepared.view.repo)


TOOLS = (
    UpdateDeployment(), RollbackDeployment(), StartDeployment(), StopDeployment(), RestartDeployment(), ScaleDeployment(), DeleteDeployment(),
)  # fmt: skip
