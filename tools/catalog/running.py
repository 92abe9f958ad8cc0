"""Tools: change what runs: update, roll back, start, stop, restart, scale, delete deployments."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, Field

from hub_core.authz import Permission, Visibility
from hub_core.deployments.service import Found, check_replicas
from hub_core.deployments.specs import Asked, Spec
from hub_core.errors import NoSuchHardware
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
from tools.contract import Call, Change, Effect, Plan, Tool, ToolContext, ToolOutput


class _Changes(Tool[Any, Any]):
    """Base of what changes one deployment."""

    group, permission = "deployments", Permission.DEPLOYMENT_MANAGE
    output: ClassVar[type[BaseModel]] = DeploymentOut

    def begin(self, ctx: ToolContext, args: Any) -> tuple[Found, dict[str, Any], dict[str, Any]]:
        """The deployment, the resolved arguments and the facts that every summary has."""
        one, resolved = found(ctx, args, Permission.DEPLOYMENT_MANAGE)
        return one, resolved, {"deployment": one.view.name, "repo": one.view.repo, "status": one.view.status, "ready": one.view.ready}


def _price(ctx: ToolContext, one: Found, replicas: int) -> dict[str, Any]:
    try:
        hardware = ctx.services.platform.hardware.get(one.view.hardware)
    except NoSuchHardware:
        return {"hardware": one.view.hardware, "replicas": replicas}
    return cost(ctx, hardware, replicas)


class UpdateInput(OneDeployment):
    """What to change; leave out what stays."""

    revision: RevisionArg | None = None
    hardware: HardwareArg | None = None
    environment: EnvironmentArg | None = None
    visibility: VisibilityArg | None = None


class UpdateDeployment(_Changes):
    """Change a deployment: another revision of the model, other hardware, environment or visibility. The old way answers until the new one does."""

    name, input, effect = "update_deployment", UpdateInput, Effect.SPEND

    def plan(self, ctx: ToolContext, args: UpdateInput) -> Plan:
        """Dearer hardware is spending; to show it to more people is destructive; the rest can be rolled back."""
        one, resolved, facts = self.begin(ctx, args)
        spec = None
        if args.revision is not None or args.hardware is not None or args.environment is not None:
            spec = ctx.services.deployments.plan_update(
                ctx.actor, one, Asked(args.revision or "", args.hardware, None, variables(args.environment))
            )
        changes = [*_spec_changes(one, spec, args)]
        effect = Effect.WRITE
        if spec is not None:
            facts |= start_facts(spec)
            if str(spec.hardware) != one.view.hardware:
                facts |= cost(ctx, spec.hardware, one.view.replicas)
                effect = Effect.SPEND if spec.hardware.price > _each(ctx, one) else Effect.WRITE
                resolved["hardware"] = str(spec.hardware)
        inverse = Call("rollback_deployment", {"deployment": one.view.name}) if changes else None
        before = Visibility(one.view.visibility)
        if args.visibility is not None and args.visibility is not before:
            changes.append(Change("visibility", str(before), str(args.visibility)))
            effect = Effect.DESTRUCTIVE if args.visibility.rank > before.rank else effect
            if spec is None:
                inverse = Call("update_deployment", {"deployment": one.view.name, "visibility": str(before)})
        return Plan(resolved, effect, tuple(changes), facts, inverse, (one, spec))

    def run(self, ctx: ToolContext, args: UpdateInput, plan: Plan) -> DeploymentOut:
        """Roll it out."""
        prepared: tuple[Found, Spec | None] = plan.prepared
        one, spec = prepared
        view = one.view
        if any(change.what == "visibility" for change in plan.changes) and args.visibility is not None:
            view = ctx.services.deployments.set_visibility(ctx.actor, one, args.visibility)
        if spec is not None:
            view = ctx.services.deployments.roll_out(ctx.actor, one, spec)
        return deployment_out(view)


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
        return Plan(resolved, Effect.WRITE if runs else Effect.SPEND, changes, facts | _price(ctx, one, replicas), inverse, one)

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
        return Plan(resolved, Effect.SPEND if idle else Effect.DESTRUCTIVE, changes, facts, None, one)

    def run(self, ctx: ToolContext, args: OneDeployment, plan: Plan) -> DeploymentOut:
        """Restart it."""
        return deployment_out(ctx.services.deployments.restart(ctx.actor, plan.prepared))


class ScaleInput(OneDeployment):
    """Which deployment, and how many copies."""

    replicas: ReplicasArg


class ScaleDeployment(_Changes):
    """Scale a deployment to a number of copies (replicas). At zero it sleeps and costs nothing until a request wakes it."""

    name, input, effect = "scale_deployment", ScaleInput, Effect.SPEND

    def plan(self, ctx: ToolContext, args: ScaleInput) -> Plan:
        """More is spending, none is an interruption, fewer is neither."""
        one, resolved, facts = self.begin(ctx, args)
        check_replicas(args.replicas)
        before = 0 if one.view.stopped else one.view.replicas
        effect = Effect.SPEND if args.replicas > before else Effect.WRITE
        if args.replicas == 0 and (before > 0 or one.view.ready):
            effect = Effect.DESTRUCTIVE
        same = args.replicas == before and one.view.on_demand == (args.replicas == 0)
        changes = () if same else (Change("replicas", before, args.replicas),)
        inverse = Call("scale_deployment", {"deployment": one.view.name, "replicas": one.view.replicas}) if changes else None
        return Plan(resolved, effect, changes, facts | _price(ctx, one, args.replicas), inverse, one)

    def run(self, ctx: ToolContext, args: ScaleInput, plan: Plan) -> DeploymentOut:
        """Scale it."""
        return deployment_out(
            ctx.services.deployments.scale(ctx.actor, plan.prepared, args.replicas) if plan.changes else plan.prepared.view
        )


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
            again | {"replicas": view.replicas, "environment": [f"{name}={value}" for name, value in view.environment.items()]},
        )
        return Plan(resolved, Effect.DESTRUCTIVE, (Change("deployment", view.name, None),), facts, inverse, one)

    def run(self, ctx: ToolContext, args: OneDeployment, plan: Plan) -> DeletedOut:
        """Delete it."""
        ctx.services.deployments.delete(ctx.actor, plan.prepared)
        return DeletedOut(deployment=plan.prepared.view.name, repo=plan.prepared.view.repo)


TOOLS = (
    UpdateDeployment(), RollbackDeployment(), StartDeployment(), StopDeployment(), RestartDeployment(), ScaleDeployment(), DeleteDeployment(),
)  # fmt: skip
