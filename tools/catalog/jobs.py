"""Tools: background jobs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import Field

from hub_core.authz import Permission
from hub_core.jobs.service import STATUSES, JobView
from hub_core.jobs.traces import read_trace
from tools.catalog.fields import LimitArg
from tools.catalog.outputs import Page
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput

JobArg = Annotated[int, Slot(SlotType.NUMBER), Field(description="Number of the job.", ge=1, le=2**53, examples=[12])]
StatusArg = Annotated[
    str,
    Slot(SlotType.STATUS),
    Field(description=", ".join(STATUSES), max_length=12, pattern=f"^({'|'.join(STATUSES)})$", examples=["failed"]),
]


class JobError(ToolOutput):
    """Why a job failed."""

    code: str
    message: str
    hint: str = ""


class JobOut(ToolOutput):
    """A background job."""

    id: int
    kind: str = Field(examples=["scan"])
    status: str = Field(description="queued, running, succeeded, failed or cancelled")
    owner: str = Field(description="Who started it; empty for the hub itself.")
    repo: str = Field(description="What it works on; empty for none.")
    progress: float = Field(description="From 0 to 1.")
    message: str = Field(description="What it is at.")
    attempts: int
    result: dict[str, Any] | None = None
    error: JobError | None = None
    series: list[dict[str, float]] = Field(default_factory=list, description="Measures over the steps of a fine-tune: step, loss, lr.")
    created_at: dt.datetime
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None


class JobList(Page):
    """Jobs, newest first."""

    items: list[JobOut]


class ListJobsInput(ToolInput):
    """Filters; all optional."""

    kind: Annotated[str, Slot(SlotType.TEXT), Field(description="Only this kind of job, e.g. scan.", max_length=48)] | None = None
    status: StatusArg | None = None
    owner: Annotated[str, Slot(SlotType.USER), Field(description="Who started them.", max_length=64)] | None = None
    limit: LimitArg = 20
    cursor: Annotated[str, Field(description="`next` of the page before.", max_length=16, pattern=r"^\d{1,16}$")] | None = None


class ListJobs(Tool[ListJobsInput, JobList]):
    """List background jobs (scans, checks, conversions, fine-tunes): what waits, runs, ended or failed."""

    name, group, input, output, permission = "list_jobs", "jobs", ListJobsInput, JobList, Permission.JOB_READ

    def run(self, ctx: ToolContext, args: ListJobsInput, plan: Plan) -> JobList:
        """Read them."""
        page = ctx.services.jobs.list_jobs(
            ctx.actor,
            kind=args.kind,
            status=args.status,
            owner=args.owner,
            limit=args.limit,
            cursor=int(args.cursor) if args.cursor else None,
        )
        return JobList(items=[job_out(job) for job in page.items], next=page.next)


class OneJob(ToolInput):
    """Names one job."""

    job: JobArg


class GetJob(Tool[OneJob, JobOut]):
    """Show one background job: how far it is, the loss of a fine-tune while it runs, what came of it, or why it failed."""

    name, group, input, output, permission = "get_job", "jobs", OneJob, JobOut, Permission.JOB_READ

    def plan(self, ctx: ToolContext, args: OneJob) -> Plan:
        """Find it."""
        return Plan({"job": args.job}, Effect.READ, prepared=ctx.services.jobs.get(ctx.actor, args.job))

    def run(self, ctx: ToolContext, args: OneJob, plan: Plan) -> JobOut:
        """Show it."""
        job: JobView = plan.prepared
        return job_out(job).model_copy(update={"series": read_trace(ctx.services.db, job.id)[1]})


class CancelJob(Tool[OneJob, JobOut]):
    """Stop a background job. What a running one has done so far is lost, which needs approval."""

    name, group, input, output = "cancel_job", "jobs", OneJob, JobOut
    effect, permission = Effect.DESTRUCTIVE, Permission.JOB_MANAGE

    def plan(self, ctx: ToolContext, args: OneJob) -> Plan:
        """A job that only waits loses nothing."""
        job = ctx.services.jobs.check_cancel(ctx.actor, args.job)
        effect = Effect.DESTRUCTIVE if job.status == "running" else Effect.WRITE
        return _plan(job, effect, "cancelled", "retry_job")

    def run(self, ctx: ToolContext, args: OneJob, plan: Plan) -> JobOut:
        """Stop it."""
        return job_out(ctx.services.jobs.cancel(ctx.actor, args.job))


class RetryJob(Tool[OneJob, JobOut]):
    """Run a background job again that failed or was cancelled."""

    name, group, input, output = "retry_job", "jobs", OneJob, JobOut
    effect, permission = Effect.WRITE, Permission.JOB_MANAGE

    def plan(self, ctx: ToolContext, args: OneJob) -> Plan:
        """From failed or cancelled to queued."""
        return _plan(ctx.services.jobs.check_retry(ctx.actor, args.job), Effect.WRITE, "queued", "cancel_job")

    def run(self, ctx: ToolContext, args: OneJob, plan: Plan) -> JobOut:
        """Put it into the queue."""
        return job_out(ctx.services.jobs.retry(ctx.actor, args.job))


def job_out(job: JobView) -> JobOut:
    """A job as a tool's result."""
    return JobOut(
        id=job.id, kind=job.kind, status=job.status, owner=job.owner, repo=job.repo, progress=job.progress, message=job.message,
        attempts=job.attempts, result=job.result, error=JobError(**job.error) if job.error else None,
        created_at=job.created_at, started_at=job.started_at, finished_at=job.finished_at,
    )  # fmt: skip


def _plan(job: JobView, effect: Effect, after: str, back: str) -> Plan:
    facts = {"job": job.id, "kind": job.kind} | ({"repo": job.repo} if job.repo else {})
    return Plan({"job": job.id}, effect, (Change("status", job.status, after),), facts, Call(back, {"job": job.id}))


TOOLS = (ListJobs(), GetJob(), CancelJob(), RetryJob())
