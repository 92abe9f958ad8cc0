"""Tools: deploy models, look at deployments, ask them."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import Field

from hub_core.authz import Permission, Visibility
from hub_core.clusters.port import GIB
from hub_core.deployments.asking import Answer, ask
from hub_core.deployments.hardware import Hardware, free, present
from hub_core.deployments.service import MAX_REPLICAS, Found, check_replicas
from hub_core.deployments.specs import Asked, Spec
from hub_core.deployments.tables import Status
from hub_core.deployments.views import DeploymentView
from hub_core.errors import RepoNotFound
from hub_core.jobs.service import JobView
from hub_core.jobs.traces import read_trace
from hub_core.repos.kinds import RepoKind
from hub_core.repos.tables import Repo
from hub_core.running_errors import DeploymentNotFound
from tools.catalog.fields import DeploymentArg, HardwareArg, LimitArg, ModelArg, RevisionArg
from tools.catalog.outputs import Page
from tools.catalog.repos import VisibilityArg, locate
from tools.catalog.spending import budget_facts
from tools.contract import Call, Change, Effect, NoInput, Plan, Slot, SlotType, Tool, ToolContext, ToolInput, ToolOutput

ReplicasArg = Annotated[
    int,
    Slot(SlotType.NUMBER),
    Field(
        description=f"How many copies, 0 to {MAX_REPLICAS}; with 0 it sleeps until a request wakes it.", ge=0, le=MAX_REPLICAS, examples=[1]
    ),
]
RuntimeArg = Annotated[str, Slot(SlotType.TEXT), Field(description="Runtime, e.g. `llama.cpp`; chosen if left out.", max_length=32)]
VariableText = Annotated[str, Field(max_length=4300, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}=")]
EnvironmentArg = Annotated[
    list[VariableText],
    Field(
        description="Environment variables as `NAME=value`; they replace those that were set.",
        max_length=50,
        examples=[["OMP_NUM_THREADS=2"]],
    ),
]
# A job as people name it where the name of a deployment could stand.
_JOB = re.compile(r"(?:job|任务|任務|作业|作業|ジョブ|작업)\s*(?:number\s*)?(?:#|＃)?\s*(?P<number>\d{1,15})", re.IGNORECASE)
# What a start takes beyond copying the model, in seconds, as people are told before they agree.
_START_S, _COPY_BYTES_S, _INSTALL_S = 10, 200 * 1024**2, 60


class HardwareOut(ToolOutput):
    """One kind of hardware."""

    name: str = Field(examples=["a10"])
    title: str
    cpus: float
    memory_gb: float
    gpu: str = ""
    gpu_memory_gb: float = 0
    price_per_hour: float
    currency: str
    present: int = Field(description="How many the clusters of this hub have.")
    free: int = Field(description="How many of them no deployment was given.")


class HardwareList(Page):
    """Hardware, the cheapest first."""

    items: list[HardwareOut]


class ListHardware(Tool[NoInput, HardwareList]):
    """List the hardware that models can run on: GPUs and CPUs, their memory, price per hour, and what of it is there and free."""

    name, group, output, permission = "list_hardware", "deployments", HardwareList, Permission.USER_READ

    def run(self, ctx: ToolContext, args: NoInput, plan: Plan) -> HardwareList:
        """Read the catalogue and the clusters."""
        found = ctx.services.platform.inventories().values()
        catalogue = ctx.services.platform.hardware
        items = [
            HardwareOut(
                **item.model_dump(exclude={"words"}), currency=catalogue.currency, present=sum(present(item, one) for one in found),
                free=sum(free(item, one) for one in found),
            )
            for item in catalogue.items
        ]  # fmt: skip
        return HardwareList(items=items)


class RuntimeOut(ToolOutput):
    """A program that serves models."""

    name: str = Field(examples=["llama.cpp"])
    title: str
    about: str
    formats: list[str]
    libraries: list[str]
    tasks: list[str]
    clusters: list[str] = Field(description="Where it runs: `local`, `kubernetes`.")
    hardware: list[str] = Field(description="`cpu`, `gpu`")


class RuntimeList(Page):
    """Runtimes, the preferred ones first."""

    items: list[RuntimeOut]


class ListRuntimes(Tool[NoInput, RuntimeList]):
    """List the runtimes (inference engines such as llama.cpp or vLLM): which formats of models each serves, and on what."""

    name, group, output, permission = "list_runtimes", "deployments", RuntimeList, Permission.USER_READ

    def run(self, ctx: ToolContext, args: NoInput, plan: Plan) -> RuntimeList:
        """Read the catalogue."""
        items = []
        for runtime in ctx.services.platform.runtimes:
            ways = {"local": runtime.local, "kubernetes": runtime.container}
            kinds = sorted({str(kind) for way in ways.values() if way is not None for kind in way.hardware})
            items.append(
                RuntimeOut(
                    name=runtime.name,
                    title=runtime.title,
                    about=runtime.about,
                    formats=list(runtime.formats),
                    libraries=list(runtime.libraries),
                    tasks=list(runtime.tasks),
                    hardware=kinds,
                    clusters=[name for name, way in ways.items() if way is not None],
                )
            )
        return RuntimeList(items=items)


class RevisionOut(ToolOutput):
    """One way in which a deployment ran."""

    number: int
    commit: str
    said: str = Field(description="The branch or tag that was named.")
    hardware: str
    runtime: str
    created_at: dt.datetime


class ReasonOut(ToolOutput):
    """One sentence of a reason."""

    code: str
    params: dict[str, str | int]


class SplitOut(ToolOutput):
    """One of two revisions that share the requests."""

    revision: int
    percent: int = Field(description="Of the requests, what it shall take.")
    takes: int = Field(description="Of the requests, what it takes now: a revision that does not answer takes none.")
    replicas: int
    ready: int
    commit: str
    said: str
    hardware: str
    price_per_hour: float


class DeploymentOut(ToolOutput):
    """A deployment."""

    id: int
    name: str = Field(description="`namespace/name`; the model name for `/v1/chat/completions`.", examples=["acme/support-7b"])
    repo: str = Field(description="The model that it serves.")
    owner: str
    status: str = Field(description="queued, starting, running, sleeping, stopped or failed")
    reason: str = Field(description="Why it is so, in plain words; empty when all is well.")
    reason_code: str = Field(default="", description="Code of its first sentence, which stays the same when the words change.")
    reasons: list[ReasonOut] = Field(default_factory=list, description="Codes and values of all its sentences.")
    visibility: str
    revision: int
    serving: int | None = Field(description="The revision that answers: an older one while the current one starts.")
    traffic: int = Field(
        default=100, description="Per cent of the requests for the current revision; less while an older one takes the rest."
    )
    split: list[SplitOut] = Field(default_factory=list, description="The two revisions that share the requests, the newer one first.")
    commit: str
    said: str = Field(description="The branch or tag that was named.")
    hardware: str
    runtime: str
    task: str
    cluster: str
    replicas: int
    ready: int
    min_replicas: int | None = Field(default=None, description="With max_replicas, the copies follow the requests between the two.")
    max_replicas: int | None = None
    on_demand: bool = Field(description="Scaled to zero: a request wakes it.")
    memory: int = Field(description="Bytes that the model is estimated to take.")
    price_per_hour: float = Field(description="Of all copies that shall run now.")
    currency: str
    environment: dict[str, str]
    created_at: dt.datetime
    updated_at: dt.datetime
    requested_at: dt.datetime | None = None
    revisions: list[RevisionOut] = Field(default_factory=list)


def deployment_out(view: DeploymentView) -> DeploymentOut:
    """A view as a tool's result."""
    fields = {name: getattr(view, name) for name in DeploymentOut.model_fields if name not in ("revisions", "split", "reasons")}
    return DeploymentOut(
        **fields,
        revisions=[RevisionOut(**{name: getattr(row, name) for name in RevisionOut.model_fields}) for row in view.revisions],
        split=[SplitOut(**{name: getattr(row, name) for name in SplitOut.model_fields}) for row in view.split],
        reasons=[ReasonOut(**part) for part in view.reasons],
    )


class DeploymentList(Page):
    """Deployments, newest first."""

    items: list[DeploymentOut]


class ListDeploymentsInput(ToolInput):
    """Filters; all optional."""

    owner: Annotated[str, Slot(SlotType.OWNER), Field(description="User or organisation that owns them.", max_length=64)] | None = None
    status: Annotated[Status, Slot(SlotType.STATUS), Field(description="queued, starting, running, sleeping, stopped or failed")] | None = (
        None
    )
    limit: LimitArg = 20
    cursor: Annotated[str, Field(description="`next` of the page before.", max_length=16, pattern=r"^\d{1,16}$")] | None = None


class ListDeployments(Tool[ListDeploymentsInput, DeploymentList]):
    """List deployments (endpoints, served models): what runs, on which hardware, at which price, what sleeps, failed or is stopped."""

    name, group, input, output, permission = (
        "list_deployments", "deployments", ListDeploymentsInput, DeploymentList, Permission.DEPLOYMENT_USE,
    )  # fmt: skip

    def run(self, ctx: ToolContext, args: ListDeploymentsInput, plan: Plan) -> DeploymentList:
        """Read them."""
        page = ctx.services.deployments.list_deployments(
            ctx.actor, owner=args.owner, status=args.status, cursor=int(args.cursor) if args.cursor else None, limit=args.limit
        )
        return DeploymentList(items=[deployment_out(view) for view in page.items], next=page.next)


class OneDeployment(ToolInput):
    """Names a deployment."""

    deployment: DeploymentArg


def found(ctx: ToolContext, args: Any, permission: Permission = Permission.DEPLOYMENT_USE) -> tuple[Found, dict[str, Any]]:
    """The deployment that `args.deployment` means, with the permission checked, and the resolved arguments."""
    one = ctx.services.deployments.find(ctx.actor, args.deployment, permission)
    return one, args.model_dump(mode="json", exclude_none=True) | {"deployment": one.view.name}


class GetDeployment(Tool[OneDeployment, DeploymentOut]):
    """Show one deployment: whether it runs and why not, its hardware, price, copies, revisions, and the model behind it."""

    name, group, input, output, permission = "get_deployment", "deployments", OneDeployment, DeploymentOut, Permission.DEPLOYMENT_USE

    def plan(self, ctx: ToolContext, args: OneDeployment) -> Plan:
        """Resolve the name and read it."""
        one, resolved = found(ctx, args)
        return Plan(resolved, Effect.READ, prepared=one.view)

    def run(self, ctx: ToolContext, args: OneDeployment, plan: Plan) -> DeploymentOut:
        """Show it."""
        return deployment_out(plan.prepared)


class DeployModelInput(ToolInput):
    """What to deploy, and on what; what is left out is chosen."""

    repo: ModelArg
    name: Annotated[str, Slot(SlotType.NEW_NAME), Field(description="Name of the deployment; that of the model if left out.", max_length=140)] | None = None  # fmt: skip
    revision: RevisionArg | None = None
    hardware: HardwareArg | None = None
    runtime: RuntimeArg | None = None
    replicas: ReplicasArg = 1
    environment: EnvironmentArg | None = None
    visibility: VisibilityArg = Visibility.PRIVATE


class DeployModel(Tool[DeployModelInput, DeploymentOut]):
    """Deploy a model: serve it as an endpoint that answers requests, on hardware that is paid by the hour; private unless said otherwise."""

    name, group, input, output = "deploy_model", "deployments", DeployModelInput, DeploymentOut
    effect, permission = Effect.SPEND, Permission.DEPLOYMENT_MANAGE

    def plan(self, ctx: ToolContext, args: DeployModelInput) -> Plan:
        """Work out runtime and hardware, and what they cost."""
        repo, resolved = locate(ctx, args, Permission.DEPLOYMENT_MANAGE)
        check_replicas(args.replicas)
        asked = Asked(args.revision or "", args.hardware, args.runtime, variables(args.environment))
        name, spec = ctx.services.deployments.plan_deploy(ctx.actor, repo, args.name, asked)
        full = f"{repo.namespace}/{name}"
        resolved |= {"name": name, "hardware": str(spec.hardware), "runtime": spec.runtime.name}
        changes = (Change("deployment", None, full), Change("visibility", None, str(args.visibility)))
        facts = (
            {"repo": repo.full_name, "deployment": full, "commit": spec.commit}
            | cost(ctx, spec.hardware, args.replicas)
            | start_facts(spec)
            | budget_facts(ctx, repo.namespace_id, spec.hardware.price * args.replicas)
        )
        return Plan(resolved, Effect.SPEND, changes, facts, Call("delete_deployment", {"deployment": full}), (repo, name, spec))

    def run(self, ctx: ToolContext, args: DeployModelInput, plan: Plan) -> DeploymentOut:
        """Write down that it shall run."""
        prepared: tuple[Repo, str, Spec] = plan.prepared
        repo, name, spec = prepared
        return deployment_out(ctx.services.deployments.deploy(ctx.actor, repo, name, spec, args.replicas, args.visibility))


def variables(given: list[str] | None) -> dict[str, str] | None:
    """`NAME=value` texts as a mapping; None stays None."""
    return None if given is None else {name: value for name, _, value in (text.partition("=") for text in given)}


def cost(ctx: ToolContext, hardware: Hardware, replicas: int) -> dict[str, Any]:
    """What people are told before they agree to spend: on what it runs, what an hour costs, and for how long."""
    item = hardware.item
    return {
        "hardware": str(hardware),
        "hardware_title": item.title if hardware.count == 1 else f"{hardware.count} x {item.title}",
        "memory_gb": (item.gpu_memory_gb or item.memory_gb) * hardware.count,
        "replicas": replicas,
        "price_per_hour": round(hardware.price * replicas, 4),
        "price_per_hour_each": hardware.price,
        "currency": ctx.services.platform.hardware.currency,
        "runs": "while requests come" if replicas == 0 else "until it is stopped",
    }


def start_facts(spec: Spec) -> dict[str, Any]:
    """About how long it takes until it answers, and how much memory the model takes."""
    install = _INSTALL_S + int(60 * spec.runtime.local.download_gb) if spec.cluster == "local" and spec.runtime.local else 0
    return {
        "runtime": spec.runtime.title,
        "cluster": spec.cluster,
        "needs_gb": round(spec.memory / GIB, 1),
        "starts_in_s": _START_S + spec.weights // _COPY_BYTES_S,
        "first_time_s": install,
    }


class TryInput(OneDeployment):
    """Which deployment, and what to ask."""

    prompt: Annotated[str, Slot(SlotType.TEXT), Field(description="What to say to the model.", min_length=1, max_length=20_000)]
    max_tokens: Annotated[int, Field(description="Longest answer, in tokens.", ge=1, le=4096)] = 256


class TryOut(ToolOutput):
    """What the model answered."""

    deployment: str
    answer: str
    prompt_tokens: int
    completion_tokens: int
    elapsed_ms: int


class TryDeployment(Tool[TryInput, TryOut]):
    """Ask a deployment something and show its answer: try a served model with a prompt."""

    name, group, input, output, permission = "try_deployment", "deployments", TryInput, TryOut, Permission.DEPLOYMENT_USE

    def plan(self, ctx: ToolContext, args: TryInput) -> Plan:
        """Resolve the name."""
        one, resolved = found(ctx, args)
        return Plan(resolved, Effect.READ, prepared=one)

    def run(self, ctx: ToolContext, args: TryInput, plan: Plan) -> TryOut:
        """Ask it."""
        answer: Answer = ask(ctx.services, ctx.actor, plan.prepared, args.prompt, args.max_tokens)
        return TryOut(
            deployment=plan.args["deployment"], answer=answer.text, prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens, elapsed_ms=round(answer.seconds * 1000),
        )  # fmt: skip


class GetLogsInput(ToolInput):
    """Whose logs, and how many lines."""

    target: Annotated[str, Slot(SlotType.DEPLOYMENT), Field(description="Deployment as `namespace/name`, or its bare name; or a Space; or a job, as `job 12`.", min_length=1, max_length=200, examples=["acme/support-7b"])]  # fmt: skip
    lines: Annotated[int, Slot(SlotType.NUMBER), Field(description="How many lines of each copy, at most.", ge=1, le=2000)] = 100


class LogOut(ToolOutput):
    """The last lines of one copy."""

    revision: int
    copy_number: str
    text: str


class LogsOut(ToolOutput):
    """Logs of a deployment, or of a job."""

    target: str
    items: list[LogOut]


def _whose_logs(ctx: ToolContext, said: str) -> Found:
    """The deployment that is meant, or that of the Space that is."""
    try:
        return ctx.services.deployments.find(ctx.actor, said, Permission.DEPLOYMENT_MANAGE)
    except DeploymentNotFound as error:
        try:
            repo = ctx.services.repos.find(ctx.actor, said, RepoKind.SPACE)
        except RepoNotFound:
            raise error from None
        return ctx.services.space_runs.found(ctx.actor, repo)


class GetLogs(Tool[GetLogsInput, LogsOut]):
    """Show the last lines of the log of a deployment, of a Space or of a job: what its program wrote, errors included."""

    name, group, input, output, permission = "get_logs", "deployments", GetLogsInput, LogsOut, Permission.DEPLOYMENT_MANAGE

    def plan(self, ctx: ToolContext, args: GetLogsInput) -> Plan:
        """Resolve the name, or find the job."""
        if (said := _JOB.fullmatch(args.target)) is not None:
            job = ctx.services.jobs.get(ctx.actor, int(said["number"]))
            return Plan(args.model_dump(mode="json") | {"target": f"job {job.id}"}, Effect.READ, prepared=job)
        one = _whose_logs(ctx, args.target)
        return Plan(args.model_dump(mode="json") | {"target": one.view.name}, Effect.READ, prepared=one)

    def run(self, ctx: ToolContext, args: GetLogsInput, plan: Plan) -> LogsOut:
        """Read them."""
        if isinstance(plan.prepared, JobView):
            lines = read_trace(ctx.services.db, plan.prepared.id)[0].splitlines()[-args.lines :]
            text = "\n".join(lines)
            return LogsOut(target=plan.args["target"], items=[LogOut(revision=0, copy_number="", text=text)] if text else [])
        logs = ctx.services.deployments.logs(ctx.actor, plan.args["target"], args.lines)
        items = [LogOut(revision=int(name.split("/")[0]), copy_number=name.split("/")[1], text=text) for name, text in logs.items()]
        return LogsOut(target=plan.args["target"], items=items)


TOOLS = (ListHardware(), ListRuntimes(), DeployModel(), ListDeployments(), GetDeployment(), TryDeployment(), GetLogs())
