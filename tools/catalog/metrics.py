"""Tools: how a deployment does, and stopping those that nobody asks."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from hub_core.authz import Permission
from hub_core.deployments.idle import idle_deployments
from hub_core.deployments.service import Found
from hub_core.metering.scope import Span
from hub_core.metering.series import Point, series
from tools.catalog.fields import OwnerArg, PeriodArg, TargetArg
from tools.contract import Change, Effect, Plan, Tool, ToolContext, ToolInput, ToolOutput
from tools.periods import parse_period

MAX_STOPPED = 200


class MetricsInput(ToolInput):
    """Which deployment, and when."""

    target: TargetArg
    period: PeriodArg = "24h"


class PointOut(ToolOutput):
    """What happened in one step."""

    at: dt.datetime = Field(description="Where the step begins (UTC).")
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    p50_ms: int | None = Field(description="Half of the requests took no longer.")
    p95_ms: int | None
    copies: int = Field(description="The most copies that answered at a time.")
    memory: int = Field(description="The most bytes of memory that all copies took; 0 where the cluster does not tell.")
    cpus: float = Field(description="The most processors that all copies kept busy.")


class MetricsOut(ToolOutput):
    """How a deployment did."""

    target: str
    status: str
    period: str
    begin: dt.datetime
    end: dt.datetime
    step: str = Field(description="What a point stands for: 5 minutes, hour, day or month.")
    replicas: int = Field(description="Copies that shall run now.")
    ready: int = Field(description="Copies that answer now.")
    memory: int = Field(description="Bytes of memory that they took when they were looked at last; 0 where the cluster does not tell.")
    cpus: float
    total: PointOut
    points: list[PointOut]


class GetMetrics(Tool[MetricsInput, MetricsOut]):
    """Show how a deployment does: requests, errors, tokens, latency (p50, p95), copies, memory and processors, over time."""

    name, group, input, output, permission = "get_metrics", "deployments", MetricsInput, MetricsOut, Permission.DEPLOYMENT_MANAGE

    def plan(self, ctx: ToolContext, args: MetricsInput) -> Plan:
        """Resolve the name."""
        one = ctx.services.deployments.find(ctx.actor, args.target, Permission.DEPLOYMENT_MANAGE)
        return Plan({"target": one.view.name, "period": args.period}, Effect.READ, prepared=one)

    def run(self, ctx: ToolContext, args: MetricsInput, plan: Plan) -> MetricsOut:
        """Read them."""
        one: Found = plan.prepared
        period = parse_period(args.period)
        found = series(ctx.services.db, ctx.services.usage, one.deployment.id, Span(period.begin, period.end))
        last = found.last if found.last is not None and one.view.ready else Point(period.end)
        return MetricsOut(
            target=one.view.name, status=one.view.status, period=period.said, begin=period.begin, end=period.end, step=found.step,
            replicas=0 if one.view.stopped else one.view.replicas, ready=one.view.ready, memory=last.memory, cpus=round(last.cpus, 2),
            total=_point(found.total), points=[_point(point) for point in found.points],
        )  # fmt: skip


def _point(point: Point) -> PointOut:
    return PointOut(
        at=point.at, requests=point.requests, failed=point.failed, prompt_tokens=point.prompt_tokens,
        completion_tokens=point.completion_tokens, p50_ms=point.late(0.5), p95_ms=point.late(0.95), copies=point.copies,
        memory=point.memory, cpus=round(point.cpus, 2),
    )  # fmt: skip


class StopIdleInput(ToolInput):
    """Whose deployments, and for how long nobody asked them."""

    owner: OwnerArg | None = None
    period: PeriodArg = "24h"
    deployments: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=200)]],
            Field(description="Exactly these, as a plan listed them; worked out if left out.", max_length=MAX_STOPPED),
        ]
        | None
    ) = None


class StopIdleOut(ToolOutput):
    """What was stopped."""

    stopped: list[str]
    already: list[str] = Field(description="Those that somebody else had stopped meanwhile.")


class StopIdleDeployments(Tool[StopIdleInput, StopIdleOut]):
    """Stop all deployments that run and that nobody asked within a time (24 hours unless told): your own, or those of an owner."""

    name, group, input, output = "stop_idle_deployments", "deployments", StopIdleInput, StopIdleOut
    effect, permission = Effect.DESTRUCTIVE, Permission.DEPLOYMENT_MANAGE

    def plan(self, ctx: ToolContext, args: StopIdleInput) -> Plan:
        """Which ones. Their names become arguments, so that the run stops these and no others."""
        names = args.deployments
        if names is None:
            since = parse_period(args.period).begin
            names = [one.name for one in idle_deployments(ctx.services.db, ctx.services.usage, ctx.actor, since, args.owner)]
        found = [ctx.services.deployments.find(ctx.actor, name, Permission.DEPLOYMENT_MANAGE) for name in names[:MAX_STOPPED]]
        resolved = args.model_dump(mode="json", exclude_none=True) | {"deployments": [one.view.name for one in found]}
        changes = tuple(Change("running", one.view.name, None) for one in found)
        facts = {"count": len(found), "saves_per_hour": round(sum(one.view.price_per_hour for one in found), 4), "currency": _currency(ctx)}
        return Plan(resolved, Effect.DESTRUCTIVE if found else Effect.WRITE, changes, facts, None, found)

    def run(self, ctx: ToolContext, args: StopIdleInput, plan: Plan) -> StopIdleOut:
        """Stop them."""
        stopped, already = [], []
        for one in plan.prepared:
            if one.view.stopped:
                already.append(one.view.name)
            else:
                ctx.services.deployments.stop(ctx.actor, one)
                stopped.append(one.view.name)
        return StopIdleOut(stopped=stopped, already=already)


def _currency(ctx: ToolContext) -> str:
    return ctx.services.platform.hardware.currency


TOOLS = (GetMetrics(), StopIdleDeployments())
