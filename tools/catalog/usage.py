"""Tools: what was used, what it cost, and how much it may cost."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import Field

from hub_core.authz import Permission
from hub_core.budgets.service import BudgetChange
from hub_core.budgets.states import BudgetPeriod, BudgetState
from hub_core.metering.reports import Line, Report, Sum
from hub_core.metering.scope import Span
from hub_core.metering.work import Work, current_work
from tools.catalog.fields import AmountArg, BudgetPeriodArg, OwnerArg, PeriodArg, UsedArg
from tools.contract import Call, Change, Effect, Plan, Tool, ToolContext, ToolInput, ToolOutput
from tools.periods import parse_amount, parse_period


class SumOut(ToolOutput):
    """What was used of something, or by somebody."""

    requests: int
    failed: int = Field(description="Requests that failed, of these.")
    prompt_tokens: int
    completion_tokens: int
    hours: float = Field(description="Hours of hardware, of all copies together.")
    cost: float = Field(description="What these hours cost.")


class TargetUse(SumOut):
    """Use of one thing."""

    name: str = Field(examples=["acme/support-7b"])
    kind: str = Field(description="deployment, job or space")
    owner: str


class PersonUse(SumOut):
    """Use by one person; without a name it is what nobody was signed in for."""

    username: str


class HardwareUse(ToolOutput):
    """Use of one kind of hardware."""

    hardware: str
    hours: float
    cost: float


class UsePoint(SumOut):
    """Use in one step."""

    at: dt.datetime = Field(description="Where the step begins (UTC).")


class WorkOut(ToolOutput):
    """Something that runs or waits now."""

    kind: str = Field(description="deployment or job")
    name: str
    owner: str
    username: str = Field(description="Who started it.")
    status: str
    hardware: str
    copies: int
    price_per_hour: float


class BudgetOut(ToolOutput):
    """A budget and what of it is used."""

    owner: str
    period: str = Field(description="day, week or month")
    amount: float
    used: float
    left: float
    ends_at: dt.datetime = Field(description="When the next period begins.")


class UsageInput(ToolInput):
    """Whose use, of what, when; all that you may see, this month, unless told."""

    owner: OwnerArg | None = None
    period: PeriodArg = "month"
    target: UsedArg | None = None


class UsageOut(ToolOutput):
    """What was used and what it cost."""

    owner: str
    target: str
    period: str
    begin: dt.datetime
    end: dt.datetime
    currency: str
    total: SumOut
    targets: list[TargetUse] = Field(description="By deployment, job and Space, the dearest first.")
    people: list[PersonUse]
    hardware: list[HardwareUse]
    step: str = Field(description="What a point stands for: hour, day or month.")
    points: list[UsePoint] = Field(description="Steps in which something was used.")
    budgets: list[BudgetOut]
    work: list[WorkOut] = Field(description="What runs and waits at this moment.")


class GetUsage(Tool[UsageInput, UsageOut]):
    """Show what was used and what it cost: requests, tokens, hours of hardware, by deployment, person and day; and what is left of budgets."""

    name, group, input, output, permission = "get_usage", "trust", UsageInput, UsageOut, Permission.USAGE_READ

    def run(self, ctx: ToolContext, args: UsageInput, plan: Plan) -> UsageOut:
        """Add it up."""
        period = parse_period(args.period)
        report = ctx.services.reports.report(ctx.actor, Span(period.begin, period.end), args.owner, args.target)
        work = [] if args.target else current_work(ctx.services, ctx.actor, args.owner)
        budgets = [] if args.target else ctx.services.budgets.of(ctx.actor, report.owner_ids)
        return usage_out(report, period.said, (period.begin, period.end), ctx.services.platform.hardware.currency, budgets, work)


def usage_out(
    report: Report, said: str, span: tuple[dt.datetime, dt.datetime], currency: str, budgets: list[BudgetState], work: list[Work]
) -> UsageOut:
    """A report as a tool's result."""
    return UsageOut(
        owner=report.owner, target=report.target, period=said, begin=span[0], end=span[1], currency=currency,
        total=SumOut(**_numbers(report.total)), step=report.step,
        targets=[TargetUse(name=one.name, kind=one.kind, owner=one.owner, **_numbers(one.total)) for one in report.targets],
        people=[PersonUse(username=one.name, **_numbers(one.total)) for one in report.people],
        hardware=[HardwareUse(hardware=one.name, hours=round(one.total.hours, 3), cost=round(one.total.cost, 4)) for one in report.hardware],
        points=[UsePoint(at=_at(one), **_numbers(one.total)) for one in report.points],
        budgets=[budget_out(one) for one in budgets],
        work=[WorkOut(**{name: getattr(one, name) for name in WorkOut.model_fields}) for one in work],
    )  # fmt: skip


def _at(line: Line) -> dt.datetime:
    assert line.at is not None
    return line.at


def _numbers(total: Sum) -> dict[str, Any]:
    return {
        "requests": total.requests, "failed": total.failed, "prompt_tokens": total.prompt_tokens, "completion_tokens": total.completion_tokens,
        "hours": round(total.hours, 3), "cost": round(total.cost, 4),
    }  # fmt: skip


def budget_out(state: BudgetState) -> BudgetOut:
    """A budget as a tool's result."""
    return BudgetOut(
        owner=state.owner, period=str(state.period), amount=state.amount, used=round(state.used, 4), left=round(state.left, 4),
        ends_at=state.ends_at,
    )  # fmt: skip


class SetBudgetInput(ToolInput):
    """Whose budget, how much, for how long."""

    owner: OwnerArg
    amount: AmountArg
    period: BudgetPeriodArg = BudgetPeriod.MONTH


class SetBudgetOut(ToolOutput):
    """The budget as it is now."""

    owner: str
    period: str
    amount: float = Field(description="What counts from now on; 0 for no limit.")
    used: float
    currency: str
    level: str = Field(description="site: set by an administrator of the hub; own: set by the owner. The lower one counts.")


class SetBudget(Tool[SetBudgetInput, SetBudgetOut]):
    """Set how much the hardware of a user or an organisation may cost per day, week or month; 0 removes the budget. What is used up stops."""

    name, group, input, output = "set_budget", "trust", SetBudgetInput, SetBudgetOut
    effect, permission = Effect.SPEND, Permission.BUDGET_SET

    def plan(self, ctx: ToolContext, args: SetBudgetInput) -> Plan:
        """To allow more is spending, to allow so little that something stops is destructive, the rest can be undone."""
        currency = ctx.services.platform.hardware.currency
        change = ctx.services.budgets.plan(ctx.actor, args.owner, parse_amount(args.amount, currency), args.period)
        effect = Effect.SPEND if change.loosens else Effect.DESTRUCTIVE if change.stops else Effect.WRITE
        resolved = {"owner": change.owner, "amount": change.after or 0, "period": str(change.period)}
        changes = () if change.before == change.after else (Change("budget", change.before, change.after),)
        facts = {
            "owner": change.owner,
            "period": str(change.period),
            "used": round(change.used, 4),
            "currency": currency,
            "stops": change.stops,
        }
        back = Call("set_budget", resolved | {"amount": change.before or 0}) if changes else None
        return Plan(resolved, effect if changes else Effect.WRITE, changes, facts, back, change)

    def run(self, ctx: ToolContext, args: SetBudgetInput, plan: Plan) -> SetBudgetOut:
        """Set it."""
        change: BudgetChange = plan.prepared
        if plan.changes:
            change = ctx.services.budgets.set_amount(ctx.actor, change.owner, change.after or 0, change.period)
        return SetBudgetOut(
            owner=change.owner, period=str(change.period), amount=change.counts or 0, used=round(change.used, 4), level=str(change.level),
            currency=ctx.services.platform.hardware.currency,
        )  # fmt: skip


TOOLS = (GetUsage(), SetBudget())
